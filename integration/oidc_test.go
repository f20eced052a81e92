//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// clientSecret is what the confidential clients have.
const clientSecret = "the client secret of these tests"

// sso is an SSO config and what the provider has to know of it.
type sso struct {
	name  string
	words string // of the configuration, beside issuer and client_id
	party harness.RelyingParty
}

// Both modes, and mode pkce with a secret and without.
var modes = []sso{
	{"public", "mode pkce", harness.RelyingParty{ID: "public", PKCE: true}},
	{"confidential", "mode pkce\nclient_secret {env.CLIENT_SECRET}", harness.RelyingParty{ID: "confidential", Secret: clientSecret, PKCE: true}},
	{"plain", "mode code\nclient_secret {env.CLIENT_SECRET}", harness.RelyingParty{ID: "plain", Secret: clientSecret}},
}

// withSecret gives the gate the client secret.
func withSecret(o *harness.Options) { o.Env = map[string]string{"CLIENT_SECRET": clientSecret} }

// parties returns the clients with the callbacks of a gate.
func (g *gate) parties(configs ...sso) []harness.RelyingParty {
	var parties []harness.RelyingParty
	for _, config := range configs {
		config.party.RedirectURI = g.URL + "/auth-gateway/sso/" + config.name + "/callback"
		config.party.SignOutURI = g.URL + "/auth-gateway/sign-out"
		parties = append(parties, config.party)
	}
	return parties
}

// words returns the global words for SSO configs at one issuer, all assigned to
// one audience.
func words(issuer, extra, audience string, configs ...sso) string {
	var b strings.Builder
	var names []string
	for _, config := range configs {
		fmt.Fprintf(&b, "sso %s {\nissuer %s\nclient_id %s\n%s\n%s\n}\n", config.name, issuer, config.party.ID, config.words, extra)
		names = append(names, config.name)
	}
	fmt.Fprintf(&b, "audience team {\nsso %s\n%s\n}\n", strings.Join(names, " "), audience)
	return b.String()
}

// withProvider starts oidc-provider and a gate with the SSO configs there.
func withProvider(t *testing.T, extra, audience string, configs ...sso) (*gate, *harness.Provider) {
	t.Helper()
	g := prepare(t, "", "", withSecret)
	p := harness.StartProvider(t, g.parties(configs...)...)
	g.Configure(option(words(p.Issuer, extra, audience, configs...)), site(""))
	g.Run()
	g.Secret("the client secret", clientSecret)
	return g, p
}

// through goes on from a page of oidc-provider as the person of that login.
func through(b *harness.Client, page *harness.Page, login string) *harness.Page {
	return b.SubmitAndFollow(page.Form("login").Set("login", login).Set("do", "sign-in"))
}

// S4: signing in with oidc-provider, in every mode.
func TestOIDCProvider(t *testing.T) {
	t.Parallel()
	// What the browser carries can be seen where nothing is pushed.
	g, p := withProvider(t, "admit any\nbutton Go\npushed_requests off", "", modes...)
	for _, config := range modes {
		t.Run(config.name, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			page := b.Open("/private?x=1")
			if !page.HasForm("password") {
				t.Fatalf("no password form beside the buttons: %v", page)
			}
			to := b.Get(page.Link("/sso/" + config.name + "/start").String()).Want(http.StatusFound).Location()
			if !strings.HasPrefix(to.String(), p.Issuer) {
				t.Fatalf("sent to %v", to)
			}
			query := to.Query()
			for _, name := range []string{"state", "nonce"} {
				if len(query.Get(name)) < 20 {
					t.Errorf("%s=%q", name, query.Get(name))
				}
			}
			if pkce := query.Get("code_challenge_method") == "S256" && query.Get("code_challenge") != ""; pkce == (config.name == "plain") {
				t.Errorf("code_challenge=%q", query.Get("code_challenge"))
			}
			if scope := query.Get("scope"); scope != "openid email profile" {
				t.Errorf("scope=%q", scope)
			}
			got := through(b, b.Open(to.String()), "bob").App()
			if got.URI != "/private?x=1" {
				t.Errorf("landed at %q", got.URI)
			}
			if got.Header.Get("Remote-User") != "bob@example.test" || got.Header.Get("Remote-Name") != "Bob Example" ||
				got.Header.Get("Remote-Role") != "end-user" {
				t.Errorf("in as %v", got.Header)
			}
		})
	}
	// One (issuer, sub) is one account, whichever config it came through.
	var people []struct{ Email string }
	g.JSON(&people, "user", "list")
	if len(people) != 1 {
		t.Errorf("accounts: %v", people)
	}
}

// S8: the provider is the source of name and address; S10: names are people's
// own, in any script.
func TestOIDCNames(t *testing.T) {
	t.Parallel()
	g, _ := withProvider(t, "admit any", "", modes[0])
	b := g.Browser()
	got := through(b, b.Open("/"), "hanako").App()
	if name := got.Header.Get("Remote-Name"); !strings.HasPrefix(name, "=?utf-8?") && !strings.HasPrefix(name, "=?UTF-8?") {
		t.Errorf("Remote-Name: %q", name)
	}
	if b.Whoami()["name"] != "山田 花子" {
		t.Errorf("whoami: %v", b.Whoami())
	}
	b = g.Browser()
	got = through(b, b.Open("/"), "nameless").App()
	if _, there := got.Header["Remote-Name"]; there {
		t.Errorf("a name from nowhere: %q", got.Header.Get("Remote-Name"))
	}
}

// S7, rule 20: who is not let in gets an explanation: no loop, no account, no
// session, no automatic restart.
func TestOIDCRefusals(t *testing.T) {
	t.Parallel()
	g, p := withProvider(t, "admit example.test", "", modes[0])
	g.AddUser(alice)
	for login, say := range map[string]string{
		"mailless":   "e-mail address is missing",
		"unverified": "not verified",
		"stranger":   "no account here",
		"alice":      "another account",
	} {
		t.Run(login, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			page := through(b, b.Open("/private"), login)
			if page.Status < 400 || page.FromApp() {
				t.Fatalf("%v", page)
			}
			says(t, page, say)
			id := page.ID("error-id")
			if id == "" {
				t.Fatalf("no error id: %v", page)
			}
			entry := g.WaitLog("the cause", func(e harness.Entry) bool { return e.Text("error_id") == id })
			if login == "unverified" && !strings.Contains(entry.String(), "trust_email") {
				t.Errorf("the log does not name trust_email: %v", entry)
			}
			g.wantOut(t, b)
		})
	}
	t.Run("cancelled at the provider", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		form := b.Open("/private").Form("login")
		page := b.SubmitAndFollow(form.Set("do", "cancel"))
		if page.Status < 400 || page.ID("error-id") == "" {
			t.Errorf("%v", page)
		}
		g.wantOut(t, b)
	})
	var people []struct{ Email string }
	g.JSON(&people, "user", "list")
	if len(people) != 1 {
		t.Errorf("accounts: %v", people)
	}

	g.configure(words(p.Issuer, "admit example.test\ntrust_email", "", modes[0]), "")
	b := g.Browser()
	if page := through(b, b.Open("/private"), "unverified"); !page.FromApp() {
		t.Errorf("with trust_email: %v", page)
	}
}

// S8: admit existing lets in only those with an account already.
func TestOIDCAdmitExisting(t *testing.T) {
	t.Parallel()
	g, p := withProvider(t, "admit any", "", modes[0])
	b := g.Browser()
	through(b, b.Open("/"), "bob").App()
	g.configure(words(p.Issuer, "admit existing", "", modes[0]), "")
	b = g.Browser()
	through(b, b.Open("/"), "bob").App()
	b = g.Browser()
	if page := through(b, b.Open("/"), "hanako"); page.FromApp() {
		t.Errorf("%v", page)
	}
	// Suspended here, people cannot come in from there.
	g.Must("user", "suspend", "bob@example.test")
	b = g.Browser()
	if page := through(b, b.Open("/"), "bob"); page.FromApp() || page.Status < 400 {
		t.Errorf("suspended: %v", page)
	}
}

// answered signs in at the provider and returns the address of the callback.
func answered(t *testing.T, b *harness.Client, start string) *url.URL {
	t.Helper()
	page := b.Submit(b.Open(start).Form("login").Set("login", "bob").Set("do", "sign-in"))
	for {
		to := page.Location()
		if strings.HasSuffix(to.Path, "/callback") {
			return to
		}
		page = b.Get(to.String())
	}
}

// Rule 16: state and code belong to one browser, one config, one use.
func TestOIDCStateAndCode(t *testing.T) {
	t.Parallel()
	two := []sso{modes[0], {"second", "mode pkce", harness.RelyingParty{ID: "second", PKCE: true}}}
	g, _ := withProvider(t, "admit any\nbutton Go", "", two...)
	const start = "/auth-gateway/sso/public/start?return_to=/private"

	refused := func(t *testing.T, b *harness.Client, page *harness.Page) {
		t.Helper()
		if page.FromApp() || page.Status < 400 {
			t.Errorf("%v", page)
		}
		if page.ID("error-id") == "" {
			t.Errorf("no error id: %v", page)
		}
		g.wantOut(t, b)
	}
	with := func(u *url.URL, change func(url.Values)) string {
		changed := *u
		query := u.Query()
		change(query)
		changed.RawQuery = query.Encode()
		return changed.String()
	}
	t.Run("another browser", func(t *testing.T) {
		g.For(t)
		back := answered(t, g.Browser(), start)
		b := g.Browser()
		refused(t, b, b.Get(back.String()))
	})
	t.Run("twice", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		back := answered(t, b, start)
		kept := b.Cookies()
		if page := b.Follow(b.Get(back.String())); !page.FromApp() {
			t.Fatalf("%v", page)
		}
		thief := g.Browser()
		thief.SetCookies(kept...)
		refused(t, thief, thief.Get(back.String()))
	})
	t.Run("in parallel", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		back := answered(t, b, start)
		kept := b.Cookies()
		sessions := make([]bool, 5)
		var wg sync.WaitGroup
		for i := range sessions {
			c := g.Browser()
			c.SetCookies(kept...)
			wg.Go(func() {
				c.Get(back.String())
				sessions[i] = c.Session() != nil
			})
		}
		wg.Wait()
		in := 0
		for _, session := range sessions {
			if session {
				in++
			}
		}
		if in > 1 {
			t.Errorf("%d got in with one state", in)
		}
	})
	t.Run("callback of another config", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		back := answered(t, b, start)
		refused(t, b, b.Get(strings.Replace(back.String(), "/sso/public/", "/sso/second/", 1)))
	})
	for name, change := range map[string]func(url.Values){
		"no state":       func(q url.Values) { q.Del("state") },
		"empty state":    func(q url.Values) { q.Set("state", "") },
		"another state":  func(q url.Values) { q.Set("state", strings.Repeat("A", len(q.Get("state")))) },
		"state twice":    func(q url.Values) { q.Add("state", "another") },
		"long state":     func(q url.Values) { q.Set("state", strings.Repeat("A", 10000)) },
		"no code":        func(q url.Values) { q.Del("code") },
		"another code":   func(q url.Values) { q.Set("code", "another") },
		"code twice":     func(q url.Values) { q.Add("code", "another") },
		"no iss":         func(q url.Values) { q.Del("iss") },
		"another iss":    func(q url.Values) { q.Set("iss", "https://evil.test") },
		"code and error": func(q url.Values) { q.Set("error", "access_denied") },
		"nothing":        func(q url.Values) { clear(q) },
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			refused(t, b, b.Get(with(answered(t, b, start), change)))
		})
	}
	t.Run("error text is not repeated as markup", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		back := answered(t, b, start)
		page := b.Get(with(back, func(q url.Values) {
			q.Del("code")
			q.Set("error", "<script>alert(1)</script>")
			q.Set("error_description", "<img src=x onerror=alert(1)>{env.HOME}")
		}))
		refused(t, b, page)
		if strings.Contains(string(page.Body), "<script>") || strings.Contains(string(page.Body), "<img src=x") ||
			strings.Contains(string(page.Body), g.Env("HOME")) {
			t.Errorf("%s", page.Body)
		}
	})
	t.Run("posted", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		back := answered(t, b, start)
		if page := b.Post(back.Path, back.Query()); page.Status != http.StatusMethodNotAllowed {
			t.Errorf("%v", page)
		}
		g.wantOut(t, b)
	})
}

// S14: several tabs sign in at once; each ends where it began.
func TestOIDCTabs(t *testing.T) {
	t.Parallel()
	g, _ := withProvider(t, "admit any", "", modes[0])
	b := g.Browser()
	one, two := b.Open("/one?a=1"), b.Open("/two?b=2")
	if got := through(b, two, "bob").App(); got.URI != "/two?b=2" {
		t.Errorf("the second tab landed at %q", got.URI)
	}
	if got := through(b, one, "bob").App(); got.URI != "/one?a=1" {
		t.Errorf("the first tab landed at %q", got.URI)
	}
}

// F4: people of an identity provider never see a passcode.
func TestOIDCWithoutPasscode(t *testing.T) {
	t.Parallel()
	g, _ := withProvider(t, "admit any\nbutton Go", "second_factor required", modes[0])
	b := g.Browser()
	page := b.Open("/auth-gateway/sso/public/start?return_to=/private")
	through(b, page, "bob").App()
	g.wantIn(t, b, "bob@example.test")
}
