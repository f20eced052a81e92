//go:build integration

package integration

import (
	"net/http"
	"strings"
	"testing"
)

// S1 and design, section 4: a session opens an audience only if it was made in
// a way that this audience allows.
func TestAudiences(t *testing.T) {
	t.Parallel()
	g, p := withProvider(t, "admit any", "", modes[0])
	global := strings.Replace(words(p.Issuer, "admit any", "", modes[0]), "audience team {", "audience staff {\npassword off", 1)
	g.Configure(option(global+"audience customers\naudience agents {\nroles agent admin\n}\naudience safe {\nsecond_factor required\n}"),
		`{$SITE} {
	log
	auth_gateway customers {
		audience staff  /staff/*
		audience agents /agents/*
		audience safe   /safe/* /staff/safe/*
	}
	reverse_proxy {$APP}
}`)
	g.Reload()
	g.AddUser(alice)
	g.AddUser(carol, "--role", "agent")

	b := g.signedIn(t, alice)
	if page := b.Open("/staff/x"); !page.HasForm("login") {
		t.Errorf("a password session opens the staff's pages: %v", page)
	}
	if page := b.Open("/STAFF/x"); page.FromApp() {
		t.Errorf("in capitals: %v", page)
	}
	if page := b.Open("/agents/x"); page.Status != http.StatusForbidden || page.ID("error-id") == "" {
		t.Errorf("not an agent: %v", page)
	}
	g.wantIn(t, b, alice)
	c := g.signedIn(t, carol)
	if page := c.Get("/agents/x"); !page.FromApp() {
		t.Errorf("an agent: %v", page)
	}

	// Lacking only the passcode, people are asked for that alone, and what
	// was open stays open.
	page := b.Open("/safe/x")
	if page.URL.Path != "/auth-gateway/enroll" {
		t.Fatalf("no wizard: %v", page)
	}
	g.wantIn(t, b, alice)
	app := g.NewAuthenticator(page.ID("totp-key"))
	b.Submit(page.Form("passcode").Set("passcode", app.Code())).Want(http.StatusOK)
	if page := b.Get("/safe/x"); !page.FromApp() {
		t.Errorf("with a passcode: %v", page)
	}
	// The longest pattern wins.
	if page := b.Get("/staff/safe/x"); !page.FromApp() {
		t.Errorf("the longer pattern: %v", page)
	}

	d := g.Browser()
	if page := through(d, d.Open("/staff/x"), "bob"); !page.FromApp() {
		t.Fatalf("the staff's own way in: %v", page)
	}
	wantSignIn(t, d.Get("/private"))
	if page := d.Open("/private"); !page.HasForm("password") {
		t.Errorf("an SSO session opens the customers' pages: %v", page)
	}
}
