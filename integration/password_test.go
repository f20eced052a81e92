//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// The first minute of every operator: one word in the Caddyfile, one account.
func TestPasswordSignIn(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice, "--name", "Alice Example", "--role", "agent")
	b := g.Browser()
	g.wantOut(t, b)

	to := wantSignIn(t, b.Get("/private?x=1&y=%2F"))
	if got := to.Query().Get("return_to"); got != "/private?x=1&y=%2F" {
		t.Errorf("return_to=%q", got)
	}
	page := b.Get(to.String()).Want(http.StatusOK)
	if heading := page.Heading(); heading != "Sign in to localhost" && !strings.HasPrefix(heading, "Sign in to localhost") {
		t.Errorf("heading %q", heading)
	}
	form := page.Form("password")
	if form.Method != http.MethodPost || form.Action.Path != "/auth-gateway/sign-in" {
		t.Errorf("%s %v", form.Method, form.Action)
	}

	wrong := b.Submit(form.Set("email", alice).Set("password", "not the right words")).Want(http.StatusUnauthorized)
	if wrong.Alert() == "" {
		t.Error("a wrong password without a message")
	}
	if strings.Contains(string(wrong.Body), "not the right words") {
		t.Error("the page holds the password")
	}
	form = wrong.Form("password")
	if form.Values.Get("email") != alice {
		t.Errorf("typed address not kept: %q", form.Values.Get("email"))
	}
	g.wantOut(t, b)

	in := b.Submit(form.Set("password", harness.Password)).Want(http.StatusSeeOther)
	got := b.Follow(in).App()
	if got.URI != "/private?x=1&y=%2F" {
		t.Errorf("landed at %q", got.URI)
	}
	for name, want := range map[string]string{
		"Remote-User": alice, "Remote-Email": alice, "Remote-Name": "Alice Example",
		"Remote-Role": "agent", "Remote-Groups": "agent",
	} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("%s: %q instead of %q", name, value, want)
		}
	}
	if got.Header.Get("Remote-Id") == "" || got.Header.Get("Remote-Id") == alice {
		t.Errorf("Remote-Id: %q", got.Header.Get("Remote-Id"))
	}
	if cookies := got.Header.Get("Cookie"); strings.Contains(cookies, "auth_gateway") {
		t.Errorf("the app got %q", cookies)
	}
	who := b.Whoami()
	if who["email"] != alice || who["name"] != "Alice Example" || who["role"] != "agent" {
		t.Errorf("whoami: %v", who)
	}
	// Signed in well enough, the page leads on.
	if to := b.Get("/auth-gateway/sign-in?return_to=/x").Want(http.StatusFound).Location(); to.Path != "/x" {
		t.Errorf("signed in already, sent to %v", to)
	}
}

// Rule 7: GET shows a one-time link, only POST uses it up, once.
func TestOneTimeLink(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	first := g.Invite(alice)
	link := g.ResetPassword(alice)
	b := g.Browser()
	if page := b.Open(first.String()); page.HasForm("password") {
		t.Errorf("a later link leaves the earlier one alive: %v", page)
	}
	for range 3 {
		b.Open(link.String()).Want(http.StatusOK)
	}
	b.Do(http.MethodHead, link.String())
	page := b.Open(link.String())
	for name, password := range map[string]string{
		"short":     "only14letters.",
		"common":    "passwordpassword",
		"own words": "alice@example.test",
		"too long":  strings.Repeat("long enough ", 100),
		"empty":     "",
	} {
		refused := b.Submit(page.Form("password").Set("password", password))
		if refused.Alert() == "" || !refused.HasForm("password") {
			t.Errorf("%s: %v", name, refused)
		}
	}
	g.SecretAtRest("a password", harness.Password)
	set := b.SubmitAndFollow(page.Form("password").Set("password", harness.Password))
	if set.Status != http.StatusOK || set.HasForm("token") {
		t.Fatalf("not set: %v", set)
	}
	again := g.Browser().Submit(page.Form("password").Set("password", "quite another long password"))
	if again.Status < 400 {
		t.Errorf("used twice: %v", again)
	}
	if page := g.Browser().Open(link.String()); page.HasForm("password") {
		t.Errorf("a used link is shown again: %v", page)
	}
	g.wantIn(t, g.signedIn(t, alice), alice)
}

// Setting a password anew ends every session.
func TestResetEndsSessions(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	old := g.signedIn(t, alice)
	link := g.ResetPassword(alice)
	g.wantIn(t, old, alice)
	b := g.Browser()
	const other = "a horse of quite another colour"
	g.SecretAtRest("a password", other)
	b.SubmitAndFollow(b.Open(link.String()).Form("password").Set("password", other)).Want(http.StatusOK)
	g.wantOut(t, old)
	if page := b.SignIn("/private", alice, harness.Password); page.Status != http.StatusUnauthorized {
		t.Errorf("the old password: %v", page)
	}
	if page := b.SignIn("/private", alice, other); !page.FromApp() {
		t.Errorf("the new password: %v", page)
	}
}

// Rule 4: from the tenth failure on people wait, the unknown ones too, while
// the owner's own browser still gets in.
func TestGuessing(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	owner := g.signedIn(t, alice)
	owner.Submit(owner.Open("/auth-gateway/sign-out").Form(""))

	for _, email := range []string{alice, "nobody@example.test"} {
		stranger := g.Browser(harness.From("127.4.0.1"))
		form := stranger.Open("/private").Form("password").Set("email", email)
		var page *harness.Page
		failures := 0
		for range 15 {
			page = stranger.Submit(form.Set("password", fmt.Sprint("wrong guess number ", failures)))
			if page.Status == http.StatusTooManyRequests {
				break
			}
			page.Want(http.StatusUnauthorized)
			failures++
		}
		page.Want(http.StatusTooManyRequests)
		if failures != 10 {
			t.Errorf("%s: held off after %d failures", email, failures)
		}
		if wait, err := strconv.Atoi(page.Header.Get("Retry-After")); err != nil || wait < 1 {
			t.Errorf("%s: Retry-After %q", email, page.Header.Get("Retry-After"))
		}
		if page.Alert() == "" {
			t.Errorf("%s: held off without a message", email)
		}
		// The right password does not shorten the wait either.
		stranger.Submit(form.Set("password", harness.Password)).Want(http.StatusTooManyRequests)
	}

	if page := owner.SignIn("/private", alice, harness.Password); !page.FromApp() {
		t.Errorf("the owner's browser is held off: %v", page)
	}
	g.Must("user", "unlock", alice)
	g.wantIn(t, g.signedIn(t, alice), alice)
}
