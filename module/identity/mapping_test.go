package identity

import (
	"strings"
	"testing"
)

// TestClaimPaths: a claim is found by its exact name, then by a path.
func TestClaimPaths(t *testing.T) {
	const claims = `{
		"roles": "top",
		"resource_access": {"app": {"roles": ["agent"]}, "app.v2": {"roles": "of a name with a dot"}},
		"resource_access.other.roles": "exact",
		"https://example.com/roles": "of a name that is an address",
		"https://example.com/app": {"roles": "inside one", "my.roles": "dots at every step"},
		"a.b": null, "a": {"b": "not reached"},
		"x": {"y": {"z": "deep"}}, "x.y": {"z": "longest name first"},
		"list": [{"roles": "in a list"}], "text": "abc", "": "nameless", "dot.": "d", ".dot": {"": "e"}
	}`
	for name, want := range map[string]any{
		"roles":                            "top",
		"resource_access.app.v2.roles":     "of a name with a dot",
		"resource_access.other.roles":      "exact",
		"https://example.com/roles":        "of a name that is an address",
		"https://example.com/app.roles":    "inside one",
		"https://example.com/app.my.roles": "dots at every step",
		"a.b":                              nil,
		"x.y.z":                            "longest name first",
		"dot.":                             "d",
		".dot.":                            "e",
	} {
		if got, ok := findClaim(told(t, claims), name); !ok || got != want {
			t.Errorf("%s: got %v, %t, want %v", name, got, ok, want)
		}
	}
	if got, _ := findClaim(told(t, claims), "resource_access.app.roles"); len(got.([]any)) != 1 {
		t.Errorf("got %v", got)
	}
	for _, name := range []string{"role", "resource_access.app", "resource_access.app.roles.0", "list.roles", "list.0.roles", "text.a", "x.y.z.z", "x..y", ".", "..", "roles."} {
		if name == "resource_access.app" {
			continue // an object, which readers of values refuse
		}
		if got, ok := findClaim(told(t, claims), name); ok {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// TestFamilies: field.* takes every claim whose name begins so.
func TestFamilies(t *testing.T) {
	for _, tc := range []struct {
		name            string
		mapping         map[string]string
		token, userinfo string
		want            string
	}{
		{"by prefix", map[string]string{"field.*": "user_field_*"}, `{"user_field_a":"1","user_field_b":"2","user":"x","xuser_field_c":"3"}`, "", "a=1 b=2"},
		{"in an object", map[string]string{"field.*": "custom.*"}, `{"custom":{"a":"1","b":true},"customs":{"c":"3"}}`, "", "a=1 b=true"},
		{"by prefix in an object", map[string]string{"field.*": "app.meta.f_*"}, `{"app":{"meta":{"f_a":"1","g_b":"2"}}}`, "", "a=1"},
		{"with dots in the name", map[string]string{"field.*": "https://example.com/*"}, `{"https://example.com/team":"1","https://example.org/x":"2"}`, "", "team=1"},
		{"a word of its own wins", map[string]string{"field.*": "user_field_*", "field.a": "boss"}, `{"user_field_a":"1","user_field_b":"2","boss":"3"}`, "", "a=3 b=2"},
		{"a word of its own, absent, leaves", map[string]string{"field.*": "user_field_*", "field.a": "boss"}, `{"user_field_a":"1"}`, "", ""},
		{"the token wins over userinfo, which adds", map[string]string{"field.*": "user_field_*"}, `{"user_field_a":"1"}`, `{"user_field_a":"x","user_field_b":"2"}`, "a=1 b=2"},
		{"null in the token deletes what userinfo has", map[string]string{"field.*": "user_field_*"}, `{"user_field_a":null}`, `{"user_field_a":"x"}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sources := []map[string]any{told(t, tc.token)}
			if tc.userinfo != "" {
				sources = append(sources, told(t, tc.userinfo))
			}
			var person Attributes
			newMapping(t, tc.mapping, nil).Read(sources...).Changes.Apply(&person)
			var got []string
			for _, key := range []string{"a", "b", "c", "team", "x"} {
				if value, ok := person.Fields[key]; ok {
					got = append(got, key+"="+value)
				}
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("got %q, want %q", person.Fields, tc.want)
			}
		})
	}
}

// TestUserinfoIsAskedForWhatIsLacking: and for nothing else.
func TestUserinfoIsAskedForWhatIsLacking(t *testing.T) {
	const usual = `"email":"a@b.test","email_verified":false,"name":"A"`
	for _, tc := range []struct {
		name    string
		mapping map[string]string
		token   string
		trust   bool
		lacks   bool
	}{
		{"everything is there", nil, `{` + usual + `}`, false, false},
		{"no address", nil, `{"email_verified":true,"name":"A"}`, false, true},
		{"an address that is none", nil, `{"email":7,"email_verified":true,"name":"A"}`, false, true},
		{"not said whether it is verified", nil, `{"email":"a@b.test","name":"A"}`, false, true},
		{"which nobody asks", nil, `{"email":"a@b.test","name":"A"}`, true, false},
		{"no name", nil, `{"email":"a@b.test","email_verified":true}`, false, true},
		{"a mapped claim", map[string]string{"groups": "groups"}, `{` + usual + `}`, false, true},
		{"a role", map[string]string{"role": "a.role"}, `{` + usual + `,"a":{}}`, false, true},
		{"it is there, and null", map[string]string{"groups": "groups", "role": "a.role"}, `{` + usual + `,"groups":null,"a":{"role":null}}`, false, false},
		{"fields", map[string]string{"field.*": "f_*"}, `{` + usual + `}`, false, true},
		{"some fields are there", map[string]string{"field.*": "f_*"}, `{` + usual + `,"f_a":null}`, false, false},
	} {
		if got := newMapping(t, tc.mapping, nil).Lacks(told(t, tc.token), tc.trust); got != tc.lacks {
			t.Errorf("%s: got %t", tc.name, got)
		}
	}

	// What the token has counts, also inside an object of which it has a part.
	m := newMapping(t, map[string]string{"tags": "a.tags", "groups": "a.groups", "role": "role"}, nil)
	got := m.Read(told(t, `{"a":{"groups":["token"]},"role":null}`), told(t, `{"a":{"groups":["userinfo"],"tags":"userinfo"},"role":"admin"}`))
	if strings.Join(got.Changes["groups"], "") != "token" || strings.Join(got.Changes["tags"], "") != "userinfo" || got.Role != "" {
		t.Errorf("got %+v", got)
	}
}

func TestCheckMapping(t *testing.T) {
	for attribute, claim := range map[string]string{
		"email": "upn", "email_verified": "xms_edov", "name": "full_name", "role": "resource_access.app.roles", "groups": "https://example.com/groups",
		"field.cost_center": "costCenter", "field.*": "user_field_*", "external_id": "sub", "tags": "日本",
	} {
		if err := CheckMapping(attribute, claim); err != nil {
			t.Errorf("%s %s: %v", attribute, claim, err)
		}
	}
	for _, tc := range []struct{ attribute, claim, want string }{
		{"nickname", "nick", "is no attribute: use email, "},
		{"organisation_ids", "x", "is no attribute: did you mean organization_ids?"},
		{"id", "sub", "is no attribute"},
		{"", "x", "is no attribute"},
		{"field.", "x", "1 to 64"},
		{"field.a b", "x", "letters, digits"},
		{"name", "", "missing"},
		{"name", "a\nb", "control character"},
		{"name", strings.Repeat("a", 256), "1 to 255"},
		{"field.*", "*", "would keep everything"},
		{"field.*", "user_field_", "needs a *"},
		{"field.*", "*_field", "needs a *"},
		{"field.*", "a*b*", "needs a *"},
		{"groups", "group_*", "stands for several claims"},
		{"field.a", "user_field_*", "only field.* maps"},
	} {
		if err := CheckMapping(tc.attribute, tc.claim); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %s: got %v, want …%s…", tc.attribute, tc.claim, err, tc.want)
		}
		if _, err := NewMapping(map[string]string{tc.attribute: tc.claim}, nil); err == nil {
			t.Errorf("%s %s: a mapping was made", tc.attribute, tc.claim)
		}
	}
}

func TestOrganizationsValidate(t *testing.T) {
	if wrong := (Organizations{"Acme": "1", "Umbrella": "", "1234": "1234"}).Validate(); len(wrong) > 0 {
		t.Error(wrong)
	}
	for want, o := range map[string]Organizations{
		`Umbrella: "1" is the external id of "Acme" already`:   {"Acme": "1", "Umbrella": "1"},
		`Acme: "Umbrella" is the name of another organization`: {"Acme": "Umbrella", "Umbrella": ""},
		`an organization without a name`:                       {"": "1"},
		`has a control character in it`:                        {"Acme": "1\n2"},
		`is longer than 255 bytes`:                             {strings.Repeat("x", 256): ""},
	} {
		if err := o.Validate().Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want …%s…", o, err, want)
		}
	}
}
