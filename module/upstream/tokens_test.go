package upstream

import (
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// The ID token of one provider is never shown to another that has taken over the
// name of its SSO config, while people are signed in.
func TestIDTokenIsForItsIssuer(t *testing.T) {
	w := newWorld(t)
	w.behave(func(b *providertest.Behaviour) {
		b.Discovery = func(d map[string]any) { d["end_session_endpoint"] = w.idp.Issuer() + "/end" }
	})
	b := w.signIn()
	idToken := func(s *Sessions) (token string) {
		w.view(func(tx store.Tx) (err error) { token, err = s.IDToken(tx, b.Session); return err })
		return token
	}
	if idToken(w.sessions) == "" {
		t.Fatal("none is kept")
	}
	config := w.sso.Config()
	config.Issuer = "https://another.example.test"
	another, err := sso.NewProvider("okta", config, providertest.ClientSecret, sso.Options{Clock: w.Now})
	w.must(err)
	t.Cleanup(func() { w.must(another.Close()) })
	for name, providers := range map[string]map[string]*sso.Provider{
		"another issuer": {"okta": another},
		"none":           {},
	} {
		changed := w.sessions.Config
		changed.Providers = providers
		if idToken(New(changed)) != "" {
			t.Errorf("%s: it is told", name)
		}
	}
}
