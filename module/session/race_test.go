package session

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

// endings are what ends a session while it is being read.
var endings = map[string]func(w *world, tx store.Tx, id []byte) error{
	"signing out":    func(_ *world, tx store.Tx, id []byte) error { _, err := tx.EndSession(id); return err },
	"suspension":     func(w *world, tx store.Tx, _ []byte) error { return tx.SetSuspended(w.account.ID, true, w.clock.Now()) },
	"removal":        func(w *world, tx store.Tx, _ []byte) error { return tx.RemoveAccount(w.account.ID) },
	"a new password": func(w *world, tx store.Tx, _ []byte) error { return tx.MoveEpoch(w.account.ID, nil, w.clock.Now()) },
}

// somebodyElse makes the next sessions those of a new account.
func (w *world) somebodyElse(t *testing.T) {
	t.Helper()
	w.account.ID = store.NewID()
	w.account.Attributes.Email = w.account.ID + "@example.test"
	w.update(t, func(tx store.Tx) error { return tx.CreateAccount(w.account) })
}

// slowWorld is a world whose store waits where a test says so.
func slowWorld(t *testing.T) (w *world, at *atomic.Pointer[func(op string)]) {
	t.Helper()
	w, at = newWorld(t), new(atomic.Pointer[func(op string)])
	registry := NewRegistry(storetest.Watched(w.store, func(_ context.Context, op string) error {
		if hook := at.Load(); hook != nil {
			(*hook)(op)
		}
		return nil
	}), w.clock.Now)
	t.Cleanup(func() { at.Store(nil); _ = registry.Close() })
	var err error
	if w.Keeper, err = NewKeeper(registry, w.ring, lifetimes, w.clock.Now); err != nil {
		t.Fatal(err)
	}
	return w, at
}

// A session that was read before it ended and is kept in memory after that does
// not come back to life, whichever of the reads that make it the end falls
// between.
func TestEndedBetweenReadingAndKeeping(t *testing.T) {
	w, at := slowWorld(t)
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			for moment := 1; ; moment++ {
				w.somebodyElse(t)
				r, id := w.begin(t)
				left, met := moment, false
				hook := func(op string) {
					if op != "view" && op != "viewed" {
						return
					}
					if left--; left == 0 {
						met = true
						w.update(t, func(tx store.Tx) error { return end(w, tx, id) })
					}
				}
				at.Store(&hook)
				if _, err := w.Find(r, true); err != nil {
					t.Fatal(err)
				}
				at.Store(nil)
				if !met {
					if moment < 3 {
						t.Errorf("only %d moments", moment-1)
					}
					return
				}
				for range 2 {
					if w.lives(t, r) {
						t.Fatalf("moment %d: the session lives on", moment)
					}
				}
			}
		})
	}
}

// What a session is allowed changes in the middle of reading it: the next
// request sees it as it is.
func TestChangedBetweenReadingAndKeeping(t *testing.T) {
	w, at := slowWorld(t)
	r, _ := w.begin(t)
	hook := func(op string) {
		if op != "viewed" {
			return
		}
		at.Store(nil)
		w.update(t, func(tx store.Tx) error {
			return tx.CreateFactor(store.Factor{ID: store.NewID(), AccountID: w.account.ID, Method: store.MethodApp, Secret: []byte("x"), CreatedAt: w.clock.Now()})
		})
	}
	at.Store(&hook)
	if _, err := w.Find(r, true); err != nil {
		t.Fatal(err)
	}
	if live, err := w.Find(r, true); err != nil || live == nil || live.Factors == 0 {
		t.Errorf("%+v, %v: the factor is not seen", live, err)
	}
}

// Many look a session up, in several configurations' memories, while it ends:
// right after that nobody finds it any more.
func TestEndingUnderLoad(t *testing.T) {
	w := newWorld(t)
	other, err := NewKeeper(w.registry, w.ring, lifetimes, w.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				w.somebodyElse(t)
				r, id := w.begin(t)
				var looking sync.WaitGroup
				var ended atomic.Bool
				for i := range 6 {
					keeper := []*Keeper{w.Keeper, other}[i%2]
					looking.Go(func() {
						for range 20 {
							before := ended.Load()
							live, err := keeper.Find(r, true)
							if err != nil || live != nil && before {
								t.Errorf("found %v after it had ended: %v", live != nil, err)
							}
						}
					})
				}
				w.update(t, func(tx store.Tx) error { return end(w, tx, id) })
				ended.Store(true)
				looking.Wait()
				if w.lives(t, r) {
					t.Error("the session lives on")
				}
			}
		})
	}
}

// A suspension in the middle of a sign-in leaves no session, before or after.
func TestBeginningAgainstSuspending(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		w.update(t, func(tx store.Tx) error { return tx.SetSuspended(w.account.ID, false, w.clock.Now()) })
		var account store.Account
		w.update(t, func(tx store.Tx) (err error) { account, err = tx.Account(w.account.ID); return err })
		var token string
		var both sync.WaitGroup
		start := make(chan struct{})
		both.Go(func() {
			<-start
			_ = w.store.Update(t.Context(), func(tx store.Tx) (err error) {
				token, err = w.Begin(tx, Beginning{AccountID: account.ID, Epoch: account.Epoch, Audience: "team", SignedInAt: w.clock.Now()})
				return err
			})
		})
		both.Go(func() {
			<-start
			w.update(t, func(tx store.Tx) error { return tx.SetSuspended(account.ID, true, w.clock.Now()) })
		})
		close(start)
		both.Wait()
		if token == "" {
			continue
		}
		value, err := w.cookies.Encode(CookieName, []byte(token), w.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		if w.lives(t, requestWith(&http.Cookie{Name: "__Host-" + CookieName, Value: value})) {
			t.Fatal("a suspended account has a session")
		}
	}
}
