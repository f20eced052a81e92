package identity

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseAttribute(t *testing.T) {
	for _, name := range []string{
		"email", "name", "role", "groups", "organizations", "organization_ids", "tags", "phone", "locale",
		"picture", "external_id", "custom_role_id", "field.team", "field.cost_center", "field.A-1", "field." + strings.Repeat("x", 64),
	} {
		if err := ParseAttribute(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "Email", "mail", "account", "id", "member", "field", "field.", "field.a b", "field.a.b", "field.日本", "field.a\n", "field." + strings.Repeat("x", 65)} {
		if ParseAttribute(name) == nil {
			t.Errorf("%q is taken for an attribute", name)
		}
	}
}

func TestValues(t *testing.T) {
	for name, want := range map[string][]string{
		"email": {"alice@example.test"}, "name": {"Alice Adams"}, "role": {"agent"}, "groups": {"dev", "ops"},
		"organizations": {"Acme", "Umbrella"}, "organization_ids": {"1", "2"}, "tags": {"vip"}, "phone": {"+0012"},
		"locale": {"ja"}, "picture": {"https://img.test/a.png"}, "external_id": {"007"}, "custom_role_id": {"42"},
		"field.team": {"blue"}, "field.floor": nil, "nothing": nil,
	} {
		if got := alice.Values(name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if got := new(Attributes).Values(name); len(got) != 0 {
			t.Errorf("%s of nobody: got %q", name, got)
		}
	}
	alice.Values("groups")[0] = "changed"
	if alice.Groups[0] != "dev" {
		t.Error("Values lends what it should copy")
	}
}

func TestPlaceholder(t *testing.T) {
	for key, want := range map[string]string{
		"id": "alice@example.test", "account": "a1b2c3", "email": "alice@example.test", "name": "Alice Adams", "role": "agent",
		"groups": "dev,ops", "field.team": "blue", "field.floor": "", "http.auth.user.id": "alice@example.test", "http.auth.user.phone": "+0012",
	} {
		if got, ok := alice.Placeholder(key); got != want || !ok {
			t.Errorf("%s: got %q, %v, want %q", key, got, ok, want)
		}
		if got, ok := (Identity{}).Placeholder(key); got != "" || !ok {
			t.Errorf("%s of nobody: got %q, %v, want it to be empty", key, got, ok)
		}
	}
	for _, key := range []string{"", "password", "field.", "http.auth.user", "http.auth.user."} {
		if got, ok := alice.Placeholder(key); ok {
			t.Errorf("%q: got %q", key, got)
		}
	}
	broken := Identity{Attributes: Attributes{Name: "a\r\nSet-Cookie: b"}}
	if got, ok := broken.Placeholder("name"); got != "" || !ok {
		t.Errorf("a line break: got %q", got)
	}
}

func TestRoles(t *testing.T) {
	if !Admin.AtLeast(Agent) || !Agent.AtLeast(EndUser) || !Agent.AtLeast(Agent) || Agent.AtLeast(Admin) || EndUser.AtLeast(Agent) {
		t.Error("roles are out of order")
	}
	if Role("root").AtLeast(EndUser) || Role("").AtLeast(EndUser) {
		t.Error("an unknown role may do something")
	}
	if _, err := ParseRole("Admin"); err == nil {
		t.Error("Admin is taken for admin")
	}
}
