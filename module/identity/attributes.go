// Package identity says what is known of a person and how it is told to the
// app behind the gateway: attributes, the claims they come from, and the
// identity headers they become.
package identity

import (
	"fmt"
	"strings"
)

// Role is how much a person may do. Roles are ordered:
// end-user < agent < admin.
type Role string

// The roles, lowest first.
const (
	EndUser Role = "end-user"
	Agent   Role = "agent"
	Admin   Role = "admin"
)

// Attributes is what is known of an account. The zero value of a field means
// that nothing is known.
type Attributes struct {
	// Email is the address as the person or the provider wrote it. Two
	// addresses that differ only in case are the same (see EmailKey).
	Email string `json:"email,omitempty"`

	// Name is the person's full name.
	Name string `json:"name,omitempty"`

	// Role is never empty on an account of the store.
	Role Role `json:"role,omitempty"`

	Groups          []string `json:"groups,omitempty"`
	Organizations   []string `json:"organizations,omitempty"`
	OrganizationIDs []string `json:"organization_ids,omitempty"`
	Tags            []string `json:"tags,omitempty"`

	// Phone is a string: a leading plus sign and zeros stay.
	Phone string `json:"phone,omitempty"`

	// Locale is a BCP 47 language tag.
	Locale string `json:"locale,omitempty"`

	// Picture is the address of a photo.
	Picture string `json:"picture,omitempty"`

	// ExternalID is kept and handed on, never matched on.
	ExternalID string `json:"external_id,omitempty"`

	CustomRoleID string `json:"custom_role_id,omitempty"`

	// Fields holds the operator's own attributes, named field.<key>.
	Fields map[string]string `json:"fields,omitempty"`
}

// Identity is the attributes of the account behind one request, as handed to
// the app.
type Identity struct {
	// Account is the account's own id: opaque, stable, never reused.
	Account string

	Attributes
}

// EmailKey returns the form of an address under which it is unique: trimmed
// and in lower case.
func EmailKey(email string) string {
	return strings.ToLower(strings.TrimSpace(email))
}

// ParseRole returns the role of that name.
func ParseRole(name string) (Role, error) {
	switch role := Role(name); role {
	case EndUser, Agent, Admin:
		return role, nil
	}
	return "", fmt.Errorf("unknown role %q: use end-user, agent or admin", name)
}

// AtLeast reports whether r may do all that other may.
func (r Role) AtLeast(other Role) bool { return r.rank() >= other.rank() }

func (r Role) rank() int {
	switch r {
	case Admin:
		return 3
	case Agent:
		return 2
	case EndUser:
		return 1
	}
	return 0
}
