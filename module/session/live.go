package session

import (
	"sync/atomic"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Live is a session in memory, as it was read from the store, with the account
// it belongs to. It is shared by all requests of that session and never
// changes; when something in the store does, it is read anew.
type Live struct {
	Session store.Session
	Account store.Account

	// Factors are the methods of the account's second factors. ChoseFactor:
	// the person set one up by choice.
	Factors     policy.Methods
	ChoseFactor bool

	expires time.Time     // absolute
	idle    time.Duration // ends the session when unseen for so long

	seen    atomic.Int64 // unix nanoseconds of the last request
	written atomic.Int64 // the last seen that was handed on to the store

	sessionGeneration, accountGeneration mark

	memo atomic.Pointer[[]memo]
}

// mark is one generation as it was before the read.
type mark struct {
	counter *atomic.Uint64
	value   uint64
}

func markOf(counter *atomic.Uint64) mark { return mark{counter, counter.Load()} }

func (m mark) holds() bool { return m.counter.Load() == m.value }

type memo struct{ key, value any }

// maxMemos bounds what a session remembers: the gateways of the running
// configuration and, for a while after a reload, of the one before.
const maxMemos = 16

// Identity is who stands behind the session's requests.
func (l *Live) Identity() identity.Identity {
	return identity.Identity{Account: l.Account.ID, Attributes: l.Account.Attributes}
}

// Made says how the session was made, which decides what it opens.
func (l *Live) Made() policy.Made {
	return policy.Made{
		SSO:          l.Session.SSO,
		SecondFactor: policy.Method(string(l.Session.SecondFactor)),
		Trusted:      l.Session.Trusted,
		Factors:      l.Factors,
		ChoseFactor:  l.ChoseFactor,
		Role:         l.Account.Attributes.Role,
	}
}

// FreshSignIn is how long after signing in somebody may change what signing in
// takes: whoever finds an open browser would make it their own otherwise.
const FreshSignIn = 5 * time.Minute

// FreshAnyWay reports whether the person showed a moment ago that it is them: as
// Fresh says, or to the provider through which they signed in. That they came
// from there a moment ago is not enough, for who is signed in there is sent on
// without being asked.
func (l *Live) FreshAnyWay(now time.Time) bool {
	return l.Fresh(now) || l.Session.SSO != "" && now.Sub(l.Session.ProvedAt) <= FreshSignIn
}

// Fresh reports whether the person signed in a moment ago with a password and,
// if they have a second factor, with a passcode.
func (l *Live) Fresh(now time.Time) bool {
	s := l.Session
	return s.SSO == "" && now.Sub(s.SignedInAt) <= FreshSignIn &&
		(l.Factors == 0 || s.SecondFactor != "" && !s.Trusted && now.Sub(s.SecondFactorAt) <= FreshSignIn)
}

// Memo returns what make once returned for key on this session: what depends
// on nothing but the session and the key is worked out once, not per request.
func (l *Live) Memo(key any, make func() any) any {
	known := l.memo.Load()
	if known != nil {
		for i := range *known {
			if (*known)[i].key == key {
				return (*known)[i].value
			}
		}
	}
	value := make()
	next := []memo{{key, value}}
	if known != nil && len(*known) < maxMemos {
		next = append(next, *known...)
	}
	l.memo.CompareAndSwap(known, &next)
	return value
}

// readAccount reads whose it is.
func (l *Live) readAccount(tx store.Tx, id string) (err error) {
	if l.Account, err = tx.Account(id); err != nil {
		return err
	}
	factors, err := tx.Factors(id)
	l.Factors, l.ChoseFactor = 0, false
	for _, factor := range factors {
		l.Factors |= policy.Method(string(factor.Method))
		l.ChoseFactor = l.ChoseFactor || !factor.Required
	}
	return err
}

// Current reports whether the store still holds what this copy says.
func (l *Live) Current() bool {
	return l.sessionGeneration.holds() && l.accountGeneration.holds()
}

// over reports whether one of the session's lifetimes has ended.
func (l *Live) over(now time.Time) bool { return l.expired(now) || l.idled(now) }

func (l *Live) expired(now time.Time) bool { return !now.Before(l.expires) }

// idled reports whether the session has not been used for too long, as far as
// this copy knows.
func (l *Live) idled(now time.Time) bool { return now.UnixNano()-l.seen.Load() >= int64(l.idle) }
