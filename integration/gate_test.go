//go:build integration

package integration

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// The people of these tests.
const (
	alice = "alice@example.test"
	carol = "carol@example.test"
)

// gate is a Caddy with one protected site and the app behind it.
type gate struct {
	*harness.Gate
	app *harness.App
}

// start starts a gate. global are words of the auth_gateway option, block
// those of the directive.
func start(t *testing.T, global, block string, options ...func(*harness.Options)) *gate {
	t.Helper()
	g := prepare(t, global, block, options...)
	g.Run()
	return g
}

// prepare likewise, without starting it.
func prepare(t *testing.T, global, block string, options ...func(*harness.Options)) *gate {
	t.Helper()
	g := harness.NewGate(t, global, block, options...)
	return &gate{g, g.App}
}

// configure replaces the configuration of a running gate.
func (g *gate) configure(global, block string) {
	g.Configure(option(global), site(block))
	g.Reload()
}

func option(words string) string { return harness.GatewayOption(words) }

func site(block string) string { return harness.GatewaySite("{$SITE}", "", block) }

// signedIn returns a browser that has signed in with a password.
func (g *gate) signedIn(t *testing.T, email string, options ...harness.ClientOption) *harness.Client {
	t.Helper()
	return g.SignedIn(email, options...)
}

// wantOut fails the test unless nothing of the app is reachable.
func (g *gate) wantOut(t *testing.T, b *harness.Client) {
	t.Helper()
	g.WantOut(b)
}

// wantIn fails the test unless the app is reachable as that person.
func (g *gate) wantIn(t *testing.T, b *harness.Client, email string) {
	t.Helper()
	g.WantIn(b, email)
}

// wantSignIn fails the test unless the answer sends to the sign-in page.
func wantSignIn(t *testing.T, page *harness.Page) *url.URL {
	t.Helper()
	to := page.Want(http.StatusFound).Location()
	if to.Path != "/auth-gateway/sign-in" {
		t.Fatalf("sent to %v", to)
	}
	return to
}

// says fails the test unless the page has that piece of text.
func says(t *testing.T, page *harness.Page, text string) {
	t.Helper()
	if !strings.Contains(page.Text(), text) {
		t.Errorf("%q is not said: %v", text, page)
	}
}

// wantProblem fails the test unless the answer is a problem for a program.
func wantProblem(t *testing.T, page *harness.Page, status int) {
	t.Helper()
	page.Want(status)
	if kind := page.Header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("Content-Type %q", kind)
	}
	var problem struct{ Status int }
	page.JSON(&problem)
	if problem.Status != status {
		t.Errorf("the problem says status %d", problem.Status)
	}
}
