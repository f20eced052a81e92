package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// How a passcode was believed.
const (
	HowApp      = "app"
	HowEmail    = "email"
	HowSMS      = "sms"
	HowRecovery = "recovery"
)

// Asked is who is asked for a passcode.
type Asked struct {
	AccountID string
	// FlowID is the flow that asks: codes that are sent count in their own
	// flow only. nil: none was sent.
	FlowID []byte
	// Methods are those of whose factors a code is taken; 0: any. A recovery
	// code is always taken.
	Methods policy.Methods
}

// takes reports whether a code of that method is asked for.
func (a Asked) takes(m store.Method) bool {
	return a.Methods == 0 || a.Methods.Has(policy.Method(string(m)))
}

// CheckPasscode believes the code that was sent last, one from the authenticator
// app or a recovery code, of somebody whose password has been believed, or
// returns ErrWrong or *Held.
//
// The code is used up, the counters are cleared and then runs, all in one
// transaction: an error of then, which is returned as it is, undoes all of it.
// then may run more than once.
func (p *People) CheckPasscode(ctx context.Context, asked Asked, code string, from From, then func(tx store.Tx, how string) error) error {
	return p.guessPasscode(ctx, asked.AccountID, from, func(tx store.Tx, now time.Time) (func() error, error) {
		how, err := p.usePasscode(tx, asked, code, now)
		if err != nil || how == "" {
			return nil, err
		}
		return func() error { return then(tx, how) }, nil
	})
}

// guessPasscode runs check as one guess: held or counted before, forgiven if
// check returns what to do then.
func (p *People) guessPasscode(ctx context.Context, accountID string, from From, check func(tx store.Tx, now time.Time) (then func() error, err error)) error {
	var refused, thenErr error
	err := p.store.Update(ctx, func(tx store.Tx) error {
		refused, thenErr = nil, nil
		account, err := tx.Account(accountID)
		if errors.Is(err, store.ErrNotFound) {
			refused = ErrWrong
			return nil
		}
		if err != nil {
			return err
		}
		now := p.clock()
		guess, err := p.guesses.known(tx, passcodes, accountID, from)
		if err != nil {
			return err
		}
		held, err := guess.held(tx, now)
		if err != nil {
			return err
		}
		if held != nil {
			refused = held
			return nil
		}
		if err := guess.count(tx, now); err != nil {
			return err
		}
		if account.Suspended {
			refused = ErrWrong
			return nil
		}
		then, err := check(tx, now)
		if err != nil {
			return err
		}
		if then == nil {
			refused = ErrWrong
			return nil // and keep the count
		}
		if err := guess.succeeded(tx); err != nil {
			return err
		}
		thenErr = then()
		return thenErr
	})
	switch {
	case thenErr != nil:
		return thenErr
	case err != nil:
		return fmt.Errorf("checking a passcode of account %s: %w", accountID, err)
	}
	return refused
}

// usePasscode uses a code up and returns how it was made, or "".
func (p *People) usePasscode(tx store.Tx, asked Asked, code string, now time.Time) (how string, err error) {
	accountID := asked.AccountID
	if recovery, ok := recoveryCode(code); ok {
		spent, err := tx.SpendRecoveryCode(accountID, recoveryHash(accountID, recovery), now)
		if err != nil || !spent {
			return "", err
		}
		return HowRecovery, nil
	}
	factors, err := tx.Factors(accountID)
	if err != nil {
		return "", err
	}
	if how, err := p.useSentCode(tx, asked, factors, code, now); err != nil || how != "" {
		return how, err
	}
	for _, f := range factors {
		if f.Method != store.MethodApp || !asked.takes(f.Method) {
			continue
		}
		secret, err := p.ring.Open(f.Secret, FactorRow(f.ID))
		if err != nil {
			return "", fmt.Errorf("opening second factor %s: %w", f.ID, err)
		}
		for _, step := range matchingSteps(secret, typedCode(code), now) {
			first, err := tx.UseStep(f.ID, step, now)
			if err != nil {
				return "", err
			}
			if first {
				return HowApp, nil
			}
		}
	}
	return "", nil
}

// useSentCode uses up the code that was sent in the flow, if it is one of the
// account's factors that it was sent to.
func (p *People) useSentCode(tx store.Tx, asked Asked, factors []store.Factor, code string, now time.Time) (how string, err error) {
	if asked.FlowID == nil {
		return "", nil
	}
	flow, err := tx.Flow(asked.FlowID)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil || flow.AccountID != asked.AccountID || flow.Phone != "" {
		return "", err // a number that is being set up proves nothing yet
	}
	for _, f := range factors {
		if f.Method != flow.Method || f.Method == store.MethodApp || !asked.takes(f.Method) {
			continue
		}
		spent, err := p.spendSentCode(tx, flow, code, now)
		if err != nil || !spent {
			return "", err
		}
		return string(f.Method), tx.UseFactor(f.ID, now)
	}
	return "", nil
}
