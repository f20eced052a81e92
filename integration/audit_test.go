//go:build integration

package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Rule 26: every sign-in, failure, sign-out and administrative act is a line
// with who, from where, how and the outcome. That no line holds a password, a
// code, a cookie or a query is checked at the end of every test.
func TestAudit(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)
	var p person
	g.JSON(&p, "user", "show", alice)
	const from = "127.3.0.1"

	b := g.Browser(harness.From(from))
	b.SignIn("/private", alice, "wrong words altogether")
	g.Secret("a wrong password", "wrong words altogether")
	g.Secret("a mistyped address", "no-address-but-a-password")
	b.SignIn("/private", "no-address-but-a-password", "whatever that may be")
	app, codes := g.enroll(t, b, alice)
	signOut(t, b)
	step := g.askedForPasscode(t, b, alice)
	g.Secret("a wrong passcode", "918273")
	b.Submit(step.Form("passcode").Set("passcode", "918273")).Want(http.StatusUnauthorized)
	code := app.Code()
	g.Secret("a passcode", code)
	b.Submit(step.Form("passcode").Set("passcode", code)).Want(http.StatusSeeOther)
	signOut(t, b)
	step = g.askedForPasscode(t, b, alice)
	b.Submit(step.Form("passcode").Set("passcode", codes[0])).Want(http.StatusSeeOther)

	has := func(what string, want map[string]string) {
		t.Helper()
		g.WaitLog(what, func(e harness.Entry) bool {
			if !strings.HasPrefix(e.Text("logger"), "auth_gateway.audit") {
				return false
			}
			for name, value := range want {
				if !strings.Contains(e.Text(name), value) {
					return false
				}
			}
			return true
		})
	}
	has("a wrong password", map[string]string{"action": "sign-in", "outcome": "failure", "client_ip": from, "how": "password", "account": p.ID})
	has("an unknown person", map[string]string{"action": "sign-in", "outcome": "failure", "client_ip": from, "how": "password"})
	has("a wrong passcode", map[string]string{"outcome": "failure", "account": p.ID, "client_ip": from, "how": "passcode"})
	has("a sign-in", map[string]string{"action": "sign-in", "outcome": "success", "account": p.ID, "client_ip": from, "how": "passcode"})
	has("a recovery code", map[string]string{"action": "sign-in", "outcome": "success", "account": p.ID, "how": "recovery"})
	has("a sign-out", map[string]string{"action": "sign-out", "outcome": "success", "account": p.ID, "client_ip": from})
	has("an addition", map[string]string{"action": "user.add", "outcome": "success", "account": p.ID, "actor": "command line"})
}

// Floods of failures are added up.
func TestFloods(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	b := g.Browser()
	form := b.Open("/private").Form("password").Set("email", "nobody@example.test").Set("password", "wrong words altogether")
	const flood = 60
	for range flood {
		b.Submit(form)
	}
	g.Stop() // writes what was added up
	lines := 0
	for _, e := range g.Logs() {
		if e.Text("action") == "sign-in" {
			lines++
		}
	}
	if lines == 0 || lines > flood/2 {
		t.Errorf("%d failures became %d lines", flood, lines)
	}
}
