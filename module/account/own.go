package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Why an act on one's own account is not done.
var (
	// ErrSignedOut: the session ended meanwhile, by itself, with the account
	// or because that was suspended.
	ErrSignedOut = errors.New("the session has ended meanwhile")

	// ErrMeanwhile: what signing in takes was changed at the same moment.
	ErrMeanwhile = errors.New("the account was changed at the same moment")

	// ErrNoneSuch: the account has nothing of that id, or not any more.
	ErrNoneSuch = errors.New("the account has none such")

	// ErrNoPassword: there is no password to be changed.
	ErrNoPassword = errors.New("the account has no password")

	// ErrFromProvider: the name comes from the person's provider, and would
	// be what that says again at the next sign-in.
	ErrFromProvider = errors.New("the name comes from the provider")

	// ErrStillRequired: the second factor is required of this person.
	ErrStillRequired = errors.New("a second factor is required")
)

// Self is a person who acts on their own account in one of their sessions. An
// act is done only if that session still lives when it is kept.
type Self struct {
	AccountID string
	Session   []byte // its id
	// Epoch of the account when the person began. Acts that change what
	// signing in takes are done only if it has not moved since, so that of
	// several at once one is done.
	Epoch int64
}

// Rename changes a person's name. It returns ErrFromProvider, or what
// CheckAttributes says.
func (p *People) Rename(ctx context.Context, self Self, name string, then Then) error {
	return p.own(ctx, self, "renaming", then, func(tx store.Tx, a store.Account) error {
		links, err := tx.SSOLinks(a.ID)
		if err != nil {
			return err
		}
		if len(links) > 0 {
			return ErrFromProvider
		}
		attributes := a.Attributes
		attributes.Name = strings.TrimSpace(name)
		if err := checkAttributes(attributes); err != nil {
			return err
		}
		return tx.SaveAttributes(a.ID, attributes, p.clock())
	})
}

// ChangePassword sets another password. All other sessions and all flows end,
// and no browser is trusted any more. It returns *Weak, *Busy or ErrNoPassword.
func (p *People) ChangePassword(ctx context.Context, self Self, password string, rules Rules, from From, then Then) error {
	a, err := p.Account(ctx, self.AccountID)
	if errors.Is(err, store.ErrNotFound) {
		return ErrSignedOut
	}
	if err != nil {
		return err
	}
	normal, err := judge(password, a.Attributes, rules)
	if err != nil {
		return err
	}
	hash, err := p.hashNew(ctx, normal, from)
	if err != nil {
		return err
	}
	return p.ownAlone(ctx, self, "changing the password of", then, func(tx store.Tx, a store.Account) error {
		if _, err := tx.Password(a.ID); errors.Is(err, store.ErrNotFound) {
			return ErrNoPassword
		} else if err != nil {
			return err
		}
		return p.savePassword(tx, a.ID, hash, self.Session)
	})
}

// EndSession ends one of the person's sessions with its family. It returns
// ErrNoneSuch.
func (p *People) EndSession(ctx context.Context, self Self, id []byte, then Then) error {
	return p.own(ctx, self, "ending a session of", then, func(tx store.Tx, a store.Account) error {
		s, err := tx.Session(id)
		if errors.Is(err, store.ErrNotFound) || err == nil && s.AccountID != a.ID {
			return ErrNoneSuch
		}
		if err != nil {
			return err
		}
		ended, err := tx.EndSession(id)
		if err == nil && !ended {
			return ErrNoneSuch
		}
		return err
	})
}

// EndOtherSessions ends all of the person's sessions but the one they act in and
// its family.
func (p *People) EndOtherSessions(ctx context.Context, self Self, then Then) error {
	return p.own(ctx, self, "ending the other sessions of", then, func(tx store.Tx, a store.Account) error {
		sessions, err := tx.Sessions(a.ID)
		if err != nil {
			return err
		}
		own, err := tx.Session(self.Session)
		if err != nil {
			return err
		}
		for _, s := range sessions {
			if bytes.Equal(s.Family, own.Family) {
				continue
			}
			if _, err := tx.EndFamily(s.Family); err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetDevice has a trusted browser asked for a passcode again. It returns
// ErrNoneSuch.
func (p *People) ForgetDevice(ctx context.Context, self Self, id []byte, then Then) error {
	return p.own(ctx, self, "forgetting a trusted browser of", then, func(tx store.Tx, a store.Account) error {
		forgotten, err := tx.ForgetDevice(a.ID, id)
		if err == nil && !forgotten {
			return ErrNoneSuch
		}
		return err
	})
}

// CheckName returns what is wrong with a name for a person, in words for the
// log.
func CheckName(name string) error {
	return checkAttributes(identity.Attributes{Email: "somebody@example.com", Role: identity.EndUser, Name: strings.TrimSpace(name)})
}

// own runs an act of a person on their own account, and then, in one
// transaction, if they are still signed in.
func (p *People) own(ctx context.Context, self Self, doing string, then Then, act func(tx store.Tx, a store.Account) error) error {
	present := false
	err := p.change(ctx, self.AccountID, doing, then, func(tx store.Tx, a store.Account) error {
		present = true
		s, err := tx.Session(self.Session)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return ErrSignedOut
		case err != nil:
			return err
		case a.Suspended || s.AccountID != a.ID || s.Epoch != a.Epoch:
			return ErrSignedOut
		}
		return act(tx, a)
	})
	if !present && errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%s account %s: %w", doing, self.AccountID, ErrSignedOut)
	}
	return err
}

// ownAlone does the same with an act that changes what signing in takes: of
// several at once one is done.
func (p *People) ownAlone(ctx context.Context, self Self, doing string, then Then, act func(tx store.Tx, a store.Account) error) error {
	return p.own(ctx, self, doing, then, func(tx store.Tx, a store.Account) error {
		if a.Epoch != self.Epoch {
			return ErrMeanwhile
		}
		return act(tx, a)
	})
}
