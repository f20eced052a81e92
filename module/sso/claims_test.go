package sso_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// es256 is the kind of key that a scene's provider signs with.
var es256 = &providertest.Key{Algorithm: jose.ES256}

// TestClaimAttacks are ID tokens with a right signature and wrong claims
// (rule 17).
func TestClaimAttacks(t *testing.T) {
	tests := []struct {
		name   string
		change func(claims map[string]any, now time.Time)
		reason string
	}{
		{"nonce of another sign-in", func(c map[string]any, _ time.Time) { c["nonce"] = "another" }, "nonce"},
		{"no nonce", func(c map[string]any, _ time.Time) { delete(c, "nonce") }, "nonce"},
		{"nonce under another spelling", func(c map[string]any, _ time.Time) { c["Nonce"] = c["nonce"]; delete(c, "nonce") }, "nonce"},
		{"nonce is a list", func(c map[string]any, _ time.Time) { c["nonce"] = []any{c["nonce"]} }, "nonce"},
		{"another issuer", func(c map[string]any, _ time.Time) { c["iss"] = "https://evil.test" }, "iss is"},
		{"the issuer with a slash", func(c map[string]any, _ time.Time) { c["iss"] = c["iss"].(string) + "/" }, "iss is"},
		{"no issuer", func(c map[string]any, _ time.Time) { delete(c, "iss") }, "iss is"},
		{"issuer under another spelling", func(c map[string]any, _ time.Time) { c["ISS"] = c["iss"]; delete(c, "iss") }, "iss"},
		{"another audience", func(c map[string]any, _ time.Time) { c["aud"] = "another-client" }, "audience"},
		{"no audience", func(c map[string]any, _ time.Time) { delete(c, "aud") }, "audience"},
		{"a foreign audience beside ours", func(c map[string]any, _ time.Time) { c["aud"] = []string{providertest.ClientID, "another-client"} }, "not trusted"},
		{"a foreign audience beside ours, azp is ours", func(c map[string]any, _ time.Time) {
			c["aud"], c["azp"] = []string{providertest.ClientID, "another-client"}, providertest.ClientID
		}, "not trusted"},
		{"made for another client (azp)", func(c map[string]any, _ time.Time) { c["azp"] = "another-client" }, "azp"},
		{"azp empty", func(c map[string]any, _ time.Time) { c["azp"] = "" }, "azp"},
		{"expired", func(c map[string]any, now time.Time) { c["exp"] = now.Add(-time.Second).Unix() }, "expired"},
		{"expires this very second", func(c map[string]any, now time.Time) { c["exp"] = now.Unix() }, "expired"},
		{"no exp", func(c map[string]any, _ time.Time) { delete(c, "exp") }, "exp is missing"},
		{"exp under another spelling", func(c map[string]any, _ time.Time) { c["Exp"] = c["exp"]; delete(c, "exp") }, "exp"},
		{"exp is a word", func(c map[string]any, _ time.Time) { c["exp"] = "never" }, "never"},
		{"exp beyond all time", func(c map[string]any, _ time.Time) { c["exp"] = 1e300 }, "exp"},
		{"no iat", func(c map[string]any, _ time.Time) { delete(c, "iat") }, "iat is missing"},
		{"iat is null", func(c map[string]any, _ time.Time) { c["iat"] = nil }, "claims"},
		{"iat 91 seconds in the future", func(c map[string]any, now time.Time) { c["iat"] = now.Add(91 * time.Second).Unix() }, "iat is 1m31s in the future: a clock is wrong"},
		{"iat milliseconds instead of seconds", func(c map[string]any, now time.Time) { c["iat"] = now.UnixMilli() }, "iat"},
		{"iat long ago", func(c map[string]any, now time.Time) { c["iat"] = now.Add(-2 * time.Hour).Unix() }, "iat is 2h0m0s ago"},
		{"iat is zero", func(c map[string]any, _ time.Time) { c["iat"] = 0 }, "iat is not a time"},
		{"exp before iat", func(c map[string]any, now time.Time) {
			c["iat"], c["exp"] = now.Add(60*time.Second).Unix(), now.Add(30*time.Second).Unix()
		}, "exp is before iat"},
		{"nbf in the future", func(c map[string]any, now time.Time) { c["nbf"] = now.Add(2 * time.Minute).Unix() }, "nbf"},
		{"auth_time in the future", func(c map[string]any, now time.Time) { c["auth_time"] = now.Add(2 * time.Minute).Unix() }, "auth_time"},
		{"no sub", func(c map[string]any, _ time.Time) { delete(c, "sub") }, "sub is missing or empty"},
		{"sub empty", func(c map[string]any, _ time.Time) { c["sub"] = "" }, "sub is missing or empty"},
		{"sub is null", func(c map[string]any, _ time.Time) { c["sub"] = nil }, "sub is missing or empty"},
		{"sub is a number", func(c map[string]any, _ time.Time) { c["sub"] = 1001 }, "sub"},
		{"sub is a list", func(c map[string]any, _ time.Time) { c["sub"] = []string{"a"} }, "sub"},
		{"sub under another spelling", func(c map[string]any, _ time.Time) { c["SUB"] = c["sub"]; delete(c, "sub") }, "sub is missing or empty"},
		{"sub of 256 bytes", func(c map[string]any, _ time.Time) { c["sub"] = strings.Repeat("s", 256) }, "sub is longer"},
		{"sub with NUL", func(c map[string]any, _ time.Time) { c["sub"] = "alice\x00" }, "sub holds control characters"},
		{"at_hash of another access token", func(c map[string]any, _ time.Time) { c["at_hash"] = es256.HalfHash("another") }, "at_hash"},
		{"at_hash empty", func(c map[string]any, _ time.Time) { c["at_hash"] = "" }, "at_hash"},
		{"at_hash is a number", func(c map[string]any, _ time.Time) { c["at_hash"] = 7 }, "at_hash"},
	}
	// Those that have a sentence of their own; the others are not believed.
	kinds := map[string]sso.FaultKind{
		"another issuer":                sso.FaultIssuer,
		"the issuer with a slash":       sso.FaultIssuer,
		"no issuer":                     sso.FaultIssuer,
		"issuer under another spelling": sso.FaultIssuer,
		"expired":                       sso.FaultClock,
		"expires this very second":      sso.FaultClock,
		"iat 91 seconds in the future":  sso.FaultClock,
		"iat long ago":                  sso.FaultClock,
		"nbf in the future":             sso.FaultClock,
		"auth_time in the future":       sso.FaultClock,
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Claims = func(c map[string]any) { test.change(c, s.clock.Now()) }
			})
			_, err := s.signIn(t)
			kind := sso.FaultToken
			if other, ok := kinds[test.name]; ok {
				kind = other
			}
			wantFault(t, err, kind, test.reason)
		})
	}
}

// TestClaimsAtTheEdge are unusual claims that are right.
func TestClaimsAtTheEdge(t *testing.T) {
	tests := []struct {
		name   string
		change func(claims map[string]any, now time.Time)
	}{
		{"the provider's clock is 90 seconds ahead", func(c map[string]any, now time.Time) { c["iat"] = now.Add(90 * time.Second).Unix() }},
		{"iat with a fraction", func(c map[string]any, now time.Time) { c["iat"] = float64(now.Unix()) + 0.25 }},
		{"sub of 255 bytes", func(c map[string]any, _ time.Time) { c["sub"] = strings.Repeat("s", 255) }},
		{"a list of one audience", func(c map[string]any, _ time.Time) { c["aud"] = []string{providertest.ClientID} }},
		{"at_hash as it should be", func(c map[string]any, _ time.Time) { c["at_hash"] = "" }},
		{"a name that is none", func(c map[string]any, _ time.Time) { c["name"] = 7 }},
		{"claims of its own", func(c map[string]any, _ time.Time) { c["https://example.test/x"] = map[string]any{"a": []int{1}} }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Claims = func(c map[string]any) {
					test.change(c, s.clock.Now())
					if _, ok := c["at_hash"]; ok {
						delete(c, "at_hash")
						c["at_hash"] = es256.HalfHash("an-access-token")
					}
				}
				b.TokenResponse = func(answer map[string]any) { answer["access_token"] = "an-access-token" }
			})
			if _, err := s.signIn(t); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEmailVerified: only the provider's plain word counts (rule 20).
func TestEmailVerified(t *testing.T) {
	tests := []struct {
		name  string
		claim any
		want  bool
	}{
		{"true", true, true},
		{"the word true, as some providers send it", "true", true},
		{"false", false, false},
		{"the word false", "false", false},
		{"1", 1, false},
		{"yes", "yes", false},
		{"TRUE", "TRUE", false},
		{"a list", []bool{true}, false},
		{"null", nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, func(c *sso.Config) { c.TrustEmail = true })
			s.behave(func(b *providertest.Behaviour) { b.Person["email_verified"] = test.claim })
			got, err := s.signIn(t)
			if err != nil {
				t.Fatal(err)
			}
			if got.EmailVerified != test.want {
				t.Errorf("verified: %t, want %t", got.EmailVerified, test.want)
			}
		})
	}

	t.Run("a claim of another spelling is no claim", func(t *testing.T) {
		s := newScene(t, func(c *sso.Config) { c.TrustEmail = true })
		s.behave(func(b *providertest.Behaviour) {
			b.Claims = func(c map[string]any) {
				c["Email"], c["EMAIL_VERIFIED"] = "ceo@example.test", true
				c["email_verified"] = false
			}
		})
		got, err := s.signIn(t)
		if err != nil {
			t.Fatal(err)
		}
		if got.Email != "alice@example.test" || got.EmailVerified {
			t.Errorf("got %q, verified %t", got.Email, got.EmailVerified)
		}
	})
}
