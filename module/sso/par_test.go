package sso_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// TestPushedRequests: who pushes, and what the browser then carries (RFC 9126).
func TestPushedRequests(t *testing.T) {
	public := func(c *sso.Config) { c.ClientSecret = "none" }
	off := func(c *sso.Config) { c.PushedRequests = sso.PushedRequestsOff }
	tests := []struct {
		name   string
		config func(*sso.Config)
		behave func(*providertest.Behaviour)
		pushes bool
	}{
		{"not offered", func(*sso.Config) {}, func(*providertest.Behaviour) {}, false},
		{"offered", func(*sso.Config) {}, func(b *providertest.Behaviour) { b.Push = true }, true},
		{"offered, secret in the body", func(c *sso.Config) { c.ClientAuth = sso.AuthPost }, func(b *providertest.Behaviour) { b.Push, b.Post = true, true }, true},
		{"offered, mode code", func(c *sso.Config) { c.Mode = sso.ModeCode }, func(b *providertest.Behaviour) { b.Push = true }, true},
		{"offered, switched off", off, func(b *providertest.Behaviour) { b.Push = true }, false},
		{"required", func(*sso.Config) {}, func(b *providertest.Behaviour) { b.PushOnly = true }, true},
		{"offered to a public client", public, func(b *providertest.Behaviour) { b.Push, b.Public = true, true }, false},
		{"required of a public client", public, func(b *providertest.Behaviour) { b.PushOnly, b.Public = true, true }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, test.config)
			s.behave(test.behave)
			if _, err := s.signIn(t); err != nil {
				t.Fatal(err)
			}
			query := s.idp.Requests(providertest.PathAuthorization)[0].Query
			pushed := s.idp.Requests(providertest.PathPush)
			if len(pushed) != map[bool]int{true: 1}[test.pushes] {
				t.Fatalf("%d requests were pushed", len(pushed))
			}
			if !test.pushes {
				if !query.Has("nonce") || query.Has("request_uri") {
					t.Errorf("the browser carries %v", query)
				}
				return
			}
			if len(query) != 2 || query.Get("client_id") != providertest.ClientID || !query.Has("request_uri") {
				t.Errorf("the browser carries %v", query)
			}
			form := pushed[0].Form
			for name, want := range map[string]string{
				"response_type": "code", "client_id": providertest.ClientID, "redirect_uri": callback,
				"state": state, "scope": "openid email profile",
			} {
				if got := form[name]; len(got) != 1 || got[0] != want {
					t.Errorf("pushed: %s is %q, want %q", name, got, want)
				}
			}
		})
	}

	t.Run("with a key", func(t *testing.T) {
		key := newKey(t, jose.ES256)
		for _, audience := range []sso.Audience{sso.AudienceIssuer, sso.AudienceEndpoint} {
			s, wanted := withKey(t, pkcs8(t, key), key.Public(), []jose.SignatureAlgorithm{jose.ES256}, func(c *sso.Config) { c.ClientKeyAudience = audience })
			if audience == sso.AudienceEndpoint {
				wanted.Audiences = []string{s.idp.Issuer() + providertest.PathPush, s.idp.Issuer() + providertest.PathToken}
			}
			s.behave(func(b *providertest.Behaviour) { b.PushOnly = true })
			if _, err := s.signIn(t); err != nil {
				t.Errorf("audience %s: %v", audience, err)
			}
		}
	})
	t.Run("an authorization endpoint with a query", func(t *testing.T) {
		s := newScene(t)
		s.behave(func(b *providertest.Behaviour) {
			b.Push = true
			b.Discovery = func(d map[string]any) {
				d["authorization_endpoint"] = d["authorization_endpoint"].(string) + "?tenant=1"
			}
		})
		address, _, err := s.sso.Start(t.Context(), callback, state)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil || u.Query().Get("tenant") != "1" || u.Query().Get("request_uri") == "" || strings.Count(address, "?") != 1 {
			t.Errorf("address %s, %v", address, err)
		}
	})
}

// TestPushedRequestRefused: what the provider says no to is not tried in
// another way, and is told apart.
func TestPushedRequestRefused(t *testing.T) {
	says := func(status int, code, description string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"error":"` + code + `","error_description":"` + description + `"}`))
		}
	}
	answers := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		kind    sso.FaultKind
		reason  string
	}{
		{"client", says(401, "invalid_client", "no"), sso.FaultClient, `"invalid_client" ("no")`},
		{"scope", says(400, "invalid_scope", "no"), sso.FaultScope, "invalid_scope"},
		{"callback", says(400, "invalid_request", "the redirect_uri is not registered"), sso.FaultRedirect, "not registered"},
		{"flow", says(400, "unauthorized_client", ""), sso.FaultUnauthorized, "unauthorized_client"},
		{"error with status 201", says(201, "invalid_request", ""), sso.FaultOther, "invalid_request"},
		{"the secret said back", says(400, "invalid_request", providertest.ClientSecret), sso.FaultOther, "[removed]"},
		{"401 without a word", answers(401, "no"), sso.FaultClient, "status 401"},
		{"not there", answers(404, "no"), sso.FaultOther, "status 404"},
		{"too many", answers(429, ""), sso.FaultUnavailable, "status 429"},
		{"broken", answers(503, ""), sso.FaultUnavailable, "status 503"},
		{"redirected", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, sso.FaultOther, "not followed"},
		{"down", down, sso.FaultUnreachable, "EOF"},
		{"huge", huge, sso.FaultOther, "larger than 1 MiB"},
		{"a web page", answers(200, "<html>"), sso.FaultOther, "cannot be read"},
		{"no request_uri", answers(201, `{"expires_in":60}`), sso.FaultOther, "no request_uri"},
		{"request_uri without end", answers(201, `{"expires_in":60,"request_uri":"`+strings.Repeat("x", 1025)+`"}`), sso.FaultOther, "longer than 1024"},
		{"over already", answers(201, `{"expires_in":0,"request_uri":"urn:x"}`), sso.FaultOther, "expires_in is 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Push = true
				b.Handlers[providertest.PathPush] = test.handler
				b.Handlers["/elsewhere"] = func(http.ResponseWriter, *http.Request) { t.Error("the secret was sent on") }
			})
			err := s.tryStart(t)
			wantFault(t, err, test.kind, test.reason)
			if strings.Contains(err.Error(), providertest.ClientSecret) {
				t.Errorf("the secret is in %v", err)
			}
		})
	}
	t.Run("slow", func(t *testing.T) {
		s := newScene(t)
		p, err := sso.NewProvider("okta", sso.Config{Issuer: s.idp.Issuer(), ClientID: providertest.ClientID},
			providertest.ClientSecret, sso.Options{Clock: s.clock.Now, Timeout: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		s.sso = p
		s.behave(func(b *providertest.Behaviour) {
			b.Push = true
			b.Handlers[providertest.PathPush] = drip
		})
		wantFault(t, s.tryStart(t), sso.FaultTimeout, "")
	})
}
