package identity

import (
	"fmt"
	"slices"
	"strings"
)

// fieldPrefix is what the names of the operator's own attributes begin with.
const fieldPrefix = "field."

// attributeNames are the names of all attributes, field.<key> apart.
var attributeNames = []string{
	"email", "name", "role", "groups", "organizations", "organization_ids",
	"tags", "phone", "locale", "picture", "external_id", "custom_role_id",
}

// ParseAttribute reports whether name is the name of an attribute.
func ParseAttribute(name string) error {
	if slices.Contains(attributeNames, name) {
		return nil
	}
	if key, ok := strings.CutPrefix(name, fieldPrefix); ok {
		return ParseFieldKey(key)
	}
	return fmt.Errorf("unknown attribute %q: use %s or field.<key>", name, strings.Join(attributeNames, ", "))
}

// ParseFieldKey reports whether key can be that of an operator's own
// attribute: 1 to 64 ASCII letters, digits, "_" and "-", since it becomes part
// of a header's name.
func ParseFieldKey(key string) error {
	if key == "" || len(key) > 64 {
		return fmt.Errorf("field.%s: a field's key has 1 to 64 characters", key)
	}
	for _, c := range []byte(key) {
		if !isAlphanumeric(c) && c != '_' && c != '-' {
			return fmt.Errorf("field.%s: a field's key has letters, digits, _ and - only", key)
		}
	}
	return nil
}

// Get returns the value of the attribute of that name: one for those that are
// single, list for those that are lists. Both are empty where nothing is
// known. The list must not be changed.
func (a *Attributes) Get(name string) (one string, list []string) {
	switch name {
	case "email":
		return a.Email, nil
	case "name":
		return a.Name, nil
	case "role":
		return string(a.Role), nil
	case "groups":
		return "", a.Groups
	case "organizations":
		return "", a.Organizations
	case "organization_ids":
		return "", a.OrganizationIDs
	case "tags":
		return "", a.Tags
	case "phone":
		return a.Phone, nil
	case "locale":
		return a.Locale, nil
	case "picture":
		return a.Picture, nil
	case "external_id":
		return a.ExternalID, nil
	case "custom_role_id":
		return a.CustomRoleID, nil
	}
	if key, ok := strings.CutPrefix(name, fieldPrefix); ok {
		return a.Fields[key], nil
	}
	return "", nil
}

// Values returns the values of the attribute of that name: at most one for
// those that are single, none where nothing is known.
func (a *Attributes) Values(name string) []string {
	one, list := a.Get(name)
	if one != "" {
		return []string{one}
	}
	return slices.Clone(list)
}

// Named returns the attributes by their names: lists as they are, and what is
// not known left out. The lists must not be changed.
func (a *Attributes) Named() map[string]any {
	named := make(map[string]any)
	set := func(name string) {
		switch one, list := a.Get(name); {
		case one != "":
			named[name] = one
		case len(list) > 0:
			named[name] = list
		}
	}
	for _, name := range attributeNames {
		set(name)
	}
	for key := range a.Fields {
		set(fieldPrefix + key)
	}
	return named
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
