//go:build integration

package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// revalidated goes on with bob, who has signed in with every kind of client where
// SSO configs say revalidate 1h (S8).
func (g *gate) revalidated(t *testing.T, p *harness.Provider, browsers map[string]*harness.Client) {
	t.Helper()
	const bob = "bob@example.test"
	// later is two hours later: everybody comes back, and is let in.
	later := func() {
		t.Helper()
		g.Age(2 * time.Hour)
		for _, b := range browsers {
			g.wantIn(t, b, bob)
		}
	}
	asked := func(times int) {
		t.Helper()
		for name := range browsers {
			harness.Eventually(t, name+" is asked about", func() bool { return p.Granted("refresh_token", name) == times })
		}
	}
	later()
	asked(1)

	p.Down()
	later()
	for name := range browsers {
		g.WaitLog("the outage at "+name, func(e harness.Entry) bool {
			return e.Text("sso") == name && strings.Contains(e.Text("msg"), "cannot say")
		})
	}
	p.Up()
	later() // with the refresh tokens that the provider gave the last time
	asked(2)

	p.Remove("bob")
	later()
	for name, b := range browsers {
		g.WaitLog("the end of the session of "+name, func(e harness.Entry) bool {
			return e.Text("how") == "revalidate sso "+name && e.Text("action") == "sign-out" && strings.Contains(e.Text("detail"), "invalid_grant")
		})
		g.wantOut(t, b)
	}
}
