//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Where people of these tests are.
const (
	office   = "127.9.0.1"
	lab      = "127.9.7.1" // within the office's range
	branch   = "127.8.0.1"
	anywhere = "127.0.0.1"
)

// waysIn are configurations and where each address is led.
var waysIn = []struct {
	name     string
	sso      map[string]string // words beside issuer, client_id and admit
	audience string
	to       map[string]string // address to "password", an SSO config's name, "page" or "refused"
}{
	{
		name:     "password alone",
		audience: "",
		to:       map[string]string{anywhere: "password", office: "password"},
	},
	{
		name:     "a config without a button wins outright",
		sso:      map[string]string{"a": ""},
		audience: "sso a",
		to:       map[string]string{anywhere: "a", office: "a"},
	},
	{
		name:     "within its ranges only",
		sso:      map[string]string{"a": "ip_ranges 127.9.0.0/16"},
		audience: "sso a",
		to:       map[string]string{office: "a", lab: "a", branch: "password", anywhere: "password"},
	},
	{
		name:     "the longest prefix wins",
		sso:      map[string]string{"a": "ip_ranges 127.9.0.0/16", "b": "ip_ranges 127.9.7.0/24 127.8.0.1"},
		audience: "sso a b",
		to:       map[string]string{office: "a", lab: "b", branch: "b", anywhere: "password"},
	},
	{
		name:     "a button offers, beside the password",
		sso:      map[string]string{"a": "button Go"},
		audience: "sso a",
		to:       map[string]string{anywhere: "page"},
	},
	{
		name:     "a button where it is a candidate",
		sso:      map[string]string{"a": "button Go\nip_ranges 127.9.0.0/16"},
		audience: "sso a",
		to:       map[string]string{office: "page", anywhere: "password"},
	},
	{
		name:     "redirect",
		sso:      map[string]string{"a": "button Go", "b": ""},
		audience: "sign_in redirect a\nsso a b",
		to:       map[string]string{anywhere: "a", office: "a"},
	},
	{
		name:     "redirect within ranges, else the password",
		sso:      map[string]string{"a": "ip_ranges 127.9.0.0/16"},
		audience: "sign_in redirect a\nsso a",
		to:       map[string]string{office: "a", anywhere: "password"},
	},
	{
		name:     "redirect within ranges and no password",
		sso:      map[string]string{"a": "ip_ranges 127.9.0.0/16"},
		audience: "sign_in redirect a\nsso a\npassword off",
		to:       map[string]string{office: "a", anywhere: "refused"},
	},
	{
		name:     "password off",
		sso:      map[string]string{"a": "button Go"},
		audience: "sso a\npassword off",
		to:       map[string]string{anywhere: "buttons"},
	},
}

// S2: which way in, by the address from which the connection really comes, and
// what is not offered is refused.
func TestWayIn(t *testing.T) {
	t.Parallel()
	g := prepare(t, "", "")
	var parties []harness.RelyingParty
	for _, name := range []string{"a", "b"} {
		parties = append(parties, harness.RelyingParty{ID: name, PKCE: true, RedirectURI: g.URL + "/auth-gateway/sso/" + name + "/callback"})
	}
	p := harness.StartProvider(t, parties...)
	g.Run()
	g.AddUser(alice)
	for _, c := range waysIn {
		t.Run(c.name, func(t *testing.T) {
			g.For(t)
			var global strings.Builder
			for name, extra := range c.sso {
				fmt.Fprintf(&global, "sso %s {\nissuer %s\nclient_id %s\nadmit any\n%s\n}\n", name, p.Issuer, name, extra)
			}
			fmt.Fprintf(&global, "audience team {\n%s\n}\n", c.audience)
			g.configure(global.String(), "")
			for address, want := range c.to {
				wantWayIn(t, g, p, address, want, c.sso)
			}
		})
	}
}

// wantWayIn fails the test unless a browser at an address is led that way, and
// no other way lets it in.
func wantWayIn(t *testing.T, g *gate, p *harness.Provider, address, want string, configs map[string]string) {
	t.Helper()
	b := g.Browser(harness.From(address))
	page := b.Get("/private")
	for page.Status == http.StatusFound && strings.HasPrefix(page.Location().String(), g.URL+"/auth-gateway/") {
		page = b.Get(page.Location().String())
	}
	got := "refused"
	buttons := map[string]bool{}
	switch {
	case page.Status == http.StatusFound && strings.HasPrefix(page.Location().String(), p.Issuer):
		got = page.Location().Query().Get("client_id")
	case page.Status == http.StatusOK:
		for name := range configs {
			buttons[name] = strings.Contains(string(page.Body), "/sso/"+name+"/start")
		}
		switch form := page.HasForm("password"); {
		case form && (buttons["a"] || buttons["b"]):
			got = "page"
		case form:
			got = "password"
		default:
			got = "buttons"
		}
	case page.Status != http.StatusForbidden:
		t.Errorf("%s: %v", address, page)
	}
	if got != want {
		t.Errorf("%s: led to %s instead of %s", address, got, want)
		return
	}

	// What is not offered is refused, here as at every step.
	posted := b.Post("/auth-gateway/sign-in", url.Values{"email": {alice}, "password": {harness.Password}})
	if open := want == "password" || want == "page"; open != (posted.Status == http.StatusSeeOther) {
		t.Errorf("%s: a posted password: %v", address, posted)
	}
	for name := range configs {
		started := g.Browser(harness.From(address)).Get("/auth-gateway/sso/" + name + "/start")
		offered := want == name || buttons[name]
		if offered && started.Status != http.StatusFound {
			t.Errorf("%s: start of %s: %v", address, name, started)
		}
		if started.Status == http.StatusFound && !strings.HasPrefix(started.Location().String(), p.Issuer) {
			t.Errorf("%s: start of %s leads to %v", address, name, started.Location())
		}
		candidate := offered || !strings.Contains(configs[name], "ip_ranges")
		if !candidate && !inRange(address, configs[name]) && started.Status != http.StatusForbidden {
			t.Errorf("%s: start of %s: %v", address, name, started)
		}
	}
}

// inRange reports whether the test's ranges hold the address.
func inRange(address, words string) bool {
	switch address {
	case office:
		return strings.Contains(words, "127.9.0.0/16")
	case lab:
		return strings.Contains(words, "127.9.")
	case branch:
		return strings.Contains(words, "127.8.0.1")
	}
	return false
}

// A password session does not become one of the provider's network by moving:
// the network decides which way in, never whether.
func TestMovingBetweenNetworks(t *testing.T) {
	t.Parallel()
	g, _ := withProvider(t, "admit any\nip_ranges 127.9.0.0/16", "", modes[0])
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	moved := g.Browser(harness.From(office))
	moved.SetCookies(b.Cookies()...)
	g.wantIn(t, moved, alice)
}

// The callback decides again: begun in the office, finished elsewhere.
func TestCallbackFromElsewhere(t *testing.T) {
	t.Parallel()
	g, _ := withProvider(t, "admit any\nip_ranges 127.9.0.0/16", "", modes[0])
	b := g.Browser(harness.From(office))
	back := answered(t, b, "/private")
	elsewhere := g.Browser(harness.From(anywhere))
	elsewhere.SetCookies(b.Cookies()...)
	page := elsewhere.Get(back.String())
	if page.Status != http.StatusForbidden || page.ID("error-id") == "" {
		t.Errorf("%v", page)
	}
	g.wantOut(t, elsewhere)
	if page := b.Follow(b.Get(back.String())); !page.FromApp() {
		t.Errorf("in the office: %v", page)
	}
}
