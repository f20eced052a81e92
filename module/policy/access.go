package policy

import (
	"errors"
	"fmt"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

// Rule holds for people of whom one of the values is true.
type Rule struct {
	// Attribute is its name, for example "email", "role" or "field.team".
	Attribute string

	// Values that it is compared with: exactly, e-mail addresses without
	// case, lists by any member.
	Values []string
}

// Access decides whom of an audience a site lets in.
type Access struct {
	allow, deny conditions
}

// conditions are attributes with the values of which one has to be true.
type conditions []condition

type condition struct {
	attribute string
	values    map[string]struct{}
}

// NewAccess returns the rules of a site. Without any in allow the whole
// audience is let in; deny wins over allow.
func NewAccess(allow, deny []Rule) (*Access, error) {
	allowed, err := newConditions(allow)
	if err != nil {
		return nil, fmt.Errorf("allow: %w", err)
	}
	denied, err := newConditions(deny)
	if err != nil {
		return nil, fmt.Errorf("deny: %w", err)
	}
	return &Access{allow: allowed, deny: denied}, nil
}

// ValidateRule reports what is wrong with a rule.
func ValidateRule(rule Rule) error {
	if err := identity.ParseAttribute(rule.Attribute); err != nil {
		return err
	}
	if len(rule.Values) == 0 {
		return fmt.Errorf("%s: says no value: name one or more", rule.Attribute)
	}
	for _, value := range rule.Values {
		switch rule.Attribute {
		case "role":
			if _, err := identity.ParseRole(value); err != nil {
				return err
			}
		case "email":
			value = identity.EmailKey(value)
		}
		if value == "" {
			return fmt.Errorf("%s: %w", rule.Attribute, errEmptyValue)
		}
	}
	return nil
}

var errEmptyValue = errors.New("an empty value is true of nobody: leave it out")

func newConditions(rules []Rule) (conditions, error) {
	var all conditions
	at := make(map[string]int)
	for _, rule := range rules {
		if err := ValidateRule(rule); err != nil {
			return nil, err
		}
		i, ok := at[rule.Attribute]
		if !ok {
			i = len(all)
			at[rule.Attribute] = i
			all = append(all, condition{attribute: rule.Attribute, values: make(map[string]struct{})})
		}
		for _, value := range rule.Values {
			if rule.Attribute == "email" {
				value = identity.EmailKey(value)
			}
			all[i].values[value] = struct{}{}
		}
	}
	return all, nil
}

// Admits reports whether the site lets a person in.
func (a *Access) Admits(person *identity.Attributes) bool {
	if a.deny.hold(person) {
		return false
	}
	return len(a.allow) == 0 || a.allow.hold(person)
}

// hold reports whether any condition is true of a person. What is not known of
// a person is never true.
func (c conditions) hold(person *identity.Attributes) bool {
	for i := range c {
		if c[i].holds(person) {
			return true
		}
	}
	return false
}

func (c *condition) holds(person *identity.Attributes) bool {
	one, list := person.Get(c.attribute)
	if c.attribute == "email" {
		one = identity.EmailKey(one)
	}
	if one != "" {
		_, ok := c.values[one]
		return ok
	}
	for _, member := range list {
		if _, ok := c.values[member]; ok {
			return true
		}
	}
	return false
}
