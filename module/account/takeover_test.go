package account

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

func TestNothingIsWrittenThatIsNotNew(t *testing.T) {
	w := newWorld(t)
	first := w.through(alice(), anyone())
	w.clock.Pass(time.Hour)
	w.through(alice(), anyone())
	if again := w.account(first.ID); !again.UpdatedAt.Equal(first.UpdatedAt) || again.Epoch != first.Epoch {
		t.Errorf("a sign-in without news changed the account: %+v, before %+v", again, first)
	}
}

func (w *world) role(id string, role identity.Role) {
	w.t.Helper()
	err := w.SetAttributes(w.t.Context(), id, func(a *identity.Attributes) error { a.Role = role; return nil }, nil)
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestRoleByClaim: what a claim can do to a role (max_role, rule 20).
func TestRoleByClaim(t *testing.T) {
	tests := []struct {
		name             string
		has, claim, most identity.Role
		others           int // further administrators
		want             identity.Role
	}{
		{"no claim", identity.Agent, "", identity.Admin, 0, identity.Agent},
		{"an unknown role", identity.Agent, "root", identity.Admin, 0, identity.Agent},
		{"up", identity.EndUser, identity.Agent, identity.Agent, 0, identity.Agent},
		{"up, but not beyond the most", identity.EndUser, identity.Admin, identity.Agent, 0, identity.Agent},
		{"without a most", identity.EndUser, identity.Admin, "", 0, identity.EndUser},
		{"down", identity.Agent, identity.EndUser, identity.Agent, 0, identity.EndUser},
		{"an administrator whose claim is more than it can give", identity.Admin, identity.Admin, identity.Agent, 1, identity.Admin},
		{"an administrator of several, down", identity.Admin, identity.EndUser, identity.Agent, 1, identity.EndUser},
		{"the last administrator, down", identity.Admin, identity.EndUser, identity.Agent, 0, identity.Admin},
		{"the last administrator, to agent", identity.Admin, identity.Agent, identity.Admin, 0, identity.Admin},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			first := w.through(alice(), anyone())
			w.role(first.ID, test.has)
			for i := range test.others {
				w.role(w.prepare(fmt.Sprintf("admin-%d@example.test", i)), identity.Admin)
			}
			a := alice()
			a.Attributes.Role = test.claim
			w.through(a, Admission{Admit: []string{"any"}, MaxRole: test.most})
			if got := w.account(first.ID).Attributes.Role; got != test.want {
				t.Errorf("role %s, want %s", got, test.want)
			}
		})
	}

	t.Run("at the first sign-in", func(t *testing.T) {
		w := newWorld(t)
		a := alice()
		a.Attributes.Role = identity.Admin
		if got := w.through(a, anyone()); got.Attributes.Role != identity.Agent {
			t.Errorf("role %s", got.Attributes.Role)
		}
	})

	t.Run("another administrator who is suspended does not count", func(t *testing.T) {
		w := newWorld(t)
		first := w.through(alice(), anyone())
		w.role(first.ID, identity.Admin)
		other := w.prepare("other@example.test")
		w.role(other, identity.Admin)
		w.suspend(other)
		a := alice()
		a.Attributes.Role = identity.EndUser
		if got := w.through(a, anyone()); got.Attributes.Role != identity.Admin {
			t.Errorf("role %s", got.Attributes.Role)
		}
	})
}

// TestAttributesFromProvider: each sign-in takes over what the provider told, and
// leaves what it did not tell (S8, S10).
func TestAttributesFromProvider(t *testing.T) {
	w := newWorld(t)
	told := func(role identity.Role, changes identity.Changes) identity.Attributes {
		t.Helper()
		a := alice()
		a.Attributes.Role, a.Changes = role, changes
		in := w.through(a, anyone())
		if stored := w.account(in.ID).Attributes; !stored.Equal(&in.Attributes) {
			t.Errorf("returned %+v, stored %+v", in.Attributes, stored)
		}
		return in.Attributes
	}
	got := told("", identity.Changes{"tags": {"a", "b"}, "phone": {"+0012"}, "field.x": {"1"}, "field.y": {"2"}, "custom_role_id": {"42"}})
	if got.Role != identity.EndUser || strings.Join(got.Tags, " ") != "a b" || got.Phone != "+0012" || got.Fields["x"] != "1" {
		t.Errorf("first: %+v", got)
	}
	if got.CustomRoleID != "" {
		t.Error("a custom role counts for an end user")
	}
	got = told(identity.Agent, identity.Changes{"tags": {"c"}, "field.x": nil, "custom_role_id": {"42"}})
	if _, there := got.Fields["x"]; there || got.Role != identity.Agent || strings.Join(got.Tags, " ") != "c" || got.Phone != "+0012" || got.Fields["y"] != "2" || got.CustomRoleID != "42" {
		t.Errorf("second: %+v", got)
	}
	if got = told("", nil); got.Role != identity.Agent || got.CustomRoleID != "42" {
		t.Errorf("nothing told: %+v", got)
	}

	// The provider is the source of what it sends, whatever an administrator
	// has set; and a role too low for it ends a custom role.
	id := w.through(alice(), anyone()).ID
	err := w.SetAttributes(t.Context(), id, func(a *identity.Attributes) error {
		a.Name, a.Tags, a.Phone = "By hand", []string{"by", "hand"}, "+99"
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got = told("", identity.Changes{"tags": nil}); got.Name != "Alice Example" || len(got.Tags) != 0 || got.Phone != "+99" {
		t.Errorf("after an administrator: %+v", got)
	}
	w.role(id, identity.EndUser)
	if got := w.account(id).Attributes; got.CustomRoleID != "" {
		t.Errorf("an end user keeps a custom role: %+v", got)
	}

	many := make(identity.Changes)
	for i := range 100 {
		many[fmt.Sprint("field.f", i)] = []string{"x"}
	}
	a := alice()
	a.Changes = many
	if in := w.through(a, anyone()); len(in.Attributes.Fields) > 64 || len(in.LeftOut) == 0 {
		t.Errorf("%d fields, left out %q", len(in.Attributes.Fields), in.LeftOut)
	}
}
