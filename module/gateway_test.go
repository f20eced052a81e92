package module

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

// gate is a gateway at work, with one account.
type gate struct {
	*Gateway
	account store.Account
}

// newGate starts an app and a gateway as Caddy would.
func newGate(t testing.TB, app *App, g *Gateway) *gate {
	t.Helper()
	t.Setenv("AUTH_GATEWAY_TEST_SECRET", strings.Repeat("s", 32))
	app.Secrets = []string{"{env.AUTH_GATEWAY_TEST_SECRET}"}
	app.Store.Path = storetest.Empty(t)
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	for _, step := range []func() error{
		func() error { return app.Provision(ctx) },
		func() error { return g.provision(app) },
		app.Start,
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, step := range []func() error{app.Stop, app.Cleanup, g.Cleanup} {
			if err := step(); err != nil {
				t.Error(err)
			}
		}
	})
	made := &gate{Gateway: g, account: store.Account{
		ID: store.NewID(),
		Attributes: identity.Attributes{
			Email:         "alice@example.test",
			Name:          "Alice Ångström",
			Role:          identity.Agent,
			Groups:        []string{"ops", "dev"},
			Organizations: []string{"Example"},
			Tags:          []string{"blue"},
		},
		CreatedAt: time.Now(),
	}}
	made.update(t, func(tx store.Tx) error { return tx.CreateAccount(made.account) })
	return made
}

func (g *gate) update(t testing.TB, fn func(store.Tx) error) {
	t.Helper()
	if err := g.engine.store.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// signIn returns the session cookie of somebody who has signed in.
func (g *gate) signIn(t testing.TB) *http.Cookie {
	t.Helper()
	s := g.app.service.Load()
	var token string
	g.update(t, func(tx store.Tx) (err error) {
		a, err := tx.Account(g.account.ID)
		if err != nil {
			return err
		}
		token, err = s.sessions.Begin(tx, session.Beginning{
			AccountID: a.ID, Epoch: a.Epoch, Audience: g.Audience, SignedInAt: time.Now(),
		})
		return err
	})
	w := httptest.NewRecorder()
	if err := s.sessions.SetCookie(w, token, g.Audience, false); err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0]
}

// request is one as Caddy's server hands it to its handlers.
func request(method, target string, cookie *http.Cookie) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost:8080"
	r.RemoteAddr = "127.0.0.1:4000"
	r.Header.Set("User-Agent", "Mozilla/5.0")
	r.Header.Set("Accept", "text/html")
	if cookie != nil {
		r.Header.Set("Cookie", "theme=dark; "+cookie.Name+"="+cookie.Value)
	}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), &caddyhttp.Server{})
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "127.0.0.1")
	return r
}

// serve returns the answer and what the app received, nil if nothing.
func (g *gate) serve(t testing.TB, r *http.Request) (*httptest.ResponseRecorder, http.Header) {
	t.Helper()
	var received http.Header
	w := httptest.NewRecorder()
	err := g.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		received = r.Header
		return nil
	}))
	if err != nil {
		t.Fatalf("the gateway returned an error, which handle_errors could lead to the app: %v", err)
	}
	return w, received
}

func TestOnlyTheGatewaySaysWhoIsThere(t *testing.T) {
	g := newGate(t, &App{}, &Gateway{Public: []string{"/public/*"}, ExtraHeaders: map[string]string{"X-Team": "tags"}})
	cookie := g.signIn(t)
	forged := []string{"Remote-User", "remote_user", "REMOTE.USER", "Remote-Field-X", "X-Forwarded-Email", "X-Auth-Request-User", "X-Team", "X_Team", "X-Auth-Gateway-Assertion"}
	for _, tc := range []struct {
		name, path string
		cookie     *http.Cookie
		want       map[string][]string
	}{
		{"signed in", "/", cookie, map[string][]string{
			"Remote-User": {"alice@example.test"}, "Remote-Role": {"agent"}, "Remote-Groups": {"agent,ops,dev"}, "X-Team": {"blue"},
		}},
		{"public path", "/public/a", nil, map[string][]string{}},
		{"public path with a session", "/public/a", cookie, map[string][]string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request("GET", tc.path, tc.cookie)
			for _, name := range forged {
				r.Header[name] = []string{"mallory@example.test"}
			}
			_, received := g.serve(t, r)
			if received == nil {
				t.Fatal("the app received nothing")
			}
			for name, values := range received {
				if slices.Contains(values, "mallory@example.test") {
					t.Errorf("the app received %s: %q", name, values)
				}
			}
			for _, name := range []string{"Remote-User", "Remote-Role", "Remote-Groups", "X-Team"} {
				if got := received[name]; !slices.Equal(got, tc.want[name]) {
					t.Errorf("%s: %q, want %q", name, got, tc.want[name])
				}
			}
			if got := received.Get("Cookie"); strings.Contains(got, "auth_gateway") {
				t.Errorf("the app received our cookie: %s", got)
			}
		})
	}
}

func TestWithoutASession(t *testing.T) {
	g := newGate(t, &App{}, &Gateway{API: []string{"/api/*"}})
	for _, tc := range []struct {
		name, method, target string
		header               http.Header
		status               int
		location             string
	}{
		{"a page", "GET", "/a?b=c", nil, 302, "/auth-gateway/sign-in?return_to=%2Fa%3Fb%3Dc"},
		{"a page by its metadata", "GET", "/a", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"*/*"}}, 302, "/auth-gateway/sign-in?return_to=%2Fa"},
		{"a script's request", "GET", "/a", http.Header{"Sec-Fetch-Mode": {"cors"}}, 401, ""},
		{"a program", "GET", "/a", http.Header{"Accept": {"*/*"}}, 401, ""},
		{"a page of an api", "GET", "/API/x", nil, 401, ""},
		{"a posted form", "POST", "/a", nil, 401, ""},
		{"TRACE", "TRACE", "/a", nil, 405, ""},
		{"early data", "GET", "/a", http.Header{"Early-Data": {"1"}}, 425, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(tc.method, tc.target, nil)
			for name, values := range tc.header {
				r.Header[name] = values
			}
			w, received := g.serve(t, r)
			if received != nil {
				t.Fatal("the app received the request")
			}
			if w.Code != tc.status || w.Header().Get("Location") != tc.location {
				t.Errorf("status %d, Location %q, want %d, %q", w.Code, w.Header().Get("Location"), tc.status, tc.location)
			}
			if w.Code == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
			if strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") && !json.Valid(w.Body.Bytes()) {
				t.Errorf("not JSON: %s", w.Body)
			}
		})
	}
}

func TestAllowAndDeny(t *testing.T) {
	for _, tc := range []struct {
		name        string
		allow, deny []AttributeRule
		in          bool
	}{
		{"no rules", nil, nil, true},
		{"allowed", []AttributeRule{{"email", []string{"ALICE@example.test"}}}, nil, true},
		{"not allowed", []AttributeRule{{"groups", []string{"finance"}}}, nil, false},
		{"allowed and denied", []AttributeRule{{"groups", []string{"ops"}}}, []AttributeRule{{"role", []string{"agent"}}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGate(t, &App{}, &Gateway{Allow: tc.allow, Deny: tc.deny})
			w, received := g.serve(t, request("GET", "/", g.signIn(t)))
			if in := received != nil; in != tc.in {
				t.Fatalf("let in: %v, want %v (status %d)", in, tc.in, w.Code)
			}
			if !tc.in && w.Code != 403 {
				t.Errorf("status %d, want 403", w.Code)
			}
		})
	}
}

func TestARoleThatDoesNotBelongHere(t *testing.T) {
	g := newGate(t, &App{Audiences: map[string]*policy.Audience{"admins": {Roles: []string{"admin"}}}}, &Gateway{})
	for accept, kind := range map[string]string{"text/html": "text/html", "*/*": "application/problem+json"} {
		r := request("GET", "/", g.signIn(t))
		r.Header.Set("Accept", accept)
		w, received := g.serve(t, r)
		if received != nil || w.Code != 403 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("Accept %s: status %d, %s, app reached: %v, want 403 and %s", accept, w.Code, w.Header().Get("Content-Type"), received != nil, kind)
		}
	}
}

func TestWebSockets(t *testing.T) {
	g := newGate(t, &App{}, &Gateway{Public: []string{"/ws"}}) // which makes no difference
	cookie := g.signIn(t)
	for _, tc := range []struct {
		name, origin string
		cookie       *http.Cookie
		status       int
	}{
		{"from this site", "http://localhost:8080", cookie, 200},
		{"from another site", "http://evil.example", cookie, 403},
		{"from another port", "http://localhost:9", cookie, 403},
		{"from nowhere", "", cookie, 403},
		{"from a sandbox", "null", cookie, 403},
		{"without a session", "http://localhost:8080", nil, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request("GET", "/ws", tc.cookie)
			r.Header.Set("Accept", "*/*")
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			if tc.origin != "" {
				r.Header.Set("Origin", tc.origin)
			}
			w, received := g.serve(t, r)
			if w.Code != tc.status || (received != nil) != (tc.status == 200) {
				t.Errorf("status %d, app reached: %v, want %d", w.Code, received != nil, tc.status)
			}
		})
	}
}

func TestPathsThatCanBeReadTwoWays(t *testing.T) {
	several := map[string]*policy.Audience{"team": {}, "customers": {}}
	for _, target := range []string{"/public/..%2fsecret", "/public/%2e%2e/secret", "/public/..;/secret", "/public//secret", "/public%2fx", "/public/a%5cb", "/public/%00"} {
		t.Run(target, func(t *testing.T) {
			single := newGate(t, &App{}, &Gateway{Public: []string{"/public*"}})
			w, received := single.serve(t, request("GET", target, nil))
			if received != nil {
				t.Errorf("passed as public")
			}
			if w.Code != 302 {
				t.Errorf("one audience: status %d, want 302", w.Code)
			}
			two := newGate(t, &App{Audiences: several}, &Gateway{Audience: "team", AudiencePaths: map[string]string{"/c/*": "customers"}})
			w, received = two.serve(t, request("GET", target, two.signIn(t)))
			if received != nil || w.Code != 400 {
				t.Errorf("two audiences: status %d, app reached: %v, want 400", w.Code, received != nil)
			}
		})
	}
}

func TestTheMoreParticularPatternDecides(t *testing.T) {
	g := newGate(t, &App{Audiences: map[string]*policy.Audience{"team": {}, "staff": {}}}, &Gateway{
		Audience:      "team",
		AudiencePaths: map[string]string{"/docs/internal/*": "staff", "/shop/*": "staff"},
		Public:        []string{"/docs/*", "/shop/window", "/DOCS/INTERNAL/x"},
	})
	for path, public := range map[string]bool{
		"/docs/":             true,
		"/docs/a":            true,
		"/docs/internal/a":   false,
		"/docs/INTERNAL/a":   false,
		"/shop/a":            false,
		"/shop/window":       true,
		"/shop/Window":       false,
		"/DOCS/INTERNAL/x":   true,
		"/docs/internal/x":   false,
		"/docs/internalaffa": true,
	} {
		if _, received := g.serve(t, request("GET", path, nil)); (received != nil) != public {
			t.Errorf("%s: public %v, want %v", path, received != nil, public)
		}
	}
}

func TestOwnAddressesNeverReachTheApp(t *testing.T) {
	g := newGate(t, &App{}, &Gateway{Public: []string{"/auth*"}})
	cookie := g.signIn(t)
	for _, target := range []string{"/auth-gateway", "/auth-gateway/", "/auth-gateway/nothing", "/auth-gateway/sso/none/callback", "/auth-gateway/x/../whoami", "/auth-gateway%2fwhoami", "//auth-gateway/whoami"} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			if _, received := g.serve(t, request(method, target, cookie)); received != nil {
				t.Errorf("%s %s reached the app", method, target)
			}
		}
	}
}

func TestPlaceholders(t *testing.T) {
	g := newGate(t, &App{}, &Gateway{Public: []string{"/public"}})
	for _, tc := range []struct {
		name, path string
		cookie     *http.Cookie
		want       string
	}{
		{"signed in", "/", g.signIn(t), "alice@example.test|" + g.account.ID + "|agent||"},
		{"nobody", "/", nil, "||||"},
		{"public path", "/public", nil, "||||"},
		{"public path with a session", "/public", g.signIn(t), "||||"},
		{"an address of our own", "/auth-gateway/sign-in", nil, "||||"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request("GET", tc.path, tc.cookie)
			g.serve(t, r)
			repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
			got := repl.ReplaceKnown("{http.auth.user.id}|{http.auth.user.account}|{http.auth.user.role}|{http.auth.user.phone}|", "")
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
