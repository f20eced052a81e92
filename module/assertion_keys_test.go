package module

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

// newKeyStore is an empty store and the keys that seal what is in it.
func newKeyStore(t *testing.T) (store.Store, *secret.Ring) {
	t.Helper()
	st, err := store.OpenSQLite(t.Context(), storetest.Empty(t))
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	ring, err := secret.NewRing(strings.Repeat("k", 32))
	must(t, err)
	return st, ring
}

func keyRows(t *testing.T, st store.Store) (rows []store.AssertionKey) {
	t.Helper()
	must(t, st.View(t.Context(), func(tx store.Tx) (err error) {
		rows, err = tx.AssertionKeys()
		return err
	}))
	return rows
}

// However many processes find that there is no key, or that one has to follow,
// there is one in the end, and all of them use it.
func TestOneKeyIsMadeAtOnce(t *testing.T) {
	const machines = 4
	st, ring := newKeyStore(t)
	clock := newTurned()
	for _, due := range []struct {
		after time.Duration
		keys  int
	}{{0, 1}, {84 * 24 * time.Hour, 2}} {
		clock.forward(due.after)
		var together sync.WaitGroup // all have looked before any makes one
		together.Add(machines)
		var published [machines]string
		var group sync.WaitGroup
		for i := range machines {
			var first atomic.Bool
			watched := storetest.Failing(st, func(op string) error {
				if op == "viewed" && first.CompareAndSwap(false, true) {
					together.Done()
					together.Wait()
				}
				return nil
			})
			group.Go(func() {
				machine := &assertionKeys{store: watched, ring: ring, clock: clock.Now}
				keys, err := machine.current(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				published[i] = string(keys.published)
			})
		}
		group.Wait()
		if n := len(keyRows(t, st)); n != due.keys {
			t.Fatalf("%d keys, not %d", n, due.keys)
		}
		for _, one := range published {
			if one != published[0] || one == "" {
				t.Errorf("published are %s and %s", one, published[0])
			}
		}
	}
}

// A key follows in time, and the one before it goes when nobody needs it.
func TestKeysAreReplaced(t *testing.T) {
	st, ring := newKeyStore(t)
	clock := newTurned()
	keys := &assertionKeys{store: st, ring: ring, clock: clock.Now}
	for _, want := range []struct {
		after time.Duration
		keys  int
	}{
		{0, 1}, {82 * 24 * time.Hour, 1}, {24*time.Hour + time.Minute, 2}, {7 * 24 * time.Hour, 2}, {time.Hour, 1},
	} {
		clock.forward(want.after)
		if _, err := keys.current(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(keyRows(t, st)); n != want.keys {
			t.Fatalf("%v later: %d keys, not %d", want.after, n, want.keys)
		}
	}
}

// Keys are sealed, and sealed anew with a new secret; without the one that is
// needed nothing starts.
func TestKeysAreSealed(t *testing.T) {
	st, ring := newKeyStore(t)
	clock := newTurned()
	before, err := (&assertionKeys{store: st, ring: ring, clock: clock.Now}).current(t.Context())
	must(t, err)
	private, err := before.AssertionKeys[0].Private()
	must(t, err)
	if strings.Contains(string(keyRows(t, st)[0].Secret), string(private)) {
		t.Error("the private key can be read")
	}

	newer, err := secret.NewRing(strings.Repeat("n", 32))
	must(t, err)
	if err := checkSealed(t.Context(), st, newer); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("a secret that is needed is left out: %v", err)
	}
	both, err := secret.NewRing(strings.Repeat("n", 32), strings.Repeat("k", 32))
	must(t, err)
	if n, err := resealAll(t.Context(), st, both); n != 1 || err != nil {
		t.Errorf("%d sealed anew: %v", n, err)
	}
	must(t, checkSealed(t.Context(), st, newer))
	after, err := (&assertionKeys{store: st, ring: newer, clock: clock.Now}).current(t.Context())
	must(t, err)
	if string(after.published) != string(before.published) {
		t.Error("another key is published")
	}
}

// A row that was changed is no key, and no reason to make another.
func TestKeysThatWereTamperedWith(t *testing.T) {
	for name, tamper := range map[string]func(tx store.Tx, row store.AssertionKey) store.AssertionKey{
		"a changed secret": func(_ store.Tx, row store.AssertionKey) store.AssertionKey {
			row.Secret[len(row.Secret)-1] ^= 1
			return row
		},
		"a moved secret": func(_ store.Tx, row store.AssertionKey) store.AssertionKey {
			row.ID = "moved"
			return row
		},
	} {
		t.Run(name, func(t *testing.T) {
			st, ring := newKeyStore(t)
			clock := newTurned()
			_, err := (&assertionKeys{store: st, ring: ring, clock: clock.Now}).current(t.Context())
			must(t, err)
			row := keyRows(t, st)[0]
			must(t, st.Update(t.Context(), func(tx store.Tx) error {
				if err := tx.DeleteAssertionKey(row.ID); err != nil {
					return err
				}
				_, err := tx.CreateAssertionKey(tamper(tx, row))
				return err
			}))
			_, err = (&assertionKeys{store: st, ring: ring, clock: clock.Now}).current(t.Context())
			if !errors.Is(err, secret.ErrNotSealed) {
				t.Errorf("got %v", err)
			}
			if n := len(keyRows(t, st)); n != 1 {
				t.Errorf("%d keys", n)
			}
		})
	}
}

// Keys in memory bridge a store that does not answer for a moment, no longer;
// and nobody asks it again and again.
func TestKeysWhileTheStoreFails(t *testing.T) {
	st, ring := newKeyStore(t)
	clock := newTurned()
	var fails atomic.Bool
	var asked atomic.Int32
	keys := &assertionKeys{ring: ring, clock: clock.Now, store: storetest.Failing(st, func(op string) error {
		if op == "view" {
			asked.Add(1)
		}
		if fails.Load() {
			return errFault
		}
		return nil
	})}
	_, err := keys.current(t.Context())
	must(t, err)
	asked.Store(0)
	fails.Store(true)
	for _, step := range []struct {
		after time.Duration
		works bool
		asked int32
	}{
		{30 * time.Second, true, 0},
		{31 * time.Second, true, 1}, {0, true, 0}, {2 * time.Second, true, 1},
		{time.Minute, false, 1}, {0, false, 0}, {time.Second, false, 1},
	} {
		clock.forward(step.after)
		if _, err := keys.current(t.Context()); (err == nil) != step.works || err != nil && !errors.Is(err, errFault) {
			t.Errorf("%v later: %v", step.after, err)
		}
		if n := asked.Swap(0); n != step.asked {
			t.Errorf("%v later: the store was asked %d times, not %d", step.after, n, step.asked)
		}
	}
	fails.Store(false)
	clock.forward(time.Second)
	if _, err := keys.current(t.Context()); err != nil {
		t.Errorf("when the store is well again: %v", err)
	}
}
