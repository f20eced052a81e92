package harness

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Gate is a Caddy with one protected site, or several, and the app behind it.
type Gate struct {
	*Caddy
	App *App
}

// StartGate starts a gate. global are words of the auth_gateway option, block
// those of the directive on {$SITE}.
func StartGate(t testing.TB, global, block string, options ...func(*Options)) *Gate {
	t.Helper()
	g := NewGate(t, global, block, options...)
	g.Run()
	return g
}

// NewGate likewise, without starting it.
func NewGate(t testing.TB, global, block string, options ...func(*Options)) *Gate {
	t.Helper()
	app := StartApp(t)
	o := Options{App: app, Global: GatewayOption(global), Sites: GatewaySite("{$SITE}", "", block)}
	for _, option := range options {
		option(&o)
	}
	return &Gate{New(t, o), app}
}

// GatewayOption is the global option with those words, "" without any.
func GatewayOption(words string) string {
	if words == "" {
		return ""
	}
	return "auth_gateway {\n" + words + "\n}"
}

// GatewaySite is a site in front of the app, protected by the directive with
// that audience, if any, and the words of its block.
func GatewaySite(address, audience, block string) string {
	directive := strings.TrimSpace("auth_gateway " + audience)
	if block != "" {
		directive += " {\n" + block + "\n}"
	}
	return address + " {\nlog\n" + directive + "\nreverse_proxy {$APP}\n}"
}

// SignedIn returns a browser that has signed in with a password.
func (g *Gate) SignedIn(email string, options ...ClientOption) *Client {
	g.t.Helper()
	b := g.Browser(options...)
	if page := b.SignIn("/", email, Password); !page.FromApp() {
		g.t.Fatalf("%s cannot sign in: %v", email, page)
	}
	return b
}

// WantOut fails the test unless nothing of the app is reachable.
func (g *Gate) WantOut(b *Client) {
	g.t.Helper()
	before := g.App.Count()
	for _, path := range []string{"/", "/private", "/auth-gateway/whoami", "/auth-gateway/account"} {
		if page := b.Get(path); page.FromApp() || page.Status == http.StatusOK {
			g.t.Errorf("%s: %v", path, page)
		}
	}
	if b.Whoami() != nil {
		g.t.Error("whoami knows somebody")
	}
	if g.App.Count() != before {
		g.t.Error("the app was reached")
	}
}

// WantIn fails the test unless the app is reachable as that person.
func (g *Gate) WantIn(b *Client, email string) {
	g.t.Helper()
	page := b.Get("/private")
	if !page.FromApp() {
		g.t.Fatalf("%s is not let in: %v", email, page)
	}
	if got := page.App().Header.Get("Remote-User"); got != email {
		g.t.Fatalf("in as %q instead of %q", got, email)
	}
}

// Enroll signs in with a password for the first time where a second factor is
// required, sets up an authenticator app and returns it with the recovery codes.
func (g *Gate) Enroll(b *Client, email string) (*Authenticator, []string) {
	g.t.Helper()
	page := b.SignIn("/private", email, Password)
	if page.URL.Path != "/auth-gateway/enroll" {
		g.t.Fatalf("no wizard: %v", page)
	}
	app := g.NewAuthenticator(page.ID("totp-key"))
	done := b.Submit(page.Form("passcode").Set("passcode", app.Code())).Want(http.StatusOK)
	codes := done.RecoveryCodes()
	for _, code := range codes {
		g.SecretAtRest("a recovery code", code)
	}
	return app, codes
}

// AskedForPasscode signs in with a password and returns the second step.
func (g *Gate) AskedForPasscode(b *Client, email string) *Page {
	g.t.Helper()
	page := b.SignIn("/private?x=1", email, Password)
	if page.URL.Path != "/auth-gateway/passcode" || !page.HasForm("passcode") {
		g.t.Fatalf("no passcode asked: %v", page)
	}
	return page
}

// Step posts a step of a sign-in under way: its flow, then names and values of
// further fields.
func (c *Client) Step(step, flow string, pairs ...string) *Page {
	c.t.Helper()
	values := url.Values{"flow": {flow}}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return c.Post("/auth-gateway/"+step, values)
}

// Begin signs in with a password as far as the next step, shows that, and
// returns its flow.
func (g *Gate) Begin(b *Client, email string) (flow string) {
	g.t.Helper()
	page := b.SignIn("/private?x=1", email, Password)
	if page.FromApp() || page.URL.Query().Get("flow") == "" {
		g.t.Fatalf("no second step: %v", page)
	}
	return page.URL.Query().Get("flow")
}

// CookieLine is the header line with a client's cookies.
func (c *Client) CookieLine() string {
	var pairs []string
	for _, cookie := range c.Cookies() {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	return "Cookie: " + strings.Join(pairs, "; ")
}

// RawLines sends a request byte by byte as given, with CRLF after each line,
// and returns the status of the first answer, 0 when there is none, and all
// that came back.
func (c *Client) RawLines(lines ...string) (status int, answer []byte) {
	c.t.Helper()
	answer = c.Raw(strings.Join(lines, "\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		return 0, answer
	}
	resp.Body.Close()
	return resp.StatusCode, answer
}
