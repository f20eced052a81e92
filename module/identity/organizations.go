package identity

import (
	"fmt"
	"maps"
	"slices"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// Organizations are the known organizations: external id by name, "" for one
// without an id. nil knows none and takes any as it comes.
type Organizations map[string]string

// Validate reports what is wrong with the known organizations.
func (o Organizations) Validate() (wrong mistake.List) {
	byID := make(map[string]string, len(o))
	for _, name := range slices.Sorted(maps.Keys(o)) {
		id := o[name]
		for _, text := range []string{name, id} {
			if _, problem := checkText(text, maxWord); problem != "" {
				wrong.Addf(name, "%.64q %s", text, problem)
			}
		}
		if name == "" {
			wrong.Addf(name, "an organization without a name")
		}
		if id == "" {
			continue
		}
		if other, taken := byID[id]; taken {
			wrong.AddItemf(name, 0, "%q is the external id of %q already", id, other)
		}
		byID[id] = name
		if _, taken := o[id]; taken && id != name {
			wrong.AddItemf(name, 0, "%q is the name of another organization: what a provider sends could mean either", id)
		}
	}
	return wrong
}

// known returns those of the organizations told that are known, by name and by
// external id. byID says that what is told are external ids, and otherwise names
// or ids. problem says that some are not known.
func (o Organizations) known(told []string, byID bool) (names, ids []string, problem string) {
	if o == nil {
		if byID {
			return nil, told, ""
		}
		return told, nil, ""
	}
	nameOf := make(map[string]string, len(o))
	for name, id := range o {
		if id != "" {
			nameOf[id] = name
		}
	}
	unknown := 0
	for _, one := range told {
		name, ok := nameOf[one]
		if _, isName := o[one]; isName && !byID {
			name, ok = one, true
		}
		if !ok {
			unknown++
			continue
		}
		if slices.Contains(names, name) {
			continue
		}
		names = append(names, name)
		if id := o[name]; id != "" {
			ids = append(ids, id)
		}
	}
	if unknown > 0 {
		problem = fmt.Sprintf("%d of its values are no known organization", unknown)
	}
	return names, ids, problem
}
