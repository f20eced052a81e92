package account

import (
	"fmt"
	"slices"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// mayJoin refuses whom a provider vouches for and who may not join the account
// that has their address, which was somebody's before. The caller has checked
// that the address is verified and admitted.
//
// It would be a way in for whoever has an address at that provider, so it leads
// to end users only, never past a second factor, and to one person of each
// issuer: an address that is given to somebody else there brings the next one
// nothing.
func mayJoin(tx store.Tx, a Assertion, other store.Account) error {
	why, err := unjoinable(tx, other, a.Issuer)
	if err == nil && why != "" {
		err = refuse(EmailTaken, "sso %s: link verified_email: account %s with the address %s is not joined: %s", a.SSO, other.ID, a.Email, why)
	}
	return err
}

// unjoinable returns what keeps an account from being joined by its address, or
// "" if nothing does.
func unjoinable(tx store.Tx, account store.Account, issuer string) (string, error) {
	switch {
	case account.Suspended:
		return "it is suspended", nil
	case account.Attributes.Role != identity.EndUser:
		return "its role is " + string(account.Attributes.Role) + "; its owner can link the provider on the account page", nil
	}
	factors, err := tx.Factors(account.ID)
	if err != nil {
		return "", fmt.Errorf("looking for second factors: %w", err)
	}
	if len(factors) > 0 {
		return "it has a second factor; its owner can link the provider on the account page", nil
	}
	linked, err := linkedTo(tx, account.ID, issuer)
	if err != nil || linked == nil {
		return "", err
	}
	return "it is linked to another subject of this issuer already", nil
}

// linkedTo returns the account's link to an issuer, nil if it has none. There is
// at most one: who is two people at a provider signs in as one of them.
func linkedTo(tx store.Tx, accountID, issuer string) (*store.SSOLink, error) {
	links, err := tx.SSOLinks(accountID)
	if err != nil {
		return nil, fmt.Errorf("looking for SSO links: %w", err)
	}
	i := slices.IndexFunc(links, func(l store.SSOLink) bool { return l.Issuer == issuer })
	if i < 0 {
		return nil, nil
	}
	return &links[i], nil
}
