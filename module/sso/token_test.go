package sso_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

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
		{"another issuer", func(c map[string]any, _ time.Time) { c["iss"] = "https://evil.test" }, "different provider"},
		{"the issuer with a slash", func(c map[string]any, _ time.Time) { c["iss"] = c["iss"].(string) + "/" }, "different provider"},
		{"no issuer", func(c map[string]any, _ time.Time) { delete(c, "iss") }, "different provider"},
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
		{"no exp", func(c map[string]any, _ time.Time) { delete(c, "exp") }, "expired"},
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
		{"at_hash of another access token", func(c map[string]any, _ time.Time) { c["at_hash"] = providertest.AtHash("another") }, "at_hash"},
		{"at_hash empty", func(c map[string]any, _ time.Time) { c["at_hash"] = "" }, "at_hash"},
		{"at_hash is a number", func(c map[string]any, _ time.Time) { c["at_hash"] = 7 }, "at_hash"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Claims = func(c map[string]any) { test.change(c, s.clock.Now()) }
			})
			_, err := s.signIn(t)
			wantFault(t, err, sso.FaultToken, test.reason)
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
						c["at_hash"] = providertest.AtHash("an-access-token")
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

// TestSignatureAttacks are ID tokens that were not signed as they have to be.
func TestSignatureAttacks(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	payload := func(claims map[string]any) []byte {
		raw, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	stranger := providertest.NewKey(t, jose.ES256, "key-1")
	tests := []struct {
		name   string
		forge  func(s *scene, own *providertest.Key, claims map[string]any) string
		reason string
	}{
		{"somebody else's key under the same id", func(_ *scene, _ *providertest.Key, c map[string]any) string {
			return stranger.Sign(c, nil)
		}, "signature is wrong"},
		{"somebody else's key under an unknown id", func(_ *scene, _ *providertest.Key, c map[string]any) string {
			return (&providertest.Key{Algorithm: jose.ES256, ID: "other", Private: stranger.Private}).Sign(c, nil)
		}, "does not publish"},
		{"somebody else's key without an id", func(_ *scene, _ *providertest.Key, c map[string]any) string {
			return (&providertest.Key{Algorithm: jose.ES256, Private: stranger.Private}).Sign(c, nil)
		}, "signature is wrong"},
		{"the key in the token itself", func(_ *scene, _ *providertest.Key, c map[string]any) string {
			var jwk jose.JSONWebKey
			if err := jwk.UnmarshalJSON(stranger.Public()); err != nil {
				t.Fatal(err)
			}
			return stranger.Sign(c, map[jose.HeaderKey]any{"jwk": jwk})
		}, "signature is wrong"},
		{"a key address in the token", func(s *scene, _ *providertest.Key, c map[string]any) string {
			return stranger.Sign(c, map[jose.HeaderKey]any{"jku": s.idp.URL + "/evil-keys"})
		}, "signature is wrong"},
		{"alg none", func(_ *scene, _ *providertest.Key, c map[string]any) string {
			return encode([]byte(`{"alg":"none"}`)) + "." + encode(payload(c)) + "."
		}, `"none"`},
		{"alg None with a signature", func(_ *scene, _ *providertest.Key, c map[string]any) string {
			return encode([]byte(`{"alg":"None"}`)) + "." + encode(payload(c)) + "." + encode([]byte("x"))
		}, `"None"`},
		{"HS256 with the client secret", func(_ *scene, _ *providertest.Key, c map[string]any) string {
			return signSymmetric(t, []byte(providertest.ClientSecret), payload(c))
		}, `"HS256"`},
		{"HS256 with the public key", func(_ *scene, own *providertest.Key, c map[string]any) string {
			return signSymmetric(t, own.Public(), payload(c))
		}, `"HS256"`},
		{"an algorithm that the provider does not announce", func(_ *scene, _ *providertest.Key, c map[string]any) string {
			return providertest.NewKey(t, jose.EdDSA, "key-1").Sign(c, nil)
		}, `"EdDSA"`},
		{"claims exchanged after signing", func(_ *scene, own *providertest.Key, c map[string]any) string {
			parts := strings.Split(own.Sign(c, nil), ".")
			c["sub"] = "the-boss"
			return parts[0] + "." + encode(payload(c)) + "." + parts[2]
		}, "signature is wrong"},
		{"signature cut off", func(_ *scene, own *providertest.Key, c map[string]any) string {
			signed := own.Sign(c, nil)
			return signed[:strings.LastIndexByte(signed, '.')+1]
		}, ""},
		{"JSON serialization", func(_ *scene, own *providertest.Key, c map[string]any) string {
			parts := strings.Split(own.Sign(c, nil), ".")
			return `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`
		}, ""},
		{"encrypted", func(*scene, *providertest.Key, map[string]any) string { return "a.b.c.d.e" }, ""},
		{"not a token", func(*scene, *providertest.Key, map[string]any) string { return "token" }, ""},
		{"a claim twice", func(_ *scene, own *providertest.Key, c map[string]any) string {
			raw := strings.Replace(string(payload(c)), `"sub"`, `"sub":"the-boss","sub"`, 1)
			return own.SignRaw([]byte(raw), nil)
		}, "duplicate"},
		{"not JSON", func(_ *scene, own *providertest.Key, _ map[string]any) string {
			return own.SignRaw([]byte("sub=alice"), nil)
		}, "claims"},
		{"an unknown critical header", func(_ *scene, own *providertest.Key, c map[string]any) string {
			return own.Sign(c, map[jose.HeaderKey]any{"crit": []string{"policy"}, "policy": "x"})
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			own := providertest.NewKey(t, jose.ES256, "key-1")
			s.behave(func(b *providertest.Behaviour) {
				b.Key = own
				b.Sign = func(claims map[string]any) string { return test.forge(s, own, claims) }
			})
			_, err := s.signIn(t)
			wantFault(t, err, sso.FaultToken, test.reason)
			if !strings.Contains(err.Error(), "ID token") {
				t.Errorf("error %q does not say that the ID token is wrong", err)
			}
			if n := len(s.idp.Requests("/evil-keys")); n != 0 {
				t.Error("keys were fetched from where the token said")
			}
		})
	}
}

// signSymmetric returns a JWT signed with HS256.
func signSymmetric(t *testing.T, key, payload []byte) string {
	t.Helper()
	padded := append([]byte{}, key...)
	for len(padded) < 32 {
		padded = append(padded, 0)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: padded}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

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
		}, kind: sso.FaultToken, reason: "somebody else"},
		{name: "about nobody", behave: func(b *providertest.Behaviour) {
			inUserinfo(b)
			b.Userinfo = func(c map[string]any) { delete(c, "sub") }
		}, kind: sso.FaultToken, reason: "somebody else"},
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
