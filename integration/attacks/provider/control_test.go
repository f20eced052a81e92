//go:build integration

package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// keyed has the provider sign with a key of that algorithm and id.
func keyed(algorithm jose.SignatureAlgorithm, id string, beside ...string) behaviour {
	return func(t testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
		b.Key = providertest.NewKey(t, algorithm, id)
		for _, key := range beside {
			b.Published = append(b.Published, json.RawMessage(key))
		}
		b.Published = append(b.Published, b.Key.Public())
	}
}

// The control group: providers that are unusual and right. Their people get in,
// as who they are.
func TestControlGroup(t *testing.T) {
	t.Parallel()
	const token = "an-access-token-of-the-control-group"
	tests := []struct {
		name, suite, words string
		behave             behaviour
		email              string // default: that of the situation
	}{
		{name: "nothing unusual", suite: "oidcc-client-test"},
		{name: "kid missing, one key", suite: "oidcc-client-test-kid-absent-single-jwks", behave: keyed(jose.ES256, "")},
		{name: "kid missing, several keys", suite: "oidcc-client-test-kid-absent-multiple-jwks", behave: func(t testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			for _, id := range []string{"a", "b"} {
				b.Published = append(b.Published, providertest.NewKey(t, jose.ES256, id).Public())
			}
			b.Published = append(b.Published, b.Key.Public())
			b.Key = &providertest.Key{Algorithm: b.Key.Algorithm, Private: b.Key.Private}
		}},
		{name: "two keys of one id", behave: func(t testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Published = []json.RawMessage{providertest.NewKey(t, jose.ES256, "key-1").Public(), b.Key.Public()}
		}},
		{name: "keys exchanged just before signing", suite: "oidcc-client-test-signing-key-rotation-just-before-signing",
			behave: func(t testing.TB, p *providertest.Provider, b *providertest.Behaviour) {
				next := providertest.NewKey(t, jose.ES256, "key-2")
				b.Sign = func(claims map[string]any) string {
					p.Behave(func(b *providertest.Behaviour) { b.Published = []json.RawMessage{next.Public()} })
					return next.Sign(claims, nil)
				}
			}},
		{name: "RS256", suite: "oidcc-client-test-idtoken-sig-rs256", behave: keyed(jose.RS256, "k")},
		{name: "ES256", suite: "oidcc-client-test-idtoken-sig-es256", behave: keyed(jose.ES256, "k")},
		{name: "ES384", behave: keyed(jose.ES384, "k")},
		{name: "ES512", behave: keyed(jose.ES512, "k")},
		{name: "PS256", behave: keyed(jose.PS256, "k")},
		{name: "PS512", behave: keyed(jose.PS512, "k")},
		{name: "EdDSA", behave: keyed(jose.EdDSA, "k")},
		{name: "keys that cannot be read beside", behave: keyed(jose.ES256, "k", latticeKey, symmetricKey, brokenKey, offCurveKey, shortKey, "7", "null", "{}")},
		{name: "a hundred keys", behave: func(t testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			for i := range 100 {
				b.Published = append(b.Published, providertest.NewKey(t, jose.ES256, fmt.Sprint(i)).Public())
			}
			b.Published = append(b.Published, b.Key.Public())
		}},

		{name: "endpoints by hand", words: byHand, behave: at(providertest.PathDiscovery, cut)},
		{name: "endpoints by hand, claims from userinfo", words: byHand, behave: inUserinfo(nil)},
		{name: "requests pushed", behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) { b.Push = true }},
		{name: "requests pushed, nothing else taken", behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) { b.PushOnly = true }},
		{name: "requests pushed, secret in the body", words: "admit any\nclient_auth client_secret_post",
			behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) { b.Push, b.Post = true, true }},

		{name: "claims from userinfo", suite: "oidcc-client-test-scope-userinfo-claims", behave: inUserinfo(nil)},
		{name: "claims from userinfo, signed", suite: "oidcc-client-test-userinfo-signed", behave: informing(true, func(map[string]any) {})},
		{name: "secret in the header", suite: "oidcc-client-test-client-secret-basic"},
		{name: "secret in the body", behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Post = true
			b.Discovery = set("token_endpoint_auth_methods_supported", []string{"client_secret_post"})
		}},
		{name: "distributed claims of no interest", suite: "oidcc-client-test-distributed-claims", behave: person(func(c map[string]any) {
			c["_claim_names"] = map[string]any{"salary": "elsewhere"}
			c["_claim_sources"] = map[string]any{"elsewhere": map[string]any{"endpoint": "https://evil.test"}}
		})},

		{name: "sub of 255 characters", behave: person(set("sub", strings.Repeat("s", 255)))},
		{name: "sub that is not ASCII", behave: person(set("sub", "アリス"))},
		{name: "aud in a list", behave: telling(set("aud", []string{providertest.ClientID}))},
		{name: "azp of ours", behave: telling(set("azp", providertest.ClientID))},
		{name: "clock ahead by a minute", behave: telling(func(c map[string]any) { c["iat"], c["exp"] = in(time.Minute), in(5*time.Minute) })},
		{name: "times with a fraction", behave: telling(func(c map[string]any) {
			c["iat"], c["exp"] = float64(in(0))+0.25, float64(in(time.Minute))+0.75
		})},
		{name: "at_hash as it should be", behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			hash := b.Key.HalfHash(token)
			b.Claims = set("at_hash", hash)
			b.TokenResponse = set("access_token", token)
		}},
		{name: "at_hash with SHA-384", behave: func(t testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Key = providertest.NewKey(t, jose.ES384, "key-1")
			b.Claims = set("at_hash", b.Key.HalfHash(token))
			b.TokenResponse = set("access_token", token)
		}},
		{name: "at_hash missing", suite: "oidcc-client-test-missing-athash"},
		// c_hash is about a code that came along with the token, which this
		// one did not (OpenID Connect Core 3.3.2.11).
		{name: "c_hash of no code", suite: "oidcc-client-test-invalid-chash", behave: telling(set("c_hash", "AAAAAAAAAAAAAAAAAAAAAA"))},
		{name: "claims of its own", behave: telling(set("https://example.test/x", map[string]any{"a": []int{1}}))},

		{name: "content types with a parameter", behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			const kind = "application/json; charset=utf-8"
			b.InUserinfo = []string{"email"}
			b.ContentType = map[string]string{providertest.PathDiscovery: kind, providertest.PathKeys: kind, providertest.PathToken: kind, providertest.PathUserinfo: kind}
		}},
		{name: "content types of another time", behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.InUserinfo = []string{"email"}
			b.ContentType = map[string]string{providertest.PathDiscovery: "text/plain", providertest.PathKeys: "application/jwk-set+json",
				providertest.PathToken: "Application/JSON", providertest.PathUserinfo: "text/javascript"}
		}},
		{name: "token type in small letters", behave: granting(set("token_type", "bearer"))},
		{name: "more in the token answer", behave: granting(func(a map[string]any) { a["refresh_token"], a["scope"] = "x", "openid email" })},
		{name: "iss announced and right", behave: func(_ testing.TB, p *providertest.Provider, b *providertest.Behaviour) {
			b.Discovery = set("authorization_response_iss_parameter_supported", true)
			b.Response = func(q url.Values) { q["iss"] = []string{p.Issuer()} }
		}},
		{name: "session_state in the response", behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Response = func(q url.Values) { q["session_state"], q["scope"] = []string{"a.b"}, []string{"openid"} }
		}},
		{name: "discovery document moved", behave: func(_ testing.TB, p *providertest.Provider, b *providertest.Behaviour) {
			b.Handlers[providertest.PathDiscovery] = redirecting(http.StatusMovedPermanently, "/moved")
			b.Handlers["/moved"] = answering(http.StatusOK, "application/json", fmt.Sprintf(
				`{"issuer":%[1]q,"authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token","jwks_uri":"%[1]s/keys","id_token_signing_alg_values_supported":["ES256"]}`, p.Issuer()))
		}},

		{name: "email_verified as a word", behave: person(set("email_verified", "true"))},
		{name: "not verified but vouched for", words: "admit any\ntrust_email", behave: person(set("email_verified", false))},
		{name: "address in capitals", behave: called("CAPITALS@EXAMPLE.TEST"), email: "CAPITALS@EXAMPLE.TEST"},
		{name: "address between blanks", behave: called(" blanks@example.test "), email: "blanks@example.test"},
		{name: "domain in capitals", words: "admit EXAMPLE.test", behave: called("domain@Example.TEST"), email: "domain@Example.TEST"},
		{name: "one of several domains", words: "admit example.com example.test"},
	}
	var situations []situation
	for _, test := range tests {
		situations = append(situations, situation{name: "control " + test.name, words: test.words, behave: test.behave})
	}
	s := newStage(t, "", "", situations...)
	for i, test := range tests {
		name := test.name
		if test.suite != "" {
			name += " (" + test.suite + ")"
		}
		t.Run(name, func(t *testing.T) {
			s.For(t)
			name, email := situations[i].name, test.email
			if email == "" {
				email = slug(name) + "@example.test"
			}
			got := s.Browser().Open(start(name)).App()
			if got.URI != "/private" || got.Header.Get("Remote-Email") != email ||
				got.Header.Get("Remote-Name") != "Somebody Else" || got.Header.Get("Remote-Role") != "end-user" {
				t.Errorf("in at %s as %q, %q, %q", got.URI, got.Header.Get("Remote-Email"), got.Header.Get("Remote-Name"), got.Header.Get("Remote-Role"))
			}
			if n := len(s.providers[name].Requests(providertest.PathToken)); n != 1 {
				t.Errorf("the code was sent %d times", n)
			}
			if n := len(s.providers[name].Requests(providertest.PathKeys)); n > 2 {
				t.Errorf("the keys were fetched %d times", n)
			}
		})
	}
}
