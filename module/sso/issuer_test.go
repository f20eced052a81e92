package sso_test

import (
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
)

func TestValidateIssuer(t *testing.T) {
	good := []string{
		"https://idp.example.com",
		"https://idp.example.com/",
		"https://idp.example.com:8443/realms/staff",
		"https://accounts.google.com",
		"https://tenant.eu.auth0.com/",
		"https://login.microsoftonline.com/6c12b0b0-b2cc-4a73-8252-0b94bfca2145/v2.0",
		"https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0",
		"https://sts.windows.net/6c12b0b0-b2cc-4a73-8252-0b94bfca2145/",
		"https://idp.example.com/common",
		"https://idp.example.com/a%20b",
		"http://localhost:9000",
		"http://idp.localhost:9000/",
		"http://127.0.0.1:9000/oidc",
		"http://127.8.9.10",
		"http://[::1]:9000",
	}
	for _, issuer := range good {
		if err := sso.ValidateIssuer(issuer); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}

	bad := []struct{ issuer, reason string }{
		{"", "empty"},
		{"idp.example.com", "not an address"},
		{"//idp.example.com", "https"},
		{"https:idp.example.com", "not an address"},
		{"https://", "not an address"},
		{"https:///path", "not an address"},
		{"ftp://idp.example.com", "use https"},
		{"http://idp.example.com", "loopback"},
		{"http://localhost.example.com", "loopback"},
		{"http://127.0.0.1.example.com", "loopback"},
		{"http://10.0.0.1", "loopback"},
		{"http://127.1", "loopback"},
		{"http://2130706433", "loopback"},
		{"https://idp.example.com?x=1", "query"},
		{"https://idp.example.com/?", "query"},
		{"https://idp.example.com/#", "fragment"},
		{"https://idp.example.com/#a", "fragment"},
		{"https://user:password@idp.example.com", "user name or password"},
		{"https://idp.example.com:70000", "port"},
		{"https://idp.example.com:", "port"},
		{"https://idp.example.com ", "character"},
		{" https://idp.example.com", "character"},
		{"https://idp.example.com/\t", "character"},
		{"https://idp.example.com\\evil", "character"},
		{"https://idp.example.com/日本", "character"},
		{"https://idp.example.com/a/../b", "dots"},
		{"https://idp.example.com/.well-known/openid-configuration", "leave out"},
		{"https://login.microsoftonline.com/common/v2.0", "many tenants"},
		{"https://login.microsoftonline.com/Common/v2.0", "many tenants"},
		{"https://LOGIN.microsoftonline.com./organizations/v2.0", "many tenants"},
		{"https://login.microsoftonline.com/consumers/v2.0", "many tenants"},
		{"https://login.microsoftonline.com", "many tenants"},
		{"https://login.microsoftonline.us/common/v2.0", "many tenants"},
		{"https://login.microsoftonline.com/{tenantid}/v2.0", "many tenants"},
		{"https://idp.example.com/{tenant}", "many tenants"},
	}
	for _, test := range bad {
		err := sso.ValidateIssuer(test.issuer)
		if err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%q: error %v, want one that says %q", test.issuer, err, test.reason)
		}
		if err != nil && strings.Contains(err.Error(), ":password@") {
			t.Errorf("%q: the error repeats the password", test.issuer)
		}
	}
}
