package account

import (
	"errors"
	"fmt"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// takeOver stores what the provider told, if it is something new, and returns
// the role that the account has now. leftOut names the attributes for which there
// is no room.
func takeOver(tx store.Tx, account store.Account, a Assertion, rules Admission, now time.Time) (role identity.Role, leftOut []string, err error) {
	had, attributes := account.Attributes, account.Attributes
	leftOut = a.Changes.Apply(&attributes)
	link, err := linkedTo(tx, account.ID, a.Issuer)
	if err != nil {
		return "", nil, err
	}
	if link == nil || !link.Added {
		attributes.Email = a.Email
	}
	if a.Attributes.Name != "" {
		attributes.Name = a.Attributes.Name
	}
	if attributes.Role, err = roleByClaim(tx, account, a.Attributes.Role, rules.MaxRole); err != nil {
		return "", nil, err
	}
	settle(&attributes)
	if attributes.Equal(&had) {
		return attributes.Role, leftOut, nil
	}
	err = tx.SaveAttributes(account.ID, attributes, now)
	if errors.Is(err, store.ErrEmailTaken) {
		return "", nil, refuse(EmailTaken, "sso %s: the provider changed the address of account %s from %s to %s, which belongs to another account",
			a.SSO, account.ID, had.Email, attributes.Email)
	}
	if err != nil {
		return "", nil, fmt.Errorf("saving the attributes of account %s: %w", account.ID, err)
	}
	return attributes.Role, leftOut, nil
}

// settle takes away what does not count for who has the role: a custom role
// does from agent up.
func settle(attributes *identity.Attributes) {
	if !attributes.Role.AtLeast(identity.Agent) {
		attributes.CustomRoleID = ""
	}
}

// roleByClaim returns the role of an account after a claim has spoken. No
// claim changes nothing. A claim gives at most limit, and one that asks for
// more than that takes nothing away from who has more; nor does any claim take
// the role from the last administrator: unlike KeepAdministrator, which undoes
// an act, it is passed over then, for the person is still to be let in.
func roleByClaim(tx store.Tx, account store.Account, claimed, limit identity.Role) (identity.Role, error) {
	has := account.Attributes.Role
	if _, err := identity.ParseRole(string(claimed)); err != nil {
		return has, nil
	}
	if _, err := identity.ParseRole(string(limit)); err != nil {
		limit = identity.EndUser
	}
	given := claimed
	if !limit.AtLeast(given) {
		given = limit
	}
	if given != claimed && has.AtLeast(given) && claimed.AtLeast(has) {
		return has, nil
	}
	if has == identity.Admin && given != identity.Admin && !account.Suspended {
		administrators, err := tx.Administrators()
		if err != nil {
			return "", fmt.Errorf("counting administrators: %w", err)
		}
		if administrators <= 1 {
			return has, nil
		}
	}
	return given, nil
}
