// Package session keeps signed-in browsers signed in: the cookie that names a
// session, the sessions in memory that a request is held against, and how they
// end. What a session opens is decided in package policy.
package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// maxInMemory bounds the sessions in memory. One that has been pushed
	// out is read from the store again.
	maxInMemory = 100_000
	// writeSeenEvery is how far the store may lag behind in when a session
	// was last seen (less when it idles out sooner).
	writeSeenEvery = 30 * time.Second
	// maxCookie is longer than any cookie of ours.
	maxCookie = 512
)

// Lifetimes are how long the sessions of an audience last.
type Lifetimes struct {
	// Idle ends a session that was not used for so long.
	Idle time.Duration
	// Absolute ends a session that long after signing in.
	Absolute time.Duration
}

// Keeper finds, begins and ends sessions for one configuration.
type Keeper struct {
	registry  *Registry
	cookies   *secret.Cookies
	lifetimes map[string]Lifetimes // by audience
	clock     func() time.Time

	// byCookie holds sessions by the text of their cookie, so that a
	// request costs neither cryptography nor a question to the store. It is
	// a shortcut only: what ends a session ends it by id, for every text.
	byCookie *otter.Cache[string, *Live]

	used func(store.Session) // or nil
}

// NewKeeper returns the keeper of a configuration's sessions. lifetimes has
// those of each audience by name: sessions that were begun under longer ones
// end by these.
func NewKeeper(registry *Registry, ring *secret.Ring, lifetimes map[string]Lifetimes, clock func() time.Time) (*Keeper, error) {
	longest := time.Duration(0)
	for _, l := range lifetimes {
		longest = max(longest, l.Absolute)
	}
	cache, err := otter.New(&otter.Options[string, *Live]{MaximumSize: maxInMemory})
	if err != nil {
		return nil, fmt.Errorf("session cache: %w", err)
	}
	return &Keeper{
		registry:  registry,
		cookies:   ring.Cookies("session cookie", longest),
		lifetimes: lifetimes,
		clock:     clock,
		byCookie:  cache,
	}, nil
}

// Watch has used called, before any request comes, with each session in use: once
// it has not been for half a minute, or less if it idles out sooner, and as often
// while it is. It must not block.
func (k *Keeper) Watch(used func(store.Session)) { k.used = used }

// Find returns the session that the request's cookie names, or nil if there is
// none that still lives. An error means that the store could not be asked, so
// that nobody can tell.
func (k *Keeper) Find(r *http.Request, secure bool) (*Live, error) {
	text := ReadCookie(r.Header, FullCookieName(CookieName, secure))
	if text == "" || len(text) > maxCookie {
		return nil, nil
	}
	now := k.clock()
	if live, ok := k.byCookie.GetIfPresent(text); ok && live.Current() {
		if live.expired(now) {
			return nil, nil
		}
		if live.idled(now) {
			// Another of its family may have been used meanwhile, which
			// is the same person in the same browser.
			return k.load(r.Context(), text, now)
		}
		if err := k.registry.answers(r.Context(), now); err != nil {
			return nil, err
		}
		k.saw(live, now)
		return live, nil
	}
	return k.load(r.Context(), text, now)
}

// Beginning is what a new session is made of.
type Beginning struct {
	AccountID string
	// Epoch of the account when its password or provider was believed. The
	// session begins only if nothing has moved it since.
	Epoch        int64
	Audience     string
	SSO          string // "" for a password
	SignedInAt   time.Time
	ProvedAt     time.Time // see store.Session
	SecondFactor GivenFactor
	Address      string
	Browser      string
	// Replaces is the session this one takes the place of, or nil. If it is
	// the same person's who signed in in the same way, the family goes on with
	// this one; otherwise all of it ends, since what was made from it is
	// somebody else's or was opened in another way.
	Replaces []byte
	// Family is the family of the session that this one is made from, on
	// another site of the same portal. nil: it begins one, or goes on with
	// that of Replaces.
	Family []byte
	// From is the session that this one is made from, and Until when that ends,
	// with Family.
	From  []byte
	Until time.Time
}

// GivenFactor is a passcode that was given. Its zero value is none.
type GivenFactor struct {
	How store.Method
	At  time.Time
	// Trusted: it was given at an earlier sign-in in this browser, which is
	// trusted since.
	Trusted bool
}

// ErrEpoch means that the account changed while somebody was signing in: its
// password or factor is another by now, or it was suspended or removed.
var ErrEpoch = errors.New("the account changed while signing in")

// Begin writes a new session and returns the token for its cookie, to be
// handed to SetCookie once the transaction is kept. The session it replaces
// ends in the same transaction.
func (k *Keeper) Begin(tx store.Tx, b Beginning) (token string, err error) {
	account, err := tx.Account(b.AccountID)
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrEpoch
	}
	if err != nil {
		return "", fmt.Errorf("beginning a session: %w", err)
	}
	if account.Suspended || account.Epoch != b.Epoch {
		return "", ErrEpoch
	}
	family, err := k.replace(tx, b)
	if err != nil {
		return "", fmt.Errorf("ending the session before: %w", err)
	}
	if err := k.makeRoom(tx, b); err != nil {
		return "", fmt.Errorf("beginning a session: %w", err)
	}
	now := k.clock()
	idle, end, err := k.lasts(tx, b, family)
	if err != nil {
		return "", fmt.Errorf("beginning a session: %w", err)
	}
	token, id := secret.NewToken()
	err = tx.CreateSession(store.Session{
		ID:             id,
		Family:         family,
		AccountID:      b.AccountID,
		Epoch:          b.Epoch,
		SSO:            b.SSO,
		Audience:       b.Audience,
		SignedInAt:     b.SignedInAt,
		ProvedAt:       b.ProvedAt,
		SecondFactor:   b.SecondFactor.How,
		SecondFactorAt: b.SecondFactor.At,
		Trusted:        b.SecondFactor.Trusted,
		CreatedAt:      now,
		SeenAt:         now,
		IdleTimeout:    idle,
		ExpiresAt:      end,
		Address:        b.Address,
		Browser:        Browser(b.Browser),
	})
	if err != nil {
		return "", fmt.Errorf("beginning a session: %w", err)
	}
	return token, nil
}

// lasts returns how long the new session lasts. None of a family outlasts the one
// that the others are made from, or signing out there would leave them behind; and
// all of them idle out like the first to do so, or a site where that is soon would
// be opened again by the others.
func (k *Keeper) lasts(tx store.Tx, b Beginning, family []byte) (idle time.Duration, end time.Time, err error) {
	lifetimes := k.lifetimes[b.Audience]
	idle, end = lifetimes.Idle, b.SignedInAt.Add(lifetimes.Absolute)
	if family == nil {
		return idle, end, nil
	}
	all, err := tx.Sessions(b.AccountID)
	if err != nil {
		return 0, time.Time{}, err
	}
	for _, other := range all {
		if bytes.Equal(other.Family, family) {
			idle = min(idle, other.IdleTimeout)
		}
	}
	if b.Family == nil {
		return idle, end, tx.LimitFamily(family, idle, end)
	}
	if b.Until.Before(end) {
		end = b.Until
	}
	return idle, end, tx.LimitFamily(family, idle, b.Until)
}

// replace ends what the new session takes the place of, and returns the family
// that this one belongs to, nil for one of its own.
func (k *Keeper) replace(tx store.Tx, b Beginning) (family []byte, err error) {
	if b.Replaces == nil {
		return b.Family, nil
	}
	before, err := tx.Session(b.Replaces)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return b.Family, nil
	case err != nil:
		return nil, err
	case before.AccountID == b.AccountID && before.SSO == b.SSO && (b.Family == nil || bytes.Equal(b.Family, before.Family)):
		return before.Family, tx.DropSession(b.Replaces)
	}
	_, err = tx.EndFamily(before.Family)
	return b.Family, err
}

// Browser is as much of a User-Agent as is kept.
func Browser(userAgent string) string {
	return strings.ToValidUTF8(userAgent[:min(len(userAgent), 256)], "")
}

// SetCookie hands a new session's token to the browser.
func (k *Keeper) SetCookie(w http.ResponseWriter, token, audience string, secure bool) error {
	value, err := k.cookies.Encode(CookieName, []byte(token), k.clock())
	if err != nil {
		return fmt.Errorf("sealing the session cookie: %w", err)
	}
	SetCookie(w, CookieName, value, secure, k.lifetimes[audience].Absolute)
	return nil
}

// load reads a session from the store.
func (k *Keeper) load(ctx context.Context, text string, now time.Time) (*Live, error) {
	token, err := k.cookies.Decode(CookieName, text, now)
	if err != nil {
		return nil, nil // not of ours, or too old: no session
	}
	// One tab gone must not fail the others that wait for the same answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	live, err := k.read(ctx, secret.TokenID(string(token)), now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking up a session: %w", err)
	}
	if live == nil || live.over(now) {
		return nil, nil
	}
	k.saw(live, now)
	k.byCookie.Set(strings.Clone(text), live)
	return live, nil
}

func (k *Keeper) read(ctx context.Context, id []byte, now time.Time) (*Live, error) {
	live := &Live{sessionGeneration: markOf(k.registry.generations.session(id))}
	err := k.registry.store.View(ctx, func(tx store.Tx) (err error) {
		if live.Session, err = tx.Session(id); err != nil {
			return err
		}
		// The generation is taken before what it vouches for is read.
		live.accountGeneration = markOf(k.registry.generations.account(live.Session.AccountID))
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = k.registry.store.View(ctx, func(tx store.Tx) (err error) {
		if live.Session, err = tx.Session(id); err != nil {
			return err
		}
		return live.readAccount(tx, live.Session.AccountID)
	})
	if err != nil {
		return nil, err
	}
	if live.Account.Suspended || live.Account.Epoch != live.Session.Epoch {
		return nil, nil
	}
	k.limit(live)
	seen := k.registry.lastSeen(live.Session.Family, live.Session.SeenAt)
	live.seen.Store(seen.UnixNano())
	live.written.Store(seen.UnixNano())
	return live, nil
}

// Look reads a session, with whose it is, inside a transaction. It is nil if there
// is none, or it is over.
func (k *Keeper) Look(tx store.Tx, id []byte) (*Live, error) {
	live := new(Live)
	var err error
	if live.Session, err = tx.Session(id); err == nil {
		err = live.readAccount(tx, live.Session.AccountID)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	k.limit(live)
	live.seen.Store(k.registry.lastSeen(live.Session.Family, live.Session.SeenAt).UnixNano())
	if live.Account.Suspended || live.Account.Epoch != live.Session.Epoch || live.over(k.clock()) {
		return nil, nil
	}
	return live, nil
}

// Visitor returns what stands for an account in one request without a session:
// somebody who sends credentials along each time. It is nil if the account has
// gone, is suspended, or has another epoch by now. It is good as long as it is
// Current.
func (k *Keeper) Visitor(ctx context.Context, accountID string, epoch int64) (*Live, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	live := &Live{
		sessionGeneration: markOf(new(atomic.Uint64)), // there is no session to end
		accountGeneration: markOf(k.registry.generations.account(accountID)),
	}
	err := k.registry.store.View(ctx, func(tx store.Tx) (err error) { return live.readAccount(tx, accountID) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking up an account: %w", err)
	}
	if live.Account.Suspended || live.Account.Epoch != epoch {
		return nil, nil
	}
	return live, nil
}

// StoreAnswers returns an error when the store has given no sign of life for
// longer than what is in memory may be used without it.
func (k *Keeper) StoreAnswers(ctx context.Context) error {
	return k.registry.answers(ctx, k.clock())
}

// limit applies the shorter of the lifetimes that the session was begun under
// and those configured now.
func (k *Keeper) limit(live *Live) {
	live.expires = live.Session.ExpiresAt
	live.idle = live.Session.IdleTimeout
	if now, ok := k.lifetimes[live.Session.Audience]; ok {
		live.idle = min(live.idle, now.Idle)
		if end := live.Session.SignedInAt.Add(now.Absolute); end.Before(live.expires) {
			live.expires = end
		}
	}
}

func (k *Keeper) saw(live *Live, now time.Time) {
	at := now.UnixNano()
	live.seen.Store(at)
	before := live.written.Load()
	if at-before >= int64(min(writeSeenEvery, live.idle/4)) && live.written.CompareAndSwap(before, at) {
		k.registry.saw(live.Session.Family, now)
		if k.used != nil {
			k.used(live.Session)
		}
	}
}
