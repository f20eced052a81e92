package upstream

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// askAtOnce is how many questions one provider is asked at once.
	askAtOnce = 4
	// maxWaiting bounds the sessions in line for one provider. One that finds
	// the line full comes back with a later request.
	maxWaiting = 4096
	// lookAgain is when a session in line may be put there again: its turn
	// has come by then, or it was lost.
	lookAgain = time.Minute
	// maxKnown bounds the sessions of which it is known, without the store,
	// that they are not due yet.
	maxKnown = 100_000
	// storeTimeout bounds each question to the store.
	storeTimeout = 5 * time.Second
	// storePause is how long a store at fault is left alone.
	storePause = time.Second
	// clockSkew is how far in the future a session may have been checked:
	// more, and a clock was wrong then.
	clockSkew = 90 * time.Second
)

// RevalidatorConfig is what a Revalidator is made of. Everything is required.
type RevalidatorConfig struct {
	*Sessions
	People *account.People
	// Rules say whose accounts a provider may speak of, by the name of the
	// SSO config.
	Rules map[string]account.Admission
}

// Revalidator asks providers, in the background, whether those who are signed in
// through them may still be, where the SSO config says revalidate.
//
// It is told of sessions in use and asks about no others, so browsers that are
// closed cost nothing, and 10,000 people who come on a Monday morning are not
// asked about together again: each session has a moment of its own, between
// three quarters of the time configured and all of it. One that comes back after
// longer is asked about as soon as it is used; that request is not held up.
//
// One question at a time is asked about a session, however many processes and
// configurations there are: whoever moves the time of the last one asks. kill -9
// between the provider's answer and the store may lose a refresh token that has
// just replaced another. The provider then says no to the old one, and the
// person signs in again.
type Revalidator struct {
	RevalidatorConfig
	lines  map[string]*line
	unread outage // of the store

	ctx  context.Context // of what may be given up when closing
	stop context.CancelFunc
	done sync.WaitGroup
}

// line are the sessions that wait for one provider.
type line struct {
	*sso.Provider
	every   time.Duration
	rules   account.Admission
	waiting chan store.Session
	next    *otter.Cache[string, time.Time] // by family: when to look at it again
	outage  outage
	lacking sync.Once // a refresh token
}

// NewRevalidator begins to ask. Close ends that.
func NewRevalidator(c RevalidatorConfig) (*Revalidator, error) {
	ctx, stop := context.WithCancel(context.Background())
	r := &Revalidator{RevalidatorConfig: c, lines: make(map[string]*line), ctx: ctx, stop: stop}
	for name, provider := range c.Providers {
		every := time.Duration(provider.Config().Revalidate)
		if every == 0 {
			continue
		}
		next, err := otter.New(&otter.Options[string, time.Time]{MaximumSize: maxKnown})
		if err != nil {
			stop()
			return nil, fmt.Errorf("sessions that are not due: %w", err)
		}
		r.lines[name] = &line{Provider: provider, every: every, rules: c.Rules[name], waiting: make(chan store.Session, maxWaiting), next: next}
	}
	for _, l := range r.lines {
		for range askAtOnce {
			r.done.Go(func() { r.work(l) })
		}
	}
	return r, nil
}

// Close ends the asking. A provider that is about to answer is waited for, for
// its answer may hold a new refresh token, and the one before is over then.
func (r *Revalidator) Close() {
	r.stop()
	r.done.Wait()
}

// Used is told of sessions in use, each every half minute or so. It does not
// block.
func (r *Revalidator) Used(s store.Session) {
	l := r.lines[s.SSO]
	if l == nil {
		return
	}
	now := r.Clock()
	if next, ok := l.next.GetIfPresent(string(s.Family)); ok && now.Before(next) {
		return
	}
	select {
	case l.waiting <- s:
		l.next.Set(string(s.Family), now.Add(lookAgain))
	default:
	}
}

func (r *Revalidator) work(l *line) {
	for {
		select {
		case <-r.ctx.Done():
			return
		case s := <-l.waiting:
			if r.ctx.Err() != nil {
				return // both are ready, and the one is taken as well as the other
			}
			l.next.Set(string(s.Family), r.look(l, s))
		}
	}
}

// due is when to ask about a session. Its id, which is a hash, decides on the
// moment, so that everybody comes to the same.
func (l *line) due(p store.ProviderSession) time.Time {
	share := time.Duration(binary.BigEndian.Uint16(p.Session))
	return p.CheckedAt.Add(l.every - l.every/4*share/(1<<16))
}
