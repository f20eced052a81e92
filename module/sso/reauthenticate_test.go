package sso_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// Whom a provider is to ask again is sent with max_age, and with prompt where the
// provider is not known to refuse it. What it says of that is in AuthTime.
func TestReauthenticate(t *testing.T) {
	claims := func(names ...string) func(map[string]any) {
		return func(document map[string]any) { document["claims_supported"] = names }
	}
	prompts := func(names ...string) func(map[string]any) {
		return func(document map[string]any) {
			document["prompt_values_supported"], document["claims_supported"] = names, []string{"sub"}
		}
	}
	for _, tc := range []struct {
		name      string
		discovery func(map[string]any)
		push      bool
		prompt    string
	}{
		{name: "one that says nothing", prompt: "login"},
		{name: "one that tells when it asked", discovery: claims("sub", "auth_time"), prompt: "login"},
		{name: "one that does not", discovery: claims("sub", "email")},
		{name: "one that knows the prompt", discovery: prompts("none", "login"), prompt: "login"},
		{name: "one that does not know it", discovery: prompts("none", "consent")},
		{name: "a request that is pushed", push: true, prompt: "login"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScene(t)
			asked := s.clock.Now().Add(-time.Minute)
			s.behave(func(b *providertest.Behaviour) {
				b.Discovery, b.Push = tc.discovery, tc.push
				b.Claims = func(claims map[string]any) { claims["auth_time"] = asked.Unix() }
			})
			address, pending, err := s.sso.Reauthenticate(t.Context(), callback, state)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			query := u.Query()
			if tc.push {
				query = s.idp.Requests(providertest.PathPush)[0].Form
			}
			if query.Get("max_age") != "0" || query.Get("prompt") != tc.prompt || query.Has("prompt") != (tc.prompt != "") {
				t.Errorf("asks with %v", query)
			}
			in, err := s.sso.Finish(t.Context(), pending, callback, s.idp.Authorize(t, address))
			if err != nil || !in.AuthTime.Equal(asked) {
				t.Errorf("%+v, %v, want %s", in, err, asked)
			}

			address, _, err = s.sso.Start(t.Context(), callback, state)
			if u, parseErr := url.Parse(address); err != nil || parseErr != nil || u.Query().Has("max_age") || u.Query().Has("prompt") {
				t.Errorf("an ordinary sign-in asks with %s, %v", address, err)
			}
		})
	}
}

// Endpoints that are written down say nothing of what the provider knows.
func TestReauthenticateWithoutDiscovery(t *testing.T) {
	s := newScene(t, func(c *sso.Config) {
		c.Discovery = sso.DiscoveryOff
		c.Endpoints = &sso.Endpoints{
			Authorization: c.Issuer + providertest.PathAuthorization, Token: c.Issuer + providertest.PathToken,
			Userinfo: c.Issuer + providertest.PathUserinfo, JWKS: c.Issuer + providertest.PathKeys,
		}
	})
	address, _, err := s.sso.Reauthenticate(t.Context(), callback, state)
	u, parseErr := url.Parse(address)
	if err != nil || parseErr != nil || u.Query().Get("max_age") != "0" || u.Query().Get("prompt") != "login" {
		t.Errorf("asks with %s, %v", address, err)
	}
}

// Whom a provider is to ask for another account is sent with the prompt that it is
// likely to know, and with none that it is known not to.
func TestSwitch(t *testing.T) {
	for name, tc := range map[string]struct {
		prompts, claims []string
		prompt          string
	}{
		"one that says nothing":               {prompt: "login"},
		"one that has a choice of accounts":   {prompts: []string{"none", "login", "select_account"}, prompt: "select_account"},
		"one that only asks who it is":        {prompts: []string{"none", "login", "consent"}, prompt: "login"},
		"one that does neither":               {prompts: []string{"none", "consent"}},
		"one that tells when it asked":        {claims: []string{"sub", "auth_time"}, prompt: "login"},
		"one that never does, such as Google": {claims: []string{"sub", "email"}, prompt: "select_account"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Discovery = func(document map[string]any) {
					document["prompt_values_supported"], document["claims_supported"] = tc.prompts, tc.claims
				}
			})
			address, pending, err := s.sso.Switch(t.Context(), callback, state)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			if query := u.Query(); query.Get("prompt") != tc.prompt || query.Has("prompt") != (tc.prompt != "") || query.Has("max_age") {
				t.Errorf("asks with %v", query)
			}
			if _, err := s.sso.Finish(t.Context(), pending, callback, s.idp.Authorize(t, address)); err != nil {
				t.Error(err)
			}
		})
	}
}
