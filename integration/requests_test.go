//go:build integration

package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Design, section 5: who without a session gets which answer.
func TestAnswersWithoutSession(t *testing.T) {
	t.Parallel()
	g := start(t, "", "public /public /assets/*\napi /api/*")
	html := "text/html,application/xhtml+xml,*/*;q=0.8"
	for name, c := range map[string]struct {
		method, path string
		header       http.Header
		status       int // 302: to sign in; 401 with a problem unless page
		page         bool
	}{
		"a browser's navigation":           {"GET", "/private", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {html}}, 302, false},
		"a navigation with HEAD":           {"HEAD", "/private", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {html}}, 302, false},
		"an old browser":                   {"GET", "/private", http.Header{"Accept": {html}}, 302, false},
		"a script's fetch":                 {"GET", "/private", http.Header{"Sec-Fetch-Mode": {"cors"}, "Accept": {html}}, 401, false},
		"an image":                         {"GET", "/private.png", http.Header{"Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"image"}, "Accept": {"image/*"}}, 401, false},
		"a program":                        {"GET", "/private", http.Header{"Accept": {"*/*"}}, 401, false},
		"a program that says nothing":      {"GET", "/private", nil, 401, false},
		"a program that wants JSON":        {"GET", "/private", http.Header{"Accept": {"application/json"}}, 401, false},
		"a program that posts":             {"POST", "/private", nil, 401, false},
		"a navigation that posts":          {"POST", "/private", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {html}}, 401, true},
		"a navigation to the API":          {"GET", "/api/x", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {html}}, 401, false},
		"a navigation to /API/X":           {"GET", "/API/X", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {html}}, 401, false},
		"DELETE":                           {"DELETE", "/private", http.Header{"Accept": {html}}, 401, false},
		"OPTIONS":                          {"OPTIONS", "/private", nil, 401, false},
		"an unusual method, public path":   {"PROPFIND", "/public", nil, 401, false},
		"an unusual method of no standard": {"HELLO", "/public", nil, 401, false},
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			before := g.app.Count()
			p := g.Program()
			r := p.Request(c.method, c.path, nil)
			for name, values := range c.header {
				r.Header[name] = values
			}
			page := p.Send(r)
			if g.app.Count() != before {
				t.Error("the app was reached")
			}
			switch {
			case c.status == http.StatusFound:
				wantSignIn(t, page)
			case c.page:
				page.Want(c.status)
				if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
					t.Errorf("Content-Type %q", page.Header.Get("Content-Type"))
				}
				says(t, page, "Nothing was sent")
				page.Link("sign-in")
			default:
				wantProblem(t, page, c.status)
				if page.Header.Get("WWW-Authenticate") == "" {
					t.Error("no WWW-Authenticate")
				}
			}
			if cache := page.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
				t.Errorf("Cache-Control %q", cache)
			}
		})
	}
	for _, path := range []string{"/public", "/assets/style.css", "/assets/"} {
		if page := g.Program().Get(path); !page.FromApp() {
			t.Errorf("%s: %v", path, page)
		}
		if page := g.Program().Do(http.MethodPost, path); !page.FromApp() {
			t.Errorf("POST %s: %v", path, page)
		}
	}
	for _, path := range []string{"/Public", "/PUBLIC", "/public/", "/publicity", "/assets", "/Assets/style.css"} {
		if page := g.Program().Get(path); page.FromApp() {
			t.Errorf("%s passes as public", path)
		}
	}
}

// Policy sees the path before any rewrite, and rewrites do not open it.
func TestRewrites(t *testing.T) {
	t.Parallel()
	g := prepare(t, "", "", func(o *harness.Options) {
		o.Sites = `{$SITE} {
	log
	redir /old /new
	rewrite /public/secret /private
	handle_errors {
		reverse_proxy {$APP}
	}
	auth_gateway {
		public /public/* /new
	}
	reverse_proxy {$APP}
}`
	})
	g.Run()
	p := g.Program()
	if page := p.Get("/old"); page.Status != http.StatusUnauthorized {
		t.Errorf("a redirect happens before the gate: %v", page)
	}
	for _, path := range []string{"/private", "/missing", "/auth-gateway/whoami", "/auth-gateway/no-such-page"} {
		if page := p.Get(path); page.FromApp() {
			t.Errorf("%s: handle_errors leads to the app", path)
		}
	}
	if page := p.Get("/new"); !page.FromApp() {
		t.Errorf("%v", page)
	}
}

// allow, deny: exactly, addresses without case, deny wins.
func TestAllowAndDeny(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice, "--role", "agent")
	g.AddUser(carol, "--role", "admin")
	a, c := g.signedIn(t, alice), g.signedIn(t, carol)
	for _, test := range []struct {
		block        string
		alice, carol bool
	}{
		{"allow role agent", true, false},
		{"allow role agent admin", true, true},
		{"allow role admin\nallow email ALICE@Example.TEST", true, true},
		{"allow role Agent", false, false},
		{"deny role admin", true, false},
		{"allow role agent admin\ndeny email " + alice, false, true},
		{"allow email alice@example.test.evil", false, false},
	} {
		if strings.Contains(test.block, "Agent") {
			// Not a role: caught when the configuration is read.
			g.Configure("", site(test.block))
			if r := g.TryReload(); r.Status == 0 {
				t.Errorf("%s: loaded", test.block)
			}
			continue
		}
		g.configure("", test.block)
		for _, who := range []struct {
			client *harness.Client
			name   string
			in     bool
		}{{a, alice, test.alice}, {c, carol, test.carol}} {
			page := who.client.Get("/private")
			if page.FromApp() != who.in {
				t.Errorf("%s: %s: %v", test.block, who.name, page)
			}
			if !who.in && (page.Status != http.StatusForbidden || page.ID("error-id") == "") {
				t.Errorf("%s: %s: %v", test.block, who.name, page)
			}
		}
	}
	g.configure("", "deny role agent")
	r := a.Request(http.MethodGet, "/private", nil)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	wantProblem(t, a.Send(r), http.StatusForbidden)
}

// Pages come in the language that the browser asks for.
func TestLanguages(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	for accept, want := range map[string]string{
		"ja": "ja", "ja-JP,en;q=0.5": "ja", "en-GB": "en", "fr": "en", "": "en", "ja;q=0,en": "en", strings.Repeat("x,", 5000): "en",
	} {
		page := g.Browser(harness.WithHeader("Accept-Language", accept)).Get("/auth-gateway/sign-in").Want(http.StatusOK)
		if !strings.Contains(string(page.Body), `<html lang="`+want+`"`) {
			t.Errorf("Accept-Language %.40q: not %s", accept, want)
		}
	}
	if page := g.Browser(harness.WithHeader("Accept-Language", "ja")).Get("/auth-gateway/sign-in"); !strings.Contains(page.Text(), "パスワード") {
		t.Errorf("%v", page)
	}
}
