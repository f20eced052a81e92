// Package account knows people: accounts, passwords, second factors, recovery
// codes, one-time links, and how often somebody guessed wrong. It speaks no
// HTTP.
package account

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// ErrWrong: what was given lets nobody in. It is the one answer for an unknown
// address, a wrong password or passcode, an account without a password and one
// that is suspended, and takes the same time for all of them.
var ErrWrong = errors.New("wrong e-mail address, password or passcode")

// Wrong is ErrWrong with what only the audit trail may know. Nothing that the
// person sees may depend on it.
type Wrong struct {
	// AccountID is whose password it was not, or "" if nobody has that
	// address.
	AccountID string
}

// Error implements error.
func (*Wrong) Error() string { return ErrWrong.Error() }

// Is makes it an ErrWrong.
func (*Wrong) Is(target error) bool { return target == ErrWrong }

// ErrLink: a one-time link is unknown, used or expired, or its account is
// suspended.
var ErrLink = errors.New("the one-time link is not valid any more")

// ErrEnrollmentEnded: a factor cannot be set up (any more): the flow has ended,
// or the account has one of that method already.
var ErrEnrollmentEnded = errors.New("the second factor cannot be set up in this sign-in any more")

// ErrLastAdministrator: the act would leave nobody who can administer.
var ErrLastAdministrator = errors.New("this is the last administrator: make somebody else an administrator first")

// Held says that too many guesses came before this one. It was neither
// checked nor counted.
type Held struct {
	// RetryAfter is how long to wait.
	RetryAfter time.Duration
	// UntilUnlock: waiting does not help, an administrator has to unlock
	// the account. RetryAfter is then a day.
	UntilUnlock bool
	// AccountID is whose account is held, if it is one and known. It is for
	// the audit trail only.
	AccountID string
}

// Error implements error.
func (h *Held) Error() string {
	if h.UntilUnlock {
		return "too many wrong guesses: held until the account is unlocked"
	}
	return fmt.Sprintf("too many wrong guesses: held for %s", h.RetryAfter)
}

// Busy says that more passwords wait to be checked than can be soon.
type Busy struct {
	// RetryAfter is when to try again.
	RetryAfter time.Duration
}

// Error implements error.
func (b *Busy) Error() string {
	return fmt.Sprintf("too many passwords wait to be checked: try again in %s", b.RetryAfter)
}

// From is where an attempt comes from.
type From struct {
	// Address is the client's address. The zero value, of a client without
	// one, counts as a network of its own.
	Address netip.Addr

	// Device is the browser as its sealed cookie says, or nil.
	Device *Device
}

// maxDeviceAccounts is how many accounts a browser is known for at once.
const maxDeviceAccounts = 5

// Device is a known browser: one that people have signed in with.
type Device struct {
	ID       string   `json:"id"`
	Accounts []string `json:"accounts,omitempty"` // newest first
}

// Knows reports whether that account has signed in with this browser. A nil
// Device knows nobody.
func (d *Device) Knows(accountID string) bool {
	return d != nil && d.ID != "" && accountID != "" && slices.Contains(d.Accounts, accountID)
}

// Add remembers that the account has signed in, as the newest of at most five.
func (d *Device) Add(accountID string) {
	others := slices.DeleteFunc(slices.Clone(d.Accounts), func(id string) bool { return id == accountID })
	d.Accounts = append([]string{accountID}, others[:min(len(others), maxDeviceAccounts-1)]...)
}

// Config is what People need. Everything is required.
type Config struct {
	Store  store.Store
	Ring   *secret.Ring
	Hasher *Hasher
	Clock  func() time.Time
}

// People checks, makes and changes accounts. Its methods may be called at once.
type People struct {
	store   store.Store
	ring    *secret.Ring
	hasher  *Hasher
	clock   func() time.Time
	guesses guesses
	codeKey []byte // of the hashes of codes that are sent

	creations creations
}

// New returns the people of a store.
func New(c Config) *People {
	return &People{
		store:   c.Store,
		ring:    c.Ring,
		hasher:  c.Hasher,
		clock:   c.Clock,
		guesses: newGuesses(c.Ring),
		codeKey: c.Ring.Derive("sent codes", sha256.Size),
	}
}

// Interface guards.
var (
	_ error = (*Wrong)(nil)
	_ error = (*Held)(nil)
	_ error = (*Busy)(nil)
	_ error = (*Weak)(nil)
)
