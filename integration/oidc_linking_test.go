//go:build integration

package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

const links = "/auth-gateway/account/links"

// S11: somebody with a password links oidc-provider, where they have another
// address, on their account page, and lands in the same account through it. There
// they are asked again before they remove it; then it is somebody else's.
func TestOIDCLinking(t *testing.T) {
	t.Parallel()
	config := modes[0]
	config.party.Trusted = true // asks nobody who is signed in there, unless it is told to
	g, _ := withProvider(t, "admit any\nbutton Go", "", config)
	const alice = "carol@example.test"
	g.AddUser(alice)
	b := g.SignedIn(alice)
	id := b.Get("/private").App().Header.Get("Remote-Id")
	if id == "" {
		t.Fatal("no Remote-Id")
	}

	page := b.Submit(b.Get(links).Want(http.StatusOK).Form("link").Set("link", config.name)).Want(http.StatusOK)
	page = through(b, b.Open(page.Link("Go").String()), "bob")
	if page.Status != http.StatusOK || !strings.Contains(page.Text(), "You can now sign in with Go as bob@example.test.") {
		t.Fatalf("linking ended at %v", page)
	}
	if got := b.Get("/private").App(); got.Header.Get("Remote-Id") != id || got.Header.Get("Remote-User") != alice || got.Header.Get("Remote-Name") != "" {
		t.Errorf("linking changed the account: %v", got.Header)
	}

	b.SubmitAndFollow(b.Get("/auth-gateway/sign-out").Form("flow"))
	g.WantOut(b)
	start := "/auth-gateway/sso/" + config.name + "/start?return_to=%2Fprivate"
	in := b.Open(start)
	if !in.FromApp() {
		in = through(b, in, "bob") // signed out there as well
	}
	if got := in.App().Header; got.Get("Remote-Id") != id || got.Get("Remote-User") != alice {
		t.Fatalf("in as %v, want account %s", got, id)
	}

	// The provider knows them, and asks all the same since it is told to.
	again := b.Open(links)
	if again.HasForm("unlink") || !strings.Contains(again.Text(), "show once more that it is you") {
		t.Fatalf("not asked again: %v", again)
	}
	there := b.Open(again.Link("/start?again=1").String())
	if !there.HasForm("login") {
		t.Fatalf("the provider does not ask: %v", there)
	}
	page = through(b, there, "bob")
	out := b.SubmitAndFollow(page.Form("unlink").Set("unlink", removal(t, page)))
	if !strings.Contains(out.Text(), "signed out") {
		t.Errorf("removing what one is signed in with ended at %v", out)
	}
	g.WantOut(b)

	other := g.Browser()
	got := through(other, other.Open(start), "bob").App().Header
	if got.Get("Remote-Id") == id || got.Get("Remote-User") != "bob@example.test" {
		t.Errorf("in as %v through what was removed", got)
	}
}

// removal is the value of the button that removes the first link.
func removal(t *testing.T, page *harness.Page) string {
	t.Helper()
	_, after, ok := strings.Cut(string(page.Body), `name="unlink" value="`)
	if !ok {
		t.Fatalf("nothing to remove: %v", page)
	}
	id, _, _ := strings.Cut(after, `"`)
	return id
}

// S11, rule 20: with link verified_email an end user joins their account by its
// address; the same SSO config makes accounts for others.
func TestOIDCJoining(t *testing.T) {
	t.Parallel()
	g, _ := withProvider(t, "admit any\nbutton Go\nlink verified_email", "", modes[0])
	const alice, bob = "alice@example.test", "bob@example.test"
	g.AddUser(alice)
	before := g.SignedIn(alice)
	id := before.Get("/private").App().Header.Get("Remote-Id")
	g.AddUser(bob, "--role", "agent")

	start := "/auth-gateway/sso/" + modes[0].name + "/start?return_to=%2Fprivate"
	b := g.Browser()
	if got := through(b, b.Open(start), "alice").App().Header; got.Get("Remote-Id") != id || got.Get("Remote-Name") != "Alice Elsewhere" {
		t.Errorf("in as %v, want account %s", got, id)
	}
	g.WantOut(before)
	g.SignedIn(alice) // with the password, as before
	agent := g.Browser()
	page := through(agent, agent.Open(start), "bob").Want(http.StatusForbidden)
	if !strings.Contains(page.Text(), "on your account page") {
		t.Errorf("an agent hears %v", page)
	}
	g.WantOut(agent)
}
