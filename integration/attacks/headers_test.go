//go:build integration

package attacks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Caddy drops headers with underscores or dots before any handler sees them,
// unless they are listed; then it drops those with hyphens. The listeners beside
// {$PORT} list them, so that nothing but the gateway removes them there.
const lettingThrough = `servers 127.0.0.1:{$UNDERSCORES} {
	expected_underscore_headers remote_* remote-organization_* x_forwarded_* x-forwarded_* x_auth_* x-auth_* x-auth-request_* x_team_* x-team_* remote_organization.ids
}
servers 127.0.0.1:{$DOTS} {
	expected_dot_headers remote.* x.forwarded.* x-forwarded.* x.auth.* x.team.* remote.organization_ids
}`

var presets = []string{"remote", "x_forwarded", "x_auth_request", "none"}

// listeners are the ports, the outcomes of which they are the proof, and the
// presets that are tried there.
var listeners = []struct {
	port, passing string
	presets       []string
}{
	{"PORT", "passes", presets},
	{"UNDERSCORES", "passes where underscores pass", []string{"remote", "x_forwarded"}},
	{"DOTS", "passes where dots pass", []string{"remote", "none"}},
}

// presetHost is where the site with a preset is served.
func presetHost(preset string) string { return strings.ReplaceAll(preset, "_", "-") + ".localhost" }

// withPresets starts a gate with a site for each preset at each listener, and
// signs alice in.
func withPresets(t *testing.T) (*harness.Gate, *harness.Client) {
	t.Helper()
	var served []string
	for _, preset := range presets {
		var addresses []string
		for _, listener := range listeners {
			addresses = append(addresses, "http://"+presetHost(preset)+":{$"+listener.port+"}")
		}
		block := "headers " + preset + "\nheader X-Team-Member name\npublic /public/*"
		served = append(served, harness.GatewaySite(strings.Join(addresses, ", "), "", block))
	}
	served = append(served, harness.GatewaySite("{$SITE}", "", "public /public/*"))
	g := harness.StartGate(t, "", "", sites(served...), global(lettingThrough), func(o *harness.Options) {
		o.Ports = []string{"UNDERSCORES", "DOTS"}
	})
	g.AddUser(alice, "--name", "Alice Example", "--role", "agent")
	return g, g.SignedIn(alice)
}

// Rule 21 and G1: the app sees identity headers of the gateway only, in every
// spelling, on every path, under every preset.
func TestIdentityHeaders(t *testing.T) {
	t.Parallel()
	g, b := withPresets(t)
	lines := inputs(t, "headers.txt")
	for _, listener := range listeners {
		b := g.Browser(harness.At("http://localhost:" + g.Env(listener.port)))
		b.SetCookies(g.SignedIn(alice).Cookies()...)
		for _, preset := range listener.presets {
			t.Run(listener.port+" "+preset, func(t *testing.T) {
				g.For(t)
				for _, path := range []string{"/private", "/public/x"} {
					for _, in := range lines {
						sendHeader(t, g, b, presetHost(preset), path, listener.passing, in)
					}
				}
			})
		}
	}

	// Rule 21 again, for what was once said of others.
	underscores := g.Browser(harness.At("http://localhost:" + g.Env("UNDERSCORES")))
	underscores.SetCookies(b.Cookies()...)
	for advisory, c := range map[string]struct {
		client *harness.Client
		preset string
		header string
	}{
		"CVE-2025-64484 oauth2-proxy, underscores":                                 {underscores, "x_forwarded", "X_Forwarded_Groups: mallory"},
		"CVE-2017-6062 mod_auth_openidc, headers of those who are not signed in":   {b, "remote", "Remote-Name: mallory"},
		"CVE-2017-6413 mod_auth_openidc, headers of another way in":                {b, "remote", "X-Auth-Request-User: mallory"},
		"CVE-2026-30851 Caddy forward_auth, an attribute that the account has not": {b, "remote", "Remote-Phone: mallory"},
	} {
		t.Run(advisory, func(t *testing.T) {
			g.For(t)
			for _, path := range []string{"/private", "/public/x"} {
				sendHeader(t, g, c.client, presetHost(c.preset), path, "", input{Text: c.header, Outcome: "removed", Name: advisory})
			}
		})
	}
}

// sendHeader sends header lines and fails the test unless what they say goes
// where it belongs.
func sendHeader(t *testing.T, g *harness.Gate, b *harness.Client, host, path, passing string, in input) {
	t.Helper()
	if strings.HasPrefix(in.Outcome, "passes") && in.Outcome != passing {
		return // Caddy drops it at this listener
	}
	request := []string{"GET " + path + " HTTP/1.1", "Host: " + host + ":" + b.Base.Port(), b.CookieLine()}
	if !strings.HasPrefix(in.Text, "Connection:") {
		request = append(request, "Connection: close")
	}
	var status int
	got := reached(g, func() { status, _ = b.RawLines(append(request, in.Text, "", "")...) })
	if len(got) == 0 && strings.HasPrefix(in.Outcome, "refused") {
		if status != http.StatusBadRequest {
			t.Errorf("%s: %s: status %d", path, in.Name, status)
		}
		return
	}
	if len(got) != 1 {
		t.Errorf("%s: %s: status %d, %d requests to the app", path, in.Name, status, len(got))
		return
	}
	if hasMallory := strings.Contains(got[0].Head, "mallory"); hasMallory != (in.Outcome == passing) {
		t.Errorf("%s: %s: the app received\n%s", path, in.Name, got[0].Head)
	}
	// What the gateway says itself is said whatever the client says, and on
	// public paths nothing is.
	if said := strings.Contains(got[0].Head, "Alice Example"); said != (path == "/private") {
		t.Errorf("%s: %s: the app received\n%s", path, in.Name, got[0].Head)
	}
}

// A header that Connection names would be removed by Caddy's reverse proxy
// after the gateway has set it.
func TestConnectionNamesIdentityHeaders(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice, "--role", "agent")
	b := g.SignedIn(alice)
	for _, line := range []string{
		"Connection: close, Remote-User, Remote-Groups",
		"Connection: Remote-User\r\nConnection: close",
		"connection: close,remote-user",
		"Connection: close, Remote-User,Remote-Role ,  Remote-Email",
		"Connection: close, remote_user",
		"Connection: close,,Remote-User,",
		"Connection: close, \"Remote-User\", Remote-Role",
		"Connection: close\r\nConnection: Remote-User, close, Remote-Role",
		"Connection: close\r\nProxy-Connection: Remote-User\r\nKeep-Alive: Remote-User",
		"Connection: close, Cookie, Host, X-Forwarded-For, Remote-User",
		"Connection: close, TE, Remote-User\r\nTE: trailers",
	} {
		status, _ := b.RawLines("GET /private HTTP/1.1", "Host: "+b.Base.Host, b.CookieLine(), line, "", "")
		if status != http.StatusOK {
			t.Errorf("%q: status %d", line, status)
			continue
		}
		got := g.App.Last(t).Header
		if got.Get("Remote-User") != alice || got.Get("Remote-Role") != "agent" || got.Get("Remote-Groups") != "agent" {
			t.Errorf("%q: the app received %v", line, got)
		}
		if strings.Contains(got.Get("Cookie"), "auth_gateway") {
			t.Errorf("%q: the app received Cookie: %s", line, got.Get("Cookie"))
		}
	}
}

// Identity headers do not come as trailers either, announced or not.
func TestTrailers(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "public /public/*")
	g.AddUser(alice)
	b := g.SignedIn(alice)
	for _, path := range []string{"/private", "/public/x"} {
		for name, c := range map[string]struct{ announced, sent string }{
			"announced":        {"Trailer: Remote-User, X-Sum", "Remote-User: mallory\r\nX-Sum: 1"},
			"respelled":        {"Trailer: remote_user, X-Sum", "remote_user: mallory\r\nX-Sum: 1"},
			"dotted":           {"Trailer: Remote.User", "Remote.User: mallory"},
			"a field":          {"Trailer: Remote-Field-X", "Remote-Field-X: mallory"},
			"unannounced":      {"Trailer: X-Sum", "Remote-User: mallory\r\nX-Sum: 1"},
			"without Trailer":  {"X-Other: 1", "Remote-User: mallory"},
			"in two lines":     {"Trailer: X-Sum\r\nTrailer: Remote-User", "Remote-User: mallory\r\nRemote-User: mallory"},
			"announced, empty": {"Trailer: Remote-User", "X-Sum: 1"},
		} {
			got := reached(g, func() {
				b.RawLines("POST "+path+" HTTP/1.1", "Host: "+b.Base.Host, b.CookieLine(), "Connection: close",
					"Transfer-Encoding: chunked", c.announced, "", "5", "hello", "0", c.sent, "", "")
			})
			for _, received := range got {
				if strings.Contains(fmt.Sprint(received.Trailer, received.Header), "mallory") || received.Trailer["Remote-User"] != nil {
					t.Errorf("%s %s: the app received %v, trailers %v", path, name, received.Header, received.Trailer)
				}
				if received.Body != "hello" {
					t.Errorf("%s %s: body %q", path, name, received.Body)
				}
			}
		}
	}
}
