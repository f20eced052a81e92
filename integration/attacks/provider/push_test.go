//go:build integration

package provider

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// Providers that misbehave where authorization requests are pushed to them (RFC
// 9126). Nobody is sent to them, and nothing is tried in another way.
func TestPushedRequests(t *testing.T) {
	t.Parallel()
	const bad = http.StatusBadGateway
	elsewhere := trap(t)
	var attacks []attack
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		refusal
	}{
		{"client refused", answering(http.StatusUnauthorized, "application/json", `{"error":"invalid_client","error_description":"the key is not registered"}`),
			refusal{bad, "invalid_client", `the provider says "invalid_client" ("the key is not registered")`}},
		{"client not allowed", answering(http.StatusBadRequest, "application/json", `{"error":"unauthorized_client"}`), refusal{bad, "unauthorized_client", "unauthorized_client"}},
		{"scope refused", answering(http.StatusBadRequest, "application/json", `{"error":"invalid_scope"}`), refusal{bad, "invalid_scope", "invalid_scope"}},
		{"callback refused", answering(http.StatusBadRequest, "application/json", `{"error":"invalid_request","error_description":"redirect_uri is not registered"}`),
			refusal{bad, "redirect_mismatch", "redirect_uri is not registered"}},
		{"redirected with the secret", redirecting(http.StatusTemporaryRedirect, elsewhere), refusal{bad, "provider_refused", "which is not followed"}},
		{"a web page", answering(http.StatusOK, "text/html", "<h1>welcome</h1>"), refusal{bad, "provider_refused", "the answer cannot be read"}},
		{"no request_uri", answering(http.StatusCreated, "application/json", `{"expires_in":60}`), refusal{bad, "provider_refused", "no request_uri"}},
		{"request_uri twice", answering(http.StatusCreated, "application/json", `{"expires_in":60,"request_uri":"urn:a","request_uri":"urn:b"}`), refusal{bad, "provider_refused", "the answer cannot be read"}},
		{"request_uri without end", answering(http.StatusCreated, "application/json", `{"expires_in":60,"request_uri":"`+strings.Repeat("a", 5000)+`"}`),
			refusal{bad, "provider_refused", "longer than 1024 bytes"}},
		{"over already", answering(http.StatusCreated, "application/json", `{"expires_in":-1,"request_uri":"urn:a"}`), refusal{bad, "provider_refused", "expires_in is -1"}},
		{"endless", endless, refusal{bad, "provider_refused", "larger than 1 MiB"}},
		{"cut", cut, refusal{bad, "provider_unreachable", "EOF"}},
		{"broken", answering(http.StatusServiceUnavailable, "text/html", "sorry"), refusal{bad, "temporarily_unavailable", "status 503"}},
	} {
		attacks = append(attacks, attack{
			situation: situation{name: "push " + test.name, behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
				b.Push = true
				b.Handlers[providertest.PathPush] = test.handler
			}},
			refusal: test.refusal,
			unspent: true,
		})
	}
	attacks = append(attacks, attack{
		situation: situation{name: "push in the clear", behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Discovery = set("pushed_authorization_request_endpoint", "http://idp.example.test/push")
		}},
		refusal: refusal{bad, "provider_unreachable", "is not https"},
		unspent: true,
	})
	repel(t, attacks)
}

// byHand are the words of an SSO config whose endpoints the configuration tells.
const byHand = `admit any
discovery off
endpoints {
	authorization {issuer}` + providertest.PathAuthorization + `
	token {issuer}` + providertest.PathToken + `
	userinfo {issuer}` + providertest.PathUserinfo + `
	jwks {issuer}` + providertest.PathKeys + `
}`

// Providers without a discovery document are believed no more than others.
func TestEndpointsByHand(t *testing.T) {
	t.Parallel()
	const bad = http.StatusBadGateway
	var attacks []attack
	for _, test := range []struct {
		name   string
		behave behaviour
		refusal
	}{
		{"token of another issuer", telling(set("iss", "https://evil.test")), refusal{bad, "unexpected_issuer", `iss is "https://evil.test"`}},
		{"token for another client", telling(set("aud", "another-client")), refusal{bad, "provider_refused", "expected audience"}},
		{"token signed with the secret", func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Sign = func(claims map[string]any) string {
				return providertest.ForgeHS256([]byte(providertest.ClientSecret), claims)
			}
		}, refusal{bad, "provider_refused", "HS256"}},
		{"token that is not signed", func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Sign = func(claims map[string]any) string {
				return providertest.Forge(`{"alg":"none"}`, claims, nil)
			}
		}, refusal{bad, "provider_refused", "none"}},
		{"token from yesterday", telling(set("exp", in(-24*time.Hour))), refusal{bad, "clock_skew", "it expired at"}},
		{"keys not there", at(providertest.PathKeys, answering(http.StatusNotFound, "text/html", "nothing")), refusal{bad, "unusable_keys", "status 404"}},
		{"keys cut", at(providertest.PathKeys, cut), refusal{bad, "provider_unreachable", "EOF"}},
		{"userinfo about somebody else", func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.InUserinfo = []string{"email"}
			b.Userinfo = set("sub", "somebody-else")
		}, refusal{bad, "provider_refused", "about somebody else"}},
	} {
		attacks = append(attacks, attack{
			situation: situation{name: "by hand " + test.name, words: byHand, behave: test.behave},
			refusal:   test.refusal,
		})
	}
	repel(t, attacks)
}
