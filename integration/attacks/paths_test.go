//go:build integration

package attacks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// withPaths starts a gate with a site that has one audience, and one at
// several.localhost that has two.
func withPaths(t *testing.T) (g *harness.Gate, several *harness.Client) {
	t.Helper()
	g = harness.StartGate(t, twoAudiences, "", sites(
		harness.GatewaySite("{$SITE}", "team", "public /public /public/*"),
		harness.GatewaySite("http://several.localhost:{$PORT}", "team", "public /public /public/* /staff/open/*\naudience staff /staff /staff/*"),
	))
	return g, g.Browser(harness.At("http://several.localhost:" + g.Env("PORT")))
}

// Rule 23 and G5: nothing that can be read in two ways passes as public, or as
// another audience's.
func TestPaths(t *testing.T) {
	t.Parallel()
	g, several := withPaths(t)
	g.AddUser(alice)
	one := g.Program()
	if page := several.SignIn("/", alice, harness.Password); !page.FromApp() {
		t.Fatalf("%v", page)
	}
	for _, in := range inputs(t, "paths.txt") {
		switch in.Outcome {
		case "never public":
			wantRefused(t, g, one, in)
			wantRefused(t, g, g.Program(harness.At(several.Base.String())), in)
		case "public":
			if got := reached(g, func() { get(one, in.Text) }); len(got) != 1 {
				t.Errorf("%s: %d requests to the app", in.Name, len(got))
			}
		case "never the stricter audience's":
			wantRefused(t, g, several, in)
		default:
			t.Errorf("%s: %s", in.Name, in.Outcome)
		}
	}
	// The longer pattern wins, whichever kind it is of.
	if page := g.Program(harness.At(several.Base.String())).Get("/staff/open/x"); !page.FromApp() {
		t.Errorf("%v", page)
	}
}

// wantRefused fails the test unless the answer is no and the app hears nothing.
func wantRefused(t *testing.T, g *harness.Gate, b *harness.Client, in input) {
	t.Helper()
	for _, method := range []string{"GET", "POST"} {
		var status int
		got := reached(g, func() {
			status, _ = b.RawLines(method+" "+in.Text+" HTTP/1.1", "Host: "+b.Base.Host, b.CookieLine(), "Connection: close", "Content-Length: 0", "", "")
		})
		for _, received := range got {
			t.Errorf("%s: %s %s reaches the app as %s", in.Name, method, b.Base.Host, received.URI)
		}
		if !slices.Contains([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusFound}, status) {
			t.Errorf("%s: %s: status %d", in.Name, method, status)
		}
	}
}

// What others let through because something beside the path said that it is
// public.
func TestSkippingTheGate(t *testing.T) {
	t.Parallel()
	g, _ := withPaths(t)
	for name, c := range map[string]struct {
		target string
		lines  []string
	}{
		"CVE-2025-54576 oauth2-proxy, the query":                {"/private?x=/public/x", nil},
		"CVE-2026-41059 oauth2-proxy, the fragment":             {"/private#/public/x", nil},
		"CVE-2026-41059 oauth2-proxy, the encoded fragment":     {"/private%23/public/x", nil},
		"CVE-2021-39206 Pomerium, the fragment":                 {"/public/../private#/public", nil},
		"CVE-2021-32637 Authelia, a malformed address":          {"/private/%", nil},
		"CVE-2021-32637 Authelia, another malformed address":    {"/public/%zz/../../private", nil},
		"CVE-2023-33189 Pomerium, a path cleaned elsewhere":     {"/public/..%2fprivate", nil},
		"CVE-2026-40575 oauth2-proxy, X-Forwarded-Uri":          {"/private", []string{"X-Forwarded-Uri: /public/x"}},
		"CVE-2026-40575 oauth2-proxy, X-Forwarded-Method too":   {"/private", []string{"X-Forwarded-Uri: /public/x", "X-Forwarded-Method: OPTIONS"}},
		"CVE-2026-34457 oauth2-proxy, a health check's agent":   {"/private", []string{"User-Agent: GoogleHC/1.0"}},
		"CVE-2026-34457 oauth2-proxy, Kubernetes' agent":        {"/private", []string{"User-Agent: kube-probe/1.32"}},
		"CVE-2025-3891 mod_auth_openidc, no type and no body":   {"/private", []string{"Content-Type:", "Content-Length: 0"}},
		"an address of IIS and Symfony":                         {"/private", []string{"X-Original-URL: /public/x", "X-Rewrite-URL: /public/x"}},
		"an address of nginx":                                   {"/private", []string{"X-Original-URI: /public/x", "X-Accel-Redirect: /public/x"}},
		"a prefix":                                              {"/private", []string{"X-Forwarded-Prefix: /public", "X-Forwarded-Path: /public/x", "X-Script-Name: /public"}},
		"another method":                                        {"/private", []string{"X-HTTP-Method-Override: OPTIONS", "X-Method-Override: HEAD"}},
		"a preflight":                                           {"/private", []string{"Origin: https://evil.test", "Access-Control-Request-Method: GET"}},
		"somebody trusted before":                               {"/private", []string{"X-Authenticated: 1", "X-Auth: ok", "X-Forwarded-Client-Cert: Subject=x", "X-Ssl-Client-Verify: SUCCESS"}},
		"inside the machine":                                    {"/private", []string{"X-Forwarded-For: 127.0.0.1", "X-Real-Ip: 127.0.0.1", "X-Client-Ip: ::1", "Forwarded: for=127.0.0.1"}},
		"another host":                                          {"/private", []string{"X-Forwarded-Host: public.localhost", "X-Host: public.localhost"}},
		"a range and a condition":                               {"/private", []string{"Range: bytes=0-", "If-None-Match: *", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"}},
		"an expectation":                                        {"/private", []string{"Expect: 100-continue"}},
		"an unknown expectation":                                {"/private", []string{"Expect: let-me-in"}},
		"a password over Basic, which no audience takes":        {"/private", []string{"Authorization: Basic YWxpY2VAZXhhbXBsZS50ZXN0OmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU="}},
		"a token without a signature":                           {"/private", []string{"Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9."}},
		"a path below the gateway's own that is not":            {"/auth-gateway/../private", nil},
		"the gateway's own pages in another case":               {"/Auth-Gateway/whoami", nil},
		"the gateway's own pages with a parameter":              {"/auth-gateway;/../private", nil},
		"the gateway's own pages, encoded":                      {"/auth-gateway%2f..%2fprivate", nil},
		"CVE-2022-24797 Pomerium, debugging":                    {"/debug/pprof/", nil},
		"CVE-2022-24797 Pomerium, metrics":                      {"/metrics", nil},
		"rule 27, Caddy's admin endpoint":                       {"/config/", nil},
		"rule 27, the gateway's admin endpoint":                 {"/auth_gateway/users", nil},
		"rule 27, the gateway's admin endpoint under its pages": {"/auth-gateway/users", nil},
		"rule 27, the console":                                  {"/auth-gateway/admin", nil},
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				for _, host := range []string{"localhost:", "several.localhost:"} {
					var status int
					var answer []byte
					b := g.Program()
					got := reached(g, func() {
						request := append([]string{method + " " + c.target + " HTTP/1.1", "Host: " + host + g.Env("PORT"), "Connection: close"}, c.lines...)
						status, answer = b.RawLines(append(request, "", "")...)
					})
					if len(got) > 0 {
						t.Errorf("%s %s: the app received\n%s", method, host, got[0].Head)
					}
					if status < 400 || status >= 500 {
						t.Errorf("%s %s: %.200s", method, host, answer)
					}
				}
			}
		})
	}
}

// Rule 23: methods that no site needs are refused, signed in or not, and unusual
// ones are never public.
func TestMethods(t *testing.T) {
	t.Parallel()
	g, _ := withPaths(t)
	g.AddUser(alice)
	in, out := g.SignedIn(alice), g.Program()
	for _, c := range []struct {
		request    string
		signedIn   []int
		signedOut  []int
		reachesApp bool // when signed in
	}{
		{"TRACE /public", []int{405}, []int{405}, false},
		{"TRACE /private", []int{405}, []int{405}, false},
		{"trace /public", []int{200}, []int{401}, true},
		{"CONNECT /public", []int{400, 405}, []int{400, 405}, false},
		{"CONNECT localhost:22", []int{400, 405}, []int{400, 405}, false},
		{"CONNECT http://localhost/public", []int{200}, []int{200}, false}, // a host "http:", which is no site of ours
		{"PROPFIND /public", []int{200}, []int{401}, true},
		{"HELLO /public", []int{200}, []int{401}, true},
		{"get /public", []int{200}, []int{401}, true},
		{"GETPOST /public", []int{200}, []int{401}, true},
		{strings.Repeat("A", 40) + " /public", []int{405}, []int{405}, false}, // Caddy's limit
		{"OPTIONS *", []int{200, 400}, []int{200, 400}, false},                // Go's server answers it by itself
		{"PRI *", []int{200}, []int{401}, true},
	} {
		for _, who := range []struct {
			name   string
			client *harness.Client
			want   []int
		}{{"signed in", in, c.signedIn}, {"signed out", out, c.signedOut}} {
			var status int
			got := reached(g, func() {
				status, _ = who.client.RawLines(c.request+" HTTP/1.1", "Host: "+in.Base.Host, who.client.CookieLine(), "Connection: close", "", "")
			})
			if !slices.Contains(who.want, status) {
				t.Errorf("%s, %s: status %d", c.request, who.name, status)
			}
			if (len(got) > 0) != (c.reachesApp && who.client == in) {
				t.Errorf("%s, %s: %d requests to the app", c.request, who.name, len(got))
			}
		}
	}
	// Signed in, the app's own methods pass.
	for _, method := range []string{"PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		if got := in.Do(method, "/private").App(); got.Method != method {
			t.Errorf("%s came as %s", method, got.Method)
		}
	}
}

// Rule 23: TLS early data, as a proxy in front tells of it.
func TestEarlyData(t *testing.T) {
	t.Parallel()
	g, _ := withPaths(t)
	g.AddUser(alice)
	b := g.SignedIn(alice)
	for _, path := range []string{"/private", "/public/x", "/auth-gateway/sign-in"} {
		for _, line := range []string{"Early-Data: 1", "early-data: 1", "Early-Data:  1 ", "Early-Data: 0\r\nEarly-Data: 1", "Early-Data: 1, 1", "Early-Data:"} {
			var status int
			got := reached(g, func() { status, _ = get(b, path, b.CookieLine(), line) })
			if status != http.StatusTooEarly || len(got) > 0 {
				t.Errorf("%s %q: status %d, %d requests to the app", path, line, status, len(got))
			}
		}
	}
}

// Rule 24: WebSockets need a session and an Origin of this site, also where the
// path is public, however the upgrade is spelled.
func TestWebSockets(t *testing.T) {
	t.Parallel()
	g, _ := withPaths(t)
	g.AddUser(alice)
	in, out := g.SignedIn(alice), g.Browser()
	here := "Origin: " + g.URL
	for name, c := range map[string]struct {
		path, upgrade, origin string
		client                *harness.Client
	}{
		"no session":                      {"/ws", "Upgrade: websocket", here, out},
		"no session, public path":         {"/public/ws", "Upgrade: websocket", here, out},
		"no session, in capitals":         {"/public/ws", "Upgrade: WebSocket", here, out},
		"no session, in a list":           {"/public/ws", "Upgrade: foo, websocket", here, out},
		"no session, in two lines":        {"/public/ws", "Upgrade: foo\r\nUpgrade: websocket", here, out},
		"another site":                    {"/ws", "Upgrade: websocket", "Origin: https://evil.test", in},
		"another site, public path":       {"/public/ws", "Upgrade: websocket", "Origin: https://evil.test", in},
		"another site, in a list":         {"/ws", "Upgrade: h2c, websocket", "Origin: https://evil.test", in},
		"another port":                    {"/ws", "Upgrade: websocket", "Origin: http://localhost:1", in},
		"another scheme":                  {"/ws", "Upgrade: websocket", "Origin: " + strings.Replace(g.URL, "http", "https", 1), in},
		"a longer port":                   {"/ws", "Upgrade: websocket", here + "0", in},
		"a subdomain":                     {"/ws", "Upgrade: websocket", "Origin: http://evil.localhost:" + g.Env("PORT"), in},
		"a suffix":                        {"/ws", "Upgrade: websocket", "Origin: http://evillocalhost:" + g.Env("PORT"), in},
		"an address, not an origin":       {"/ws", "Upgrade: websocket", here + "/", in},
		"none at all":                     {"/ws", "Upgrade: websocket", "X-Other: 1", in},
		"null":                            {"/ws", "Upgrade: websocket", "Origin: null", in},
		"empty":                           {"/ws", "Upgrade: websocket", "Origin:", in},
		"two of them":                     {"/ws", "Upgrade: websocket", here + "\r\nOrigin: https://evil.test", in},
		"two in one":                      {"/ws", "Upgrade: websocket", here + ", https://evil.test", in},
		"in capitals":                     {"/ws", "Upgrade: websocket", "Origin: HTTP://LOCALHOST:" + g.Env("PORT"), in},
		"Sec-WebSocket-Origin instead":    {"/ws", "Upgrade: websocket", "Sec-WebSocket-Origin: " + g.URL, in},
		"the gateway's own, no such page": {"/auth-gateway/ws", "Upgrade: websocket", here, in},
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			var status int
			got := reached(g, func() {
				status, _ = get(c.client, c.path, c.client.CookieLine(), "Connection: Upgrade", c.upgrade,
					"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", c.origin)
			})
			if status < 400 || len(got) > 0 {
				t.Errorf("status %d, %d requests to the app", status, len(got))
			}
		})
	}
	// What only looks like an upgrade is an ordinary request, and needs a session.
	for name, lines := range map[string][]string{
		"keys without an upgrade":      {"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
		"an upgrade to something else": {"Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"},
	} {
		var status int
		got := reached(g, func() { status, _ = get(out, "/private", lines...) })
		if (status != http.StatusUnauthorized && status != http.StatusFound) || len(got) > 0 {
			t.Errorf("%s: status %d, %d requests to the app", name, status, len(got))
		}
	}
}

// A challenge holds nothing of what it protects (CVE-2025-31492), and is the
// same for addresses that exist and those that do not.
func TestChallengesTellNothing(t *testing.T) {
	t.Parallel()
	g, _ := withPaths(t)
	for _, c := range []struct{ advisory, method string }{
		{"CVE-2025-31492 mod_auth_openidc", "GET"},
		{"CVE-2025-31492 mod_auth_openidc", "POST"},
		{"CVE-2021-32792 mod_auth_openidc", "POST"},
	} {
		t.Run(c.advisory+" "+c.method, func(t *testing.T) {
			g.For(t)
			for _, b := range []*harness.Client{g.Browser(), g.Program()} {
				r := b.Request(c.method, "/private", strings.NewReader("a=<script>alert(1)</script>&b=%22%3E%3Cscript%3E"))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				var page *harness.Page
				got := reached(g, func() { page = b.Send(r) })
				if len(got) > 0 || strings.Contains(string(page.Body), harness.Marker) || strings.Contains(string(page.Body), "alert(1)") {
					t.Errorf("%d requests to the app, %s", len(got), page.Body)
				}
				if page.Header.Get("Access-Control-Allow-Origin") != "" || page.Header.Get("X-App") != "" {
					t.Errorf("%v", page.Header)
				}
			}
		})
	}
	one, other := g.Program().Get("/private"), g.Program().Get("/nothing")
	if one.Status != other.Status || fmt.Sprint(one.Header.Values("WWW-Authenticate")) != fmt.Sprint(other.Header.Values("WWW-Authenticate")) || string(one.Body) != string(other.Body) {
		t.Errorf("%v\n%v", one, other)
	}
}
