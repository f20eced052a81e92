package sso_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

func TestSignIn(t *testing.T) {
	s := newScene(t)
	s.behave(func(b *providertest.Behaviour) {
		b.Person["name"] = " Alice\nExample "
		b.Claims = func(claims map[string]any) {
			claims["sid"] = "session-at-the-provider"
			claims["auth_time"] = s.clock.Now().Add(-time.Minute).Unix()
			claims["azp"] = providertest.ClientID
			claims["aud"] = []string{providertest.ClientID}
		}
	})
	got, err := s.signIn(t)
	if err != nil {
		t.Fatal(err)
	}
	if got.Issuer != s.idp.Issuer() || got.Subject != "248289761001" || got.SID != "session-at-the-provider" {
		t.Errorf("who it is: %q %q %q", got.Issuer, got.Subject, got.SID)
	}
	if got.Email != "alice@example.test" || !got.EmailVerified || got.Attributes.Email != got.Email {
		t.Errorf("address: %q, verified %t, attribute %q", got.Email, got.EmailVerified, got.Attributes.Email)
	}
	if strings.TrimSpace(got.Attributes.Name) != got.Attributes.Name || strings.ContainsAny(got.Attributes.Name, "\n\t") {
		t.Errorf("name: %q", got.Attributes.Name)
	}
	if got.Attributes.Role != "" {
		t.Errorf("role: %q, but no claim gives one", got.Attributes.Role)
	}
	if !got.AuthTime.Equal(s.clock.Now().Add(-time.Minute)) {
		t.Errorf("auth time: %v", got.AuthTime)
	}
	if strings.Count(got.RawIDToken, ".") != 2 {
		t.Errorf("raw ID token: %q", got.RawIDToken)
	}
	if n := len(s.idp.Requests(providertest.PathUserinfo)); n != 0 {
		t.Errorf("%d userinfo requests although the ID token has everything", n)
	}
}

// TestModes looks at what is sent in each mode (requirement S4, rules 16, 18).
func TestModes(t *testing.T) {
	tests := []struct {
		name           string
		config         func(*sso.Config)
		behaviour      func(*providertest.Behaviour)
		pkce           bool
		basic, inBody  bool
		scopes, method string
	}{
		{
			name:   "pkce with a secret",
			config: func(c *sso.Config) {},
			pkce:   true, basic: true,
		},
		{
			name:      "pkce as a public client",
			config:    func(c *sso.Config) { c.ClientSecret = "none" },
			behaviour: func(b *providertest.Behaviour) { b.Public = true },
			pkce:      true,
		},
		{
			name:   "code",
			config: func(c *sso.Config) { c.Mode = sso.ModeCode },
			basic:  true,
		},
		{
			name:   "code, the provider only takes the secret in the body",
			config: func(c *sso.Config) { c.Mode = sso.ModeCode },
			behaviour: func(b *providertest.Behaviour) {
				b.Post = true
				b.Discovery = func(d map[string]any) {
					d["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt", "client_secret_post"}
				}
			},
			inBody: true,
		},
		{
			name:   "the provider takes the secret either way",
			config: func(c *sso.Config) {},
			behaviour: func(b *providertest.Behaviour) {
				b.Discovery = func(d map[string]any) {
					d["token_endpoint_auth_methods_supported"] = []string{"client_secret_post", "client_secret_basic"}
				}
			},
			pkce: true, basic: true,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, test.config)
			if test.behaviour != nil {
				s.behave(test.behaviour)
			}
			if _, err := s.signIn(t); err != nil {
				t.Fatal(err)
			}
			authorization := s.idp.Requests(providertest.PathAuthorization)[0].Query
			for name, want := range map[string]string{
				"response_type": "code", "client_id": providertest.ClientID, "redirect_uri": callback,
				"state": state, "scope": "openid email profile",
			} {
				if got := authorization.Get(name); got != want {
					t.Errorf("authorization request: %s is %q, want %q", name, got, want)
				}
			}
			if len(authorization.Get("nonce")) < 22 {
				t.Errorf("authorization request: nonce is %q, too short for 128 bits", authorization.Get("nonce"))
			}
			if authorization.Has("response_mode") {
				t.Error("authorization request: asks for a response mode")
			}
			requests := s.idp.Requests(providertest.PathToken)
			if len(requests) != 1 {
				t.Fatalf("the code was sent %d times", len(requests))
			}
			token := requests[0]
			if got := authorization.Get("code_challenge_method"); (got == "S256") != test.pkce {
				t.Errorf("code_challenge_method is %q", got)
			}
			if got := token.Form.Has("code_verifier"); got != test.pkce {
				t.Errorf("code_verifier sent: %t", got)
			}
			if got := token.Header.Get("Authorization") != ""; got != test.basic {
				t.Errorf("secret in the header: %t", got)
			}
			if got := token.Form.Has("client_secret"); got != test.inBody {
				t.Errorf("secret in the body: %t", got)
			}
			if token.Header.Get("Origin") != "" {
				t.Error("an Origin is sent")
			}
		})
	}
}

// TestEachSignInIsItsOwn: nothing is reused from one to the next (rule 16).
func TestEachSignInIsItsOwn(t *testing.T) {
	s := newScene(t)
	first, _ := s.start(t)
	second, _ := s.start(t)
	if first.Nonce == second.Nonce || first.Verifier == second.Verifier {
		t.Errorf("two sign-ins share a secret: %+v %+v", first, second)
	}
	raw, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var again sso.Pending
	if err := json.Unmarshal(raw, &again); err != nil || again != first {
		t.Errorf("after a trip through JSON: %+v, %v", again, err)
	}
	if len(raw) > 512 {
		t.Errorf("%d bytes are too many for a cookie among others", len(raw))
	}
}

// TestNoEmail is requirement S7.
func TestNoEmail(t *testing.T) {
	for name, claim := range map[string]any{
		"absent": nil, "empty": "", "a list": []string{"alice@example.test"}, "no address": "alice", "with NUL": "alice\x00@example.test",
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Person["email"] = claim
				b.Person["Email"] = "ceo@example.test"
			})
			_, err := s.signIn(t)
			if fault := wantFault(t, err, sso.FaultNoEmail, "has an e-mail address"); fault.AtProvider() {
				t.Error("it counts as the provider's fault")
			}
		})
	}
}

func TestNewProviderRefuses(t *testing.T) {
	good := sso.Config{Issuer: "https://idp.example.test", ClientID: "gateway"}
	tests := []struct {
		name   string
		change func(*sso.Config)
		secret string
		reason string
	}{
		{"no issuer", func(c *sso.Config) { c.Issuer = "" }, "secret", "issuer"},
		{"many tenants", func(c *sso.Config) { c.Issuer = "https://login.microsoftonline.com/common/v2.0" }, "secret", "many tenants"},
		{"no client id", func(c *sso.Config) { c.ClientID = "" }, "secret", "client_id"},
		{"mode code without a secret", func(c *sso.Config) { c.Mode = sso.ModeCode }, "", "client_secret"},
		{"unknown mode", func(c *sso.Config) { c.Mode = "implicit" }, "secret", "implicit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config := good
			test.change(&config)
			_, err := sso.NewProvider("okta", config, test.secret, sso.Options{})
			if err == nil || !strings.Contains(err.Error(), test.reason) || !strings.Contains(err.Error(), "sso okta") {
				t.Errorf("error %v, want one that names the SSO config and %q", err, test.reason)
			}
		})
	}
	p, err := sso.NewProvider("okta", good, "", sso.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Config(); c.Mode != sso.ModePKCE || !slices.Equal(c.Scopes, []string{"openid", "email", "profile"}) {
		t.Errorf("defaults: %+v", c)
	}
}

func TestStartWithoutState(t *testing.T) {
	s := newScene(t)
	_, _, err := s.sso.Start(t.Context(), callback, "")
	wantFault(t, err, sso.FaultOther, "without a state")
}

func TestCancelled(t *testing.T) {
	s := newScene(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.sso.Start(ctx, callback, state)
	if fault := wantFault(t, err, sso.FaultOther, "canceled"); fault.AtProvider() {
		t.Error("a person who left counts as the provider's fault")
	}
}
