// Command bench compares the requests per second of one Caddy with and without
// the gateway. Plain and protected sites take turns within one run, so that
// whatever else the machine does meets both; what counts is their ratio.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

const (
	email    = "bench@example.test"
	password = "correct horse battery staple"
)

// site is one site of the Caddy under load.
type site struct {
	name   string
	port   int
	cookie string
	rates  []float64 // requests per second, by round
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	caddy := flag.String("caddy", "./caddy", "the Caddy to measure")
	rounds := flag.Int("rounds", 12, "how often the sites take turns")
	length := flag.Duration("length", 1500*time.Millisecond, "how long a turn lasts")
	connections := flag.Int("connections", 16, "how many connections are kept busy")
	flag.Parse()
	if err := run(*caddy, *rounds, *length, *connections); err != nil {
		log.Fatal(err)
	}
}

func run(caddy string, rounds int, length time.Duration, connections int) error {
	binary, err := filepath.Abs(caddy)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	app, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello\n")
	})}
	go server.Serve(app)
	defer server.Close()

	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	admin := fmt.Sprintf("127.0.0.1:%d", ports[0])
	plain := &site{name: "reverse_proxy", port: ports[1]}
	public := &site{name: "auth_gateway (public path)", port: ports[2]}
	signedIn := &site{name: "auth_gateway (signed in)", port: ports[3]}
	config := fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	persist_config off
	storage file_system %s
	log {
		level ERROR
	}
	auth_gateway {
		store sqlite %s
	}
}
http://127.0.0.1:%d {
	reverse_proxy %[7]s
}
http://127.0.0.1:%[5]d {
	auth_gateway {
		public /hello
	}
	reverse_proxy %[7]s
}
http://127.0.0.1:%[6]d {
	auth_gateway
	reverse_proxy %[7]s
}
`, admin, filepath.Join(dir, "caddy"), filepath.Join(dir, "people.db"), plain.port, public.port, signedIn.port, app.Addr())

	stop, err := startCaddy(binary, dir, config, admin)
	if err != nil {
		return err
	}
	defer stop()
	if err := addUser(binary, admin); err != nil {
		return err
	}
	if signedIn.cookie, err = signIn(signedIn.port); err != nil {
		return err
	}

	sites := []*site{plain, public, signedIn}
	for _, s := range sites { // warm up
		if _, err := load(s, length/2, connections); err != nil {
			return err
		}
	}
	for round := range rounds {
		turn := slices.Clone(sites)
		if round%2 == 1 {
			slices.Reverse(turn)
		}
		for _, s := range turn {
			rate, err := load(s, length, connections)
			if err != nil {
				return err
			}
			s.rates = append(s.rates, rate)
		}
	}
	return report(os.Stdout, sites, rounds, length, connections)
}

// report prints the table. The spread is that of the middle half of the rounds.
func report(w io.Writer, sites []*site, rounds int, length time.Duration, connections int) error {
	fmt.Fprintf(w, "\n%s, %d cores, %d connections, %d rounds of %v, alternating; Caddy, app and load on one machine\n\n",
		runtime.Version(), runtime.NumCPU(), connections, rounds, length)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "requests per second\tmedian\tratio to plain\tmiddle half\tmin to max\t")
	for _, s := range sites {
		ratios := make([]float64, rounds)
		for i := range ratios {
			ratios[i] = s.rates[i] / sites[0].rates[i]
		}
		slices.Sort(ratios)
		fmt.Fprintf(table, "%s\t%.0f\t%.3f\t%.3f to %.3f\t%.3f to %.3f\t\n", s.name, median(s.rates), median(ratios),
			ratios[rounds/4], ratios[rounds-1-rounds/4], ratios[0], ratios[rounds-1])
	}
	return table.Flush()
}

func median(values []float64) float64 {
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare[float64])
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// startCaddy starts Caddy with that configuration and waits until it answers.
func startCaddy(binary, dir, config, admin string) (stop func(), err error) {
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "run", "--config", path, "--adapter", "caddyfile")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if resp, err := http.Get("http://" + admin + "/config/apps/http"); err == nil {
			resp.Body.Close()
			return stop, nil
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("caddy did not start:\n%s", said.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	stop()
	return nil, fmt.Errorf("caddy does not answer:\n%s", said.String())
}

func addUser(binary, admin string) error {
	cmd := exec.Command(binary, "auth-gateway", "user", "add", email, "--name", "Bench Example",
		"--password-stdin", "--address", admin)
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// signIn returns the Cookie header of a session.
func signIn(port int) (string, error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	origin := fmt.Sprintf("http://127.0.0.1:%d", port)
	r, err := http.NewRequest(http.MethodPost, origin+"/auth-gateway/sign-in",
		strings.NewReader(url.Values{"email": {email}, "password": {password}}.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	for _, cookie := range resp.Cookies() {
		if cookie.Name == "auth_gateway" {
			return cookie.Name + "=" + cookie.Value, nil
		}
	}
	answer, _ := json.Marshal(resp.Header)
	return "", fmt.Errorf("no session after signing in: %s %s", resp.Status, answer)
}

// load keeps connections busy with a site for a time and returns the requests
// per second.
func load(s *site, length time.Duration, connections int) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	began := time.Now()
	counts, errs := make(chan int, connections), make(chan error, connections)
	for range connections {
		go func() {
			n, err := keepBusy(ctx, s)
			counts <- n
			errs <- err
		}()
	}
	total := 0
	var err error
	for range connections {
		total += <-counts
		err = errors.Join(err, <-errs)
	}
	return float64(total) / time.Since(began).Seconds(), err
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
