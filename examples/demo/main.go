// Command demo runs the demonstration: Caddy with the Caddyfile beside it, the
// app that it protects and the identity provider of the office. All of it
// listens on 127.0.0.1 only and keeps its files in the folder data.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Where everything is; the Caddyfile names the same addresses.
const (
	anywhere     = "http://localhost:8080"
	office       = "http://127.0.0.1:8081"
	issuer       = "http://localhost:8082"
	providerAddr = "127.0.0.1:8082"
	appAddr      = "127.0.0.1:8083"
	adminAddr    = "127.0.0.1:2020"
	officeClient = "127.9.0.1"

	person = "alice@example.test"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("demo: ")
	caddy := flag.String("caddy", "caddy", "the Caddy with the gateway")
	dir := flag.String("dir", ".", "the folder of the demo")
	flag.Parse()

	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *caddy, *dir); err != nil {
		log.Fatal(err)
	}
}

// run starts everything and returns when ctx is done or something ends.
func run(ctx context.Context, caddy, dir string) error {
	binary, err := exec.LookPath(caddy)
	if err != nil {
		return err
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := os.MkdirAll("data", 0o700); err != nil {
		return err
	}
	if err := officeNetwork(); err != nil {
		return err
	}

	provider, err := newProvider(issuer, "demo",
		office+"/auth-gateway/sso/office/callback", anywhere+"/auth-gateway/sso/office/callback")
	if err != nil {
		return err
	}
	ended := make(chan error, 3)
	for addr, handler := range map[string]http.Handler{appAddr: app(), providerAddr: provider} {
		server := &http.Server{Addr: addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		defer server.Close()
		go func() { ended <- server.Serve(ln) }()
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait, err := startCaddy(ctx, binary)
	if err != nil {
		return err
	}
	caddyEnded := make(chan error, 1)
	go func() { caddyEnded <- wait() }()
	if err := awaitCaddy(ctx, caddyEnded); err != nil {
		return err
	}

	link, isNew, err := oneTimeLink(ctx, binary)
	if err == nil {
		explain(link, isNew)
		select {
		case <-ctx.Done():
			fmt.Println("\nEnding.")
		case err = <-ended:
		case err = <-caddyEnded:
			return errors.Join(errors.New("caddy ended; data/caddy.log says why"), err)
		}
	}
	cancel()
	<-caddyEnded
	return err
}

// officeNetwork makes sure that connections can come from the office's address.
func officeNetwork() error {
	ln, err := net.Listen("tcp", net.JoinHostPort(officeClient, "0"))
	if err != nil {
		return fmt.Errorf("this machine cannot use the loopback address %s, which stands for the office network (on macOS: sudo ifconfig lo0 alias %[1]s): %w",
			officeClient, err)
	}
	return ln.Close()
}

// startCaddy starts Caddy. It ends when ctx is done.
func startCaddy(ctx context.Context, binary string) (wait func() error, err error) {
	logs, err := os.Create("data/caddy.log")
	if err != nil {
		return nil, err
	}
	defer logs.Close()
	cmd := exec.CommandContext(ctx, binary, "run", "--config", "Caddyfile")
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return cmd.Wait, nil
}

// awaitCaddy waits until Caddy serves.
func awaitCaddy(ctx context.Context, ended <-chan error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if resp, err := http.Get("http://" + adminAddr + "/config/apps/http"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			logs, _ := os.ReadFile("data/caddy.log")
			lines := strings.Split(strings.TrimSpace(string(logs)), "\n")
			return errors.Join(fmt.Errorf("caddy did not start:\n%s", lines[len(lines)-1]), err)
		}
	}
}

// oneTimeLink adds the account, or resets the password of the one from an
// earlier run.
func oneTimeLink(ctx context.Context, binary string) (link string, isNew bool, err error) {
	out, addErr := command(ctx, binary, "user", "add", person, "--name", "Alice Example", "--json")
	if isNew = addErr == nil; !isNew {
		if out, err = command(ctx, binary, "user", "reset-password", person, "--json"); err != nil {
			return "", false, errors.Join(addErr, err)
		}
	}
	var printed struct{ Link string }
	if err := json.Unmarshal(out, &printed); err != nil {
		return "", false, fmt.Errorf("%w in %q", err, out)
	}
	base, err := url.Parse(anywhere)
	if err != nil {
		return "", false, err
	}
	target, err := base.Parse(printed.Link)
	if err != nil {
		return "", false, err
	}
	return target.String(), isNew, nil
}

func command(ctx context.Context, binary string, args ...string) ([]byte, error) {
	args = append([]string{"auth-gateway"}, args...)
	cmd := exec.CommandContext(ctx, binary, append(args, "--address", adminAddr)...)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("caddy %s: %s", strings.Join(args, " "), exit.Stderr)
	}
	return out, err
}

func explain(link string, isNew bool) {
	if isNew {
		fmt.Printf(`
The demo runs. %[1]s has an account, but no password yet.

 1. Set one with this one-time link:
    %[2]s
`, person, link)
	} else {
		fmt.Printf(`
The demo runs. %[1]s has an account from an earlier run.

 1. Without a password, or to set another, use this one-time link:
    %[2]s
`, person, link)
	}
	fmt.Printf(`
 2. The door as from anywhere, where people sign in with a password:
    %[1]s
    Expect the sign-in page; sign in as %[2]s. The app then shows the
    identity headers that it received.

 3. The door as from the office network, straight to the identity provider:
    %[3]s
    Expect the provider's page; continue as bob@example.test. The app then
    shows Bob. Mallory, whose address is not admitted, gets an explanation.

 4. Sign out at %[1]s/auth-gateway/sign-out and %[3]s/auth-gateway/sign-out.

The configuration is examples/demo/Caddyfile; accounts and the log are in
examples/demo/data, which may be deleted. Ctrl-C ends the demo.
`, anywhere, person, office)
}
