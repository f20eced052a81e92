package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Assertion is what a provider says of a person, believed by package sso.
type Assertion struct {
	// Issuer and Subject together are who it is. The address is an
	// attribute like any other.
	Issuer, Subject string

	// SSO is the name of the SSO config.
	SSO string

	Email         string
	EmailVerified bool

	// Attributes that the provider told. Name counts where it is told, Role
	// where a claim gave one; the e-mail address is that above.
	Attributes identity.Attributes

	// Changes are the other attributes that the provider told.
	Changes identity.Changes
}

// SignedIn is an account as a sign-in through a provider left it.
type SignedIn struct {
	store.Account

	// Refused: the person is not let in, since they are no member. No session
	// may be made.
	Refused bool

	// Joined: the account was somebody's before, and the person has joined it
	// by its verified address.
	Joined bool

	// RoleBefore is the role that the account had; end-user if it was made
	// just now.
	RoleBefore identity.Role

	// LeftOut names the attributes for which the account has no room.
	LeftOut []string
}

// RefusalReason says why a person whom a provider vouches for is not let in, or
// why it cannot be linked to their account.
type RefusalReason string

// The reasons. Pages explain each.
const (
	// NoEmail: the provider told no address that mail could go to.
	NoEmail RefusalReason = "no_email"
	// Unverified: the provider does not say that the address is theirs.
	Unverified RefusalReason = "unverified"
	// NotAdmitted: the SSO config does not admit them.
	NotAdmitted RefusalReason = "not_admitted"
	// EmailTaken: the address belongs to another account.
	EmailTaken RefusalReason = "email_taken"
	// Suspended: their account is suspended.
	Suspended RefusalReason = "suspended"
	// NotMember: their role is not among those of Admission.Member.
	NotMember RefusalReason = "not_member"
	// LinkedElsewhere: it cannot be linked, for it is another account's.
	LinkedElsewhere RefusalReason = "linked_elsewhere"
	// IssuerLinked: it cannot be linked, for the account has a link to somebody
	// else at that issuer.
	IssuerLinked RefusalReason = "issuer_linked"
	// TooManyNew: more accounts are made than may be; later it will work.
	TooManyNew RefusalReason = "too_many_new"
)

// Refusal is the error of a person who is known for sure and not let in, or whose
// provider is not linked.
type Refusal struct {
	Reason RefusalReason
	// Detail is for the log: what exactly, and what an operator can do.
	Detail string
}

// Error implements error.
func (r *Refusal) Error() string { return "refused (" + string(r.Reason) + "): " + r.Detail }

func refuse(reason RefusalReason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// SignInThroughProvider finds the account of the person that a provider
// vouches for, or makes it as the rules allow, takes over the attributes that
// the provider told, and records the sign-in. Then it calls then, in the same
// Update, to make the session; what then returns as an error undoes everything.
// It is called, too, when somebody known is refused as no member, so that what
// has changed can be told.
//
// The provider is the source of the attributes that it sends: they win over
// what an administrator has set meanwhile. What it does not send stays, and so
// does the address of an account to which its person has added the provider:
// theirs at that one may be another, and would take turns with it.
//
// The account is found by (issuer, subject) and nothing else. An address that
// the provider has changed to one of another account refuses the sign-in:
// going on with the old address would show the app a person whom the provider
// no longer knows by that name.
//
// A person who is not let in gets a *Refusal. Other errors are the store's, or
// those of then.
func (p *People) SignInThroughProvider(ctx context.Context, a Assertion, rules Admission, then func(tx store.Tx, in SignedIn) error) (SignedIn, error) {
	if a.Issuer == "" || a.Subject == "" || a.SSO == "" {
		return SignedIn{}, errors.New("signing in through a provider: the assertion has no issuer, subject or SSO config")
	}
	a.Email = strings.TrimSpace(a.Email)
	if err := checkAddress(a, rules); err != nil {
		return SignedIn{}, err
	}

	var in SignedIn
	counted := false // Update may run the function more than once
	err := p.store.Update(ctx, func(tx store.Tx) error {
		now := p.clock()
		account, err := tx.AccountBySSO(a.Issuer, a.Subject)
		known, joins := err == nil, false
		switch {
		case errors.Is(err, store.ErrNotFound):
			account, joins, err = p.admit(tx, a, rules, now, &counted)
		case err == nil && account.Suspended:
			err = refuse(Suspended, "sso %s: account %s is suspended", a.SSO, account.ID)
		}
		if err != nil {
			return err
		}
		in = SignedIn{RoleBefore: account.Attributes.Role, Joined: joins}
		var role identity.Role
		if role, in.LeftOut, err = takeOver(tx, account, a, rules, now); err != nil {
			return err
		}
		in.Refused = rules.Member != nil && !rules.Member(role)
		switch {
		case in.Refused && !known:
			return notMember(a, account.ID, role)
		case !in.Refused:
			link := store.SSOLink{Issuer: a.Issuer, Subject: a.Subject, AccountID: account.ID, SSO: a.SSO, Email: a.Email, CreatedAt: now, UsedAt: now}
			if err := tx.SaveSSOLink(link); err != nil {
				return fmt.Errorf("linking account %s: %w", account.ID, err)
			}
			if err := tx.RecordSignIn(account.ID, now); err != nil {
				return fmt.Errorf("recording the sign-in of account %s: %w", account.ID, err)
			}
		}
		if in.Account, err = tx.Account(account.ID); err != nil {
			return fmt.Errorf("reading account %s: %w", account.ID, err)
		}
		return then(tx, in)
	})
	if err != nil {
		return SignedIn{}, err
	}
	if in.Refused {
		return in, notMember(a, in.ID, in.Attributes.Role)
	}
	return in, nil
}

// checkAddress refuses a person of whom the provider tells no address, or one
// that it does not vouch for.
func checkAddress(a Assertion, rules Admission) error {
	if !usableAddress(a.Email) {
		return refuse(NoEmail, "sso %s: %q is not an address that can be used", a.SSO, a.Email)
	}
	if !a.EmailVerified && !rules.TrustEmail {
		return refuse(Unverified, "sso %s: the provider does not mark %s as verified (email_verified); if it only ever sends addresses that it has checked, set trust_email",
			a.SSO, a.Email)
	}
	return nil
}

func notMember(a Assertion, id string, role identity.Role) *Refusal {
	return refuse(NotMember, "sso %s: account %s has the role %s", a.SSO, id, role)
}

// Interface guards.
var _ error = (*Refusal)(nil)
