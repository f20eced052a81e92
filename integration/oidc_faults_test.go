//go:build integration

package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// S13: Caddy starts and reloads without the provider; sign-in through it says
// so and recovers by itself.
func TestProviderDown(t *testing.T) {
	t.Parallel()
	g := prepare(t, "", "", withSecret)
	p := harness.NewProvider(t, g.parties(modes[0])...)
	global := words(p.Issuer, "admit any\nbutton Go", "", modes[0])
	g.Configure(option(global), site(""))
	g.Run()
	g.AddUser(alice)
	b := g.Browser()
	page := b.Open("/private")
	page = b.Follow(b.Get(page.Link("/sso/public/start").String()))
	if page.Status != http.StatusBadGateway || page.ID("error-id") == "" {
		t.Errorf("%v", page)
	}
	entry := g.WaitLog("the cause", func(e harness.Entry) bool { return e.Text("error_id") == page.ID("error-id") })
	if !strings.Contains(entry.String(), "refused") {
		t.Errorf("the log does not tell the cause: %v", entry)
	}
	g.wantIn(t, g.signedIn(t, alice), alice) // the rest is not affected
	g.Reload()

	p.Start()
	b = g.Browser()
	page = b.Follow(b.Get("/auth-gateway/sso/public/start?return_to=/private"))
	if !page.HasForm("login") {
		t.Fatalf("not recovered: %v", page)
	}
	through(b, page, "bob").App()
	p.Stop()
	g.wantIn(t, b, "bob@example.test")
	c := g.Browser()
	// Its metadata is known, so people are sent there: that it is down again
	// shows there, or here.
	answer := c.Get("/auth-gateway/sso/public/start?return_to=/private")
	if answer.Status != http.StatusFound && answer.Status != http.StatusBadGateway {
		t.Errorf("%v", answer)
	}
}

// S6: what the provider refuses ends on a page with plain words, its own words
// are in the log.
func TestOIDCMisconfigured(t *testing.T) {
	t.Parallel()
	g, p := withProvider(t, "admit any", "", modes[2])
	g.SetEnv("CLIENT_SECRET", "another secret than the provider's")
	g.Restart()
	b := g.Browser()
	page := b.Open("/private") // nobody has to sign in first to find that out
	if page.Status < 400 || page.ID("error-id") == "" {
		t.Fatalf("%v", page)
	}
	entry := g.WaitLog("the cause", func(e harness.Entry) bool { return e.Text("error_id") == page.ID("error-id") })
	if !strings.Contains(entry.String(), "invalid_client") {
		t.Errorf("the log does not have the provider's words: %v", entry)
	}
	g.wantOut(t, b)
	g.SetEnv("CLIENT_SECRET", clientSecret)

	for name, global := range map[string]string{
		"unknown scope": words(p.Issuer, "admit any\nscopes openid email no-such-scope", "", modes[2]),
		"issuer is not it": words(strings.Replace(p.Issuer, "localhost", "127.0.0.1", 1),
			"admit any", "", modes[2]),
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			g.Stop()
			g.Configure(option(global), site(""))
			g.Run()
			b := g.Browser()
			page := b.Open("/private")
			if name == "unknown scope" && page.HasForm("login") {
				return // this provider ignores scopes it does not know
			}
			if page.Status < 400 || page.ID("error-id") == "" {
				t.Errorf("%v", page)
			}
		})
	}
}

// S1: an SSO config assigned nowhere is inactive, one that is gone is unknown.
func TestOIDCInactive(t *testing.T) {
	t.Parallel()
	g, p := withProvider(t, "admit any\nbutton Go", "", modes[0])
	b := g.Browser()
	back := answered(t, b, "/auth-gateway/sso/public/start?return_to=/private")

	spare := strings.Replace(words(p.Issuer, "admit any\nbutton Go", "", modes[0]), "sso public\n\n}", "}", 1)
	g.configure(spare, "") // switched off in mid-flow
	if page := b.Get(back.String()); page.Status != http.StatusNotFound || page.ID("error-id") == "" {
		t.Errorf("callback: %v", page)
	}
	g.wantOut(t, b)
	for _, path := range []string{"/auth-gateway/sso/public/start", "/auth-gateway/sso/public/callback",
		"/auth-gateway/sso/unknown/start", "/auth-gateway/sso/unknown/callback", "/auth-gateway/sso/",
		"/auth-gateway/sso/PUBLIC/start", "/auth-gateway/sso/public", "/auth-gateway/no-such-page", "/auth-gateway/"} {
		if page := g.Browser().Get(path); page.Status != http.StatusNotFound {
			t.Errorf("%s: %v", path, page)
		}
	}
}
