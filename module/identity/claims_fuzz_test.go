package identity

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// FuzzClaims: whatever a provider sends, attributes stay within their limits and
// can be printed, and nothing is kept that is not mapped.
func FuzzClaims(f *testing.F) {
	for _, claims := range []string{
		`{"email":"a@b.test","email_verified":true,"name":"Alice","role":["admin"],"tags":"a,b","user_field_a":[1,true]}`,
		`{"organizations":["Acme",2],"organization_ids":[1],"phone":"+0\u0000","locale":"en_US","remote_photo_url":"https://a/b"}`,
		`{"a":{"b":{"c":{"role":"admin"}}},"a.b":{"role":"agent"},"user_field_":null,"user_field_x":{"y":[]}}`,
		`{"external_id":12345678901234567890,"custom_role_id":1e400,"groups":[[[[[["x"]]]]]],"role":"\u202eadmin"}`,
		`{"tags":"` + strings.Repeat("a,", 3000) + `","user_field_a":"` + strings.Repeat("x", 2000) + `"}`,
		`{"unmapped":"secret","unmapped_tags":["secret"]}`,
	} {
		f.Add(claims, "role")
		f.Add(claims, "a.b.role")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		var claims map[string]any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(&claims) != nil {
			return
		}
		mapping := make(map[string]string, len(everything))
		for attribute, claim := range everything {
			mapping[attribute] = claim
		}
		mapping["role"], mapping["field.path"] = path, path
		m, err := NewMapping(mapping, Organizations{"Acme": "1", "Umbrella": "2"})
		if err != nil {
			return
		}
		got := m.Read(claims)
		if got.Role != "" && !got.Role.AtLeast(EndUser) {
			t.Fatalf("role %q", got.Role)
		}
		if len(got.Ignored) > maxIgnored+1 {
			t.Fatalf("%d lines for the log", len(got.Ignored))
		}
		var person Attributes
		got.Changes.Apply(&person)
		if len(person.Fields) > maxFields {
			t.Fatalf("%d fields", len(person.Fields))
		}
		total := 0
		names := slices.Clone(attributeNames)
		for key := range person.Fields {
			if ParseFieldKey(key) != nil {
				t.Fatalf("field %q", key)
			}
			names = append(names, fieldPrefix+key)
		}
		for _, name := range names {
			values := person.Values(name)
			if len(values) > maxValues {
				t.Fatalf("%s has %d values", name, len(values))
			}
			for _, value := range values {
				total += len(value)
				if value == "" || !printable(value) || len(value) > maxURL {
					t.Fatalf("%s: %q", name, value)
				}
			}
		}
		if most := 4*maxList + maxFieldBytes + 2*maxWord + 2*maxShort + maxURL; total > most {
			t.Fatalf("%d bytes in all", total)
		}
		for _, name := range person.Organizations {
			if name != "Acme" && name != "Umbrella" {
				t.Fatalf("organization %q", name)
			}
		}
		// Without a mapping, only name and address.
		least, err := NewMapping(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := least.Read(claims); len(got.Changes) > 0 || got.Role != "" || len(got.Name) > maxName || !printable(got.Name) {
			t.Fatalf("kept by default: %+v", got)
		}
	})
}
