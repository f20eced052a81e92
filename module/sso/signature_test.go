package sso_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

func TestAlgorithms(t *testing.T) {
	for _, algorithm := range []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	} {
		t.Run(string(algorithm), func(t *testing.T) {
			s := newScene(t)
			key := providertest.NewKey(t, algorithm, "key")
			s.behave(func(b *providertest.Behaviour) { b.Key = key })
			if _, err := s.signIn(t); err != nil {
				t.Error(err)
			}
		})
	}
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
			return providertest.ForgeHS256([]byte(providertest.ClientSecret), c)
		}, `"HS256"`},
		{"HS256 with the public key", func(_ *scene, own *providertest.Key, c map[string]any) string {
			return providertest.ForgeHS256(own.Public(), c)
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
		}, "the header crit asks for what is not understood"},
		{"signed without its encoding", func(_ *scene, own *providertest.Key, c map[string]any) string {
			return own.Sign(c, map[jose.HeaderKey]any{"crit": []string{"b64"}, "b64": false})
		}, "asks for what is not understood"},
		{"signed without its encoding, and without saying that this is critical", func(_ *scene, own *providertest.Key, c map[string]any) string {
			return own.Sign(c, map[jose.HeaderKey]any{"b64": false})
		}, "the header b64 asks for what is not understood"},
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
