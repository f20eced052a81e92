//go:build integration

package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Somebody is signed in, here or at the provider, as a person who may not enter.
// The page says so and offers to be another; what that leads to asks who it is,
// and then lets them in where they were going.
func TestSwitchingAccounts(t *testing.T) {
	t.Parallel()
	const going = "/agents/x?y=1"
	g, p := atCrossroads(t)
	g.AddUser(alice)
	for _, row := range []struct {
		name, email string
		begin       func(b *harness.Client)
	}{
		{"with a password", alice, func(b *harness.Client) { b.SignIn("/shop/", alice, harness.Password).App() }},
		{"through the same SSO config", "bob@example.test", func(b *harness.Client) { through(b, b.Open("/staff/"), "bob").App() }},
		{"through another SSO config", "bob@example.test", func(b *harness.Client) {
			through(b, b.Open("/auth-gateway/sso/home/start?return_to=/shop/"), "bob").App()
		}},
		{"at the provider, not here", "bob@example.test", func(b *harness.Client) {
			through(b, b.Open(going), "bob").Want(http.StatusForbidden)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			row.begin(b)
			refused := b.Open(going).Want(http.StatusForbidden)
			says(t, refused, row.email)
			page := b.SubmitAndFollow(refused.FormTo("/sign-out"))
			for asked := 0; strings.Contains(page.Text(), "sign-out from") && asked < 2; asked++ {
				page = b.SubmitAndFollow(page.Form("xsrf").Set("logout", "yes")) // the provider asks whether they mean it
			}
			g.wantOut(t, b)
			if !strings.HasPrefix(page.URL.String(), p.Issuer) || !page.HasForm("login") {
				t.Fatalf("nobody asks who it is: %v", page)
			}
			got := through(b, page, "attributed").App()
			if got.URI != going || got.Header.Get("Remote-User") != "ada@example.test" {
				t.Errorf("at %s as %s", got.URI, got.Header.Get("Remote-User"))
			}
		})
	}

	// A browser goes along with it, which asks each page where its forms may
	// lead.
	t.Run("in a browser", func(t *testing.T) {
		g.For(t)
		b := harness.StartChromium(t, "en")
		b.Open(g.URL + going)
		b.Type("login", "bob")
		b.Submit("login")
		b.WaitText("You do not have access")
		b.Screenshot("1-refused")
		b.Press("Sign out and use another account")
		b.Press("Yes, sign me out")
		b.Type("login", "attributed")
		b.Submit("login")
		b.WaitText(harness.Marker)
		if b.Address() != g.URL+going || !strings.Contains(b.Text(), "ada@example.test") {
			t.Errorf("at %s: %s", b.Address(), b.Text())
		}
	})
}
