package account

import (
	"errors"
	"fmt"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Reassert takes over what a provider says of somebody who is signed in to an
// account through it, as a sign-in would. It is no sign-in: nobody gets an
// account, and when somebody last signed in stays as it is. An address that the
// provider does not tell changes nothing.
//
// Whoever would not be let in any more gets a *Refusal: the account is suspended
// or linked to somebody else or nobody at the provider, or the address cannot be
// theirs. The transaction is then of no use. That the role is no longer among
// those of an audience is no such reason: each request asks for that.
func (p *People) Reassert(tx store.Tx, accountID string, a Assertion, rules Admission) (SignedIn, error) {
	account, err := tx.AccountBySSO(a.Issuer, a.Subject)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && account.ID != accountID:
		return SignedIn{}, refuse(NotAdmitted, "sso %s: account %s is not linked to this person of the provider any more", a.SSO, accountID)
	case err != nil:
		return SignedIn{}, fmt.Errorf("looking for the account %s: %w", accountID, err)
	case account.Suspended:
		return SignedIn{}, refuse(Suspended, "sso %s: account %s is suspended", a.SSO, account.ID)
	}
	if a.Email = strings.TrimSpace(a.Email); a.Email == "" {
		a.Email = account.Attributes.Email
	} else if err := checkAddress(a, rules); err != nil {
		return SignedIn{}, err
	}
	in := SignedIn{RoleBefore: account.Attributes.Role}
	if _, in.LeftOut, err = takeOver(tx, account, a, rules, p.clock()); err != nil {
		return SignedIn{}, err
	}
	if in.Account, err = tx.Account(account.ID); err != nil {
		return SignedIn{}, fmt.Errorf("reading account %s: %w", account.ID, err)
	}
	return in, nil
}
