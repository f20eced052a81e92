//go:build integration

package integration

import (
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Two sites and a portal on three host names: sign in once, both open; sign out
// once, both closed.
func TestBrowserPortal(t *testing.T) {
	g := preparePortal(t, "", "")
	g.Run()
	g.AddUser(alice)
	b := harness.StartChromium(t, "en")
	at := func(prefix string) {
		t.Helper()
		if !strings.HasPrefix(b.Address(), prefix) {
			t.Fatalf("at %s instead of %s", b.Address(), prefix)
		}
	}

	b.Open(g.app + "/private?x=1")
	b.WaitText("Sign in to app.localhost")
	at(g.portal + "/auth-gateway/sign-in")
	b.Screenshot("1-portal")
	b.Type("email", alice)
	b.Type("password", harness.Password)
	b.Submit("password")
	b.WaitText(harness.Marker)
	at(g.app + "/private?x=1")
	// Back to the sign-in page, which sends people on where they are already.
	b.Back()
	b.WaitText(harness.Marker)
	at(g.app + "/private?x=1")
	b.Open(g.wiki + "/page")
	b.WaitText(harness.Marker)
	at(g.wiki + "/page")

	// A ticket in another browser.
	query := url.Values{"flow": {"AAAAAAAAAAAAAAAA"}, "ticket": {strings.Repeat("A", 43)}}
	thief := g.browser()
	says(t, thief.Get(g.wiki+"/auth-gateway/ticket?"+query.Encode()), "interrupted")
	b.Open(g.wiki + "/auth-gateway/ticket?" + query.Encode())
	b.ID("error-id")
	b.Screenshot("2-interrupted")
	b.Press("Try again")
	b.WaitText(harness.Marker)
	at(g.wiki + "/")

	b.Open(g.wiki + "/auth-gateway/sign-out")
	b.Press("Sign out")
	b.WaitText("You are signed out")
	b.Screenshot("3-signed-out")
	b.Open(g.app + "/private")
	b.WaitText("Sign in to app.localhost")
	b.Open(g.wiki + "/page")
	b.WaitText("Sign in to wiki.localhost")
}
