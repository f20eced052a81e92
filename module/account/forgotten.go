package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// An account is mailed accountResets links for a new password, and again
	// one for each accountResetLeak that passes: whoever knows an address
	// could fill its owner's mailbox otherwise.
	accountResets    = 5
	accountResetLeak = time.Hour
)

// CountResetRequest counts that a link for a new password was asked for, or
// returns *Held if that network asked too often. It is the same whoever the link
// is for.
func (p *People) CountResetRequest(ctx context.Context, from From) error {
	request := p.guesses.anyone(resets, from)
	var held *Held
	err := p.store.Update(ctx, func(tx store.Tx) (err error) {
		now := p.clock()
		if held, err = request.held(tx, now); err != nil || held != nil {
			return err
		}
		return request.count(tx, now)
	})
	switch {
	case err != nil:
		return fmt.Errorf("counting who asks for a new password: %w", err)
	case held != nil:
		return held
	}
	return nil
}

// Forgetful is somebody who may have forgotten their password.
type Forgetful struct {
	store.Account
	HasPassword bool
	SSO         []string // names of the SSO configs they signed in through
}

// FindForgetful returns who has that address, or nil if nobody does, they are
// suspended, or they were mailed enough links lately. It counts one more for
// those who get one.
func (p *People) FindForgetful(ctx context.Context, email string, may func(Forgetful) bool) (found *Forgetful, err error) {
	err = p.store.Update(ctx, func(tx store.Tx) error {
		found = nil
		a, err := tx.AccountByEmail(identity.EmailKey(email))
		if errors.Is(err, store.ErrNotFound) || err == nil && a.Suspended {
			return nil
		}
		if err != nil {
			return err
		}
		who := Forgetful{Account: a}
		switch _, err := tx.Password(a.ID); {
		case err == nil:
			who.HasPassword = true
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		links, err := tx.SSOLinks(a.ID)
		if err != nil {
			return err
		}
		for _, link := range links {
			who.SSO = append(who.SSO, link.SSO)
		}
		if !may(who) {
			return nil
		}
		now, key := p.clock(), "mailed/account/"+a.ID
		mailed, err := tx.Failures(key)
		if err != nil {
			return err
		}
		if over := time.Duration(mailed.Count-accountResets+1) * accountResetLeak; mailed.Count >= accountResets && now.Before(mailed.Last.Add(over)) {
			return nil
		}
		if _, err := tx.CountFailure(key, now.Truncate(accountResetLeak), accountResetLeak); err != nil {
			return err
		}
		found = &who
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for who forgot their password: %w", err)
	}
	return found, nil
}
