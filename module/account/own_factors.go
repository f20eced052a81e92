package account

import (
	"context"
	"errors"
	"slices"

	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// RemoveFactor removes one of the person's second factors; of those that are
// left one is preferred, and with the last one the recovery codes go. All other
// sessions and all flows end, and no browser is trusted any more. It returns
// ErrNoneSuch, and ErrStillRequired if the methods that would be left are not
// enough for the person.
func (p *People) RemoveFactor(ctx context.Context, self Self, id string, enough func(a store.Account, left policy.Methods) bool, then Then) (removed store.Factor, err error) {
	err = p.ownAlone(ctx, self, "removing a second factor of", then, func(tx store.Tx, a store.Account) error {
		factors, err := tx.Factors(a.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(factors, func(f store.Factor) bool { return f.ID == id })
		if i < 0 {
			return ErrNoneSuch
		}
		removed = factors[i]
		left := slices.Delete(factors, i, i+1)
		var methods policy.Methods
		for _, f := range left {
			methods |= policy.Method(string(f.Method))
		}
		if !enough(a, methods) {
			return ErrStillRequired
		}
		if err := tx.DeleteFactor(a.ID, id); err != nil {
			return err
		}
		switch {
		case len(left) == 0:
			err = tx.DeleteFactors(a.ID) // the recovery codes
		case removed.Preferred:
			err = tx.PreferFactor(a.ID, left[0].ID)
		}
		if err != nil {
			return err
		}
		return tx.MoveEpoch(a.ID, self.Session, p.clock())
	})
	removed.Secret = nil
	return removed, err
}

// PreferFactor has a passcode asked from that factor first. It returns
// ErrNoneSuch.
func (p *People) PreferFactor(ctx context.Context, self Self, id string, then Then) error {
	return p.own(ctx, self, "preferring a second factor of", then, func(tx store.Tx, a store.Account) error {
		err := tx.PreferFactor(a.ID, id)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoneSuch
		}
		return err
	})
}

// KeepFactors has the person asked for a passcode of their own accord, whether
// or not it is required. It returns ErrNoneSuch without a second factor.
func (p *People) KeepFactors(ctx context.Context, self Self, then Then) error {
	return p.own(ctx, self, "keeping the second factors of", then, func(tx store.Tx, a store.Account) error {
		factors, err := tx.Factors(a.ID)
		if err != nil {
			return err
		}
		if len(factors) == 0 {
			return ErrNoneSuch
		}
		return tx.ChooseFactors(a.ID)
	})
}

// NewRecoveryCodes makes ten recovery codes in place of those there are. All
// other sessions and all flows end, and no browser is trusted any more: whoever
// had the old ones may be in. It returns ErrNoneSuch without a second factor.
func (p *People) NewRecoveryCodes(ctx context.Context, self Self, then Then) ([]string, error) {
	codes, hashes := newRecoveryCodes(self.AccountID)
	err := p.ownAlone(ctx, self, "making recovery codes for", then, func(tx store.Tx, a store.Account) error {
		factors, err := tx.Factors(a.ID)
		if err != nil {
			return err
		}
		if len(factors) == 0 {
			return ErrNoneSuch
		}
		now := p.clock()
		if err := tx.ReplaceRecoveryCodes(a.ID, hashes, now); err != nil {
			return err
		}
		return tx.MoveEpoch(a.ID, self.Session, now)
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}
