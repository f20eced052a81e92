package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const password = "correct horse battery staple"

// caddy is a Caddy at work.
type caddy struct {
	program, admin string
	process        *os.Process
	ended          chan struct{}
	said           bytes.Buffer // valid once it has ended
}

// options are what every Caddyfile here begins with, but for the closing brace.
func options(admin, dir string) string {
	return fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	persist_config off
	storage file_system %s
	log {
		level ERROR
	}
`, admin, filepath.Join(dir, "caddy"))
}

// gatewayOptions keep people beside Caddy's own files.
func gatewayOptions(dir string) string {
	return fmt.Sprintf("\tauth_gateway {\n\t\tstore sqlite %s\n\t}\n", filepath.Join(dir, "people.db"))
}

// startCaddy starts Caddy and waits until the site answers.
func startCaddy(program, dir, caddyfile, admin string, sitePort int) (*caddy, error) {
	path := filepath.Join(dir, "Caddyfile-"+strconv.Itoa(sitePort))
	if err := os.WriteFile(path, []byte(caddyfile), 0o600); err != nil {
		return nil, err
	}
	c := &caddy{program: program, admin: admin, ended: make(chan struct{})}
	cmd := exec.Command(program, "run", "--config", path, "--adapter", "caddyfile")
	cmd.Stdout, cmd.Stderr = &c.said, &c.said
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.process = cmd.Process
	go func() {
		_ = cmd.Wait()
		close(c.ended)
	}()
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: noRedirects}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/hello", sitePort)); err == nil {
			resp.Body.Close()
			return c, nil
		}
		select {
		case <-c.ended:
			return nil, fmt.Errorf("caddy did not start:\n%s", c.said.String())
		case <-time.After(2 * time.Millisecond):
		}
	}
	c.stop()
	return nil, fmt.Errorf("caddy does not answer:\n%s", c.said.String())
}

func (c *caddy) stop() {
	_ = c.process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(10 * time.Second):
		_ = c.process.Kill()
		<-c.ended
	}
}

// cpu is the processor time that Caddy has taken.
func (c *caddy) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.process.Pid))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in brackets (proc_pid_stat(5)).
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("/proc/pid/stat is not as expected")
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	const ticksPerSecond = 100 // USER_HZ, the same on all of Linux
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// memory is what Caddy holds in memory, in bytes.
func (c *caddy) memory() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib * 1024, err
		}
	}
	return 0, errors.New("/proc/pid/status has no VmRSS")
}

// addUser makes an account.
func (c *caddy) addUser(email string) error {
	cmd := exec.Command(c.program, "auth-gateway", "user", "add", email, "--name", "Bench Example",
		"--password-stdin", "--address", c.admin)
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// client is one that asks from an address of its own, so that networks do not
// count for each other.
func client(source net.IP) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: source}}
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: noRedirects,
		Transport:     &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4},
	}
}

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// signIn posts the password form, and returns the answer and the Cookie header
// of the session, if one began.
func signIn(c *http.Client, port int, email, password string) (status int, cookie string, err error) {
	origin := fmt.Sprintf("http://127.0.0.1:%d", port)
	form := url.Values{"email": {email}, "password": {password}}.Encode()
	r, err := http.NewRequest(http.MethodPost, origin+"/auth-gateway/sign-in", strings.NewReader(form))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	resp, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, "", err
	}
	for _, cookie := range resp.Cookies() {
		if cookie.Name == "auth_gateway" {
			return resp.StatusCode, cookie.Name + "=" + cookie.Value, nil
		}
	}
	return resp.StatusCode, "", nil
}

// freePorts finds ports that nobody listens on.
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
