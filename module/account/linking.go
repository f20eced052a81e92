package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Why a provider is not linked or unlinked, beside a *Refusal.
var (
	// ErrLinkedAlready: it is linked to this account, and stays so.
	ErrLinkedAlready = errors.New("the account is linked to it already")

	// ErrOnlyWayIn: without it nobody could sign in to the account.
	ErrOnlyWayIn = errors.New("there is no other way in to the account")
)

// Link makes what a provider says of a person a way in to their own account.
// Their address there may be another than that of the account, which changes in
// nothing: neither its address nor its role nor any attribute. It returns
// ErrLinkedAlready, or a *Refusal: the provider has to tell a verified address
// that the SSO config admits, as at a sign-in, and to be linked to nobody else;
// the account may be linked to one subject of each issuer.
func (p *People) Link(ctx context.Context, self Self, a Assertion, rules Admission, then Then) error {
	if a.Issuer == "" || a.Subject == "" || a.SSO == "" {
		return errors.New("linking a provider: the assertion has no issuer, subject or SSO config")
	}
	a.Email = strings.TrimSpace(a.Email)
	if err := checkAddress(a, rules); err != nil {
		return err
	}
	// Nobody gets an account, so "existing" admits whoever has one.
	if !(len(rules.Admit) == 1 && rules.Admit[0] == admitExisting) && !admitted(rules.Admit, a.Email) {
		return refuse(NotAdmitted, "sso %s: admit does not name the domain of %s", a.SSO, a.Email)
	}
	return p.ownAlone(ctx, self, "linking a provider to", then, func(tx store.Tx, own store.Account) error {
		switch owner, err := tx.AccountBySSO(a.Issuer, a.Subject); {
		case err == nil && owner.ID == own.ID:
			return ErrLinkedAlready
		case err == nil:
			return refuse(LinkedElsewhere, "sso %s: subject %q is linked to account %s", a.SSO, a.Subject, owner.ID)
		case !errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("looking for whom it is linked to: %w", err)
		}
		linked, err := linkedTo(tx, own.ID, a.Issuer)
		if err != nil {
			return err
		}
		if linked != nil {
			return refuse(IssuerLinked, "sso %s: the account is linked to another subject of this issuer, %q", a.SSO, linked.Subject)
		}
		return tx.SaveSSOLink(store.SSOLink{
			Issuer: a.Issuer, Subject: a.Subject, AccountID: own.ID, SSO: a.SSO, Email: a.Email, Added: true, CreatedAt: p.clock(),
		})
	})
}

// Unlinking says which link is to be removed, and when that may be.
type Unlinking struct {
	// ID is the link's, see LinkID.
	ID string
	// Enough reports whether somebody can sign in to the account with what is
	// left.
	Enough func(a store.Account, left []store.SSOLink, password bool) bool
	// Issuer returns that of an SSO config, "" for an unknown one.
	Issuer func(sso string) string
}

// Unlink removes one of the person's links, and ends all sessions that were made
// through that provider, theirs included if it was. It returns the link, and
// ErrNoneSuch or ErrOnlyWayIn.
func (p *People) Unlink(ctx context.Context, self Self, u Unlinking, then Then) (removed store.SSOLink, err error) {
	err = p.ownAlone(ctx, self, "unlinking a provider from", then, func(tx store.Tx, a store.Account) error {
		links, err := tx.SSOLinks(a.ID)
		if err != nil {
			return err
		}
		found := false
		var left []store.SSOLink
		for _, link := range links {
			if LinkID(link) == u.ID {
				removed, found = link, true
			} else {
				left = append(left, link)
			}
		}
		if !found {
			return ErrNoneSuch
		}
		_, err = tx.Password(a.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if !u.Enough(a, left, err == nil) {
			return ErrOnlyWayIn
		}
		if err := tx.DeleteSSOLink(a.ID, removed.Issuer, removed.Subject); err != nil {
			return err
		}
		sessions, err := tx.Sessions(a.ID)
		if err != nil {
			return err
		}
		for _, s := range sessions {
			if s.SSO == "" || s.SSO != removed.SSO && u.Issuer(s.SSO) != removed.Issuer {
				continue
			}
			if _, err := tx.EndSession(s.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return removed, err
}

// LinkID is what a link is called in forms. It tells nothing of the subject.
func LinkID(l store.SSOLink) string {
	sum := sha256.Sum256([]byte(l.Issuer + "\x00" + l.Subject))
	return hex.EncodeToString(sum[:16])
}
