package identity

import (
	"maps"
	"slices"
	"strings"
)

// findClaim returns the claim of that name, or the one to which the name leads
// as a path through objects: "resource_access.app.roles". A name with dots of
// its own, such as https://example.com/roles, is found first, at every step.
func findClaim(told map[string]any, name string) (claim any, ok bool) {
	if claim, ok := told[name]; ok {
		return claim, true
	}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != '.' {
			continue
		}
		if inner, isObject := told[name[:i]].(map[string]any); isObject {
			if claim, ok := findClaim(inner, name[i+1:]); ok {
				return claim, true
			}
		}
	}
	return nil, false
}

// findFamily returns the claims whose names begin with prefix, by the rest of
// the name. As in findClaim a dot in the prefix may lead into an object:
// "custom_fields." is all that is in there.
func findFamily(told map[string]any, prefix string) map[string]any {
	family := make(map[string]any)
	if i := strings.LastIndexByte(prefix, '.'); i > 0 {
		if claim, ok := findClaim(told, prefix[:i]); ok {
			if inner, isObject := claim.(map[string]any); isObject {
				maps.Copy(family, findFamily(inner, prefix[i+1:]))
			}
		}
	}
	for name, claim := range told {
		if key, ok := strings.CutPrefix(name, prefix); ok {
			family[key] = claim
		}
	}
	return family
}

// first returns the claim from the first of several sources that has it.
func first(told []map[string]any, name string) (claim any, ok bool) {
	for _, one := range told {
		if claim, ok := findClaim(one, name); ok {
			return claim, true
		}
	}
	return nil, false
}

// members returns the members of a family from several sources, of which the
// first to have it counts, and their keys in order.
func members(told []map[string]any, prefix string) (family map[string]any, keys []string) {
	family = make(map[string]any)
	for _, one := range slices.Backward(told) {
		maps.Copy(family, findFamily(one, prefix))
	}
	return family, slices.Sorted(maps.Keys(family))
}
