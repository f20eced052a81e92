//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
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

// Rule 3: what an answer looks like does not tell whether there is an account.
func TestUnknownPeopleLookLikeKnownOnes(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	g.Invite(carol)
	answer := func(email string) *harness.Page {
		b := g.Browser()
		page := b.Open("/private")
		return b.Submit(page.Form("password").Set("email", email).Set("password", "not the right words"))
	}
	known := answer(alice)
	for _, email := range []string{"nobody@example.test", carol} {
		page := answer(email)
		if page.Status != known.Status {
			t.Errorf("%s: status %d instead of %d", email, page.Status, known.Status)
		}
		if a, b := headers(page), headers(known); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: headers\n%v\n%v", email, a, b)
		}
		wantSameLines(t, strings.ReplaceAll(string(page.Body), email, "@"), strings.ReplaceAll(string(known.Body), alice, "@"))
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

// Fields of a sign-in that nobody would fill in like that.
func TestMalformedSignIn(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	for name, values := range map[string]url.Values{
		"nothing":               {},
		"no password":           {"email": {alice}},
		"no address":            {"password": {harness.Password}},
		"empty password":        {"email": {alice}, "password": {""}},
		"over-long password":    {"email": {alice}, "password": {strings.Repeat("x", 1025)}},
		"over-long address":     {"email": {strings.Repeat("x", 400) + "@example.test"}, "password": {harness.Password}},
		"no address at all":     {"email": {"not an address"}, "password": {harness.Password}},
		"control characters":    {"email": {"alice\x00@example.test"}, "password": {harness.Password}},
		"invalid UTF-8":         {"email": {"\xff\xfe@example.test"}, "password": {"\xff\xff\xff\xff"}},
		"address twice":         {"email": {alice, carol}, "password": {harness.Password}},
		"password twice":        {"email": {alice}, "password": {harness.Password, "another"}},
		"a placeholder":         {"email": {"{env.HOME}"}, "password": {"{file./etc/passwd}"}},
		"a flow that is no one": {"email": {alice}, "password": {"wrong words altogether"}, "flow": {"xyz"}},
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			page := b.Post("/auth-gateway/sign-in", values)
			if page.Status < 400 || page.Status > 429 {
				t.Errorf("%v", page)
			}
			g.wantOut(t, b)
		})
	}
	t.Run("a body without end", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		page := b.Post("/auth-gateway/sign-in", url.Values{"email": {alice}, "password": {strings.Repeat("x", 4<<20)}})
		if page.Status < 400 || page.Status > 429 {
			t.Errorf("%v", page)
		}
	})
	t.Run("another kind of body", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		r := b.Request(http.MethodPost, "/auth-gateway/sign-in", strings.NewReader(`{"email":"alice@example.test"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if page := b.Send(r); page.Status < 400 || page.Status > 429 {
			t.Errorf("%v", page)
		}
	})
}

// Rule 14: shapes of return_to that must not lead away.
func TestReturnTo(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	for _, shape := range []string{
		"//evil.test", "///evil.test", "/\\evil.test", "\\/evil.test", "\\\\evil.test", "https://evil.test",
		"https:evil.test", "http:///evil.test", "/\t/evil.test", "/\n/evil.test", "\t//evil.test", " //evil.test",
		"javascript:alert(1)", "data:text/html,x", "/%09/evil.test", "/.//evil.test", "/..//evil.test",
		"/x/../..//evil.test", "/;//evil.test/", "//evil.test@localhost", "http://localhost@evil.test/",
		"http://localhost.evil.test", "/％2Fevil.test", "/\u2028/evil.test", strings.Repeat("/x", 2000),
	} {
		to := b.Get("/auth-gateway/sign-in?return_to=" + url.QueryEscape(shape)).Want(http.StatusFound)
		location := to.Header.Get("Location")
		if !strings.HasPrefix(location, "/") && !strings.HasPrefix(location, g.URL+"/") {
			t.Errorf("%q leads to %q", shape, location)
		}
		path := strings.TrimPrefix(location, g.URL)
		if len(path) > 1 && strings.ContainsAny(path[1:2], "/\\\t\n") || strings.Contains(path, "\\") {
			t.Errorf("%q leads to %q", shape, location)
		}
	}
}
