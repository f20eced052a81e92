package harness

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Options says how to start a Caddy. In the Caddyfile, {$SITE} stands for
// http://localhost:<a free port>, {$PORT} for that port, {$DIR} for the
// test's folder, and each name in Env and Ports for its value.
type Options struct {
	// Global is what stands in the block of global options, beside what
	// the harness needs there.
	Global string
	// Sites is the rest of the Caddyfile.
	Sites string
	// Env are further environment variables.
	Env map[string]string
	// Ports are names of environment variables that get a free port each.
	Ports []string
	// App is what {$APP} stands for, if anything.
	App *App
	// AdminSocket puts the admin endpoint on a unix socket.
	AdminSocket bool
	// Admin is the value of the admin option where it is neither.
	Admin string
}

// Caddy is a running Caddy of a test's own.
type Caddy struct {
	// Dir is the folder with all of its files.
	Dir string
	// URL is the value of {$SITE}.
	URL string
	// Admin is the address of the admin endpoint.
	Admin string

	t         testing.TB
	binary    string
	caddyfile string
	env       map[string]string
	process   *process
	earlier   []string // what processes before this one logged
	secrets   secrets
}

// New prepares a Caddy without starting it.
func New(t testing.TB, o Options) *Caddy {
	t.Helper()
	c := &Caddy{t: t, Dir: t.TempDir(), binary: Binary(t)}
	port := Port(t)
	c.URL = fmt.Sprintf("http://localhost:%d", port)
	switch {
	case o.Admin != "":
		c.Admin = o.Admin
	case o.AdminSocket:
		// A socket's path is too short for the folder of a test.
		dir, err := os.MkdirTemp("", "admin")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		c.Admin = "unix/" + filepath.Join(dir, "s")
	default:
		c.Admin = fmt.Sprintf("127.0.0.1:%d", Port(t))
	}
	c.env = map[string]string{
		"SITE":            c.URL,
		"PORT":            fmt.Sprint(port),
		"DIR":             c.Dir,
		"HOME":            c.Dir,
		"PATH":            os.Getenv("PATH"),
		"XDG_DATA_HOME":   c.data(),
		"XDG_CONFIG_HOME": filepath.Join(c.Dir, "config"),
	}
	if o.App != nil {
		c.env["APP"] = o.App.Addr
	}
	for _, name := range o.Ports {
		c.env[name] = fmt.Sprint(Port(t))
	}
	maps.Copy(c.env, o.Env)
	c.Configure(o.Global, o.Sites)
	t.Cleanup(c.finish)
	return c
}

// Start starts a Caddy and waits until it serves.
func Start(t testing.TB, o Options) *Caddy {
	t.Helper()
	c := New(t, o)
	c.Run()
	return c
}

// For has what goes wrong be the fault of a subtest, until that ends.
func (c *Caddy) For(t testing.TB) {
	whole := c.t
	c.t = t
	t.Cleanup(func() { c.t = whole })
}

// Env returns the value of an environment variable of this Caddy.
func (c *Caddy) Env(name string) string { return c.env[name] }

// SetEnv changes an environment variable for the next start.
func (c *Caddy) SetEnv(name, value string) { c.env[name] = value }

// Configure writes the Caddyfile that the next start or reload takes.
func (c *Caddy) Configure(global, sites string) {
	c.t.Helper()
	c.caddyfile = fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	auto_https disable_redirects
	skip_install_trust
	grace_period 5s
	debug
	log {
		format json
	}
%s
}
%s
`, c.Admin, global, sites)
	if err := os.WriteFile(c.Path(), []byte(c.caddyfile), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// Path returns the path of the Caddyfile.
func (c *Caddy) Path() string { return filepath.Join(c.Dir, "Caddyfile") }

// Run starts Caddy and waits until it serves.
func (c *Caddy) Run() {
	c.t.Helper()
	if !c.TryRun() {
		c.t.Fatal("Caddy did not start")
	}
}

// TryRun starts Caddy and reports whether it came to serve.
func (c *Caddy) TryRun() bool {
	c.t.Helper()
	if c.process != nil {
		lines, _ := c.process.snapshot()
		c.earlier = append(c.earlier, lines...)
	}
	c.process = startProcess(c.t, "caddy", c.cmd("run", "--config", c.Path(), "--adapter", "caddyfile"))
	return c.process.await(0, func(line string) bool {
		return strings.Contains(line, `"serving initial configuration"`)
	})
}

// Kill ends Caddy as kill -9 does.
func (c *Caddy) Kill() { c.process.kill() }

// Stop ends Caddy as the system does when it shuts down.
func (c *Caddy) Stop() {
	c.t.Helper()
	c.process.stop(c.t)
}

// Wait waits until Caddy has ended by itself and returns its exit status.
func (c *Caddy) Wait() int {
	<-c.process.done
	return c.process.cmd.ProcessState.ExitCode()
}

// PID is the id of Caddy's process.
func (c *Caddy) PID() int { return c.process.cmd.Process.Pid }

// Running reports whether Caddy has not ended.
func (c *Caddy) Running() bool { return c.process.running() }

// Restart stops and starts Caddy.
func (c *Caddy) Restart() {
	c.t.Helper()
	c.Stop()
	c.Run()
}

// Reload has Caddy take the Caddyfile as it is now.
func (c *Caddy) Reload() {
	c.t.Helper()
	if r := c.TryReload(); r.Status != 0 {
		c.t.Fatalf("caddy reload: exit status %d\n%s", r.Status, r.Stderr)
	}
}

// TryReload likewise, and returns what the command said.
func (c *Caddy) TryReload() Result {
	c.t.Helper()
	return c.Exec("", "reload", "--config", c.Path(), "--adapter", "caddyfile", "--address", c.Admin, "--force")
}

// Result is what a command said.
type Result struct {
	Status         int
	Stdout, Stderr string
}

// Exec runs a command of the binary in this Caddy's environment, with stdin
// as its input.
func (c *Caddy) Exec(stdin string, args ...string) Result {
	c.t.Helper()
	cmd := c.cmd(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	return Result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (c *Caddy) cmd(args ...string) *exec.Cmd {
	cmd := exec.Command(c.binary, args...)
	cmd.Dir = c.Dir
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		cmd.Env = append(cmd.Env, name+"="+c.env[name])
	}
	return cmd
}

func (c *Caddy) data() string { return filepath.Join(c.Dir, "data") }

// Database returns the path of the store where the Caddyfile names none.
func (c *Caddy) Database() string {
	return filepath.Join(c.data(), "caddy", "auth_gateway", "auth_gateway.db")
}

func (c *Caddy) finish() {
	if c.process != nil {
		c.process.kill()
		c.checkSecrets()
	}
	if c.t.Failed() {
		c.dump(c.t)
	}
}
