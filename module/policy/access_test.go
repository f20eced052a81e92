package policy

import (
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

func TestAdmits(t *testing.T) {
	alice := identity.Attributes{
		Email: "Alice@Example.test", Name: "Alice", Role: identity.Agent,
		Groups: []string{"dev", "ops"}, Fields: map[string]string{"team": "blue"},
	}
	is := func(attribute string, values ...string) Rule { return Rule{attribute, values} }
	for _, tc := range []struct {
		name        string
		allow, deny []Rule
		want        bool
	}{
		{"no rules", nil, nil, true},
		{"allowed by role", []Rule{is("role", "admin", "agent")}, nil, true},
		{"not allowed by role", []Rule{is("role", "admin")}, nil, false},
		{"a higher role is not a lower one", []Rule{is("role", "end-user")}, nil, false},
		{"any allow line is enough", []Rule{is("role", "admin"), is("groups", "ops")}, nil, true},
		{"two lines of one attribute", []Rule{is("groups", "hr"), is("groups", "ops")}, nil, true},
		{"any member of a list", []Rule{is("groups", "ops")}, nil, true},
		{"part of a member", []Rule{is("groups", "op")}, nil, false},
		{"members compare with case", []Rule{is("groups", "OPS")}, nil, false},
		{"addresses compare without case", []Rule{is("email", "alice@EXAMPLE.test")}, nil, true},
		{"another address", []Rule{is("email", "alice@example.test.evil.test")}, nil, false},
		{"names compare with case", []Rule{is("name", "alice")}, nil, false},
		{"a field", []Rule{is("field.team", "blue")}, nil, true},
		{"a field that is not there", []Rule{is("field.floor", "blue")}, nil, false},
		{"an attribute that is not there", []Rule{is("phone", "+1")}, nil, false},
		{"denied", nil, []Rule{is("groups", "dev")}, false},
		{"deny wins", []Rule{is("role", "agent")}, []Rule{is("email", "ALICE@example.TEST")}, false},
		{"denied is somebody else", []Rule{is("role", "agent")}, []Rule{is("email", "bob@example.test")}, true},
		{"absent is not denied", nil, []Rule{is("phone", "+1"), is("tags", "x"), is("field.floor", "1")}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			access, err := NewAccess(tc.allow, tc.deny)
			if err != nil {
				t.Fatal(err)
			}
			if got := access.Admits(&alice); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestNewAccessRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		rule  Rule
		wrong string
	}{
		{"unknown attribute", Rule{"mail", []string{"x"}}, `"mail"`},
		{"field without key", Rule{"field.", []string{"x"}}, "1 to 64"},
		{"no values", Rule{"groups", nil}, "no value"},
		{"empty value", Rule{"groups", []string{"dev", ""}}, "empty value"},
		{"blank address", Rule{"email", []string{" "}}, "empty value"},
		{"unknown role", Rule{"role", []string{"administrator"}}, `"administrator"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := NewAccess([]Rule{tc.rule}, nil); err == nil || !strings.Contains(err.Error(), "allow: ") || !strings.Contains(err.Error(), tc.wrong) {
				t.Errorf("allow: got error %v, want one that says %q", err, tc.wrong)
			}
			if _, err := NewAccess(nil, []Rule{tc.rule}); err == nil || !strings.Contains(err.Error(), "deny: ") {
				t.Errorf("deny: got error %v", err)
			}
		})
	}
}

func BenchmarkAdmits(b *testing.B) {
	access, err := NewAccess([]Rule{{"role", []string{"agent"}}, {"groups", []string{"ops"}}}, []Rule{{"email", []string{"bob@example.test"}}})
	if err != nil {
		b.Fatal(err)
	}
	person := identity.Attributes{Email: "alice@example.test", Role: identity.EndUser, Groups: []string{"dev", "ops"}}
	b.ReportAllocs()
	for b.Loop() {
		access.Admits(&person)
	}
}
