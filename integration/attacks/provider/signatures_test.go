//go:build integration

package provider

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// forging replaces the ID token. own is the key that the provider publishes.
func forging(forge func(own *providertest.Key, claims map[string]any) string) behaviour {
	return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
		own := b.Key
		b.Sign = func(claims map[string]any) string { return forge(own, claims) }
	}
}

// headed signs as it should be, with more in the header.
func headed(header map[jose.HeaderKey]any) behaviour {
	return forging(func(own *providertest.Key, claims map[string]any) string { return own.Sign(claims, header) })
}

// payload is claims as JSON.
func payload(claims map[string]any) string {
	raw, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

var encode = base64.RawURLEncoding.EncodeToString

// Rule 17: ID tokens that are not signed as they have to be (RFC 7515, 8725).
func TestSignatures(t *testing.T) {
	t.Parallel()
	stranger := providertest.NewKey(t, jose.ES256, "key-1")
	nowhere := trap(t)
	var embedded jose.JSONWebKey
	if err := embedded.UnmarshalJSON(stranger.Public()); err != nil {
		t.Fatal(err)
	}
	parts := func(jwt string) []string { return strings.Split(jwt, ".") }

	var attacks []attack
	for _, test := range []struct {
		name, suite string
		behave      behaviour
		reason      string
	}{
		{"stranger's key under our id", "oidcc-client-test-invalid-sig-es256", forging(func(_ *providertest.Key, c map[string]any) string {
			return stranger.Sign(c, nil)
		}), "ID token: the signature is wrong"},
		{"stranger's RSA key", "oidcc-client-test-invalid-sig-rs256", func(t testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			own := b.Key
			b.Key = providertest.NewKey(t, jose.RS256, "key-1")
			b.Published = []json.RawMessage{own.Public()}
		}, "ID token: the signature is wrong"},
		{"stranger's key under an unknown id", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return (&providertest.Key{Algorithm: jose.ES256, ID: "../key-1", Private: stranger.Private}).Sign(c, nil)
		}), "ID token: signed with a key that the provider does not publish"},
		{"stranger's key without an id", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return (&providertest.Key{Algorithm: jose.ES256, Private: stranger.Private}).Sign(c, nil)
		}), "ID token: the signature is wrong"},
		{"key in the token (jwk)", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return stranger.Sign(c, map[jose.HeaderKey]any{"jwk": embedded})
		}), "ID token: the signature is wrong"},
		{"address of keys in the token (jku)", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return stranger.Sign(c, map[jose.HeaderKey]any{"jku": nowhere + "/keys"})
		}), "ID token: the signature is wrong"},
		{"address of a certificate in the token (x5u)", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return stranger.Sign(c, map[jose.HeaderKey]any{"x5u": nowhere + "/certificate"})
		}), "ID token: the signature is wrong"},
		{"certificate in the token (x5c)", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return stranger.Sign(c, map[jose.HeaderKey]any{"x5c": []string{"AAAA"}})
		}), "ID token: "},

		{"alg none", "oidcc-client-test-idtoken-sig-none", forging(func(_ *providertest.Key, c map[string]any) string {
			return providertest.Forge(`{"alg":"none"}`, c, nil)
		}), `unexpected signature algorithm "none"`},
		{"alg none in mixed case", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return providertest.Forge(`{"alg":"nOnE"}`, c, nil)
		}), `unexpected signature algorithm "nOnE"`},
		{"alg none with a signature", "", forging(func(own *providertest.Key, c map[string]any) string {
			return providertest.Forge(`{"alg":"none","kid":"key-1"}`, c, []byte(parts(own.Sign(c, nil))[2]))
		}), `unexpected signature algorithm "none"`},
		{"alg missing", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return providertest.Forge(`{"kid":"key-1"}`, c, []byte("x"))
		}), `unexpected signature algorithm ""`},
		{"alg a number", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return providertest.Forge(`{"alg":1}`, c, []byte("x"))
		}), "ID token: "},
		{"alg twice", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return providertest.Forge(`{"alg":"ES256","alg":"none"}`, c, nil)
		}), "ID token: "},
		{"HS256 with the client secret", "oidcc-client-test-invalid-sig-hs256", forging(func(_ *providertest.Key, c map[string]any) string {
			return providertest.ForgeHS256([]byte(providertest.ClientSecret), c)
		}), `unexpected signature algorithm "HS256"`},
		{"HS256 with the public key", "", forging(func(own *providertest.Key, c map[string]any) string {
			return providertest.ForgeHS256(own.Public(), c)
		}), `unexpected signature algorithm "HS256"`},
		{"HS256 with the public key as PEM", "", forging(func(own *providertest.Key, c map[string]any) string {
			return providertest.ForgeHS256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: own.DER()}), c)
		}), `unexpected signature algorithm "HS256"`},
		{"algorithm that is not announced", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return providertest.NewKey(t, jose.EdDSA, "key-1").Sign(c, nil)
		}), `unexpected signature algorithm "EdDSA"`},

		{"signature missing", "", forging(func(own *providertest.Key, c map[string]any) string {
			signed := parts(own.Sign(c, nil))
			return signed[0] + "." + signed[1] + "."
		}), "ID token: the signature is wrong"},
		{"signature and its dot missing", "", forging(func(own *providertest.Key, c map[string]any) string {
			signed := parts(own.Sign(c, nil))
			return signed[0] + "." + signed[1]
		}), "ID token: "},
		{"signature of nothing but zeros", "", forging(func(_ *providertest.Key, c map[string]any) string {
			return providertest.Forge(`{"alg":"ES256","kid":"key-1"}`, c, make([]byte, 64))
		}), "ID token: the signature is wrong"},
		{"signature cut short", "", forging(func(own *providertest.Key, c map[string]any) string {
			signed := own.Sign(c, nil)
			return signed[:len(signed)-2]
		}), "ID token: the signature is wrong"},
		{"signature with the other alphabet", "", forging(func(own *providertest.Key, c map[string]any) string {
			signed := parts(own.Sign(c, nil))
			return signed[0] + "." + signed[1] + ".+/+/" + signed[2]
		}), "illegal base64 data"},
		{"payload with padding", "", forging(func(own *providertest.Key, c map[string]any) string {
			signed := parts(own.Sign(c, nil))
			return signed[0] + "." + signed[1] + "==." + signed[2]
		}), "ID token: "},
		{"payload exchanged", "", forging(func(own *providertest.Key, c map[string]any) string {
			signed := parts(own.Sign(c, nil))
			c["sub"] = "the-boss"
			return signed[0] + "." + encode([]byte(payload(c))) + "." + signed[2]
		}), "ID token: the signature is wrong"},
		{"payload detached", "", forging(func(own *providertest.Key, c map[string]any) string {
			signed := parts(own.Sign(c, nil))
			return signed[0] + ".." + signed[2]
		}), "ID token: "},
		{"payload not JSON", "", forging(func(own *providertest.Key, _ map[string]any) string {
			return own.SignRaw([]byte("sub=the-boss"), nil)
		}), "ID token: oidc: failed to unmarshal claims"},
		{"payload a list", "", forging(func(own *providertest.Key, c map[string]any) string {
			return own.SignRaw([]byte("["+payload(c)+"]"), nil)
		}), "ID token: oidc: failed to unmarshal claims"},
		{"payload twice", "", forging(func(own *providertest.Key, c map[string]any) string {
			return own.SignRaw([]byte(payload(c)+payload(c)), nil)
		}), "ID token: oidc: failed to unmarshal claims"},
		{"payload a token itself (nested)", "", forging(func(own *providertest.Key, c map[string]any) string {
			return own.SignRaw([]byte(own.Sign(c, nil)), map[jose.HeaderKey]any{"cty": "JWT"})
		}), "ID token: oidc: failed to unmarshal claims"},
		{"payload not encoded (b64)", "", headed(map[jose.HeaderKey]any{"b64": false, "crit": []string{"b64"}}), "asks for what is not understood"},
		{"claim twice", "", forging(func(own *providertest.Key, c map[string]any) string {
			return own.SignRaw([]byte(strings.Replace(payload(c), `"sub"`, `"sub":"the-boss","sub"`, 1)), nil)
		}), `ID token: json: duplicate key 'sub'`},
		{"claim twice, once escaped", "", forging(func(own *providertest.Key, c map[string]any) string {
			return own.SignRaw([]byte(strings.Replace(payload(c), `"sub"`, `"su\u0062":"the-boss","sub"`, 1)), nil)
		}), `ID token: json: duplicate key 'sub'`},
		{"critical header that nobody knows", "", headed(map[jose.HeaderKey]any{"crit": []string{"policy"}, "policy": "x"}), "ID token: the header crit asks for what is not understood"},
		{"encrypted", "", forging(func(own *providertest.Key, c map[string]any) string {
			return encrypted(t, own, payload(c))
		}), "ID token: "},
		{"JSON serialization", "", forging(func(own *providertest.Key, c map[string]any) string {
			signed := parts(own.Sign(c, nil))
			return `{"payload":"` + signed[1] + `","protected":"` + signed[0] + `","signature":"` + signed[2] + `"}`
		}), "ID token: "},
		{"with a blank before", "", forging(func(own *providertest.Key, c map[string]any) string {
			return " " + own.Sign(c, nil)
		}), "ID token: "},
		{"with the word Bearer before", "", forging(func(own *providertest.Key, c map[string]any) string {
			return "Bearer " + own.Sign(c, nil)
		}), "ID token: "},
		{"no token at all", "", forging(func(*providertest.Key, map[string]any) string { return "token" }), "ID token: "},
		{"a hundred thousand dots", "", forging(func(*providertest.Key, map[string]any) string { return strings.Repeat(".", 100_000) }), "ID token: "},
	} {
		attacks = append(attacks, attack{
			situation: situation{name: test.name, behave: test.behave},
			suite:     test.suite,
			refusal:   refusal{http.StatusBadGateway, "provider_refused", test.reason},
		})
	}
	repel(t, attacks)
}

// encrypted returns a token for nobody to read but the provider itself.
func encrypted(t testing.TB, key *providertest.Key, text string) string {
	t.Helper()
	encrypter, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.ECDH_ES, Key: key.Private.Public()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jwe, err := encrypter.Encrypt([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jwe.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}
