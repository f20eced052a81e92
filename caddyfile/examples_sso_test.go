package caddyfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

// jsonBlock is what a provider sends, in the README of its example.
var jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")

// TestSSOExamples: with what each provider's README says that it sends, the
// Caddyfile beside it makes of Alice what is meant.
func TestSSOExamples(t *testing.T) {
	for _, c := range []struct {
		name     string
		role     identity.Role // what counts of it, after max_role
		changes  identity.Changes
		ignored  int
		userinfo bool // what is mapped is not all in the ID token
	}{
		{
			name: "entra", role: identity.Agent,
			changes: identity.Changes{"groups": {"0760b6cf-170e-4a14-91b3-4b78e0739963", "3b2b0c93-acd8-4208-8eba-7a48db1cd4c0"}},
		},
		{
			name:    "google",
			changes: identity.Changes{"field.hd": {"example.com"}, "picture": {"https://lh3.googleusercontent.com/a/example=s96-c"}},
		},
		{
			name: "okta", role: identity.Agent,
			changes: identity.Changes{"groups": {"agent", "support-emea"}, "locale": {"en-US"}},
		},
		{
			name: "keycloak", role: identity.Agent,
			changes: identity.Changes{"groups": {"default-roles-example", "offline_access", "warehouse"}},
		},
		{
			name: "authentik", role: identity.Agent,
			changes: identity.Changes{"groups": {"Warehouse", "authentik Admins"}},
		},
		{
			name: "gitlab", userinfo: true,
			changes: identity.Changes{
				"groups":  {"example-group", "example-group/warehouse"},
				"tags":    {"example-group/warehouse"},
				"picture": {"https://secure.gravatar.com/avatar/0?s=80&d=identicon"},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := filepath.Join("..", "examples", "sso-"+c.name)
			config := example(t, filepath.Join(folder, "Caddyfile"))
			app := new(module.App)
			if err := caddy.StrictUnmarshalJSON(config.AppsRaw[name], app); err != nil {
				t.Fatal(err)
			}
			provider := app.SSO[c.name]
			if provider == nil {
				t.Fatalf("no sso %s", c.name)
			}
			mapping, err := identity.NewMapping(provider.Claims, nil)
			if err != nil {
				t.Fatal(err)
			}

			readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			told := sent(t, string(readme))
			token := told[0]
			if token["iss"] != provider.Issuer || token["aud"] != provider.ClientID {
				t.Errorf("a token of %v for %v, and %s and %s are configured", token["iss"], token["aud"], provider.Issuer, provider.ClientID)
			}
			if mapping.Lacks(token, provider.TrustEmail) != c.userinfo || (len(told) > 1) != c.userinfo {
				t.Errorf("asks userinfo: %t; it is told: %t", !c.userinfo, len(told) > 1)
			}
			got := mapping.Read(told...)
			if got.Email != "alice@example.com" || got.Name != "Alice Example" || got.Role != c.role || len(got.Ignored) != c.ignored {
				t.Errorf("got %+v", got)
			}
			if !got.EmailVerified && !provider.TrustEmail {
				t.Error("the address is no way in")
			}
			if !reflect.DeepEqual(got.Changes, c.changes) {
				t.Errorf("keeps %v", got.Changes)
			}

			for _, origin := range []string{"https://app.example.com", "http://localhost:8080"} {
				if callback := origin + "/auth-gateway/sso/" + c.name + "/callback"; !strings.Contains(string(readme), callback) {
					t.Errorf("the README does not say to register %s", callback)
				}
			}
		})
	}
}

// sent returns what the README of an example says that its provider sends: an
// ID token, and perhaps what userinfo has.
func sent(t *testing.T, readme string) (told []map[string]any) {
	t.Helper()
	for _, block := range jsonBlock.FindAllStringSubmatch(readme, -1) {
		decoder := json.NewDecoder(strings.NewReader(block[1]))
		decoder.UseNumber()
		var claims map[string]any
		if err := decoder.Decode(&claims); err != nil {
			t.Fatalf("%v: %s", err, block[1])
		}
		told = append(told, claims)
	}
	if len(told) == 0 {
		t.Fatal("the README does not say what the provider sends")
	}
	return told
}
