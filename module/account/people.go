package account

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	maxEmail = 254 // bytes; RFC 5321, section 4.5.3.1.3
	maxName  = 256 // characters
)

// ErrSuspended: the account is suspended, so nobody can sign in to it.
var ErrSuspended = errors.New("the account is suspended: resume it first")

// Then runs in the transaction of an act, after it and before it is kept, with
// the account as it was before; its error undoes the act. It may run more than
// once. A nil Then does nothing.
type Then func(tx store.Tx, before store.Account) error

// NewAccount is an account to be made.
type NewAccount struct {
	Email string
	Name  string
	// Role of the person. Default: end-user.
	Role identity.Role
	// Password to begin with. Default: none; send an invitation.
	Password string
	// Rules for Password.
	Rules Rules
}

// Person is an account with what hangs on it. It holds no secrets.
type Person struct {
	store.Account
	HasPassword    bool
	PasswordSetAt  time.Time
	Factors        []store.Factor // without their secrets
	RecoveryCodes  int            // left
	SSOLinks       []store.SSOLink
	Sessions       []store.Session
	TrustedDevices []store.TrustedDevice
	// PasswordHeld and PasscodeHeld say how long strangers' guesses have to
	// wait, nil when they do not.
	PasswordHeld, PasscodeHeld *Held
}

// Create makes an account. It returns *Weak, or an error that says what is
// wrong with it; store.ErrEmailTaken if its address is in use.
func (p *People) Create(ctx context.Context, n NewAccount, then Then) (store.Account, error) {
	now := p.clock()
	account := store.Account{
		ID: store.NewID(),
		Attributes: identity.Attributes{
			Email: strings.TrimSpace(n.Email),
			Name:  strings.TrimSpace(n.Name),
			Role:  n.Role,
		},
		CreatedAt: now,
		UpdatedAt: now,
	}
	if account.Attributes.Role == "" {
		account.Attributes.Role = identity.EndUser
	}
	if err := checkAttributes(account.Attributes); err != nil {
		return store.Account{}, err
	}
	var hash string
	if n.Password != "" {
		normal, err := judge(n.Password, account.Attributes, n.Rules)
		if err != nil {
			return store.Account{}, err
		}
		if hash, err = p.hashNew(ctx, normal, From{}); err != nil {
			return store.Account{}, err
		}
	}
	err := p.store.Update(ctx, func(tx store.Tx) error {
		if err := tx.CreateAccount(account); err != nil {
			return err
		}
		if hash != "" {
			if err := tx.SavePassword(store.Password{AccountID: account.ID, Hash: hash, SetAt: now}); err != nil {
				return err
			}
		}
		if then == nil {
			return nil
		}
		return then(tx, account)
	})
	if err != nil {
		return store.Account{}, fmt.Errorf("making account %s: %w", account.Attributes.Email, err)
	}
	return account, nil
}

// Account returns the account with that id, or store.ErrNotFound.
func (p *People) Account(ctx context.Context, id string) (account store.Account, err error) {
	err = p.store.View(ctx, func(tx store.Tx) error {
		account, err = tx.Account(id)
		return err
	})
	if err != nil {
		return store.Account{}, fmt.Errorf("looking up account %s: %w", id, err)
	}
	return account, nil
}

// Find returns the account with that e-mail address or id, or
// store.ErrNotFound.
func (p *People) Find(ctx context.Context, emailOrID string) (account store.Account, err error) {
	err = p.store.View(ctx, func(tx store.Tx) error {
		if account, err = tx.AccountByEmail(emailOrID); errors.Is(err, store.ErrNotFound) {
			account, err = tx.Account(emailOrID)
		}
		return err
	})
	if err != nil {
		return store.Account{}, fmt.Errorf("looking up account %s: %w", emailOrID, err)
	}
	return account, nil
}

// List returns accounts by e-mail address, those after the given one.
func (p *People) List(ctx context.Context, afterEmail string, limit int) (accounts []store.Account, err error) {
	err = p.store.View(ctx, func(tx store.Tx) error {
		accounts, err = tx.Accounts(afterEmail, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing accounts: %w", err)
	}
	return accounts, nil
}

// Show returns an account with what hangs on it.
func (p *People) Show(ctx context.Context, id string) (person Person, err error) {
	err = p.store.View(ctx, func(tx store.Tx) error {
		person, err = p.person(tx, id)
		return err
	})
	if err != nil {
		return Person{}, fmt.Errorf("looking up account %s: %w", id, err)
	}
	return person, nil
}

func (p *People) person(tx store.Tx, id string) (person Person, err error) {
	if person.Account, err = tx.Account(id); err != nil {
		return Person{}, err
	}
	password, err := tx.Password(id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Person{}, err
	}
	person.HasPassword, person.PasswordSetAt = password.Hash != "", password.SetAt
	if person.Factors, err = tx.Factors(id); err != nil {
		return Person{}, err
	}
	for i := range person.Factors {
		person.Factors[i].Secret = nil
	}
	if person.RecoveryCodes, err = tx.RecoveryCodesLeft(id); err != nil {
		return Person{}, err
	}
	if person.SSOLinks, err = tx.SSOLinks(id); err != nil {
		return Person{}, err
	}
	if person.Sessions, err = tx.Sessions(id); err != nil {
		return Person{}, err
	}
	now := p.clock()
	if person.TrustedDevices, err = tx.TrustedDevices(id, now); err != nil {
		return Person{}, err
	}
	if person.PasswordHeld, err = accountHeld(tx, passwords, id, now); err != nil {
		return Person{}, err
	}
	person.PasscodeHeld, err = accountHeld(tx, passcodes, id, now)
	return person, err
}

// SetAttributes changes what is known of a person. edit may run more than once.
// With another e-mail address everything ends that rests on the one before:
// links and passcodes mailed there, sessions, trusted browsers. What a provider
// sends of the person replaces it at their next sign-in through that.
func (p *People) SetAttributes(ctx context.Context, id string, edit func(*identity.Attributes) error, then Then) error {
	return p.change(ctx, id, "changing", then, func(tx store.Tx, a store.Account) error {
		attributes := a.Attributes
		if err := edit(&attributes); err != nil {
			return err
		}
		if err := checkAttributes(attributes); err != nil {
			return err
		}
		settle(&attributes)
		if err := tx.SaveAttributes(id, attributes, p.clock()); err != nil || identity.EmailKey(attributes.Email) == identity.EmailKey(a.Attributes.Email) {
			return err
		}
		return tx.MoveEpoch(id, nil, p.clock())
	})
}

// Suspend keeps a person out: their sessions, flows and one-time links end.
func (p *People) Suspend(ctx context.Context, id string, then Then) error {
	return p.change(ctx, id, "suspending", then, func(tx store.Tx, a store.Account) error {
		return tx.SetSuspended(id, true, p.clock())
	})
}

// Resume lets a suspended person sign in again.
func (p *People) Resume(ctx context.Context, id string, then Then) error {
	return p.change(ctx, id, "resuming", then, func(tx store.Tx, a store.Account) error {
		return tx.SetSuspended(id, false, p.clock())
	})
}

// Remove forgets a person, apart from the audit trail.
func (p *People) Remove(ctx context.Context, id string, then Then) error {
	return p.change(ctx, id, "removing", then, func(tx store.Tx, a store.Account) error {
		for _, k := range []kind{passwords, passcodes} {
			if err := lift(tx, k, id, p.clock()); err != nil {
				return err
			}
			if err := tx.ClearFailures(liftedKey(k, id)); err != nil {
				return err
			}
		}
		return tx.RemoveAccount(id)
	})
}

// Unlock forgives what was guessed wrong of an account's password and passcode.
func (p *People) Unlock(ctx context.Context, id string, then Then) error {
	return p.change(ctx, id, "unlocking", then, func(tx store.Tx, a store.Account) error {
		for _, k := range []kind{passwords, passcodes} {
			if err := lift(tx, k, id, p.clock()); err != nil {
				return err
			}
		}
		return nil
	})
}

// ResetSecondFactor removes a person's second factors and recovery codes, and
// ends their sessions and flows. Where one is required they are led through
// the wizard at the next sign-in.
func (p *People) ResetSecondFactor(ctx context.Context, id string, then Then) error {
	return p.change(ctx, id, "resetting the second factor of", then, func(tx store.Tx, a store.Account) error {
		if err := tx.DeleteFactors(id); err != nil {
			return err
		}
		if err := lift(tx, passcodes, id, p.clock()); err != nil {
			return err
		}
		return tx.MoveEpoch(id, nil, p.clock())
	})
}

// KeepAdministrator is a Then that undoes an act after which nobody is left
// who can administer. The command line does without: it can always make one.
func KeepAdministrator(tx store.Tx, before store.Account) error {
	if before.Suspended || before.Attributes.Role != identity.Admin {
		return nil
	}
	left, err := tx.Administrators()
	if err == nil && left == 0 {
		return ErrLastAdministrator
	}
	return err
}

// change runs an act on an account, and then, in one transaction.
func (p *People) change(ctx context.Context, id, doing string, then Then, act func(tx store.Tx, a store.Account) error) error {
	err := p.store.Update(ctx, func(tx store.Tx) error {
		account, err := tx.Account(id)
		if err != nil {
			return err
		}
		if err := act(tx, account); err != nil {
			return err
		}
		if then == nil {
			return nil
		}
		return then(tx, account)
	})
	if err != nil {
		return fmt.Errorf("%s account %s: %w", doing, id, err)
	}
	return nil
}

// checkAttributes refuses what no account may have.
func checkAttributes(a identity.Attributes) error {
	if _, err := identity.ParseRole(string(a.Role)); err != nil {
		return err
	}
	if utf8.RuneCountInString(a.Name) > maxName || !utf8.ValidString(a.Name) || strings.ContainsFunc(a.Name, unicode.IsControl) {
		return fmt.Errorf("the name is not usable: at most %d characters, none of them a control character", maxName)
	}
	parsed, err := mail.ParseAddress(a.Email)
	if err != nil || parsed.Address != a.Email || len(a.Email) > maxEmail || strings.ContainsFunc(a.Email, unicode.IsControl) {
		return fmt.Errorf("%q is not an e-mail address: write it as name@example.com", a.Email)
	}
	return nil
}
