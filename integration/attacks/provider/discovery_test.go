//go:build integration

package provider

import (
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// Discovery documents that must not be used (OpenID Connect Discovery 1.0
// section 4.3). Nobody is sent to such a provider.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	publish := func(change func(document map[string]any)) behaviour {
		return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) { b.Discovery = change }
	}
	document := func(handler http.HandlerFunc) behaviour { return at(providertest.PathDiscovery, handler) }
	issuer := func(reason string) refusal { return refusal{http.StatusBadGateway, "unexpected_issuer", reason} }
	useless := func(reason string) refusal { return refusal{http.StatusBadGateway, "provider_unreachable", reason} }
	var attacks []attack
	for _, test := range []struct {
		name, suite string
		behave      behaviour
		refusal
	}{
		{"another issuer", "oidcc-client-test-discovery-issuer-mismatch", publish(set("issuer", "https://evil.test")),
			issuer(`is of issuer "https://evil.test"`)},
		{"issuer with a slash at the end", "", publish(func(d map[string]any) { d["issuer"] = d["issuer"].(string) + "/" }), issuer("a slash at the end included")},
		{"issuer of many tenants", "", publish(set("issuer", "https://login.microsoftonline.com/{tenantid}/v2.0")), issuer("speaks for many tenants")},
		{"issuer missing", "", publish(without("issuer")), useless("the discovery document has no issuer")},
		{"issuer in capitals", "", publish(renamed("issuer", "ISSUER")), useless("the discovery document has no issuer")},
		{"issuer twice", "", document(answering(http.StatusOK, "application/json", `{"issuer":"https://evil.test","issuer":"https://evil.test"}`)),
			useless("is not a discovery document: json: duplicate key 'issuer'")},
		{"authorization endpoint missing", "", publish(without("authorization_endpoint")), useless("authorization_endpoint is missing")},
		{"token endpoint missing", "", publish(without("token_endpoint")), useless("token_endpoint is missing")},
		{"keys missing", "oidcc-client-test-discovery-jwks-uri-keys", publish(without("jwks_uri")), useless("jwks_uri is missing")},
		{"authorization endpoint a script", "", publish(set("authorization_endpoint", "javascript:alert(1)")), useless("authorization_endpoint")},
		{"authorization endpoint in the clear", "", publish(set("authorization_endpoint", "http://idp.example.test/")), useless("is not https")},
		{"token endpoint in the clear", "", publish(set("token_endpoint", "http://idp.example.test/")), useless("is not https")},
		{"keys in the clear", "", publish(set("jwks_uri", "http://idp.example.test/")), useless("is not https")},
		{"userinfo in the clear", "", publish(set("userinfo_endpoint", "http://idp.example.test/")), useless("is not https")},
		{"keys from the machine's own files", "", publish(set("jwks_uri", "file:///etc/passwd")), useless("jwks_uri")},
		{"token endpoint with a line break", "", publish(set("token_endpoint", "https://idp.example.test/\r\nX: y")), useless("token_endpoint")},
		{"symmetric signatures only", "", publish(set("id_token_signing_alg_values_supported", []string{"HS256", "none"})), useless("HS256")},
		{"no way to send a secret", "", publish(set("token_endpoint_auth_methods_supported", []string{"private_key_jwt"})), useless("private_key_jwt")},
		{"a web page", "", document(answering(http.StatusOK, "text/html", "<h1>welcome</h1>")), useless("is not a discovery document")},
		{"not there", "", document(answering(http.StatusNotFound, "text/html", "nothing")), useless("answers with status 404")},
		{"broken", "", document(answering(http.StatusServiceUnavailable, "text/html", "sorry")), useless("answers with status 503")},
		{"cut", "", document(cut), useless("EOF")},
		{"endless", "", document(endless), useless("the answer is larger than 1 MiB")},
		{"very deep", "", document(answering(http.StatusOK, "application/json", strings.Repeat(`{"issuer":`, 50_000))), useless("is not a discovery document")},
		{"redirected to plain http", "", document(redirecting(http.StatusFound, "http://idp.example.test/")), useless("is not https")},
	} {
		attacks = append(attacks, attack{
			situation: situation{name: "discovery " + test.name, behave: test.behave},
			suite:     test.suite, refusal: test.refusal, unspent: true,
		})
	}
	repel(t, attacks)
}
