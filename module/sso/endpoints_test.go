package sso_test

import (
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// manual has the configuration tell the endpoints of a scene's provider.
func manual(c *sso.Config) {
	c.Discovery = sso.DiscoveryOff
	c.Endpoints = &sso.Endpoints{
		Authorization: c.Issuer + providertest.PathAuthorization,
		Token:         c.Issuer + providertest.PathToken,
		Userinfo:      c.Issuer + providertest.PathUserinfo,
		JWKS:          c.Issuer + providertest.PathKeys,
	}
}

// TestManualEndpoints: without a discovery document a provider works just the
// same, whatever asymmetric algorithm it signs with (requirement S3).
func TestManualEndpoints(t *testing.T) {
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA} {
		t.Run(string(algorithm), func(t *testing.T) {
			s := newScene(t, manual)
			key := providertest.NewKey(t, algorithm, "k")
			s.behave(func(b *providertest.Behaviour) {
				b.Handlers[providertest.PathDiscovery] = down
				b.Key = key
				b.InUserinfo = []string{"email", "email_verified"}
			})
			got, err := s.signIn(t)
			if err != nil {
				t.Fatal(err)
			}
			if got.Email != "alice@example.test" || !got.EmailVerified || got.Issuer != s.idp.Issuer() {
				t.Errorf("who came back: %+v", got)
			}
			if n := s.fetched(providertest.PathDiscovery); n != 0 {
				t.Errorf("the discovery document was asked for %d times", n)
			}
		})
	}

	t.Run("another issuer's token", func(t *testing.T) {
		s := newScene(t, manual)
		s.behave(func(b *providertest.Behaviour) {
			b.Claims = func(c map[string]any) { c["iss"] = "https://evil.test" }
		})
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultIssuer, `iss is "https://evil.test"`)
	})
	t.Run("a token that anybody can make", func(t *testing.T) {
		s := newScene(t, manual)
		s.behave(func(b *providertest.Behaviour) {
			b.Sign = func(claims map[string]any) string {
				return providertest.ForgeHS256([]byte(providertest.ClientSecret), claims)
			}
		})
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultToken, "HS256")
	})
	t.Run("keys that are not there", func(t *testing.T) {
		s := newScene(t, manual, func(c *sso.Config) { c.Endpoints.JWKS = c.Issuer + "/nowhere" })
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultKeys, "status 404")
	})
}

func TestValidateEndpoints(t *testing.T) {
	good := sso.Endpoints{
		Authorization: "https://idp.example.com/authorize?tenant=1",
		Token:         "https://idp.example.com:8443/token",
		Userinfo:      "https://[2001:db8::1]/me",
		JWKS:          "http://127.0.0.1:9000/keys",
	}
	if err := good.Validate().Err(); err != nil {
		t.Error(err)
	}
	for address, reason := range map[string]string{
		"":                                "is required",
		"/token":                          "is not an address",
		"idp.example.com/token":           "is not an address",
		"ftp://idp.example.com/":          "use https",
		"javascript://idp.example.com/":   "use https",
		"http://idp.example.com/token":    "loopback",
		"http://10.0.0.1/token":           "loopback",
		"https://idp.example.com/#a":      "fragment",
		"https://u:password@example.com/": "user name or password",
		"https://idp.example.com:0/":      "port",
		"https://idp.example.com\\@evil/": "character",
		"https://idp.example.com/a b":     "character",
		"https://idp.example.com/\r\nX":   "character",
	} {
		bad := good
		bad.Token = address
		err := bad.Validate().Err()
		if err == nil || !strings.Contains(err.Error(), reason) || !strings.HasPrefix(err.Error(), "token: ") {
			t.Errorf("%q: error %v, want one that says %q", address, err, reason)
		}
		if err != nil && strings.Contains(err.Error(), ":password@") {
			t.Errorf("%q: the error repeats the password", address)
		}
	}
}
