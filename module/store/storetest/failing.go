package storetest

import (
	"context"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Failing returns s with faults. fail is asked at each operation, and what it
// returns other than nil is the fault. Operations are
//
//	"view", "update"   before anything is read or written
//	"viewed"           when fn of a View is done
//	"commit"           when fn is done, in place of keeping what it wrote
//	"kept"             after it was kept: the caller is told of a fault all the same
//	"ping", "prune"
//
// fail may be called by many at once.
func Failing(s store.Store, fail func(op string) error) store.Store {
	return Watched(s, func(_ context.Context, op string) error { return fail(op) })
}

// Watched does what Failing does, and at is also told in whose context. It may
// wait, and what it waits for happens in between.
func Watched(s store.Store, at func(ctx context.Context, op string) error) store.Store {
	return &watched{Store: s, at: at}
}

type watched struct {
	store.Store
	at func(ctx context.Context, op string) error
}

// View implements store.Store.
func (w *watched) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := w.at(ctx, "view"); err != nil {
		return err
	}
	if err := w.Store.View(ctx, fn); err != nil {
		return err
	}
	return w.at(ctx, "viewed")
}

// Update implements store.Store.
func (w *watched) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := w.at(ctx, "update"); err != nil {
		return err
	}
	err := w.Store.Update(ctx, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return w.at(ctx, "commit")
	})
	if err != nil {
		return err
	}
	return w.at(ctx, "kept")
}

// Ping implements store.Store.
func (w *watched) Ping(ctx context.Context) error {
	if err := w.at(ctx, "ping"); err != nil {
		return err
	}
	return w.Store.Ping(ctx)
}

// Prune implements store.Store.
func (w *watched) Prune(ctx context.Context, now, auditBefore time.Time) error {
	if err := w.at(ctx, "prune"); err != nil {
		return err
	}
	return w.Store.Prune(ctx, now, auditBefore)
}

// Late returns s as one that is so slow that callers have no time left: over is
// asked whenever the store looks whether the time of ctx is over, which it does
// between any two statements.
func Late(s store.Store, over func(ctx context.Context) bool) store.Store {
	return &late{Store: s, over: over}
}

type late struct {
	store.Store
	over func(ctx context.Context) bool
}

// View implements store.Store.
func (l *late) View(ctx context.Context, fn func(store.Tx) error) error {
	return l.Store.View(short{ctx, l.over}, fn)
}

// Update implements store.Store.
func (l *late) Update(ctx context.Context, fn func(store.Tx) error) error {
	return l.Store.Update(short{ctx, l.over}, fn)
}

// short is a context of which the time may be over.
type short struct {
	context.Context
	over func(ctx context.Context) bool
}

// Err implements context.Context.
func (s short) Err() error {
	if s.over(s.Context) {
		return context.DeadlineExceeded
	}
	return s.Context.Err()
}

// Interface guards.
var (
	_ store.Store     = (*watched)(nil)
	_ store.Store     = (*late)(nil)
	_ context.Context = short{}
)
