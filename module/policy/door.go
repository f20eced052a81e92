package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

// Provider is an SSO config as far as the way in depends on it.
type Provider struct {
	// Name of the SSO config.
	Name string

	// Ranges are the clients that may use it. None: every client.
	Ranges []netip.Prefix

	// Button is the label of its button on the sign-in page. Without one,
	// people for whom it is a candidate go straight to it.
	Button string
}

// Door is an audience with its SSO configs: it decides which way in people
// get, and what their sessions open. It never changes after NewDoor.
type Door struct {
	name     string
	audience Audience
	roles    []identity.Role
	demand   Demand
	assigned []Provider
	index    map[string]int // position in assigned by name

	// ranged says what holds within ranges: each range of an assigned SSO
	// config has the decision for the addresses of which it is the longest.
	ranged Ranges[*decision]
	// unranged is what holds everywhere else, and for unknown addresses.
	unranged *decision
	// takesPassword: the password form is offered to some address.
	takesPassword bool
}

// NewDoor returns the door of an audience. assigned are the SSO configs of
// a.SSO in the same order. Fields of a that say nothing get their defaults.
func NewDoor(name string, a Audience, assigned []Provider) (*Door, error) {
	if err := a.Validate().Err(); err != nil {
		return nil, fmt.Errorf("audience %s: %w", name, err)
	}
	a.SetDefaults()

	d := &Door{name: name, audience: a, demand: newDemand(a), assigned: slices.Clone(assigned), index: make(map[string]int, len(assigned))}
	for i, provider := range d.assigned {
		if i >= len(a.SSO) || a.SSO[i] != provider.Name {
			return nil, fmt.Errorf("audience %s: sso: got the SSO config %s, which is not number %d of those assigned (%v)", name, provider.Name, i+1, a.SSO)
		}
		d.index[provider.Name] = i
	}
	if len(d.assigned) != len(a.SSO) {
		return nil, fmt.Errorf("audience %s: sso: %d SSO configs are assigned (%v), got %d", name, len(a.SSO), a.SSO, len(d.assigned))
	}
	for _, role := range a.Roles {
		d.roles = append(d.roles, identity.Role(role))
	}
	if err := d.lay(); err != nil {
		return nil, fmt.Errorf("audience %s: sso: %w", name, err)
	}
	return d, nil
}

// Name is the name of the audience.
func (d *Door) Name() string { return d.name }

// Password reports whether people of this audience may sign in with a
// password somewhere. Whether they may from where they are: OffersPassword.
func (d *Door) Password() bool { return d.audience.Password == On }

// PasswordChange reports whether people may change and reset their password.
func (d *Door) PasswordChange() bool { return d.audience.PasswordChange == On }

// APIPassword reports whether programs may send a password along with each
// request.
func (d *Door) APIPassword() bool { return d.audience.APIPassword == On }

// SecondFactor is Off, SecondFactorOptional or SecondFactorRequired.
func (d *Door) SecondFactor() string { return d.audience.SecondFactor }

// IdleTimeout is how long a session lasts without being used.
func (d *Door) IdleTimeout() time.Duration { return time.Duration(d.audience.IdleTimeout) }

// SessionLifetime is how long a session lasts at most.
func (d *Door) SessionLifetime() time.Duration { return time.Duration(d.audience.SessionLifetime) }

// Assigned reports whether the SSO config is assigned to this audience.
func (d *Door) Assigned(sso string) bool {
	_, ok := d.index[sso]
	return ok
}

// Admits reports whether people with that role belong to this audience.
func (d *Door) Admits(role identity.Role) bool {
	return len(d.roles) == 0 || slices.Contains(d.roles, role)
}
