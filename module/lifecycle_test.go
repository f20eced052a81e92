package module

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/goleak"

	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// leavesNothing expects that what a test starts has ended when it ends.
func leavesNothing(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
		engines.Range(func(path, _ any) bool {
			t.Errorf("the store %s is still in use", path)
			return true
		})
	})
}

// load provisions an app and a gateway on a database, as one configuration.
func load(t *testing.T, path string, app *App) (*App, *Gateway) {
	t.Helper()
	t.Setenv("AUTH_GATEWAY_TEST_SECRET", strings.Repeat("s", 32))
	if app.Secrets == nil {
		app.Secrets = []string{"{env.AUTH_GATEWAY_TEST_SECRET}"}
	}
	app.Store.Path = path
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	g := &Gateway{}
	must(t, app.Provision(ctx))
	must(t, g.provision(app))
	return app, g
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A reload: the new configuration comes before the old one goes, an app is
// cleaned up before its gateways, and who is signed in stays so throughout.
func TestReload(t *testing.T) {
	leavesNothing(t)
	path := filepath.Join(t.TempDir(), "used.db")
	old, oldGateway := load(t, path, &App{})
	must(t, old.Start())
	first := &gate{Gateway: oldGateway, account: store.Account{ID: store.NewID(), CreatedAt: time.Now()}}
	first.account.Attributes.Email, first.account.Attributes.Role = "alice@example.test", "end-user"
	first.update(t, func(tx store.Tx) error { return tx.CreateAccount(first.account) })
	cookie := first.signIn(t)

	next, nextGateway := load(t, path, &App{})
	must(t, next.Start())
	second := &gate{Gateway: nextGateway, account: first.account}
	lets := func(g *gate, when string, want bool) {
		t.Helper()
		if _, received := g.serve(t, request("GET", "/", cookie)); (received != nil) != want {
			t.Errorf("%s: let in %v, want %v", when, received != nil, want)
		}
	}
	lets(first, "the old one while both run", true)
	lets(second, "the new one while both run", true)

	must(t, old.Stop())
	must(t, old.Cleanup())
	lets(first, "a request that drains", true)
	// What a draining request does holds in the new configuration at once.
	r := request("POST", "/auth-gateway/sign-out", cookie)
	r.Header.Set("Origin", "http://localhost:8080")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w, _ := first.serve(t, r); w.Code != http.StatusSeeOther {
		t.Errorf("signing out while draining: %d", w.Code)
	}
	lets(second, "signed out", false)
	must(t, oldGateway.Cleanup())
	cookie = second.signIn(t)
	lets(second, "the new one alone", true)

	must(t, next.Stop())
	must(t, next.Cleanup())
	must(t, nextGateway.Cleanup())
}

// What cannot start leaves the running configuration as it is, and nothing
// behind.
func TestFailingStart(t *testing.T) {
	path := func(t *testing.T) string { return filepath.Join(t.TempDir(), "bad.db") }
	damaged := func(t *testing.T) string {
		file := path(t)
		must(t, os.WriteFile(file, []byte("this is no database"), 0o600))
		return file
	}
	for name, tc := range map[string]struct {
		path func(*testing.T) string
		app  *App
		want string
	}{
		"not a database": {damaged, &App{}, "bad.db"},
		"a short secret": {path, &App{Secrets: []string{"{env.AUTH_GATEWAY_SHORT_SECRET}"}}, "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			t.Setenv("AUTH_GATEWAY_SHORT_SECRET", "short")
			t.Setenv("AUTH_GATEWAY_TEST_SECRET", strings.Repeat("s", 32))
			app, g := tc.app, &Gateway{}
			app.Store.Path = tc.path(t)
			if app.Secrets == nil {
				app.Secrets = []string{"{env.AUTH_GATEWAY_TEST_SECRET}"}
			}
			ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
			defer cancel()
			err := app.Provision(ctx)
			if err == nil {
				must(t, g.provision(app))
				err = app.Start()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want an error that names %s", err, tc.want)
			}
			must(t, app.Cleanup())
			must(t, g.Cleanup())
		})
	}
}

// A secret that is still needed cannot be left out, and the configuration that
// runs goes on.
func TestSecretThatIsNeeded(t *testing.T) {
	leavesNothing(t)
	t.Setenv("AUTH_GATEWAY_OTHER_SECRET", strings.Repeat("o", 32))
	path := filepath.Join(t.TempDir(), "used.db")
	old, oldGateway := load(t, path, &App{})
	must(t, old.Start())
	running := &gate{Gateway: oldGateway, account: store.Account{ID: store.NewID(), CreatedAt: time.Now()}}
	running.account.Attributes.Email, running.account.Attributes.Role = "alice@example.test", "end-user"
	running.update(t, func(tx store.Tx) error {
		if err := tx.CreateAccount(running.account); err != nil {
			return err
		}
		ring, err := old.loadRing()
		if err != nil {
			return err
		}
		return tx.CreateFactor(store.Factor{
			ID: "factor", AccountID: running.account.ID, Method: store.MethodApp, Required: true, Secret: ring.Seal([]byte("key"), "factors/factor"),
		})
	})
	next, nextGateway := load(t, path, &App{Secrets: []string{"{env.AUTH_GATEWAY_OTHER_SECRET}"}})
	if err := next.Start(); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("started without a secret that is needed: %v", err)
	}
	must(t, next.Cleanup())
	must(t, nextGateway.Cleanup())
	if _, received := running.serve(t, request("GET", "/", running.signIn(t))); received == nil {
		t.Error("the running configuration does not serve any more")
	}

	rotated, rotatedGateway := load(t, path, &App{Secrets: []string{"{env.AUTH_GATEWAY_OTHER_SECRET}", "{env.AUTH_GATEWAY_TEST_SECRET}"}})
	must(t, rotated.Start())
	<-rotated.service.Load().resealed
	ring, err := secret.NewRing(strings.Repeat("o", 32))
	must(t, err)
	must(t, checkSealed(t.Context(), rotated.engine.store, ring))
	for _, app := range []*App{rotated, old} {
		must(t, app.Stop())
		must(t, app.Cleanup())
	}
	must(t, rotatedGateway.Cleanup())
	must(t, oldGateway.Cleanup())
}

// Caddy cleans up what it could not provision, too.
func TestCleanupAfterAFailedProvision(t *testing.T) {
	leavesNothing(t)
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	app := &App{SSO: map[string]*sso.Config{"okta": {}}, Audiences: map[string]*policy.Audience{"team": {SSO: []string{"nobody"}}}}
	app.Store.Path = filepath.Join(t.TempDir(), "bad.db")
	if err := app.Provision(ctx); err == nil {
		t.Error("provisioned")
	}
	must(t, app.Cleanup())

	app, g := load(t, filepath.Join(t.TempDir(), "bad.db"), &App{})
	must(t, g.Cleanup())
	bad := &Gateway{Audience: "nobody"}
	if err := bad.provision(app); err == nil {
		t.Error("provisioned a gateway of an audience that there is not")
	}
	must(t, bad.Cleanup())
	must(t, app.Cleanup())
	if _, err := os.Stat(app.Store.Path); err == nil {
		t.Error("provisioning has made a database")
	}
}

// Before the app has started, or when it never does, nothing passes.
func TestNotStarted(t *testing.T) {
	leavesNothing(t)
	app, g := load(t, filepath.Join(t.TempDir(), "bad.db"), &App{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the visitor does not wait
	for _, path := range []string{"/", "/auth-gateway/sign-in", "/auth-gateway/account"} {
		r := request("GET", path, nil)
		r = r.WithContext(context.WithValue(ctx, caddyhttp.VarsCtxKey, map[string]any{}))
		w, received := (&gate{Gateway: g}).serve(t, r)
		if w.Code != 503 || received != nil {
			t.Errorf("%s: %d, app reached: %v", path, w.Code, received != nil)
		}
	}
	must(t, g.Cleanup())
	must(t, app.Cleanup())
}

// Queries of our own addresses stay out of the access log, refused or not, and
// so do addresses that an answer leads to.
func TestQueriesStayOutOfTheLog(t *testing.T) {
	g := newGate(t, &App{}, &Gateway{})
	early := http.Header{"Early-Data": {"1"}, "Accept": {"text/html"}}
	for _, tc := range []struct {
		name, target string
		header       http.Header
		skipped      bool
	}{
		{"a link", "/auth-gateway/reset?token=secret", nil, true},
		{"a callback", "/auth-gateway/sso/okta/callback?code=secret&state=x", nil, true},
		{"a callback as early data", "/auth-gateway/sso/okta/callback?code=secret&state=x", early, true},
		{"a link spelled otherwise", "/x/..//auth-gateway/reset?token=secret", nil, true},
		{"an unknown address of ours", "/auth-gateway/nothing?token=secret", nil, true},
		{"without a query", "/auth-gateway/sign-in", nil, false},
		{"the app's", "/a?b=c", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request("GET", tc.target, nil)
			for name, values := range tc.header {
				r.Header[name] = values
			}
			g.serve(t, r)
			skipped, _ := caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar).(bool)
			if skipped != tc.skipped {
				t.Errorf("left out of the access log: %v, want %v", skipped, tc.skipped)
			}
		})
	}
	t.Run("an answer that leads to a link", func(t *testing.T) {
		r := request("POST", "/auth-gateway/sign-out", nil)
		w := httptest.NewRecorder()
		w.Header().Set("Location", "/auth-gateway/reset?token=secret")
		keepQueryFromLog(w, r, arrival{original: "/auth-gateway/sign-in"})
		if skipped, _ := caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar).(bool); !skipped {
			t.Error("it is in the access log")
		}
	})
}
