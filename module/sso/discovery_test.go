package sso_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// TestDiscoveryAttacks are documents that must not be used.
func TestDiscoveryAttacks(t *testing.T) {
	set := func(name string, value any) func(map[string]any) {
		return func(d map[string]any) { d[name] = value }
	}
	tests := []struct {
		name   string
		change func(d map[string]any)
		kind   sso.FaultKind
		reason string
	}{
		{"another issuer", set("issuer", "https://evil.test"), sso.FaultIssuer, `is of issuer "https://evil.test"`},
		{"the issuer with a slash", func(d map[string]any) { d["issuer"] = d["issuer"].(string) + "/" }, sso.FaultIssuer, "a slash at the end included"},
		{"the issuer in capitals", func(d map[string]any) { d["issuer"] = strings.ToUpper(d["issuer"].(string)) }, sso.FaultIssuer, "is of issuer"},
		{"many tenants", set("issuer", "https://login.microsoftonline.com/{tenantid}/v2.0"), sso.FaultIssuer, "many tenants"},
		{"no issuer", func(d map[string]any) { delete(d, "issuer") }, sso.FaultDiscovery, "no issuer"},
		{"issuer under another spelling", func(d map[string]any) { d["Issuer"] = d["issuer"]; delete(d, "issuer") }, sso.FaultDiscovery, "no issuer"},
		{"no authorization endpoint", func(d map[string]any) { delete(d, "authorization_endpoint") }, sso.FaultDiscovery, "authorization_endpoint is missing"},
		{"no token endpoint", func(d map[string]any) { delete(d, "token_endpoint") }, sso.FaultDiscovery, "token_endpoint is missing"},
		{"no keys", func(d map[string]any) { delete(d, "jwks_uri") }, sso.FaultDiscovery, "jwks_uri is missing"},
		{"token endpoint in the clear", set("token_endpoint", "http://idp.example.test/token"), sso.FaultDiscovery, "is not https"},
		{"keys in the clear", set("jwks_uri", "http://idp.example.test/keys"), sso.FaultDiscovery, "is not https"},
		{"userinfo in the clear", set("userinfo_endpoint", "http://idp.example.test/me"), sso.FaultDiscovery, "is not https"},
		{"authorization endpoint is a script", set("authorization_endpoint", "javascript:alert(1)"), sso.FaultDiscovery, "authorization_endpoint"},
		{"authorization endpoint is relative", set("authorization_endpoint", "/authorize"), sso.FaultDiscovery, "authorization_endpoint"},
		{"authorization endpoint with a fragment", set("authorization_endpoint", "https://idp.example.test/#a"), sso.FaultDiscovery, "fragment"},
		{"token endpoint with a password", set("token_endpoint", "https://a:b@idp.example.test/"), sso.FaultDiscovery, "password"},
		{"symmetric signatures only", set("id_token_signing_alg_values_supported", []string{"HS256", "none"}), sso.FaultDiscovery, "HS256"},
		{"endpoint is a number", set("token_endpoint", 7), sso.FaultDiscovery, "not a discovery document"},
		{"no way to send the secret", set("token_endpoint_auth_methods_supported", []string{"private_key_jwt"}), sso.FaultDiscovery, "private_key_jwt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) { b.Discovery = test.change })
			if fault := wantFault(t, s.tryStart(t), test.kind, test.reason); !fault.AtProvider() {
				t.Error("it does not count as the provider's fault")
			}
		})
	}
}

// TestDiscoveryRedirect: a document without secrets may have moved.
func TestDiscoveryRedirect(t *testing.T) {
	s := newScene(t)
	s.behave(func(b *providertest.Behaviour) {
		b.Handlers[providertest.PathDiscovery] = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/moved", http.StatusMovedPermanently)
		}
		b.Handlers["/moved"] = func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":%[1]q,"authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token","jwks_uri":"%[1]s/keys"}`, s.idp.Issuer())
		}
	})
	if err := s.tryStart(t); err != nil {
		t.Error(err)
	}
}
