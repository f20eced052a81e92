//go:build integration

package integration

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

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
