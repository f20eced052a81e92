package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// How long one-time links can be used.
const (
	InvitationLifetime = 72 * time.Hour
	ResetLifetime      = time.Hour
)

// IssueLink returns the token of a new one-time link, with which its holder
// sets the password of the account. The account's earlier links end.
func (p *People) IssueLink(ctx context.Context, accountID string, purpose store.Purpose, then Then) (token string, expires time.Time, err error) {
	lifetime := ResetLifetime
	if purpose == store.PurposeInvitation {
		lifetime = InvitationLifetime
	}
	now := p.clock()
	token, id := secret.NewToken()
	link := store.OneTimeLink{
		ID:        id,
		AccountID: accountID,
		Purpose:   purpose,
		CreatedAt: now,
		ExpiresAt: now.Add(lifetime),
	}
	err = p.change(ctx, accountID, "making a one-time link for", then, func(tx store.Tx, a store.Account) error {
		if a.Suspended {
			return ErrSuspended
		}
		return tx.CreateOneTimeLink(link)
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return token, link.ExpiresAt, nil
}

// LinkOwner returns whose link it is, without using it up. It returns ErrLink,
// or *Held if too many of that network were not.
func (p *People) LinkOwner(ctx context.Context, token string, from From) (store.Account, store.OneTimeLink, error) {
	guess := p.guesses.anyone(links, from)
	id := secret.TokenID(token)
	var (
		account store.Account
		link    store.OneTimeLink
		held    *Held
	)
	err := p.store.View(ctx, func(tx store.Tx) (err error) {
		now := p.clock()
		if held, err = guess.held(tx, now); err != nil || held != nil {
			return err
		}
		if link, err = tx.OneTimeLink(id, now); err != nil {
			return err
		}
		account, err = tx.Account(link.AccountID)
		return err
	})
	switch {
	case held != nil:
		return store.Account{}, store.OneTimeLink{}, held
	case errors.Is(err, store.ErrNotFound), err == nil && account.Suspended:
		// Tokens cannot be guessed, so counting after the check will do:
		// it keeps mail scanners that open links from writing.
		if err := p.store.Update(ctx, func(tx store.Tx) error { return guess.count(tx, p.clock()) }); err != nil {
			return store.Account{}, store.OneTimeLink{}, fmt.Errorf("counting a one-time link: %w", err)
		}
		return store.Account{}, store.OneTimeLink{}, ErrLink
	case err != nil:
		return store.Account{}, store.OneTimeLink{}, fmt.Errorf("looking up a one-time link: %w", err)
	}
	return account, link, nil
}

// SetPasswordByLink uses a link up and sets the password. All sessions and
// flows end, and what was guessed of the password is forgiven, never what was
// guessed of the passcode. A password that is refused with *Weak leaves the
// link as it is. Otherwise it returns ErrLink, *Held or *Busy.
func (p *People) SetPasswordByLink(ctx context.Context, token, password string, rules Rules, from From, then Then) (store.Account, error) {
	account, _, err := p.LinkOwner(ctx, token, from)
	if err != nil {
		return store.Account{}, err
	}
	normal, err := judge(password, account.Attributes, rules)
	if err != nil {
		return store.Account{}, err
	}
	hash, err := p.hashNew(ctx, normal, from)
	if err != nil {
		return store.Account{}, err
	}
	id := secret.TokenID(token)
	err = p.change(ctx, account.ID, "setting the password of", then, func(tx store.Tx, a store.Account) error {
		if a.Suspended {
			return ErrLink
		}
		switch link, err := tx.SpendOneTimeLink(id, p.clock()); {
		case errors.Is(err, store.ErrNotFound), err == nil && link.AccountID != a.ID:
			return ErrLink
		case err != nil:
			return err
		}
		return p.savePassword(tx, a.ID, hash, nil)
	})
	switch {
	case errors.Is(err, ErrLink), errors.Is(err, store.ErrNotFound):
		return store.Account{}, ErrLink
	case err != nil:
		return store.Account{}, err
	}
	return account, nil
}

// SetPassword sets a password without a link, as provisioning does, with the
// same effects. It returns *Weak or *Busy if it cannot.
func (p *People) SetPassword(ctx context.Context, accountID, password string, rules Rules, then Then) error {
	account, err := p.Account(ctx, accountID)
	if err != nil {
		return err
	}
	normal, err := judge(password, account.Attributes, rules)
	if err != nil {
		return err
	}
	hash, err := p.hashNew(ctx, normal, From{})
	if err != nil {
		return err
	}
	return p.change(ctx, accountID, "setting the password of", then, func(tx store.Tx, a store.Account) error {
		return p.savePassword(tx, a.ID, hash, nil)
	})
}

// hashNew hashes a new password. Who has a link or provisions goes with the
// known browsers.
func (p *People) hashNew(ctx context.Context, password string, from From) (string, error) {
	leave, err := p.hasher.enter(ctx, visitor{network(from.Address), true})
	if err != nil {
		return "", err
	}
	defer leave()
	return p.hasher.make(password), nil
}

// savePassword ends all sessions but the one to keep.
func (p *People) savePassword(tx store.Tx, accountID, hash string, keepSession []byte) error {
	now := p.clock()
	if err := tx.SavePassword(store.Password{AccountID: accountID, Hash: hash, SetAt: now}); err != nil {
		return err
	}
	if err := lift(tx, passwords, accountID, now); err != nil {
		return err
	}
	return tx.MoveEpoch(accountID, keepSession, now)
}
