package module

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// keysFresh is how long keys in memory are used without another look at
	// the store, where other machines make keys too.
	keysFresh = time.Minute
	// keysKept is how long they are used while the store cannot be asked.
	// Sessions end long before.
	keysKept = 2 * time.Minute
	// keysRetry is how long a fault is told again before the store is asked
	// anew, so that those who wait do not ask one after the other.
	keysRetry = time.Second
	// keysTimeout bounds what is asked of the store.
	keysTimeout = 5 * time.Second
)

// assertionKeys holds the keys of assertions, which are in the store, and
// replaces them when their time has come.
type assertionKeys struct {
	store store.Store
	ring  *secret.Ring
	clock func() time.Time

	known atomic.Pointer[knownKeys]

	mu       sync.Mutex // held while the store is asked
	failure  error
	failedAt time.Time
}

// knownKeys are keys as they were in the store.
type knownKeys struct {
	identity.AssertionKeys
	published []byte // the public ones
	readAt    int64  // unix nanoseconds
}

// younger reports whether keys were read no longer ago than that.
func (k *knownKeys) younger(age time.Duration, now time.Time) bool {
	return k != nil && k.readAt <= now.UnixNano() && now.UnixNano()-k.readAt < int64(age)
}

// current returns the keys, which it makes if there are none.
func (a *assertionKeys) current(ctx context.Context) (*knownKeys, error) {
	now, known := a.clock(), a.known.Load()
	if known.younger(keysFresh, now) {
		return known, nil
	}
	if !a.mu.TryLock() {
		if known.younger(keysKept, now) {
			return known, nil // somebody is looking already
		}
		a.mu.Lock()
	}
	defer a.mu.Unlock()
	now, known = a.clock(), a.known.Load()
	if known.younger(keysFresh, now) {
		return known, nil
	}
	if since := now.Sub(a.failedAt); a.failure == nil || since < 0 || since >= keysRetry {
		// One visitor gone must not fail the others that wait.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
		defer cancel()
		read, err := a.read(ctx, now)
		if a.failure, a.failedAt = err, now; err == nil {
			a.known.Store(read)
			return read, nil
		}
	}
	if known.younger(keysKept, now) {
		return known, nil
	}
	return nil, a.failure
}

// rounds is how often keys are read anew because they have been replaced.
const rounds = 3

// read reads the keys from the store, after doing what has to be done about
// them. Others may do the same at the same time: what counts is what is in the
// store afterwards.
func (a *assertionKeys) read(ctx context.Context, now time.Time) (*knownKeys, error) {
	for range rounds {
		keys, err := a.load(ctx)
		if err != nil {
			return nil, err
		}
		if rotation := keys.Rotation(now); rotation.Due() {
			if err := a.rotate(ctx, keys, rotation); err != nil {
				return nil, err
			}
			continue
		}
		published, err := keys.Published()
		return &knownKeys{AssertionKeys: keys, published: published, readAt: now.UnixNano()}, err
	}
	return nil, errors.New("the keys of assertions change all the time: the clocks of the machines differ")
}

// load reads the keys that are in the store. One that cannot be opened is not
// passed over: nobody could tell what it has signed.
func (a *assertionKeys) load(ctx context.Context) (identity.AssertionKeys, error) {
	var keys []identity.AssertionKey
	err := a.store.View(ctx, func(tx store.Tx) error {
		keys = nil
		rows, err := tx.AssertionKeys()
		if err != nil {
			return err
		}
		for _, row := range rows {
			private, err := a.ring.Open(row.Secret, assertionKeyRow(row.ID))
			if err != nil {
				return fmt.Errorf("key %s of assertions: %w", row.ID, err)
			}
			key, err := identity.ReadAssertionKey(row.ID, private, row.SignsFrom)
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
		return nil
	})
	return identity.NewAssertionKeys(keys), err
}

// rotate makes the key that is to follow and deletes those that are done.
func (a *assertionKeys) rotate(ctx context.Context, keys identity.AssertionKeys, rotation identity.Rotation) error {
	var next []store.AssertionKey
	if rotation.Successor {
		key, err := identity.NewAssertionKey(rotation.SignsFrom)
		if err != nil {
			return err
		}
		private, err := key.Private()
		if err != nil {
			return err
		}
		row := store.AssertionKey{ID: key.ID, Secret: a.ring.Seal(private, assertionKeyRow(key.ID)), SignsFrom: rotation.SignsFrom}
		if len(keys) > 0 {
			row.Succeeds = keys[len(keys)-1].ID
		}
		next = append(next, row)
	}
	return a.store.Update(ctx, func(tx store.Tx) error {
		for _, row := range next {
			// Not created: another machine was faster, and its key it is.
			if _, err := tx.CreateAssertionKey(row); err != nil {
				return err
			}
		}
		for _, id := range rotation.Gone {
			if err := tx.DeleteAssertionKey(id); err != nil {
				return err
			}
		}
		return nil
	})
}

// assertionKeyRow is the row that a sealed key is bound to.
func assertionKeyRow(id string) string { return "assertion_keys/" + id }
