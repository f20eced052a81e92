//go:build integration

package integration

import (
	"net/http"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Rule 9: a secret that is still needed cannot be dropped; a new one takes over.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const first, second = "the first secret of these tests, long enough", "the second secret of these tests, long enough"
	g := prepare(t, "secret {env.FIRST}"+required, "", func(o *harness.Options) {
		o.Env = map[string]string{"FIRST": first, "SECOND": second}
	})
	g.SecretAtRest("the secret", first)
	g.SecretAtRest("the secret", second)
	g.Run()
	g.AddUser(alice)
	b := g.Browser()
	app, _ := g.enroll(t, b, alice)

	g.Configure(option("secret {env.SECOND}"+required), site(""))
	if r := g.TryReload(); r.Status == 0 {
		t.Error("a secret that is still needed was dropped")
	}
	g.wantIn(t, b, alice)
	g.configure("secret {env.SECOND} {env.FIRST}"+required, "")
	g.wantIn(t, b, alice)
	c := g.Browser()
	step := g.askedForPasscode(t, c, alice)
	c.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	g.wantIn(t, c, alice)
}
