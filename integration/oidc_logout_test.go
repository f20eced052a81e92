//go:build integration

package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// logouts are clients that their provider tells when a session
// ends there: whose it was, or which one.
var logouts = []sso{
	{"by-person", "mode pkce\nclient_secret {env.CLIENT_SECRET}", harness.RelyingParty{ID: "by-person", Secret: clientSecret, PKCE: true}},
	{"by-session", "mode pkce\nclient_secret {env.CLIENT_SECRET}", harness.RelyingParty{ID: "by-session", Secret: clientSecret, PKCE: true, LogoutBySession: true}},
}

// S12: signing out here ends the session at the provider too, and what ends there
// ends here.
func TestProviderLogout(t *testing.T) {
	t.Parallel()
	g := prepare(t, "", "", withSecret)
	parties := g.parties(logouts...)
	for i := range parties {
		parties[i].SignOutURI = g.URL + "/auth-gateway/sign-out"
		parties[i].LogoutURI = g.URL + "/auth-gateway/sso/" + logouts[i].name + "/backchannel-logout"
	}
	p := harness.StartProvider(t, parties...)
	g.Configure(option(words(p.Issuer, "admit any\nbutton Go", "", logouts...)), site(""))
	g.Run()
	g.Secret("the client secret", clientSecret)
	start := func(config sso) string { return "/auth-gateway/sso/" + config.name + "/start?return_to=/private" }
	signIn := func(config sso, login string) *harness.Client {
		b := g.Browser()
		through(b, b.Open(start(config)), login).App()
		return b
	}
	// meant answers the provider's question whether somebody wants to sign out.
	meant := func(b *harness.Client, page *harness.Page) *harness.Page {
		says(t, page, "sign-out from")
		return b.SubmitAndFollow(page.Form("xsrf").Set("logout", "yes"))
	}

	t.Run("here first, then there", func(t *testing.T) {
		g.For(t)
		b := signIn(logouts[0], "bob")
		page := b.SubmitAndFollow(b.Get("/auth-gateway/sign-out").Want(http.StatusOK).Form("flow"))
		if !strings.HasPrefix(page.URL.String(), p.Issuer+"/session/end") || page.URL.Query().Get("id_token_hint") == "" {
			t.Fatalf("at %s", page.URL)
		}
		g.Secret("an ID token", page.URL.Query().Get("id_token_hint"))
		g.wantOut(t, b)
		page = meant(b, page)
		if !strings.HasPrefix(page.URL.String(), g.URL+"/auth-gateway/sign-out?state=") {
			t.Fatalf("back at %s", page.URL)
		}
		says(t, page, "You are signed out")
		g.wantOut(t, b)
		if page = b.Open(start(logouts[0])); !page.HasForm("login") {
			t.Errorf("the provider does not ask who it is: %v", page)
		}
	})

	for _, row := range []struct {
		config sso
		phone  bool // the same person's other browser is still signed in
	}{{logouts[0], false}, {logouts[1], true}} {
		t.Run("there, then here, "+row.config.name, func(t *testing.T) {
			g.For(t)
			desk, phone, other := signIn(row.config, "hanako"), signIn(row.config, "hanako"), signIn(row.config, "nameless")
			meant(desk, desk.Open(p.Issuer+"/session/end"))
			g.WaitLog("the audit trail", func(e harness.Entry) bool {
				return e.Text("action") == "sign-out" && e.Text("how") == "back-channel logout "+row.config.name
			})
			wantSignIn(t, desk.Get("/private"))
			g.wantOut(t, desk)
			if row.phone {
				g.wantIn(t, phone, "hanako@example.test")
			} else {
				g.wantOut(t, phone)
			}
			g.wantIn(t, other, "nameless@example.test")
		})
	}
}
