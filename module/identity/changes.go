package identity

import (
	"maps"
	"slices"
	"strings"
)

// Changes are new values of attributes by name, of any attribute but email, name
// and role. No values take away what there was; attributes that are not named
// stay as they are.
type Changes map[string][]string

// Apply changes attributes. Nothing that they share with others is changed.
//
// An account has at most 64 fields: those that a provider stops sending stay, so
// that it could send others each time. leftOut names the fields for which there
// is no room.
func (c Changes) Apply(to *Attributes) (leftOut []string) {
	to.Fields = maps.Clone(to.Fields)
	var added []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		values := c[name]
		one := ""
		if len(values) > 0 {
			one = values[0]
		}
		switch name {
		case "groups":
			to.Groups = slices.Clone(values)
		case "organizations":
			to.Organizations = slices.Clone(values)
		case "organization_ids":
			to.OrganizationIDs = slices.Clone(values)
		case "tags":
			to.Tags = slices.Clone(values)
		case "phone":
			to.Phone = one
		case "locale":
			to.Locale = one
		case "picture":
			to.Picture = one
		case "external_id":
			to.ExternalID = one
		case "custom_role_id":
			to.CustomRoleID = one
		default:
			key, ok := strings.CutPrefix(name, fieldPrefix)
			if !ok {
				continue
			}
			delete(to.Fields, key)
			if one != "" {
				added = append(added, key)
			}
		}
	}

	length := 0
	for key, value := range to.Fields {
		length += len(key) + len(value)
	}
	for _, key := range added {
		value := c[fieldPrefix+key][0]
		if len(to.Fields) == maxFields || length+len(key)+len(value) > maxFieldBytes {
			leftOut = append(leftOut, fieldPrefix+key)
			continue
		}
		if to.Fields == nil {
			to.Fields = make(map[string]string)
		}
		to.Fields[key] = value
		length += len(key) + len(value)
	}
	return leftOut
}

// Equal reports whether a and b say the same.
func (a *Attributes) Equal(b *Attributes) bool {
	for _, name := range attributeNames {
		one, list := a.Get(name)
		other, others := b.Get(name)
		if one != other || !slices.Equal(list, others) {
			return false
		}
	}
	return maps.Equal(a.Fields, b.Fields)
}
