package identity

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// told is a provider's claims as they are read: numbers as they are written.
func told(t testing.TB, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var claims map[string]any
	if err := decoder.Decode(&claims); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return claims
}

func newMapping(t testing.TB, claims map[string]string, known Organizations) *Mapping {
	t.Helper()
	m, err := NewMapping(claims, known)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// everything maps every attribute from a claim of the same name, and all fields.
var everything = map[string]string{
	"role": "role", "groups": "groups", "organizations": "organizations", "organization_ids": "organization_ids",
	"tags": "tags", "phone": "phone", "locale": "locale", "picture": "remote_photo_url", "external_id": "external_id",
	"custom_role_id": "custom_role_id", "field.*": "user_field_*",
}

// TestNameAndEmail: what is kept without a word about claims (S9, S10).
func TestNameAndEmail(t *testing.T) {
	for _, tc := range []struct {
		name   string
		claims map[string]any
		want   Claims
	}{
		{"usual", map[string]any{"email": "a@b.test", "email_verified": true, "name": "Alice"}, Claims{Email: "a@b.test", EmailVerified: true, Name: "Alice"}},
		{"nothing", nil, Claims{}},
		{"S9: nothing else is kept", map[string]any{"role": "admin", "groups": []any{"admin"}, "phone_number": "+1", "user_field_a": "b", "picture": "https://a.test/b"}, Claims{}},
		{"spaces around", map[string]any{"email": " a@b.test ", "name": " Alice\n"}, Claims{Email: "a@b.test", Name: "Alice"}},
		{"verified as text", map[string]any{"email": "a@b.test", "email_verified": "true"}, Claims{Email: "a@b.test", EmailVerified: true}},
		{"not verified as text", map[string]any{"email": "a@b.test", "email_verified": "false"}, Claims{Email: "a@b.test"}},
		{"verified as a number", map[string]any{"email": "a@b.test", "email_verified": json.Number("1")}, Claims{Email: "a@b.test"}},
		{"verified as a list", map[string]any{"email": "a@b.test", "email_verified": []any{true}}, Claims{Email: "a@b.test"}},
		{"address as a list", map[string]any{"email": []any{"a@b.test"}}, Claims{}},
		{"no address at all", map[string]any{"email": "alice"}, Claims{}},
		{"half an address", map[string]any{"email": "@b.test"}, Claims{}},
		{"the other half", map[string]any{"email": "a@"}, Claims{}},
		{"two addresses", map[string]any{"email": "a@b.test c@d.test"}, Claims{}},
		{"a line break", map[string]any{"email": "a@b.test\r\nBcc:c@d.test"}, Claims{}},
		{"an invisible character", map[string]any{"email": "a\u200b@b.test"}, Claims{}},
		{"not UTF-8", map[string]any{"email": "a\xff@b.test", "name": "A\xffb"}, Claims{Name: "Ab"}},
		{"too long an address", map[string]any{"email": strings.Repeat("a", 250) + "@b.test"}, Claims{}},
		{"too long a name", map[string]any{"name": strings.Repeat("日", 100)}, Claims{Name: strings.Repeat("日", 85)}},
		{"a name in two lines", map[string]any{"name": "A\x00\nb"}, Claims{Name: "A  b"}},
		{"a name that is none", map[string]any{"name": json.Number("7")}, Claims{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.want.Changes = Changes{}
			if got := newMapping(t, nil, nil).Read(tc.claims); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// TestVerifiedByItsOwnWord: email_verified speaks of the address beside it, in
// the claim "email", and of nothing else (rule 20).
func TestVerifiedByItsOwnWord(t *testing.T) {
	upn := map[string]string{"email": "upn"}
	edov := map[string]string{"email_verified": "xms_edov"}
	for _, tc := range []struct {
		name            string
		mapping         map[string]string
		token, userinfo string
		email           string
		verified        bool
	}{
		{"both in the token", nil, `{"email":"a@b.test","email_verified":true}`, "", "a@b.test", true},
		{"the word in userinfo, of the same address", nil, `{"email":"a@b.test"}`, `{"email":"a@b.test","email_verified":true}`, "a@b.test", true},
		{"the word in userinfo, of another address", nil, `{"email":"a@b.test"}`, `{"email":"x@y.test","email_verified":true}`, "a@b.test", false},
		{"the word in userinfo, of no address", nil, `{"email":"a@b.test"}`, `{"email_verified":true}`, "a@b.test", false},
		{"the token says no, userinfo yes", nil, `{"email":"a@b.test","email_verified":false}`, `{"email":"a@b.test","email_verified":true}`, "a@b.test", false},
		{"the word in the token, the address in userinfo", nil, `{"email_verified":true}`, `{"email":"a@b.test"}`, "a@b.test", false},
		{"both in userinfo", nil, `{}`, `{"email":"a@b.test","email_verified":true}`, "a@b.test", true},
		{"another claim, which people may write as they like", upn, `{"upn":"boss@b.test","email":"x@b.test","email_verified":true}`, "", "boss@b.test", false},
		{"another claim alone", upn, `{"upn":"a@b.test","email_verified":true}`, "", "a@b.test", false},
		{"another claim that says the same", upn, `{"upn":"A@b.test","email":"a@b.test","email_verified":true}`, "", "A@b.test", true},
		{"another claim with a word of its own", map[string]string{"email": "upn", "email_verified": "upn_verified"},
			`{"upn":"a@b.test","upn_verified":true,"email":"x@b.test"}`, "", "a@b.test", true},
		{"another word, which is not there", map[string]string{"email_verified": "checked"}, `{"email":"a@b.test","email_verified":true}`, "", "a@b.test", false},
		{"nested", map[string]string{"email": "mail.address", "email_verified": "mail.verified"},
			`{"mail":{"address":"a@b.test","verified":"true"}}`, "", "a@b.test", true},
		{"Entra's own word, true", edov, `{"email":"a@b.test","xms_edov":true}`, "", "a@b.test", true},
		{"Entra's own word, 1", edov, `{"email":"a@b.test","xms_edov":"1"}`, "", "a@b.test", true},
		{"Entra's own word, 0", edov, `{"email":"a@b.test","xms_edov":"0"}`, "", "a@b.test", false},
		{"Entra's own word, missing", edov, `{"email":"a@b.test"}`, "", "a@b.test", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sources := []map[string]any{told(t, tc.token)}
			if tc.userinfo != "" {
				sources = append(sources, told(t, tc.userinfo))
			}
			got := newMapping(t, tc.mapping, nil).Read(sources...)
			if got.Email != tc.email || got.EmailVerified != tc.verified {
				t.Errorf("got %q, verified %t", got.Email, got.EmailVerified)
			}
		})
	}
}

// TestAttributesFromClaims: each attribute from each kind of claim (S10). had is
// what is known before; want is in the words of /whoami.
func TestAttributesFromClaims(t *testing.T) {
	had := Attributes{
		Groups: []string{"old"}, Tags: []string{"old", "older"}, Phone: "+1", Locale: "de", Picture: "https://old.test/",
		ExternalID: "old", CustomRoleID: "old", Fields: map[string]string{"team": "old", "floor": "3"},
	}
	for _, tc := range []struct {
		name, claims, attribute string
		want                    string
		ignored                 string // in what is logged; "" is nothing
	}{
		{"tags, a list, replace the earlier ones", `{"tags":["vip","beta"]}`, "tags", "vip|beta", ""},
		{"tags, comma-separated", `{"tags":" vip , beta,,vip"}`, "tags", "vip|beta", ""},
		{"tags, numbers and booleans", `{"tags":[1,true,"x",12345678901234567890]}`, "tags", "1|true|x|12345678901234567890", ""},
		{"tags, one number", `{"tags":7}`, "tags", "7", ""},
		{"tags, none left", `{"tags":[]}`, "tags", "", ""},
		{"tags, null", `{"tags":null}`, "tags", "", ""},
		{"tags, empty", `{"tags":""}`, "tags", "", ""},
		{"tags, absent", `{}`, "tags", "old|older", ""},
		{"tags, a comma in a list stays", `{"tags":["a,b"]}`, "tags", "a,b", ""},
		{"tags, an object", `{"tags":{"vip":true}}`, "tags", "old|older", "tags (claim tags): "},
		{"tags, objects and lists in a list", `{"tags":["vip",{"a":"b"},["c"],null]}`, "tags", "vip", "3 of its values"},
		{"tags, nothing of a list can be kept", `{"tags":[{"a":"b"}]}`, "tags", "", "1 of its values"},
		{"tags, a line break", `{"tags":["vip","a\nX-Evil: b"]}`, "tags", "vip", "1 of its values"},
		{"groups, a list", `{"groups":["dev","ops"]}`, "groups", "dev|ops", ""},
		{"groups, comma-separated", `{"groups":"dev, ops"}`, "groups", "dev|ops", ""},

		{"phone: + and zeros stay", `{"phone":"+0081 3-0012"}`, "phone", "+0081 3-0012", ""},
		{"phone: zeros in front stay", `{"phone":"0012"}`, "phone", "0012", ""},
		{"phone: a number as it was written", `{"phone":81300120034005600}`, "phone", "81300120034005600", ""},
		{"phone: null", `{"phone":null}`, "phone", "", ""},
		{"phone: absent", `{}`, "phone", "+1", ""},
		{"phone: a list of one", `{"phone":["+2"]}`, "phone", "+2", ""},
		{"phone: a list of several", `{"phone":["+2","+3"]}`, "phone", "+1", "has 2 values"},
		{"phone: an object", `{"phone":{"home":"+2"}}`, "phone", "+1", "neither text"},
		{"phone: too long", `{"phone":"` + strings.Repeat("1", 65) + `"}`, "phone", "+1", "longer than 64"},
		{"phone: a line break", `{"phone":"+1\r\nX: y"}`, "phone", "+1", "control character"},

		{"locale", `{"locale":"ja"}`, "locale", "ja", ""},
		{"locale as OpenID Connect allows it", `{"locale":"en_US"}`, "locale", "en-US", ""},
		{"locale, numeric locale_id", `{"locale":67}`, "locale", "67", ""},
		{"locale, numeric locale_id as text", `{"locale":"67"}`, "locale", "67", ""},
		{"locale that is none", `{"locale":"Japanese, please"}`, "locale", "de", "neither a language tag"},
		{"locale, half a number", `{"locale":6.7}`, "locale", "de", "neither a language tag"},

		{"picture", `{"remote_photo_url":"https://img.test/a.png?x=1"}`, "picture", "https://img.test/a.png?x=1", ""},
		{"picture that would be run", `{"remote_photo_url":"javascript:alert(1)"}`, "picture", "https://old.test/", "not the address"},
		{"picture without a host", `{"remote_photo_url":"/a.png"}`, "picture", "https://old.test/", "not the address"},
		{"picture, taken away", `{"remote_photo_url":""}`, "picture", "", ""},

		{"external_id: a string", `{"external_id":"007"}`, "external_id", "007", ""},
		{"external_id: a number of twenty digits", `{"external_id":12345678901234567890}`, "external_id", "12345678901234567890", ""},
		{"custom_role_id: a number", `{"custom_role_id":42}`, "custom_role_id", "42", ""},
		{"custom_role_id: null", `{"custom_role_id":null}`, "custom_role_id", "", ""},

		{"field: text", `{"user_field_team":"blue"}`, "field.team", "blue", ""},
		{"field: a number", `{"user_field_team":1.50}`, "field.team", "1.50", ""},
		{"field: a boolean", `{"user_field_team":false}`, "field.team", "false", ""},
		{"field: a list", `{"user_field_team":["blue","red"]}`, "field.team", "blue,red", ""},
		{"field: null deletes", `{"user_field_team":null}`, "field.team", "", ""},
		{"field: empty deletes", `{"user_field_team":""}`, "field.team", "", ""},
		{"field: blank deletes", `{"user_field_team":"  "}`, "field.team", "", ""},
		{"field: an empty list deletes", `{"user_field_team":[]}`, "field.team", "", ""},
		{"field: absent leaves", `{"user_field_floor":"4"}`, "field.team", "old", ""},
		{"field: an object", `{"user_field_team":{"a":1}}`, "field.team", "old", "field.team (claim user_field_team): "},
		{"field: too long", `{"user_field_team":"` + strings.Repeat("x", 1025) + `"}`, "field.team", "old", "longer than 1024"},
		{"field: a key that cannot be part of a header", `{"user_field_a b\n":"x"}`, "field.team", "old", `field.* (claim "user_field_a b\n"): `},
		{"field: without a key", `{"user_field_":"x"}`, "field.team", "old", "a field's key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := newMapping(t, everything, nil).Read(told(t, tc.claims))
			after := had
			if leftOut := got.Changes.Apply(&after); len(leftOut) > 0 {
				t.Errorf("left out: %q", leftOut)
			}
			if values := strings.Join(after.Values(tc.attribute), "|"); values != tc.want {
				t.Errorf("got %q, want %q", values, tc.want)
			}
			ignored := strings.Join(got.Ignored, "\n")
			if !strings.Contains(ignored, tc.ignored) || tc.ignored == "" && ignored != "" {
				t.Errorf("ignored %q, want %q", ignored, tc.ignored)
			}
			if had.Fields["team"] != "old" || had.Tags[0] != "old" {
				t.Error("what others may still look at was changed")
			}
		})
	}
}

// TestRoleOfClaims: end-user, agent, admin; anything else is ignored and logged
// (S10).
func TestRoleOfClaims(t *testing.T) {
	for _, tc := range []struct {
		claims  string
		want    Role
		ignored string
	}{
		{`{"role":"end-user"}`, EndUser, ""},
		{`{"role":"agent"}`, Agent, ""},
		{`{"role":" admin "}`, Admin, ""},
		{`{}`, "", ""},
		{`{"role":null}`, "", ""},
		{`{"role":""}`, "", `"" is none of`},
		{`{"role":"superuser"}`, "", `"superuser" is none of`},
		{`{"role":"Admin"}`, "", `"Admin" is none of`},
		{`{"role":"agent,admin"}`, "", `"agent,admin" is none of`},
		{`{"role":["agent"]}`, Agent, ""},
		{`{"role":["offline_access","end-user","agent","uma"]}`, Agent, ""},
		{`{"role":["offline_access"]}`, "", "none of its values"},
		{`{"role":[]}`, "", "none of its values"},
		{`{"role":[["admin"]]}`, "", "none of its values"},
		{`{"role":true}`, "", "not text"},
		{`{"role":3}`, "", "not text"},
		{`{"role":{"admin":true}}`, "", "not text"},
		{`{"role":"` + strings.Repeat("x", 5000) + `"}`, "", "xxx"},
	} {
		got := newMapping(t, everything, nil).Read(told(t, tc.claims))
		ignored := strings.Join(got.Ignored, "\n")
		if got.Role != tc.want || !strings.Contains(ignored, tc.ignored) || tc.ignored == "" && ignored != "" || len(ignored) > 200 {
			t.Errorf("%.60s: got %q, ignored %q", tc.claims, got.Role, ignored)
		}
	}
}

// TestOrganizations: every rule of S10 about organizations.
func TestOrganizations(t *testing.T) {
	known := Organizations{"Acme": "1", "Umbrella": "2", "Initech": ""}
	for _, tc := range []struct {
		name   string
		known  Organizations
		claims string
		names  string
		ids    string
	}{
		{"without the block all are kept", nil, `{"organizations":["Acme","Elsewhere"]}`, "Acme|Elsewhere", ""},
		{"one", nil, `{"organizations":"Acme"}`, "Acme", ""},
		{"comma-separated, trimmed", nil, `{"organizations":" Acme , Umbrella "}`, "Acme|Umbrella", ""},
		{"external ids alone", nil, `{"organization_ids":"1, 2"}`, "", "1|2"},
		{"an external id that is a number", nil, `{"organization_ids":17}`, "", "17"},
		{"external ids win over names", nil, `{"organizations":"Acme","organization_ids":"2"}`, "", "2"},
		{"names where there are no external ids", nil, `{"organizations":"Acme","organization_ids":[]}`, "Acme", ""},
		{"names where external ids are null", nil, `{"organizations":"Acme","organization_ids":null}`, "Acme", ""},
		{"none any more", nil, `{"organizations":""}`, "", ""},
		{"neither is told", nil, `{}`, "Before", "9"},

		{"known, by name", known, `{"organizations":"Acme,Initech"}`, "Acme|Initech", "1"},
		{"known, by id", known, `{"organizations":["2"]}`, "Umbrella", "2"},
		{"known, by name and id at once", known, `{"organizations":"Umbrella,2,1"}`, "Umbrella|Acme", "2|1"},
		{"unknown ones are left out", known, `{"organizations":"Acme,Elsewhere,acme,99"}`, "Acme", "1"},
		{"only unknown ones", known, `{"organizations":"Elsewhere"}`, "", ""},
		{"external ids name the known ones", known, `{"organization_ids":[2,"1"]}`, "Umbrella|Acme", "2|1"},
		{"external ids win", known, `{"organizations":"Acme","organization_ids":"2"}`, "Umbrella", "2"},
		{"external ids win, even unknown", known, `{"organizations":"Acme","organization_ids":"99"}`, "", ""},
		{"a name is no external id", known, `{"organization_ids":"Acme"}`, "", ""},
		{"no id does not mean one without id", known, `{"organization_ids":[""," "]}`, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := newMapping(t, everything, tc.known).Read(told(t, tc.claims))
			after := Attributes{Organizations: []string{"Before"}, OrganizationIDs: []string{"9"}}
			got.Changes.Apply(&after)
			if names, ids := strings.Join(after.Organizations, "|"), strings.Join(after.OrganizationIDs, "|"); names != tc.names || ids != tc.ids {
				t.Errorf("got %q, %q", names, ids)
			}
			if unknown := strings.Contains(strings.Join(got.Ignored, ""), "no known organization"); unknown != (tc.known != nil && strings.ContainsAny(tc.claims, "E9") || tc.name == "a name is no external id") {
				t.Errorf("logged: %q", got.Ignored)
			}
		})
	}
}

// TestLimits: a provider fills neither the store nor the headers.
func TestLimits(t *testing.T) {
	many := func(count, length int) string {
		values := make([]string, count)
		for i := range values {
			values[i] = fmt.Sprintf("%0*d", length, i)
		}
		return strings.Join(values, ",")
	}
	m := newMapping(t, everything, nil)
	for name, tc := range map[string]struct {
		value string
		want  int
	}{
		"200 groups as Entra has them": {many(200, 36), 200},
		"many":                         {many(100000, 6), maxValues},
		"long together":                {many(100, 255), maxList / 255},
		"too long each":                {many(3, 256), 0},
	} {
		got := m.Read(map[string]any{"groups": tc.value})
		if n := len(got.Changes["groups"]); n != tc.want || (tc.want == 200) != (len(got.Ignored) == 0) {
			t.Errorf("%s: %d kept, want %d; ignored %q", name, n, tc.want, got.Ignored)
		}
	}

	// Fields that are not sent any more stay, so their number is limited over
	// all sign-ins.
	var person Attributes
	for i := range 10 {
		claims := make(map[string]any)
		for j := range 20 {
			claims[fmt.Sprintf("user_field_%d_%d", i, j)] = "x"
		}
		m.Read(claims).Changes.Apply(&person)
	}
	if len(person.Fields) != maxFields {
		t.Errorf("%d fields", len(person.Fields))
	}
	leftOut := m.Read(map[string]any{"user_field_0_0": "changed", "user_field_0_1": nil, "user_field_new": "y", "user_field_newer": "z"}).Changes.Apply(&person)
	if person.Fields["0_0"] != "changed" || len(leftOut) != 1 || len(person.Fields) != maxFields {
		t.Errorf("a field changed, one went and two came: %d, left out %q", len(person.Fields), leftOut)
	}
	big := Attributes{}
	claims := make(map[string]any)
	for i := range 20 {
		claims[fmt.Sprint("user_field_", i)] = strings.Repeat("x", 1024)
	}
	if leftOut := m.Read(claims).Changes.Apply(&big); len(big.Fields) != 7 || len(leftOut) != 13 {
		t.Errorf("%d long fields, left out %q", len(big.Fields), leftOut)
	}

	odd := make(map[string]any)
	for i := range 1000 {
		odd[fmt.Sprint("user_field_", i)] = map[string]any{}
	}
	if got := m.Read(odd); len(got.Ignored) != maxIgnored+1 {
		t.Errorf("%d lines for the log", len(got.Ignored))
	}
}

// TestIgnoredTellsNoValue: the log says which claim it was, not what people have
// in there.
func TestIgnoredTellsNoValue(t *testing.T) {
	claims := make(map[string]any)
	for _, claim := range everything {
		claims[strings.TrimSuffix(claim, "*")+"x"] = map[string]any{"hunter2": "hunter2"}
		claims[claim] = []any{"hunter2\n", map[string]any{"hunter2": "hunter2"}}
	}
	delete(claims, "role")
	got := newMapping(t, everything, Organizations{}).Read(claims)
	if len(got.Ignored) < 9 || strings.Contains(strings.Join(got.Ignored, "\n"), "hunter2") {
		t.Errorf("logged: %q", got.Ignored)
	}
}

func TestApplyIsWhole(t *testing.T) {
	var person Attributes
	changes := Changes{"email": {"x@y.test"}, "name": {"x"}, "role": {"admin"}, "nothing": {"x"}}
	if changes.Apply(&person); !reflect.DeepEqual(person, Attributes{}) {
		t.Errorf("email, name and role are not changed so: %+v", person)
	}
	// Every other attribute there is can be changed, and be taken away.
	for _, name := range append(slices.Clone(attributeNames), "field.team") {
		if name == "email" || name == "name" || name == "role" {
			continue
		}
		Changes{name: {"x"}}.Apply(&person)
		if !slices.Equal(person.Values(name), []string{"x"}) {
			t.Errorf("%s: got %q", name, person.Values(name))
		}
		same := person
		same.Fields = maps.Clone(person.Fields)
		if !same.Equal(&person) {
			t.Errorf("%s: not equal to itself", name)
		}
		Changes{name: nil}.Apply(&person)
		if len(person.Values(name)) != 0 || same.Equal(&person) {
			t.Errorf("%s: still there, or not missed: %+v", name, person)
		}
	}
}
