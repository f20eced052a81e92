package sso_test

import (
	"net/http"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// TestUserinfo: what the ID token lacks comes from userinfo, if that is about
// the same person (OpenID Connect Core 5.3).
func TestUserinfo(t *testing.T) {
	inUserinfo := func(b *providertest.Behaviour) { b.InUserinfo = []string{"name", "email", "email_verified"} }
	tests := []struct {
		name     string
		config   func(*sso.Config)
		behave   func(*providertest.Behaviour)
		kind     sso.FaultKind // "" is success
		reason   string
		verified bool
	}{
		{name: "plain", behave: inUserinfo, verified: true},
		{name: "signed", behave: func(b *providertest.Behaviour) { inUserinfo(b); b.SignUserinfo = true }, verified: true},
		{name: "only the word verified is lacking", behave: func(b *providertest.Behaviour) { b.InUserinfo = []string{"email_verified"} }, verified: true},
		{name: "verified is another address", behave: func(b *providertest.Behaviour) {
			b.InUserinfo = []string{"email_verified"}
			b.Userinfo = func(c map[string]any) { c["email"] = "another@example.test" }
		}, verified: false},
		{name: "the verified word of the ID token is about no address", behave: func(b *providertest.Behaviour) {
			b.InUserinfo = []string{"email"}
			b.Userinfo = func(c map[string]any) { c["email_verified"] = false }
		}, verified: false},
		{name: "about somebody else", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.Userinfo = func(c map[string]any) { c["sub"] = "the-boss" }
		}, kind: sso.FaultSubject, reason: "somebody else"},
		{name: "about nobody", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.Userinfo = func(c map[string]any) { delete(c, "sub") }
		}, kind: sso.FaultToken, reason: "about nobody"},
		{name: "sub twice", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"sub":"the-boss","sub":"248289761001","email":"boss@example.test"}`))
			}
		}, kind: sso.FaultToken, reason: "duplicate"},
		{name: "signed for another client", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.SignUserinfo = true
			b.Userinfo = func(c map[string]any) { c["aud"] = "another-client" }
		}, kind: sso.FaultToken, reason: "aud"},
		{name: "signed by another issuer", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.SignUserinfo = true
			b.Userinfo = func(c map[string]any) { c["iss"] = "https://evil.test" }
		}, kind: sso.FaultToken, reason: "iss"},
		{name: "signed with somebody else's key", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			stranger := providertest.NewKey(t, jose.ES256, "key-1")
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/jwt; charset=utf-8")
				_, _ = w.Write([]byte(stranger.Sign(map[string]any{"sub": "248289761001", "email": "boss@example.test"}, nil)))
			}
		}, kind: sso.FaultToken, reason: "signature is wrong"},
		{name: "signed with nothing", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/jwt")
				_, _ = w.Write([]byte("eyJhbGciOiJub25lIn0.eyJzdWIiOiIyNDgyODk3NjEwMDEifQ."))
			}
		}, kind: sso.FaultToken, reason: `"none"`},
		{name: "a web page", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
		}, kind: sso.FaultToken, reason: "userinfo"},
		{name: "refused", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
		}, kind: sso.FaultToken, reason: "status 401"},
		{name: "down", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		}, kind: sso.FaultUnreachable, reason: "status 502"},
		{name: "no such endpoint", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.Discovery = func(d map[string]any) { delete(d, "userinfo_endpoint") }
		}, kind: sso.FaultNoEmail, reason: "e-mail"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.behave(test.behave)
			got, err := s.signIn(t)
			if test.kind != "" {
				wantFault(t, err, test.kind, test.reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Email != "alice@example.test" || got.EmailVerified != test.verified || got.Attributes.Name != "Alice Example" {
				t.Errorf("got %q, verified %t, %q", got.Email, got.EmailVerified, got.Attributes.Name)
			}
		})
	}

	t.Run("a redirect does not get the access token", func(t *testing.T) {
		s := newScene(t)
		s.behave(func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
			}
		})
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultToken, "redirects (302)")
		if n := len(s.idp.Requests("/elsewhere")); n != 0 {
			t.Error("the redirect was followed")
		}
	})

	t.Run("not asked for what nobody needs", func(t *testing.T) {
		s := newScene(t, func(c *sso.Config) { c.TrustEmail = true })
		s.behave(func(b *providertest.Behaviour) { b.InUserinfo = []string{"email_verified"} })
		if _, err := s.signIn(t); err != nil {
			t.Fatal(err)
		}
		if n := len(s.idp.Requests(providertest.PathUserinfo)); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}
