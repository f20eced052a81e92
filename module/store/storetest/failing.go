package storetest

import (
	"context"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Failing returns s with faults. fail is asked before each operation, and
// what it returns other than nil is the fault. Operations are
//
//	"view", "update"   before anything is read or written
//	"commit"           when fn is done, in place of keeping what it wrote
//	"kept"             after it was kept: the caller is told of a fault all the same
//	"ping", "prune"
//
// fail may be called by many at once.
func Failing(s store.Store, fail func(op string) error) store.Store {
	return &failing{Store: s, fail: fail}
}

type failing struct {
	store.Store
	fail func(op string) error
}

// View implements store.Store.
func (f *failing) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := f.fail("view"); err != nil {
		return err
	}
	return f.Store.View(ctx, fn)
}

// Update implements store.Store.
func (f *failing) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := f.fail("update"); err != nil {
		return err
	}
	err := f.Store.Update(ctx, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return f.fail("commit")
	})
	if err != nil {
		return err
	}
	return f.fail("kept")
}

// Ping implements store.Store.
func (f *failing) Ping(ctx context.Context) error {
	if err := f.fail("ping"); err != nil {
		return err
	}
	return f.Store.Ping(ctx)
}

// Prune implements store.Store.
func (f *failing) Prune(ctx context.Context, now, auditBefore time.Time) error {
	if err := f.fail("prune"); err != nil {
		return err
	}
	return f.Store.Prune(ctx, now, auditBefore)
}

// Interface guards.
var _ store.Store = (*failing)(nil)
