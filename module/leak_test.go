package module

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(whole{m}, // Caddy's storage lets go of its locks in its own time
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"))
}

// whole are the tests, after which no store is in use any more.
type whole struct{ *testing.M }

// Run implements goleak.TestingM.
func (w whole) Run() int {
	code := w.M.Run()
	engines.Range(func(path, _ any) bool {
		fmt.Fprintf(os.Stderr, "the store %s is still in use\n", path)
		code = 1
		return true
	})
	return code
}

// However often a configuration is replaced while people are in, only the last
// one is there in the end, and nothing of the others.
func TestManyReloads(t *testing.T) {
	leavesNothing(t)
	path := filepath.Join(t.TempDir(), "used.db")
	configuration := func() *App {
		return &App{SSO: map[string]*sso.Config{"okta": {
			Issuer: "https://okta.example.test", ClientID: "x", Admit: []string{"any"}, Revalidate: caddy.Duration(time.Hour),
		}}}
	}
	app, g := load(t, path, configuration())
	must(t, app.Start())
	current := &gate{Gateway: g, account: store.Account{ID: store.NewID(), CreatedAt: time.Now()}}
	current.account.Attributes.Email, current.account.Attributes.Role = "alice@example.test", "end-user"
	current.update(t, func(tx store.Tx) error { return tx.CreateAccount(current.account) })
	cookie := current.signIn(t)

	running := 0
	for i := range 30 {
		next, nextGateway := load(t, path, configuration())
		if i%3 == 2 { // and some never start
			must(t, next.Cleanup())
			must(t, nextGateway.Cleanup())
			continue
		}
		must(t, next.Start())
		must(t, app.Stop())
		must(t, app.Cleanup())
		must(t, g.Cleanup())
		app, g = next, nextGateway
		current = &gate{Gateway: g, account: current.account}
		if w, received := current.serve(t, request(http.MethodGet, "/", cookie)); received == nil {
			t.Fatalf("configuration %d: %d", i, w.Code)
		}
		if i == 1 {
			running = runtime.NumGoroutine()
		}
	}
	if now := runtime.NumGoroutine(); now > running+2 {
		t.Errorf("%d goroutines after a few configurations, %d after many", running, now)
	}
	must(t, app.Stop())
	must(t, app.Cleanup())
	must(t, g.Cleanup())
}
