//go:build integration

package integration

import (
	"net/http"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// signOut does what the page offers.
func signOut(t *testing.T, b *harness.Client) *harness.Page {
	t.Helper()
	ask := b.Get("/auth-gateway/sign-out").Want(http.StatusOK)
	return b.SubmitAndFollow(ask.Form(""))
}

// Rule 12: signing out ends the session in the store, not in the cookie.
func TestSignOutAndReplay(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	cookies := b.Cookies()
	other := g.signedIn(t, alice)

	b.Get("/auth-gateway/sign-out").Want(http.StatusOK)
	g.wantIn(t, b, alice) // asking is not signing out
	page := signOut(t, b)
	says(t, page, "signed out")
	if page.Status != http.StatusOK {
		t.Errorf("%v", page)
	}
	g.wantOut(t, b)
	g.wantIn(t, other, alice)

	thief := g.Browser()
	thief.SetCookies(cookies...)
	g.wantOut(t, thief)
	g.Restart()
	g.wantOut(t, thief)
	g.wantIn(t, other, alice)
}

// G2: suspension and removal count from the next request on.
func TestSuspensionAndRemoval(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	g.AddUser(carol)
	b, other := g.signedIn(t, alice), g.signedIn(t, carol)
	for range 3 {
		g.wantIn(t, b, alice) // warm in every cache
	}
	g.Must("user", "suspend", alice)
	g.wantOut(t, b)
	g.wantIn(t, other, carol)
	refused := g.Browser().SignIn("/private", alice, harness.Password)
	if refused.FromApp() || refused.Status < 400 {
		t.Errorf("suspended and in: %v", refused)
	}
	g.Must("user", "resume", alice)
	g.wantOut(t, b) // the old session stays dead
	g.wantIn(t, g.signedIn(t, alice), alice)

	g.wantIn(t, other, carol)
	g.Must("user", "remove", carol)
	g.wantOut(t, other)
	if page := g.Browser().SignIn("/private", carol, harness.Password); page.Status != http.StatusUnauthorized {
		t.Errorf("removed and in: %v", page)
	}
}

// A configuration that cannot be loaded leaves the old one in force.
func TestBadReload(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	for name, global := range map[string]string{
		"unknown word":      "no_such_word",
		"unset secret":      "sso okta {\nissuer http://localhost:9\nclient_id x\nadmit any\nclient_secret {env.NOT_SET}\n}\naudience team {\nsso okta\n}",
		"another database":  "store sqlite /proc/no/such/folder.db",
		"short secret":      "secret {env.SHORT}",
		"not available yet": "store postgres {env.DSN}",
	} {
		g.Configure(option(global), site(""))
		if r := g.TryReload(); r.Status == 0 {
			t.Errorf("%s: loaded", name)
		}
		g.wantIn(t, b, alice)
		g.wantOut(t, g.Browser())
	}
}
