package storetest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func newKey(id, succeeds string) store.AssertionKey {
	return store.AssertionKey{ID: id, Succeeds: succeeds, Secret: sealed("KEY1", "private key"), SignsFrom: now}
}

// createKey creates a key that nobody else does.
func createKey(tx store.Tx, k store.AssertionKey) error {
	created, err := tx.CreateAssertionKey(k)
	if err == nil && !created {
		err = errors.New("another key is there already")
	}
	return err
}

func testAssertionKeys(t *testing.T, s store.Store) {
	wantKeys := func(want ...store.AssertionKey) {
		t.Helper()
		view(t, s, func(tx store.Tx) error {
			if got, err := tx.AssertionKeys(); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
			return nil
		})
	}
	wantKeys()
	first, second := newKey("z", ""), newKey("a", "z")
	second.SignsFrom = now.Add(time.Hour)
	update(t, s, func(tx store.Tx) error { return errors.Join(createKey(tx, second), createKey(tx, first)) })
	wantKeys(first, second)

	for _, late := range []store.AssertionKey{newKey("late", ""), newKey("later", "z")} {
		update(t, s, func(tx store.Tx) error {
			if created, err := tx.CreateAssertionKey(late); err != nil || created {
				t.Errorf("a second key that follows %q: %v, %v", late.Succeeds, created, err)
			}
			return nil
		})
	}
	wantKeys(first, second)
	if s.Update(t.Context(), func(tx store.Tx) error { return createKey(tx, store.AssertionKey{ID: "none", Succeeds: "a"}) }) == nil {
		t.Error("a key without a secret is kept")
	}

	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.DeleteAssertionKey("z"), tx.DeleteAssertionKey("z"), tx.DeleteAssertionKey("nothing"))
	})
	wantKeys(second)

	var winners atomic.Int32
	var group sync.WaitGroup
	for _, id := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		group.Go(func() {
			created := false
			err := s.Update(context.Background(), func(tx store.Tx) (err error) {
				created, err = tx.CreateAssertionKey(newKey(id, "a"))
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if created {
				winners.Add(1)
			}
		})
	}
	group.Wait()
	if n := winners.Load(); n != 1 {
		t.Errorf("%d keys follow one", n)
	}
}
