//go:build integration

package integration

import (
	"net/http"
	"net/url"
	"regexp"
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
	*harness.Caddy
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
	app := harness.StartApp(t)
	o := harness.Options{App: app, Global: option(global), Sites: site(block)}
	for _, option := range options {
		option(&o)
	}
	return &gate{harness.New(t, o), app}
}

// configure replaces the configuration of a running gate.
func (g *gate) configure(global, block string) {
	g.Configure(option(global), site(block))
	g.Reload()
}

func option(words string) string {
	if words == "" {
		return ""
	}
	return "auth_gateway {\n" + words + "\n}"
}

func site(block string) string {
	directive := "auth_gateway"
	if block != "" {
		directive += " {\n" + block + "\n}"
	}
	return "{$SITE} {\nlog\n" + directive + "\nreverse_proxy {$APP}\n}"
}

// signedIn returns a browser that has signed in with a password.
func (g *gate) signedIn(t *testing.T, email string, options ...harness.ClientOption) *harness.Client {
	t.Helper()
	b := g.Browser(options...)
	if page := b.SignIn("/", email, harness.Password); !page.FromApp() {
		t.Fatalf("%s cannot sign in: %v", email, page)
	}
	return b
}

// wantOut fails the test unless nothing of the app is reachable.
func (g *gate) wantOut(t *testing.T, b *harness.Client) {
	t.Helper()
	before := g.app.Count()
	for _, path := range []string{"/", "/private", "/auth-gateway/whoami", "/auth-gateway/account"} {
		r := b.Request(http.MethodGet, path, nil)
		if page := b.Send(r); page.FromApp() || page.Status == http.StatusOK {
			t.Errorf("%s: %v", path, page)
		}
	}
	if b.Whoami() != nil {
		t.Error("whoami knows somebody")
	}
	if g.app.Count() != before {
		t.Error("the app was reached")
	}
}

// wantIn fails the test unless the app is reachable as that person.
func (g *gate) wantIn(t *testing.T, b *harness.Client, email string) {
	t.Helper()
	page := b.Get("/private")
	if !page.FromApp() {
		t.Fatalf("%s is not let in: %v", email, page)
	}
	if got := page.App().Header.Get("Remote-User"); got != email {
		t.Fatalf("in as %q instead of %q", got, email)
	}
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

// headers returns an answer's headers without those that differ from answer to
// answer.
func headers(page *harness.Page) http.Header {
	h := page.Header.Clone()
	h.Del("Date")
	h.Del("Content-Length")
	for i, cookie := range h.Values("Set-Cookie") {
		name, rest, _ := strings.Cut(cookie, "=")
		_, attributes, _ := strings.Cut(rest, ";")
		h["Set-Cookie"][i] = name + ";" + attributes
	}
	return h
}

// flowField is the hidden field that differs each time.
var flowField = regexp.MustCompile(`name="flow" value="[^"]*"`)

// wantSameLines fails the test for each line in which two pages differ.
func wantSameLines(t *testing.T, one, two string) {
	t.Helper()
	a := strings.Split(flowField.ReplaceAllString(one, ""), "\n")
	b := strings.Split(flowField.ReplaceAllString(two, ""), "\n")
	if len(a) != len(b) {
		t.Errorf("%d lines and %d", len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Errorf("line %d:\n%s\n%s", i, a[i], b[i])
		}
	}
}
