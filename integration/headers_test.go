//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// raw sends a request byte by byte as given, with CRLF for each newline, and
// returns the status of the answer, 0 when there is none.
func raw(t *testing.T, c *harness.Client, lines ...string) (status int, answer []byte) {
	t.Helper()
	answer = c.Raw(strings.Join(lines, "\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		return 0, answer
	}
	resp.Body.Close()
	return resp.StatusCode, answer
}

// cookieLine is the header line with a client's cookies.
func cookieLine(c *harness.Client) string {
	var pairs []string
	for _, cookie := range c.Cookies() {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	return "Cookie: " + strings.Join(pairs, "; ")
}

// hostile are header lines with which a client says that it is mallory. No
// mallory may get to the app, whatever the preset.
var hostile = map[string][]string{
	"plain":             {"Remote-User: mallory"},
	"lower case":        {"remote-user: mallory"},
	"upper case":        {"REMOTE-USER: mallory"},
	"underscore":        {"Remote_User: mallory"},
	"underscores":       {"REMOTE_USER: mallory", "remote_groups: mallory"},
	"dot":               {"Remote.User: mallory"},
	"mixed":             {"rEmOtE_eMail: mallory", "Remote.Name: mallory"},
	"repeated":          {"Remote-User: mallory", "Remote-User: mallory", "remote-user: mallory"},
	"every one":         {"Remote-Id: mallory", "Remote-Email: mallory", "Remote-Name: mallory", "Remote-Role: mallory", "Remote-Groups: mallory", "Remote-Organizations: mallory", "Remote-Organization-Ids: mallory", "Remote-Tags: mallory", "Remote-Phone: mallory", "Remote-Locale: mallory", "Remote-Picture: mallory", "Remote-External-Id: mallory"},
	"a field":           {"Remote-Field-Salary: mallory", "remote_field_salary: mallory", "Remote.Field.X: mallory"},
	"other presets":     {"X-Forwarded-User: mallory", "X-Forwarded-Email: mallory", "X-Forwarded-Preferred-Username: mallory", "X-Forwarded-Groups: mallory", "X-Auth-Request-User: mallory", "X-Auth-Request-Email: mallory", "X-Auth-Request-Preferred-Username: mallory", "X-Auth-Request-Groups: mallory"},
	"presets respelled": {"X_Forwarded_User: mallory", "x.auth.request.user: mallory", "X-Auth_Request.Groups: mallory"},
	"assertion":         {"X-Auth-Gateway-Assertion: mallory", "x_auth_gateway_assertion: mallory"},
	"the configured":    {"X-Team-Member: mallory", "x_team_member: mallory", "X.Team.Member: mallory"},
	"folded":            {"X-Other: a", "Remote-User:\tmallory"},
	"empty before":      {"Remote-User:", "Remote-User: mallory"},
}

// Rule 21 and G1: the app sees identity headers of the gateway only, on every
// path.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	for _, preset := range []string{"remote", "x_forwarded", "x_auth_request", "none"} {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			g := start(t, "", "headers "+preset+"\nheader X-Team-Member name\npublic /public/*")
			g.AddUser(alice, "--name", "Alice Example")
			b := g.signedIn(t, alice)
			for _, path := range []string{"/private", "/public/x"} {
				for name, lines := range hostile {
					before := g.app.Count()
					request := append([]string{"GET " + path + " HTTP/1.1", "Host: " + b.Base.Host, cookieLine(b)}, lines...)
					status, _ := raw(t, b, append(request, "Connection: close", "", "")...)
					switch g.app.Count() - before {
					case 0:
						t.Errorf("%s %s: status %d", path, name, status)
						continue
					case 1:
					default:
						t.Errorf("%s %s: %d requests", path, name, g.app.Count()-before)
					}
					head := g.app.Last(t).Head
					if strings.Contains(head, "mallory") {
						t.Errorf("%s %s: the app received\n%s", path, name, head)
					}
					if public := path != "/private"; public == strings.Contains(head, "Alice Example") {
						t.Errorf("%s %s: the app received\n%s", path, name, head)
					}
				}
			}
		})
	}
}

// A header that Connection names would be removed by Caddy's reverse proxy
// after the gateway has set it.
func TestConnectionNamesIdentityHeaders(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice, "--role", "agent")
	b := g.signedIn(t, alice)
	for _, line := range []string{
		"Connection: close, Remote-User, Remote-Groups",
		"Connection: Remote-User\r\nConnection: close",
		"connection: close,remote-user",
		"Connection: close, Remote-User,Remote-Role ,  Remote-Email",
		"Connection: close, remote_user",
	} {
		status, _ := raw(t, b, "GET /private HTTP/1.1", "Host: "+b.Base.Host, cookieLine(b), line, "", "")
		if status != http.StatusOK {
			t.Errorf("%q: status %d", line, status)
			continue
		}
		if got := g.app.Last(t).Header; got.Get("Remote-User") != alice || got.Get("Remote-Role") != "agent" {
			t.Errorf("%q: the app received %v", line, got)
		}
	}
}

// Identity headers do not come as trailers either.
func TestTrailers(t *testing.T) {
	t.Parallel()
	g := start(t, "", "public /public/*")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	for _, path := range []string{"/private", "/public/x"} {
		for name, c := range map[string]struct{ announced, sent string }{
			"announced":   {"Remote-User, X-Sum", "Remote-User: mallory\r\nX-Sum: 1"},
			"respelled":   {"remote_user, X-Sum", "remote_user: mallory\r\nX-Sum: 1"},
			"unannounced": {"X-Sum", "Remote-User: mallory\r\nX-Sum: 1"},
		} {
			before := g.app.Count()
			raw(t, b, "POST "+path+" HTTP/1.1", "Host: "+b.Base.Host, cookieLine(b), "Connection: close",
				"Transfer-Encoding: chunked", "Trailer: "+c.announced, "", "5", "hello", "0", c.sent, "", "")
			if g.app.Count() == before {
				continue
			}
			got := g.app.Last(t)
			if strings.Contains(fmt.Sprint(got.Trailer, got.Header), "mallory") {
				t.Errorf("%s %s: the app received %v, trailers %v", path, name, got.Header, got.Trailer)
			}
			if got.Body != "hello" {
				t.Errorf("%s %s: body %q", path, name, got.Body)
			}
		}
	}
}

// The app never sees the gateway's cookies; its own stay.
func TestCookiesToTheApp(t *testing.T) {
	t.Parallel()
	g := start(t, "", "public /public/*")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	session := b.Session()
	for _, path := range []string{"/private", "/public/x"} {
		for name, line := range map[string]string{
			"beside another":     "Cookie: theme=dark; %s; lang=en",
			"twice":              "Cookie: %s; theme=dark; %[1]s; lang=en",
			"two lines":          "Cookie: theme=dark; lang=en\r\nCookie: %s",
			"in quotes":          "Cookie: theme=dark; %s; lang=en; auth_gateway_device=\"x y\"",
			"of another scheme":  "Cookie: theme=dark; __Host-auth_gateway=x; __Host-auth_gateway_flow_1=y; lang=en; %s",
			"other spelling":     "Cookie: theme=dark; %s; lang=en; auth_gateway_flow_z=1;auth_gateway_device=2",
			"without blanks":     "Cookie: theme=dark;%s;lang=en",
			"with blanks before": "Cookie: theme=dark;  %s; lang=en",
		} {
			before := g.app.Count()
			line = fmt.Sprintf(line, session.Name+"="+session.Value)
			status, _ := raw(t, b, "GET "+path+" HTTP/1.1", "Host: "+b.Base.Host, line, "Connection: close", "", "")
			if g.app.Count() == before {
				t.Errorf("%s %s: status %d", path, name, status)
				continue
			}
			got := strings.Join(g.app.Last(t).Header.Values("Cookie"), "; ")
			if strings.Contains(got, "auth_gateway") || strings.Contains(got, session.Value) {
				t.Errorf("%s %s: the app received Cookie: %s", path, name, got)
			}
			if !strings.Contains(got, "theme=dark") || !strings.Contains(got, "lang=en") {
				t.Errorf("%s %s: the app's own cookies are gone: %s", path, name, got)
			}
		}
	}
}

// The presets and own headers carry what they say; the app's other headers pass.
func TestPresets(t *testing.T) {
	t.Parallel()
	for preset, want := range map[string]map[string]string{
		"remote": {"Remote-User": alice, "Remote-Email": alice, "Remote-Name": "Alice Example", "Remote-Role": "agent", "Remote-Groups": "agent"},
		"x_forwarded": {"X-Forwarded-User": alice, "X-Forwarded-Email": alice, "X-Forwarded-Preferred-Username": "Alice Example",
			"X-Forwarded-Groups": "agent"},
		"x_auth_request": {"X-Auth-Request-User": alice, "X-Auth-Request-Email": alice, "X-Auth-Request-Preferred-Username": "Alice Example",
			"X-Auth-Request-Groups": "agent"},
		"none": {},
	} {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			g := start(t, "", "headers "+preset+"\nheader X-Team-Member name")
			g.AddUser(alice, "--name", "Alice Example", "--role", "agent")
			b := g.signedIn(t, alice)
			r := b.Request(http.MethodGet, "/private", nil)
			r.Header.Set("Authorization", "Bearer of-the-app")
			r.Header.Set("X-Other", "stays")
			got := b.Send(r).App().Header
			for name, value := range want {
				if got.Get(name) != value {
					t.Errorf("%s: %q instead of %q", name, got.Get(name), value)
				}
			}
			for name := range got {
				known := want[name] != "" || name == "X-Forwarded-For" || name == "X-Forwarded-Host" || name == "X-Forwarded-Proto"
				if !known && (strings.HasPrefix(name, "Remote-") || strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Auth-")) && name != "Remote-Id" {
					t.Errorf("%s: %q of another preset", name, got.Get(name))
				}
			}
			if got.Get("X-Team-Member") != "Alice Example" || got.Get("Authorization") != "Bearer of-the-app" || got.Get("X-Other") != "stays" {
				t.Errorf("the app received %v", got)
			}
		})
	}
}

// Placeholders tell the access log and other handlers who is there, and nothing
// that a client sends is expanded as one.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	g := prepare(t, "", "", func(o *harness.Options) {
		o.Sites = `{$SITE} {
	log
	auth_gateway {
		public /public
	}
	header >X-Who "{http.auth.user.id}|{http.auth.user.email}|{http.auth.user.name}|{http.auth.user.role}|{http.auth.user.phone}"
	header >X-Account "{http.auth.user.account}"
	reverse_proxy {$APP}
}`
	})
	g.Run()
	g.AddUser(alice, "--name", "{env.HOME}")
	b := g.signedIn(t, alice)
	page := b.Get("/private")
	if who := page.Header.Get("X-Who"); who != alice+"|"+alice+"|{env.HOME}|end-user|" {
		t.Errorf("%q", who)
	}
	if page.Header.Get("X-Account") != page.App().Header.Get("Remote-Id") {
		t.Errorf("account %q", page.Header.Get("X-Account"))
	}
	g.WaitLog("who it was", func(e harness.Entry) bool { return e.Text("user_id") == alice })
	if who := b.Get("/public").Header.Get("X-Who"); who != "||||" {
		t.Errorf("on a public path: %q", who)
	}
	for _, target := range []string{"/auth-gateway/sign-in?return_to={env.HOME}", "/auth-gateway/reset?token={env.HOME}"} {
		if body := g.Browser().Open(target).Body; bytes.Contains(body, []byte(g.Env("HOME"))) {
			t.Errorf("%s is expanded", target)
		}
	}
}
