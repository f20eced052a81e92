package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Believed is somebody whose password is right.
type Believed struct {
	Account store.Account
	// Length of the password in characters.
	Length int
	// Factors are the methods of the second factors that are set up.
	Factors policy.Methods
	// ChoseFactor: the person set one up by choice, so that a passcode is
	// asked for also where the audience does not require it.
	ChoseFactor bool
}

// candidate is who somebody claims to be. Its zero value is nobody.
type candidate struct {
	account store.Account
	hash    string // PHC; "" without a password
	attempt attempt
}

// CheckPassword believes a password or returns ErrWrong, *Held or *Busy. All
// of them are the same for addresses that are known and unknown, and so is the
// work they cost.
//
// The account may change before the caller acts on the answer: make sessions
// and flows with the epoch of Believed.Account.
func (p *People) CheckPassword(ctx context.Context, email, password string, from From) (Believed, error) {
	normal, ok := normalize(password)
	if !ok || normal == "" {
		return Believed{}, ErrWrong // nobody's password, whoever it is
	}
	claimed, held, err := p.claim(ctx, email, from)
	if err != nil {
		return Believed{}, err
	}
	if held != nil {
		held.AccountID = claimed.account.ID
		return Believed{}, held
	}
	leave, err := p.hasher.enter(ctx, visitor{network(from.Address), from.Device.Knows(claimed.account.ID)})
	if err != nil {
		return Believed{}, err
	}
	defer leave()
	claimed, held, err = p.countClaim(ctx, email, from)
	if err != nil {
		return Believed{}, err
	}
	if held != nil {
		held.AccountID = claimed.account.ID
		return Believed{}, held
	}
	ok, again, err := p.hasher.matches(normal, claimed.hash)
	if err != nil {
		return Believed{}, fmt.Errorf("checking the password of account %s: %w", claimed.account.ID, err)
	}
	if !ok || claimed.account.Suspended {
		return Believed{}, &Wrong{AccountID: claimed.account.ID}
	}
	var rehash string
	if again {
		rehash = p.hasher.make(normal)
	}
	leave()
	believed, err := p.believe(ctx, claimed, rehash)
	believed.Length = utf8.RuneCountInString(normal)
	return believed, err
}

// claim looks up who somebody claims to be and whether they have to wait. It
// writes nothing: those who are held cost no more than this.
func (p *People) claim(ctx context.Context, email string, from From) (claimed candidate, held *Held, err error) {
	err = p.store.View(ctx, func(tx store.Tx) error {
		if claimed, err = p.candidate(tx, email, from); err != nil {
			return err
		}
		held, err = claimed.attempt.held(tx, p.clock())
		return err
	})
	if err != nil {
		return candidate{}, nil, fmt.Errorf("looking up an account: %w", err)
	}
	return claimed, held, nil
}

// countClaim does the same and counts the attempt, unless it is held by now.
func (p *People) countClaim(ctx context.Context, email string, from From) (claimed candidate, held *Held, err error) {
	err = p.store.Update(ctx, func(tx store.Tx) error {
		if claimed, err = p.candidate(tx, email, from); err != nil {
			return err
		}
		now := p.clock()
		if held, err = claimed.attempt.held(tx, now); err != nil || held != nil {
			return err
		}
		return claimed.attempt.count(tx, now)
	})
	if err != nil {
		return candidate{}, nil, fmt.Errorf("counting a sign-in: %w", err)
	}
	return claimed, held, nil
}

// candidate asks the store the same questions whether or not anybody has that
// address.
func (p *People) candidate(tx store.Tx, email string, from From) (candidate, error) {
	if !utf8.ValidString(email) || strings.ContainsRune(email, 0) {
		email = strings.ToValidUTF8(strings.ReplaceAll(email, "\x00", "\uFFFD"), "\uFFFD")
	}
	var c candidate
	var err error
	if c.account, err = tx.AccountByEmail(email); err != nil && !errors.Is(err, store.ErrNotFound) {
		return candidate{}, err
	}
	password, err := tx.Password(c.account.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return candidate{}, err
	}
	c.hash = password.Hash
	if c.account.ID == "" {
		c.attempt = p.guesses.unknown(passwords, email, from, p.clock())
		return c, nil
	}
	c.attempt, err = p.guesses.known(tx, passwords, c.account.ID, from)
	return c, err
}

// believe clears the counters and returns the account as it is now, if it
// still has that password and may sign in.
func (p *People) believe(ctx context.Context, claimed candidate, rehash string) (believed Believed, err error) {
	var wrong bool
	err = p.store.Update(ctx, func(tx store.Tx) error {
		believed, wrong = Believed{}, false
		account, err := tx.Account(claimed.account.ID)
		if err != nil {
			wrong = errors.Is(err, store.ErrNotFound)
			return err
		}
		password, err := tx.Password(account.ID)
		if err != nil {
			wrong = errors.Is(err, store.ErrNotFound)
			return err
		}
		if wrong = account.Suspended || password.Hash != claimed.hash; wrong {
			return nil
		}
		if err := claimed.attempt.succeeded(tx); err != nil {
			return err
		}
		if rehash != "" {
			password.Hash = rehash
			if err := tx.SavePassword(password); err != nil {
				return err
			}
		}
		factors, err := tx.Factors(account.ID)
		if err != nil {
			return err
		}
		believed.Account = account
		for _, f := range factors {
			believed.Factors |= policy.Method(string(f.Method))
			believed.ChoseFactor = believed.ChoseFactor || !f.Required
		}
		return nil
	})
	switch {
	case wrong:
		return Believed{}, ErrWrong
	case err != nil:
		return Believed{}, fmt.Errorf("signing in account %s: %w", claimed.account.ID, err)
	}
	return believed, nil
}
