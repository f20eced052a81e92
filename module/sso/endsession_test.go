package sso_test

import (
	"cmp"
	"net/url"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// TestEndSession: where somebody is sent to who signs out (OpenID Connect
// RP-Initiated Logout 1.0, section 2).
func TestEndSession(t *testing.T) {
	const back = "https://app.example.test/auth-gateway/sign-out"
	discovered := func(endpoint string) func(*scene) {
		return func(s *scene) {
			s.behave(func(b *providertest.Behaviour) {
				b.Discovery = func(d map[string]any) { d["end_session_endpoint"] = endpoint }
			})
		}
	}
	byHand := func(endpoint string) func(*sso.Config) {
		return func(c *sso.Config) {
			manual(c)
			c.Endpoints.EndSession = endpoint
		}
	}
	tests := []struct {
		name           string
		config         func(*sso.Config)
		behave         func(*scene)
		hint           string
		address        string // before the query; "" for none
		query          string
		origin, reason string
		kind           sso.FaultKind // default: sso.FaultDiscovery
	}{
		{name: "offered", behave: discovered("https://id.example.test/end"), hint: "e.y.J",
			address: "https://id.example.test/end", query: "client_id=gateway&id_token_hint=e.y.J&post_logout_redirect_uri=https%3A%2F%2Fapp.example.test%2Fauth-gateway%2Fsign-out&state=s%26t",
			origin: "https://id.example.test"},
		{name: "offered, no ID token kept", behave: discovered("https://id.example.test/end"),
			address: "https://id.example.test/end", query: "client_id=gateway&post_logout_redirect_uri=https%3A%2F%2Fapp.example.test%2Fauth-gateway%2Fsign-out&state=s%26t",
			origin: "https://id.example.test"},
		{name: "an address with a query of its own", behave: discovered("https://id.example.test:8443/end?b=2;3&a=1"), hint: "h",
			address: "https://id.example.test:8443/end", query: "b=2;3&a=1&client_id=gateway&id_token_hint=h&post_logout_redirect_uri=https%3A%2F%2Fapp.example.test%2Fauth-gateway%2Fsign-out&state=s%26t",
			origin: "https://id.example.test:8443"},
		{name: "by hand", config: byHand("https://id.example.test/bye"), hint: "h",
			address: "https://id.example.test/bye", query: "client_id=gateway&id_token_hint=h&post_logout_redirect_uri=https%3A%2F%2Fapp.example.test%2Fauth-gateway%2Fsign-out&state=s%26t",
			origin: "https://id.example.test"},
		{name: "by hand, none", config: manual},
		{name: "not offered"},
		{name: "an address that is none", behave: discovered("javascript:alert(1)"), reason: "end_session_endpoint"},
		{name: "an address without TLS", behave: discovered("http://id.example.test/end"), reason: "end_session_endpoint"},
		{name: "the provider is down", behave: func(s *scene) {
			s.behave(func(b *providertest.Behaviour) { b.Handlers[providertest.PathDiscovery] = down })
		}, kind: sso.FaultUnreachable, reason: "fetching the discovery document"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var changes []func(*sso.Config)
			if test.config != nil {
				changes = append(changes, test.config)
			}
			s := newScene(t, changes...)
			if test.behave != nil {
				test.behave(s)
			}
			if s.sso.OffersEndSession() && test.config == nil {
				t.Error("known before anybody asked")
			}
			address, ok, err := s.sso.EndSession(t.Context(), test.hint, back, "s&t")
			origin, err2 := s.sso.EndSessionOrigin(t.Context())
			if test.reason != "" {
				kind := cmp.Or(test.kind, sso.FaultDiscovery)
				wantFault(t, err, kind, test.reason)
				wantFault(t, err2, kind, test.reason)
				return
			}
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			if ok != (test.address != "") || ok != s.sso.OffersEndSession() || origin != test.origin {
				t.Errorf("offered: %t; known afterwards: %t; origin %q, want %q", ok, s.sso.OffersEndSession(), origin, test.origin)
			}
			if start, err := s.sso.StartOrigin(t.Context()); err != nil || start != s.idp.URL {
				t.Errorf("signing in begins at %q, %v", start, err)
			}
			want := test.address
			if want != "" {
				want += "?" + test.query
			}
			if address != want {
				t.Errorf("address\n%s, want\n%s", address, want)
			}
			if u, err := url.Parse(address); err != nil || ok && u.Query().Get("state") != "s&t" {
				t.Errorf("state %q, %v", u.Query().Get("state"), err)
			}
		})
	}
}

// TestEndSessionOutOfDate: a document that is out of date still tells the way
// while the provider is down, and no longer than any other use of it.
func TestEndSessionOutOfDate(t *testing.T) {
	s := newScene(t)
	s.behave(func(b *providertest.Behaviour) {
		b.Discovery = func(d map[string]any) { d["end_session_endpoint"] = "https://id.example.test/end" }
	})
	s.start(t)
	s.behave(func(b *providertest.Behaviour) { b.Handlers[providertest.PathDiscovery] = down })
	for _, wait := range []struct {
		d  time.Duration
		ok bool
	}{{0, true}, {23 * time.Hour, true}, {3 * time.Hour, false}} {
		s.clock.Add(wait.d)
		if _, ok, err := s.sso.EndSession(t.Context(), "", "https://app.example.test/", "s"); ok != wait.ok || (err == nil) != wait.ok {
			t.Errorf("%s later: %t, %v", wait.d, ok, err)
		}
		if ok := s.sso.OffersEndSession(); ok != wait.ok {
			t.Errorf("%s later: known: %t", wait.d, ok)
		}
	}
}
