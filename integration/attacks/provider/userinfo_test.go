//go:build integration

package provider

import (
	"net/http"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// inUserinfo has the person's claims come from userinfo.
func inUserinfo(then behaviour) behaviour {
	return func(t testing.TB, p *providertest.Provider, b *providertest.Behaviour) {
		b.InUserinfo = []string{"name", "email", "email_verified"}
		if then != nil {
			then(t, p, b)
		}
	}
}

// informing edits the userinfo; signed has it come as a JWT.
func informing(signed bool, change func(claims map[string]any)) behaviour {
	return inUserinfo(func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
		b.SignUserinfo, b.Userinfo = signed, change
	})
}

// informed replaces the userinfo with a JWT.
func informed(forge func(own *providertest.Key, claims map[string]any) string) behaviour {
	return inUserinfo(func(_ testing.TB, p *providertest.Provider, b *providertest.Behaviour) {
		own := b.Key
		claims := map[string]any{"iss": p.Issuer(), "aud": providertest.ClientID}
		for name, value := range b.Person {
			claims[name] = value
		}
		b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, r *http.Request) {
			answering(http.StatusOK, "application/jwt", forge(own, claims))(w, r)
		}
	})
}

// Rule 17: userinfo that is not to be believed (OpenID Connect Core 5.3).
func TestUserinfo(t *testing.T) {
	t.Parallel()
	stranger := providertest.NewKey(t, jose.ES256, "key-1")
	nowhere := trap(t)
	var attacks []attack
	for _, test := range []struct {
		name, suite string
		behave      behaviour
		refusal
	}{
		{"sub of somebody else", "oidcc-client-test-userinfo-invalid-sub", informing(false, set("sub", "the-boss")),
			believedNot("userinfo: sub is not that of the ID token: it is about somebody else")},
		{"sub missing", "", informing(false, without("sub")), believedNot("userinfo: there is no sub")},
		{"sub in capitals", "", informing(false, renamed("sub", "SUB")), believedNot("userinfo: there is no sub")},
		{"sub a number", "", informing(false, set("sub", 7)), believedNot("userinfo: json: cannot unmarshal number")},
		{"sub twice", "", instead(answering(http.StatusOK, "application/json",
			`{"sub":"the-boss","sub":"x-userinfo-sub-twice","email":"boss@example.test"}`)), believedNot("userinfo: json: duplicate key 'sub'")},
		{"signed about somebody else", "", informing(true, set("sub", "the-boss")), believedNot("userinfo: sub is not that of the ID token")},
		{"signed by another issuer", "", informing(true, set("iss", "https://evil.test")), believedNot("userinfo: it is signed, but iss is not the provider's")},
		{"signed by nobody in particular", "", informing(true, without("iss")), believedNot("userinfo: it is signed, but iss is not the provider's")},
		{"signed for another client", "", informing(true, set("aud", "another-client")), believedNot("userinfo: it is signed, but aud is not this client")},
		{"signed for nobody", "", informing(true, without("aud")), believedNot("userinfo: it is signed, but aud is not this client")},
		{"signed with a stranger's key", "", informed(func(_ *providertest.Key, c map[string]any) string { return stranger.Sign(c, nil) }),
			believedNot("userinfo: the signature is wrong")},
		{"signed with nothing", "", informed(func(_ *providertest.Key, c map[string]any) string {
			return providertest.Forge(`{"alg":"none"}`, c, nil)
		}),
			believedNot(`userinfo: unexpected signature algorithm "none"`)},
		{"signed with the client secret", "", informed(func(_ *providertest.Key, c map[string]any) string {
			return providertest.ForgeHS256([]byte(providertest.ClientSecret), c)
		}), believedNot(`userinfo: unexpected signature algorithm "HS256"`)},
		{"encrypted", "", informed(func(own *providertest.Key, c map[string]any) string { return encrypted(t, own, payload(c)) }),
			believedNot("userinfo: ")},
		{"signed and called JSON", "", inUserinfo(func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Handlers[providertest.PathUserinfo] = answering(http.StatusOK, "application/json", b.Key.Sign(b.Person, nil))
		}), believedNot("userinfo: invalid character")},
		{"a web page", "", instead(answering(http.StatusOK, "text/html", "<h1>hello</h1>")),
			believedNot("userinfo: invalid character")},
		{"refused", "", instead(answering(http.StatusUnauthorized, "text/html", "no")),
			believedNot("answers with status 401")},
		{"redirected", "", instead(redirecting(http.StatusFound, nowhere)),
			believedNot("redirects (302), which is not followed there")},
		{"endless", "", instead(endless), believedNot("the answer is larger than 1 MiB")},
		{"broken", "", instead(answering(http.StatusInternalServerError, "text/html", "sorry")),
			refusal{http.StatusBadGateway, "provider_unreachable", "answers with status 500"}},
		{"cut", "", instead(cut), refusal{http.StatusBadGateway, "provider_unreachable", "EOF"}},

		// Claims of others are neither asked for nor believed (5.6.2).
		{"distributed claims", "oidcc-client-test-distributed-claims", informing(false, func(c map[string]any) {
			delete(c, "email")
			c["_claim_names"] = map[string]any{"email": "elsewhere"}
			c["_claim_sources"] = map[string]any{"elsewhere": map[string]any{"endpoint": nowhere, "access_token": "x"}}
		}), refusal{http.StatusForbidden, "no_email", "neither ID token nor userinfo has an e-mail address"}},
		{"aggregated claims", "oidcc-client-test-aggregated-claims", informing(false, func(c map[string]any) {
			delete(c, "email")
			c["_claim_names"] = map[string]any{"email": "inside"}
			c["_claim_sources"] = map[string]any{"inside": map[string]any{"JWT": stranger.Sign(map[string]any{"email": "boss@example.test"}, nil)}}
		}), refusal{http.StatusForbidden, "no_email", "neither ID token nor userinfo has an e-mail address"}},
		{"verified is another address", "", func(t testing.TB, p *providertest.Provider, b *providertest.Behaviour) {
			b.InUserinfo = []string{"email_verified"}
			b.Userinfo = set("email", "another@example.test")
		}, refusal{http.StatusForbidden, "email_unverified", "trust_email"}},
	} {
		attacks = append(attacks, attack{
			situation: situation{name: "userinfo " + test.name, behave: test.behave},
			suite:     test.suite,
			refusal:   test.refusal,
		})
	}
	repel(t, attacks)
}

// believedNot is the refusal of a token or userinfo that is not believed.
func believedNot(reason string) refusal {
	return refusal{http.StatusBadGateway, "provider_refused", reason}
}

// instead replaces the userinfo endpoint.
func instead(handler http.HandlerFunc) behaviour {
	return inUserinfo(at(providertest.PathUserinfo, handler))
}
