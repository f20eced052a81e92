package harness

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Provider is npm's oidc-provider, a certified OpenID Provider. Whoever types
// a login of Accounts into the field "login" is signed in.
type Provider struct {
	Issuer string

	t       testing.TB
	config  string
	process *process
}

// Accounts are the people at a [Provider], by login, which is also the sub.
var Accounts = map[string]map[string]any{
	"bob":        {"name": "Bob Example", "email": "bob@example.test", "email_verified": true},
	"hanako":     {"name": "山田 花子", "email": "hanako@example.test", "email_verified": true},
	"stranger":   {"name": "Stan Stranger", "email": "stan@elsewhere.test", "email_verified": true},
	"unverified": {"name": "Uma Unverified", "email": "uma@example.test", "email_verified": false},
	"nameless":   {"email": "nameless@example.test", "email_verified": true},
	"mailless":   {"name": "Max Mailless"},
	"alice":      {"name": "Alice Elsewhere", "email": "alice@example.test", "email_verified": true},
	"two-ats":    {"name": "Mallory", "email": "mallory@evil.test@example.test", "email_verified": true},
	"suffix":     {"name": "Mallory", "email": "mallory@evilexample.test", "email_verified": true},
	"attributed": {
		"name": "Ada Attributed", "email": "ada@example.test", "email_verified": true, "locale": "ja-JP",
		"app_role": "agent", "labels": "vip, beta", "https://example.com/groups": []string{"dev", "ops"},
		"resource_access": map[string]any{"app": map[string]any{"roles": []string{"writer"}}},
		"user_field_team": "blue", "user_field_floor": 3, "staff_number": "0042",
	},
}

// NewProvider prepares a provider without starting it.
func NewProvider(t testing.TB, parties ...RelyingParty) *Provider {
	t.Helper()
	port := Port(t)
	clients := []map[string]any{}
	for _, party := range parties {
		clients = append(clients, map[string]any{
			"id": party.ID, "secret": party.Secret, "redirectURI": party.RedirectURI, "pkce": party.PKCE,
			"auth": party.Auth, "key": json.RawMessage(party.Key), "pushOnly": party.PushOnly, "trusted": party.Trusted,
			"signOutURI": party.SignOutURI, "logoutURI": party.LogoutURI, "logoutBySession": party.LogoutBySession,
		})
	}
	config, err := json.Marshal(map[string]any{"port": port, "clients": clients, "accounts": Accounts})
	if err != nil {
		t.Fatal(err)
	}
	return &Provider{t: t, Issuer: fmt.Sprintf("http://localhost:%d", port), config: string(config)}
}

// StartProvider starts a provider on a port of its own.
func StartProvider(t testing.TB, parties ...RelyingParty) *Provider {
	t.Helper()
	p := NewProvider(t, parties...)
	p.Start()
	return p
}

// npmFile finds a file of integration/npm, from the folder of whichever package
// is tested: paths of the source are not kept in the binary.
func npmFile(t testing.TB, name string) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		npm := filepath.Join(folder, "integration", "npm")
		if _, err := os.Stat(filepath.Join(npm, "op.mjs")); err == nil {
			return filepath.Join(npm, name)
		}
		if folder == filepath.Dir(folder) {
			t.Fatal("there is no integration/npm/op.mjs in this folder or above it")
		}
		folder = filepath.Dir(folder)
	}
}

// node is the Node.js beside the provider, which is there when the machine's own
// is too old for it, or the machine's own.
func node(t testing.TB, script string) string {
	t.Helper()
	own, err := filepath.Glob(filepath.Join(filepath.Dir(script), "node_modules", "node-linux-*", "bin", "node"))
	if err != nil {
		t.Fatal(err)
	}
	if len(own) > 0 {
		return own[0]
	}
	return tool(t, "node")
}

// Start starts the provider and waits until it serves.
func (p *Provider) Start() {
	p.t.Helper()
	script := npmFile(p.t, "op.mjs")
	if _, err := os.Stat(filepath.Join(filepath.Dir(script), "node_modules", "oidc-provider")); err != nil {
		p.t.Fatalf("%v: ./xcaddy.sh test installs what the tests need", err)
	}
	cmd := exec.Command(node(p.t, script), script, p.config)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.process = startProcess(p.t, "oidc-provider", cmd)
	p.t.Cleanup(func() {
		stdin.Close()
		if p.t.Failed() {
			lines, _ := p.process.snapshot()
			p.t.Logf("oidc-provider said:\n%s", strings.Join(lines, "\n"))
		}
	})
	if !p.process.await(0, func(line string) bool { return line == "ready" }) {
		lines, _ := p.process.snapshot()
		p.t.Fatalf("oidc-provider did not start:\n%s", strings.Join(lines, "\n"))
	}
}

// Granted is how often the provider has granted a client something of that type:
// "authorization_code" or "refresh_token".
func (p *Provider) Granted(grantType, client string) (n int) {
	lines, _ := p.process.snapshot()
	for _, line := range lines {
		if line == "granted "+grantType+" "+client {
			n++
		}
	}
	return n
}

// Down has the provider answer everything with 503, Up as it should.
func (p *Provider) Down() { p.control("down") }

// Up likewise.
func (p *Provider) Up() { p.control("up") }

// Remove removes the account of a login.
func (p *Provider) Remove(login string) { p.control("remove?login=" + login) }

func (p *Provider) control(what string) {
	p.t.Helper()
	resp, err := http.Post(p.Issuer+"/test/"+what, "", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s", what, resp.Status)
	}
}

// Stop ends the provider.
func (p *Provider) Stop() { p.process.kill() }
