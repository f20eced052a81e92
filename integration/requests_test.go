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

// Rule 23: methods that no site needs are refused, signed in or not.
func TestMethods(t *testing.T) {
	t.Parallel()
	g := start(t, "", "public /public")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	for _, path := range []string{"/public", "/private"} {
		for _, request := range []string{"TRACE " + path + " HTTP/1.1", "trace " + path + " HTTP/1.1", "CONNECT " + path + " HTTP/1.1", "CONNECT localhost:22 HTTP/1.1"} {
			before := g.app.Count()
			status, answer := raw(t, b, request, "Host: "+b.Base.Host, cookieLine(b), "Connection: close", "", "")
			if strings.HasPrefix(request, "trace") {
				continue // another method, if any; below
			}
			if status != http.StatusMethodNotAllowed && status != http.StatusBadRequest {
				t.Errorf("%s: status %d %.200s", request, status, answer)
			}
			if g.app.Count() != before {
				t.Errorf("%s: the app was reached", request)
			}
		}
	}
	// Signed in, the app's own methods pass.
	for _, method := range []string{"PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		if got := b.Do(method, "/private").App(); got.Method != method {
			t.Errorf("%s came as %s", method, got.Method)
		}
	}
}

// Rule 23: TLS early data.
func TestEarlyData(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	r := b.Request(http.MethodGet, "/private", nil)
	r.Header.Set("Early-Data", "1")
	if page := b.Send(r); page.Status != http.StatusTooEarly || page.FromApp() {
		t.Errorf("%v", page)
	}
}

// ambiguous are paths that can be read in more than one way.
var ambiguous = []string{
	"/public/..%2fprivate", "/public/%2e%2e/private", "/public/%2E%2E%2Fprivate", "/public/../private", "/public/./../private",
	"/public//../private", "//private", "/public%2f..%2fprivate", "/public/..;/private", "/public/..%3b/private",
	"/public/%5c..%5cprivate", "/public\\..\\private", "/public/..\\private", "/public/%00", "/public/x%00.css",
	"/public%2fx", "/public/%2e/x", "/public/%252e%252e/private", "/public/..%252fprivate", "/./private", "/public/..",
	"/public/%c0%ae%c0%ae/private", "/public/%u002e%u002e/private", "/public/.%2e/private", "/public/x;/../../private",
	"/public/;x=1", "/%70ublic/../private", "/public/x%2f%2e%2e%2f%2e%2e%2fprivate",
}

// Rule 23: nothing that can be read in two ways passes as public.
func TestAmbiguousPaths(t *testing.T) {
	t.Parallel()
	one := start(t, "", "public /public /public/*")
	one.AddUser(alice)
	several := start(t, "audience team\naudience staff {\nsecond_factor required\n}", "", func(o *harness.Options) {
		o.Sites = "{$SITE} {\nlog\nauth_gateway team {\npublic /public /public/*\naudience staff /staff/*\n}\nreverse_proxy {$APP}\n}"
	})
	several.AddUser(alice)
	in := several.signedIn(t, alice)

	for _, path := range ambiguous {
		before := one.app.Count()
		status, _ := raw(t, one.Program(), "GET "+path+" HTTP/1.1", "Host: "+one.Browser().Base.Host, "Connection: close", "", "")
		if one.app.Count() != before {
			t.Errorf("%s passes as public, as %s", path, one.app.Last(t).URI)
		}
		if status != http.StatusUnauthorized && status != http.StatusBadRequest {
			t.Errorf("%s: status %d", path, status)
		}
	}
	for _, path := range []string{
		"/public/..%2fstaff/x", "/%73taff%2fx", "/x/..%2fstaff/x", "/staff%2fx", "/staff;/x", "/x%5c..%5cstaff/x", "/staff/%2e%2e/x",
		"/staff%00/x", "//staff/x", "/x/..;/staff/x",
	} {
		before := several.app.Count()
		status, _ := raw(t, in, "GET "+path+" HTTP/1.1", "Host: "+in.Base.Host, cookieLine(in), "Connection: close", "", "")
		if several.app.Count() != before {
			uri := several.app.Last(t).URI
			if strings.Contains(strings.ToLower(uri), "staff") {
				t.Errorf("%s reaches the app as %s without a second factor", path, uri)
			}
		} else if status != http.StatusBadRequest && status != http.StatusFound && status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", path, status)
		}
	}
	// Case does not open a protected path.
	for _, path := range []string{"/staff/x", "/STAFF/x", "/Staff/X"} {
		if page := in.Get(path); page.FromApp() {
			t.Errorf("%s is open without a second factor", path)
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

// Design, section 4, "Whose address": plain http is for loopback only.
func TestOrigin(t *testing.T) {
	t.Parallel()
	g := prepare(t, "", "", func(o *harness.Options) {
		o.Sites = "http://:{$PORT} {\nlog\nauth_gateway\nreverse_proxy {$APP}\n}"
	})
	g.Run()
	g.AddUser(alice)
	host := func(host string, header http.Header) *harness.Page {
		b := g.Browser()
		r := b.Request(http.MethodGet, "/auth-gateway/sign-in", nil)
		r.Host = host
		for name, values := range header {
			r.Header[name] = values
		}
		return b.Send(r)
	}
	port := g.Env("PORT")
	for _, name := range []string{"localhost:" + port, "app.localhost:" + port, "127.0.0.1:" + port, "127.8.8.8:" + port, "[::1]:" + port} {
		if page := host(name, nil); page.Status != http.StatusOK {
			t.Errorf("%s: %v", name, page)
		}
	}
	for name, header := range map[string]http.Header{
		"app.example.test":                 nil,
		"app.example.test:" + port:         {"X-Forwarded-Proto": {"https"}},
		"localhost.example.test":           nil,
		"127.0.0.1.example.test":           nil,
		"app.example.test:443":             {"X-Forwarded-Host": {"localhost"}, "Forwarded": {"proto=https;host=localhost"}},
		"192.0.2.1":                        nil,
		"0.0.0.0:" + port:                  nil,
		"localhost.":                       {"X-Forwarded-Proto": {"https"}, "X-Forwarded-Ssl": {"on"}},
		"evil.test/localhost":              nil,
		"localhost:" + port + "@evil.test": nil,
	} {
		page := host(name, header)
		if name == "localhost." && page.Status == http.StatusOK {
			continue // the same name, fully qualified
		}
		if page.Status != http.StatusForbidden && page.Status != http.StatusBadRequest {
			t.Errorf("%s: %v", name, page)
		}
		if page.Status == http.StatusForbidden {
			says(t, page, "origin")
		}
		if page.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: a cookie", name)
		}
	}
	g.Configure("servers {\ntrusted_proxies static 127.0.0.1/32\ntrusted_proxies_strict\n}", "http://:{$PORT} {\nlog\nauth_gateway\nreverse_proxy {$APP}\n}")
	g.Reload()
	if page := host("app.example.test", http.Header{"X-Forwarded-Proto": {"https"}}); page.Status != http.StatusOK {
		t.Errorf("through a trusted proxy: %v", page)
	}
	if page := host("app.example.test", http.Header{"X-Forwarded-Proto": {"http"}}); page.Status != http.StatusForbidden {
		t.Errorf("through a trusted proxy without TLS: %v", page)
	}
}

// Rule 13: a change is a post of this site.
func TestCrossSitePosts(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	post := func(b *harness.Client, path string, header http.Header) *harness.Page {
		r := b.Request(http.MethodPost, path, strings.NewReader("email=alice%40example.test&password="+strings.ReplaceAll(harness.Password, " ", "+")))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Del("Sec-Fetch-Site")
		for name, values := range header {
			r.Header[name] = values
		}
		return b.Send(r)
	}
	for name, header := range map[string]http.Header{
		"another site":          {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.test"}},
		"a sibling":             {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://other.localhost"}},
		"another origin":        {"Origin": {"https://evil.test"}},
		"no origin to speak of": {"Origin": {"null"}},
		"another port":          {"Origin": {"http://localhost:1"}},
		"another scheme":        {"Origin": {strings.Replace(g.URL, "http:", "https:", 1)}},
	} {
		b := g.Browser()
		if page := post(b, "/auth-gateway/sign-in", header); page.Status != http.StatusForbidden {
			t.Errorf("%s: sign-in: %v", name, page)
		}
		if b.Session() != nil {
			t.Errorf("%s: signed in", name)
		}
		in := g.signedIn(t, alice)
		if page := post(in, "/auth-gateway/sign-out", header); page.Status != http.StatusForbidden {
			t.Errorf("%s: sign-out: %v", name, page)
		}
		g.wantIn(t, in, alice)
	}
	// Cookies but neither header: such a post must carry its flow.
	in := g.signedIn(t, alice)
	if page := post(in, "/auth-gateway/sign-out", nil); page.Status != http.StatusForbidden {
		t.Errorf("neither header and no flow: %v", page)
	}
	g.wantIn(t, in, alice)
}

// Rule 13: the headers of every page.
func TestPageHeaders(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)
	b := g.Browser()
	pages := map[string]*harness.Page{
		"sign-in":   b.Get("/auth-gateway/sign-in"),
		"sign-out":  b.Get("/auth-gateway/sign-out"),
		"not found": b.Get("/auth-gateway/no-such-page"),
		"reset":     b.Get("/auth-gateway/reset"),
		"wizard":    b.SignIn("/", alice, harness.Password),
	}
	for name, page := range pages {
		if page.Status >= 300 && page.Status < 400 {
			continue
		}
		csp := page.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: CSP without %s: %s", name, part, csp)
			}
		}
		if strings.Contains(csp, "unsafe-inline") && strings.Contains(csp, "script-src") {
			t.Errorf("%s: %s", name, csp)
		}
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := page.Header.Get(header); !strings.Contains(got, want) {
				t.Errorf("%s: %s: %q", name, header, got)
			}
		}
		if len(page.Body) > 30<<10 {
			t.Errorf("%s: %d bytes", name, len(page.Body))
		}
		if strings.Contains(string(page.Body), "<script") {
			t.Errorf("%s: a script", name)
		}
	}
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
