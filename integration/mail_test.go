//go:build integration

package integration

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver/delivertest"
)

// withMail starts a gate with a mail server. more are further words of mail.
func withMail(t *testing.T, server *delivertest.Server, audience, more string) *harness.Gate {
	t.Helper()
	g := harness.NewGate(t, `mail smtp `+server.Address+` {
		from "Example <gate@example.test>"
		`+more+`
	}
	`+audience, "origin {$SITE}")
	g.Run()
	return g
}

const bob = "bob@example.test"

var linkPattern = regexp.MustCompile(`http://[^\s"<]+/auth-gateway/reset\?token=[\w-]+`)

// linkIn is the one-time link in a letter, the same in both of its forms.
func linkIn(t *testing.T, g *harness.Gate, letter delivertest.Letter) *url.URL {
	t.Helper()
	link := linkPattern.FindString(letter.Text)
	if link == "" || !strings.Contains(letter.HTML, link) || !strings.HasPrefix(link, g.Browser().Base.String()+"/") {
		t.Fatalf("no link of this site in %q and %q", letter.Text, letter.HTML)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(letter.Subject, u.Query().Get("token")) {
		t.Errorf("subject %q", letter.Subject)
	}
	return u
}

// Somebody forgets their password and gets a new one by mail, in their language.
func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	server := delivertest.New(t, delivertest.Options{})
	g := withMail(t, server, "", "tls off")
	g.AddUser(alice)

	b := g.Browser(harness.WithHeader("Accept-Language", "ja"))
	signedIn := g.SignedIn(alice)
	page := b.Get("/auth-gateway/sign-in").Want(http.StatusOK)
	page = b.Get(page.Link("/auth-gateway/reset").String()).Want(http.StatusOK)
	sent := b.Submit(page.Form("email").Set("email", " ALICE@example.test ")).Want(http.StatusOK)
	if !strings.Contains(sent.Text(), "ALICE@example.test") {
		t.Errorf("%s", sent.Text())
	}
	letter := server.Next(t, alice)
	if !strings.Contains(letter.Text, "。") || letter.From != "gate@example.test" {
		t.Errorf("%+v", letter)
	}
	link := linkIn(t, g, letter)

	// Mail scanners follow links; only POST uses it up. Until then the old
	// password and its sessions stay.
	g.Browser().Get(link.RequestURI()).Want(http.StatusOK)
	if signedIn.Whoami() == nil {
		t.Error("asking for a link ended a session")
	}
	form := b.Get(link.RequestURI()).Want(http.StatusOK).Form("password")
	const next = "another kettle of fish 7"
	b.Submit(form.Set("password", next)).Want(http.StatusOK)
	if signedIn.Whoami() != nil {
		t.Error("a session outlived the password")
	}
	if page := g.Browser().SignIn("/", alice, next); !page.FromApp() {
		t.Errorf("with the new password: %v", page)
	}
	notice := server.Next(t, alice)
	if linkPattern.MatchString(notice.Text) || !strings.Contains(notice.Text, "127.0.0.1") {
		t.Errorf("the notice: %+v", notice)
	}
	g.Browser().Get(link.RequestURI()).Want(http.StatusGone)
}

// Whether an address is known cannot be seen, and strangers get nothing.
func TestNobodyForgotTheirPassword(t *testing.T) {
	t.Parallel()
	server := delivertest.New(t, delivertest.Options{})
	g := withMail(t, server, "", "tls off")
	g.AddUser(alice)
	g.AddUser("suspended@example.test")
	g.Must("user", "suspend", "suspended@example.test")

	ask := func(email string) *harness.Page {
		b := g.Browser()
		return b.Submit(b.Get("/auth-gateway/reset").Want(http.StatusOK).Form("email").Set("email", email))
	}
	known := ask(alice).Want(http.StatusOK)
	for _, email := range []string{"nobody@example.test", "suspended@example.test", "not an address", "a@b\r\nBcc: mallory@example.test"} {
		page := ask(email).Want(http.StatusOK)
		if got, want := strings.ReplaceAll(bareText(page), typed(email), alice), bareText(known); got != want {
			t.Errorf("%s: %s", email, got)
		}
	}
	server.Next(t, alice)
	ask(alice)
	server.Next(t, alice) // whatever came before has come by now
	if letters := server.Letters(); len(letters) != 0 {
		t.Errorf("%+v", letters)
	}
	for email, status := range map[string]int{"": http.StatusUnprocessableEntity, strings.Repeat("a", 300) + "@example.test": http.StatusUnprocessableEntity} {
		if page := ask(email).Want(status); page.Alert() == "" {
			t.Errorf("%q: no message", email)
		}
	}
}

// bareText is what a page says, without where its lines may break.
func bareText(page *harness.Page) string { return strings.Join(strings.Fields(page.Text()), "") }

// typed is an address as it is shown again.
func typed(email string) string {
	return strings.NewReplacer(" ", "", "\r", "", "\n", "").Replace(email)
}

// Nobody's mailbox is filled by somebody who knows the address.
func TestResetRequestsAreLimited(t *testing.T) {
	t.Parallel()
	server := delivertest.New(t, delivertest.Options{})
	g := withMail(t, server, "", "tls off")
	g.AddUser(alice)
	g.AddUser(bob)
	ask := func(email, from string) *harness.Page {
		b := g.Browser(harness.From(from))
		return b.Post("/auth-gateway/reset", url.Values{"email": {email}})
	}
	for range 7 {
		ask(alice, "127.0.0.1").Want(http.StatusOK)
	}
	for range 5 {
		server.Next(t, alice)
	}
	ask(bob, "127.0.0.1")
	server.Next(t, bob)
	if n := len(server.Letters()); n != 0 {
		t.Errorf("%d letters too many", n)
	}
	page, asked := ask("nobody@example.test", "127.0.0.1"), 8
	for ; page.Status == http.StatusOK && asked < 110; asked++ {
		page = ask("nobody@example.test", "127.0.0.1")
	}
	// The time that all this takes is time in which requests are forgotten.
	if asked < 100 || page.Want(http.StatusTooManyRequests).Header.Get("Retry-After") == "" {
		t.Errorf("after %d: %v", asked, page)
	}
	ask("nobody@example.test", "127.0.0.2").Want(http.StatusOK)
}

// New accounts are mailed their link, unless that is off.
func TestInvitationByMail(t *testing.T) {
	t.Parallel()
	server, words, trust := harness.StartMail(t)
	g := harness.NewGate(t, words, "origin {$SITE}")
	trust(g.Caddy)
	g.Run()
	if said := g.Must("user", "add", alice); !strings.Contains(said, "by mail") {
		t.Errorf("the command says %s", said)
	}
	letter := server.Next(t, alice)
	if !letter.TLS || !letter.Auth {
		t.Errorf("TLS %t, signed in %t", letter.TLS, letter.Auth)
	}
	b := g.Browser()
	b.Submit(b.Get(linkIn(t, g, letter).RequestURI()).Want(http.StatusOK).Form("password").Set("password", harness.Password)).Want(http.StatusOK)
	if page := b.SignIn("/", alice, harness.Password); !page.FromApp() {
		t.Errorf("%v", page)
	}

	quiet := delivertest.New(t, delivertest.Options{})
	g = withMail(t, quiet, "", "tls off\ninvitations off")
	g.Must("user", "add", bob)
	g.AddUser(alice)
	g.Browser().Post("/auth-gateway/reset", url.Values{"email": {alice}}).Want(http.StatusOK)
	quiet.Next(t, alice)
	if letters := quiet.Letters(); len(letters) != 0 {
		t.Errorf("%+v", letters)
	}
}

// A mail server that hangs holds nobody up, and what it does not take at first
// it gets again.
func TestMailServerFails(t *testing.T) {
	t.Parallel()
	server := delivertest.New(t, delivertest.Options{})
	g := withMail(t, server, "", "tls off")
	g.AddUser(alice)
	server.Fail(delivertest.Recipient, delivertest.Answer(451))
	g.Browser().Post("/auth-gateway/reset", url.Values{"email": {alice}}).Want(http.StatusOK)
	for deadline := time.Now().Add(20 * time.Second); server.Tried() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server was never asked")
		}
	}
	server.Fail(delivertest.Recipient, nil)
	letter := server.Next(t, alice)
	linkIn(t, g, letter)

	server.Fail(delivertest.Hello, server.Hang)
	began := time.Now()
	g.Browser().Post("/auth-gateway/reset", url.Values{"email": {alice}}).Want(http.StatusOK)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the answer took %v", took)
	}
	if strings.Contains(g.Browser().Get("/auth-gateway/reset").Text(), "token") {
		t.Error("a token is on a page")
	}
}

// password_change off and an audience without passwords: no link for anybody.
func TestNoPasswordToForget(t *testing.T) {
	t.Parallel()
	server := delivertest.New(t, delivertest.Options{})
	g := withMail(t, server, "audience team {\npassword_change off\n}", "tls off")
	g.AddUser(alice)
	if page := g.Browser().Get("/auth-gateway/sign-in").Want(http.StatusOK); strings.Contains(page.Text(), "Forgot") {
		t.Error("the sign-in page offers a new password")
	}
	g.Browser().Post("/auth-gateway/reset", url.Values{"email": {alice}}).Want(http.StatusOK)
	g.Stop()
	if letters := server.Letters(); len(letters) != 0 {
		t.Errorf("%+v", letters)
	}
}
