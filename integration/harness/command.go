package harness

import (
	"encoding/json"
	"net/url"
	"strings"
)

// Password is one that the rules accept.
const Password = "correct horse battery staple"

// Command runs `caddy auth-gateway` against the running Caddy.
func (c *Caddy) Command(args ...string) Result {
	c.t.Helper()
	return c.CommandInput("", args...)
}

// CommandInput likewise, with input for the command to read.
func (c *Caddy) CommandInput(stdin string, args ...string) Result {
	c.t.Helper()
	args = append([]string{"auth-gateway"}, args...)
	return c.Exec(stdin, append(args, "--address", c.Admin)...)
}

// Must runs a command that has to succeed and returns what it printed.
func (c *Caddy) Must(args ...string) string {
	c.t.Helper()
	return c.must("", args...)
}

func (c *Caddy) must(stdin string, args ...string) string {
	c.t.Helper()
	r := c.CommandInput(stdin, args...)
	if r.Status != 0 {
		c.t.Fatalf("caddy auth-gateway %s: exit status %d\n%s%s", strings.Join(args, " "), r.Status, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// JSON runs a command with --json that has to succeed and reads its output.
func (c *Caddy) JSON(to any, args ...string) {
	c.t.Helper()
	out := c.Must(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), to); err != nil {
		c.t.Fatalf("caddy auth-gateway %s --json: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// AddUser adds an account with the password of this package.
func (c *Caddy) AddUser(email string, args ...string) {
	c.t.Helper()
	c.SecretAtRest("a password", Password)
	c.must(Password+"\n", append([]string{"user", "add", email, "--password-stdin"}, args...)...)
}

// Invite adds an account without a password and returns the one-time link.
func (c *Caddy) Invite(email string, args ...string) *url.URL {
	c.t.Helper()
	return c.link(append([]string{"user", "add", email}, args...)...)
}

// ResetPassword returns a one-time link for an account.
func (c *Caddy) ResetPassword(email string) *url.URL {
	c.t.Helper()
	return c.link("user", "reset-password", email)
}

func (c *Caddy) link(args ...string) *url.URL {
	c.t.Helper()
	var out struct{ Link string }
	c.JSON(&out, args...)
	base, err := url.Parse(c.URL)
	if err != nil {
		c.t.Fatal(err)
	}
	link, err := base.Parse(out.Link)
	if err != nil || out.Link == "" {
		c.t.Fatalf("no one-time link: %q", out.Link)
	}
	if token := link.Query().Get("token"); token != "" {
		c.SecretAtRest("the token of a one-time link", token)
	}
	return link
}
