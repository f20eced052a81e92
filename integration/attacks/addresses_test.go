//go:build integration

package attacks

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Where requests of these tests come from.
const (
	proxy    = "127.5.0.1"
	stranger = "127.0.0.2"
)

// ranged has an SSO config for some addresses, at a provider that has nothing
// but its metadata.
func ranged(t *testing.T) string {
	t.Helper()
	var issuer string
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/openid-configuration" {
			t.Errorf("the provider is asked for %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer": %q, "authorization_endpoint": "https://provider.test/authorize", "token_endpoint": %[1]q,
			"jwks_uri": %[1]q, "response_types_supported": ["code"], "subject_types_supported": ["public"],
			"id_token_signing_alg_values_supported": ["RS256"]}`, issuer)
	}))
	t.Cleanup(provider.Close)
	issuer = provider.URL
	return `sso office {
	issuer ` + issuer + `
	client_id x
	admit any
	ip_ranges 203.0.113.0/24 2001:db8::/32
}
audience team {
	sso office
}`
}

// trust are the proxies that Caddy trusts at each of the listeners.
var trust = map[string]string{
	"nobody trusted":         "PORT",
	"the proxy trusted":      "STRICT",
	"trusted and strict":     "STRICT",
	"trusted and not strict": "LAX",
}

// Rule 22: the client's address is what Caddy establishes, and other forwarding
// headers decide nothing.
func TestForwardedAddresses(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, ranged(t), "", func(o *harness.Options) { o.Ports = []string{"STRICT", "LAX"} },
		sites("{$SITE}, http://localhost:{$STRICT}, http://localhost:{$LAX} {\nlog\nauth_gateway\nreverse_proxy {$APP}\n}"),
		global(`servers 127.0.0.1:{$STRICT} {
	trusted_proxies static `+proxy+`/32
	trusted_proxies_strict
}
servers 127.0.0.1:{$LAX} {
	trusted_proxies static `+proxy+`/32
}`))
	for _, in := range inputs(t, "forwarded.txt") {
		situation, want, _ := strings.Cut(in.Outcome, ": ")
		who, trusted, _ := strings.Cut(situation, ", ")
		from := map[string]string{"a stranger": stranger, "the proxy": proxy}[who]
		b := g.Browser(harness.From(from), harness.At("http://localhost:"+g.Env(trust[trusted])))
		status, answer := get(b, "/auth-gateway/sign-in", in.Text, "Accept: text/html")
		got := fmt.Sprint(status)
		switch {
		case status == http.StatusFound && bytes.Contains(answer, []byte("Location: https://provider.test/authorize?")):
			got = "provider"
		case status == http.StatusOK && bytes.Contains(answer, []byte(`name="password"`)):
			got = "password"
		}
		if got != want {
			t.Errorf("%s: %s: led to %s", situation, in.Name, got)
		}
	}
	g.WaitLog("the option to add", func(e harness.Entry) bool { return strings.Contains(e.String(), "trusted_proxies_strict") })

	// What is not offered is refused at every step, however it is asked for.
	for name, page := range map[string]*harness.Page{
		"start":    asProgram(g.Browser(), "GET", "/auth-gateway/sso/office/start", http.Header{"X-Forwarded-For": {"203.0.113.7"}}),
		"callback": asProgram(g.Browser(), "GET", "/auth-gateway/sso/office/callback?code=x&state=y", http.Header{"X-Forwarded-For": {"203.0.113.7"}}),
	} {
		if page.Status < 400 {
			t.Errorf("%s: %v", name, page)
		}
	}
}

// The address that is counted, and that the audit trail has, is not the client's
// to choose (CVE-2024-21494 caddy-security).
func TestSpoofedAddressInTheTrail(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	b := g.Browser(harness.From(stranger), harness.WithHeader("X-Forwarded-For", "198.51.100.99"), harness.WithHeader("X-Real-Ip", "198.51.100.99"))
	b.SignIn("/", alice, "quite the wrong words")
	t.Run("CVE-2024-21494 caddy-security", func(t *testing.T) {
		g.For(t)
		entry := g.WaitLog("the failure", func(e harness.Entry) bool { return e.Text("action") == "sign-in" })
		if entry.Text("client_ip") != stranger {
			t.Errorf("%v", entry)
		}
	})
}

// Design, section 4, "Whose address": plain HTTP is for loopback only, and the
// host is the request's own.
func TestHosts(t *testing.T) {
	t.Parallel()
	anyName := func(port string) string {
		return "http://:{$" + port + "} {\nlog\nauth_gateway\nreverse_proxy {$APP}\n}"
	}
	g := harness.StartGate(t, "", "", sites(anyName("PORT"), anyName("PROXIED")), func(o *harness.Options) { o.Ports = []string{"PROXIED"} },
		global("servers 127.0.0.1:{$PROXIED} {\ntrusted_proxies static "+proxy+"/32\ntrusted_proxies_strict\n}"))
	ask := func(b *harness.Client, host string, lines ...string) (int, string) {
		request := append([]string{"GET /auth-gateway/sign-in HTTP/1.1", "Host: " + host, "Accept: text/html", "Connection: close"}, lines...)
		status, answer := b.RawLines(append(request, "", "")...)
		return status, string(answer)
	}
	for _, in := range inputs(t, "hosts.txt", "PORT", g.Env("PORT")) {
		status, answer := ask(g.Browser(), in.Text)
		switch {
		case in.Outcome == "the sign-in page" && status != http.StatusOK:
			t.Errorf("%s: status %d", in.Name, status)
		case in.Outcome == "no page and no cookie" && status != http.StatusForbidden && status != http.StatusBadRequest,
			in.Outcome == "no page and no cookie" && strings.Contains(answer, "Set-Cookie"):
			t.Errorf("%s: %.300s", in.Name, answer)
		}
		if strings.Contains(answer, "<script>alert") || strings.Contains(answer, g.Env("HOME")) {
			t.Errorf("%s: %s", in.Name, answer)
		}
	}
	if status, answer := ask(g.Browser(), "app.example.test"); status != http.StatusForbidden || !strings.Contains(answer, "origin") {
		t.Errorf("the page does not name the remedy: %s", answer)
	}

	for name, c := range map[string]struct {
		port, from string
		lines      []string
		want       int
	}{
		"a stranger says https":               {"PORT", stranger, []string{"X-Forwarded-Proto: https"}, 403},
		"a stranger says so in other ways":    {"PORT", stranger, []string{"X-Forwarded-Ssl: on", "Front-End-Https: on", "X-Url-Scheme: https", "Forwarded: proto=https;host=localhost", "X-Forwarded-Host: localhost"}, 403},
		"a stranger beside the proxy":         {"PROXIED", stranger, []string{"X-Forwarded-Proto: https"}, 403},
		"the proxy says https":                {"PROXIED", proxy, []string{"X-Forwarded-Proto: https"}, 200},
		"the proxy says http":                 {"PROXIED", proxy, []string{"X-Forwarded-Proto: http"}, 403},
		"the proxy says nothing":              {"PROXIED", proxy, nil, 403},
		"two proxies, one over plain HTTP":    {"PROXIED", proxy, []string{"X-Forwarded-Proto: https, http"}, 403},
		"a client's https before the proxy's": {"PROXIED", proxy, []string{"X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}, 403},
		"something else":                      {"PROXIED", proxy, []string{"X-Forwarded-Proto: httpsx"}, 403},
	} {
		status, answer := ask(g.Browser(harness.From(c.from), harness.At("http://localhost:"+g.Env(c.port))), "app.example.test", c.lines...)
		if status != c.want || status != 200 && strings.Contains(answer, "Set-Cookie") {
			t.Errorf("%s: %.300s", name, answer)
		}
		if status == 200 && !strings.Contains(answer, "Set-Cookie: __Host-") {
			t.Errorf("%s: cookies as over plain HTTP: %.600s", name, answer)
		}
	}
}

// Rules keyed to a host hold for every spelling of it.
func TestHostSpellings(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, twoAudiences, "", sites(
		harness.GatewaySite("http://staff.localhost:{$PORT}", "staff", ""),
		harness.GatewaySite("http://*.localhost:{$PORT}", "team", "public /private"),
	))
	port := g.Env("PORT")
	for name, host := range map[string]string{
		"CVE-2026-77560 tinyauth, capitals":     "STAFF.localhost:" + port,
		"CVE-2026-48794 Authelia, capitals":     "staff.LOCALHOST:" + port,
		"CVE-2026-48794 Authelia, mixed":        "Staff.localhost:" + port,
		"a dot at the end":                      "staff.localhost.:" + port,
		"no port":                               "staff.localhost",
		"another port":                          "staff.localhost:1",
		"user information":                      "x@staff.localhost:" + port,
		"an absolute address beside the header": "",
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			request := "GET /private HTTP/1.1"
			if host == "" {
				// The address in the request line counts (RFC 9112, section 3.2.2).
				request, host = "GET http://staff.localhost:"+port+"/private HTTP/1.1", "other.localhost:"+port
			}
			var status int
			got := reached(g, func() { status, _ = g.Program().RawLines(request, "Host: "+host, "Connection: close", "", "") })
			for _, received := range got {
				t.Errorf("status %d, the app received Host: %s", status, received.Host)
			}
		})
	}
	for name, lines := range map[string][]string{
		"two hosts":             {"Host: staff.localhost:" + port, "Host: other.localhost:" + port},
		"two hosts, reversed":   {"Host: other.localhost:" + port, "Host: staff.localhost:" + port},
		"none":                  {"X-Host: other.localhost:" + port},
		"a blank in the name":   {"Host : other.localhost:" + port},
		"another of HTTP/1.0's": {"Host: staff.localhost:" + port, "X-Forwarded-Host: other.localhost:" + port},
	} {
		got := reached(g, func() {
			g.Program().RawLines(append([]string{"GET /private HTTP/1.1", "Connection: close"}, append(lines, "", "")...)...)
		})
		if slices.ContainsFunc(got, func(r harness.Received) bool { return strings.HasPrefix(r.Host, "staff") }) || len(lines) > 1 && len(got) > 0 {
			t.Errorf("%s: %d requests to the app", name, len(got))
		}
	}
}

// The gateway connects to nobody whom a client names.
func TestNobodyIsAsked(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	internal := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) })}
	go internal.Serve(ln)
	t.Cleanup(func() { internal.Close() })
	g := harness.StartGate(t, ranged(t), "")
	address := "http://" + ln.Addr().String() + "/"
	t.Run("CVE-2024-21498 caddy-security", func(t *testing.T) {
		g.For(t)
		for _, target := range []string{"/private", "/auth-gateway/sign-in", "/auth-gateway/whoami", "/auth-gateway/sso/office/start?request_uri=" + address,
			"/auth-gateway/sso/office/callback?state=x&code=y&iss=" + address, "/auth-gateway/sign-in?return_to=" + address, "/auth-gateway/reset?token=" + address} {
			for _, header := range []http.Header{
				{"X-Forwarded-Host": {ln.Addr().String()}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Port": {"80"}},
				{"X-Original-Url": {address}, "Referer": {address}, "Origin": {address}, "Forwarded": {"host=" + ln.Addr().String()}},
			} {
				asProgram(g.Browser(), http.MethodGet, target, header)
			}
		}
		if asked.Load() > 0 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}
