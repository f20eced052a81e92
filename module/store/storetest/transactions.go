package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const parallel = 50

// race runs fn in many goroutines that start together.
func race(fn func(i int)) {
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range parallel {
		done.Go(func() {
			start.Wait()
			fn(i)
		})
	}
	start.Done()
	done.Wait()
}

func testOneWinner(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	everything(t, s, a)
	name := a.Attributes.Email
	for what, try := range map[string]func(tx store.Tx) (bool, error){
		"UseStep":           func(tx store.Tx) (bool, error) { return tx.UseStep("factor of "+name, 1000, now) },
		"SpendRecoveryCode": func(tx store.Tx) (bool, error) { return tx.SpendRecoveryCode(a.ID, hash("code of "+name), now) },
		"EndFlow":           func(tx store.Tx) (bool, error) { return tx.EndFlow(hash("flow of " + name)) },
		"EndSession":        func(tx store.Tx) (bool, error) { return tx.EndSession(hash("session of " + name)) },
		"UseState":          func(tx store.Tx) (bool, error) { return tx.UseState(hash("state"), now.Add(time.Minute)) },
		"SpendOneTimeLink": func(tx store.Tx) (bool, error) {
			_, err := tx.SpendOneTimeLink(hash("link of "+name), now)
			if errors.Is(err, store.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		},
		"CreateAccount": func(tx store.Tx) (bool, error) {
			err := tx.CreateAccount(newAccount("new@example.test"))
			if errors.Is(err, store.ErrEmailTaken) {
				return false, nil
			}
			return err == nil, err
		},
	} {
		t.Run(what, func(t *testing.T) {
			var winners atomic.Int32
			race(func(int) {
				won := false
				err := s.Update(context.Background(), func(tx store.Tx) (err error) {
					won, err = try(tx)
					return err
				})
				if err != nil {
					t.Error(err)
				} else if won {
					winners.Add(1)
				}
			})
			if n := winners.Load(); n != 1 {
				t.Fatalf("%d winners", n)
			}
		})
	}
}

func testParallelCounting(t *testing.T, s store.Store) {
	var highest atomic.Int32
	seen := make([]atomic.Bool, parallel+1)
	race(func(int) {
		var told store.Failures
		err := s.Update(context.Background(), func(tx store.Tx) (err error) {
			told, err = tx.CountFailure("k", now, time.Minute)
			return err
		})
		if err != nil {
			t.Error(err)
			return
		}
		if seen[told.Count].Swap(true) {
			t.Errorf("two guesses were the %dth", told.Count)
		}
		highest.Store(max(highest.Load(), int32(told.Count)))
	})
	view(t, s, func(tx store.Tx) error {
		if f, err := tx.Failures("k"); err != nil || f.Count != parallel {
			t.Errorf("counted %+v, %v", f, err)
		}
		return nil
	})
}

func testRollback(t *testing.T, s store.Store) {
	write := func(tx store.Tx) error {
		return errors.Join(tx.CreateAccount(newAccount("a@example.test")), tx.Audit(store.Event{At: now, Action: "kept?"}))
	}
	nothingKept := func(t *testing.T) {
		t.Helper()
		view(t, s, func(tx store.Tx) error {
			accounts, err := tx.Accounts("", 10)
			events, err2 := tx.Events("", 10)
			if len(accounts)+len(events) > 0 {
				t.Errorf("kept: %+v, %+v", accounts, events)
			}
			return errors.Join(err, err2)
		})
	}
	t.Run("error", func(t *testing.T) {
		mine := errors.New("my own")
		err := s.Update(t.Context(), func(tx store.Tx) error {
			if err := write(tx); err != nil {
				return err
			}
			return mine
		})
		if err != mine {
			t.Errorf("got %v, want the caller's own error untouched", err)
		}
		nothingKept(t)
	})
	t.Run("panic", func(t *testing.T) {
		func() {
			defer func() {
				if got := recover(); got != "mine" {
					t.Errorf("recovered %v", got)
				}
			}()
			s.Update(t.Context(), func(tx store.Tx) error {
				if err := write(tx); err != nil {
					t.Error(err)
				}
				panic("mine")
			})
		}()
		nothingKept(t)
	})
	t.Run("panic in View", func(t *testing.T) {
		for range 20 { // more than any pool has connections
			func() {
				defer func() { recover() }()
				s.View(t.Context(), func(store.Tx) error { panic("mine") })
			}()
		}
		nothingKept(t)
	})
	t.Run("a fault that the caller overlooks", func(t *testing.T) {
		err := s.Update(t.Context(), func(tx store.Tx) error {
			if err := write(tx); err != nil {
				return err
			}
			tx.CreateSession(newSession("s", "nobody"))
			return nil
		})
		if err == nil {
			t.Error("half of it was kept")
		}
		nothingKept(t)
	})
	update(t, s, write) // the store still works
}

func testViewReadOnly(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	everything(t, s, a)
	name := a.Attributes.Email
	for what, write := range map[string]func(tx store.Tx) error{
		"CreateAccount": func(tx store.Tx) error { return tx.CreateAccount(newAccount("b@example.test")) },
		"SaveAttributes": func(tx store.Tx) error {
			return tx.SaveAttributes(a.ID, identity.Attributes{Email: "c@x", Role: identity.Admin}, now)
		},
		"SetSuspended":  func(tx store.Tx) error { return tx.SetSuspended(a.ID, true, now) },
		"MoveEpoch":     func(tx store.Tx) error { return tx.MoveEpoch(a.ID, nil, now) },
		"RemoveAccount": func(tx store.Tx) error { return tx.RemoveAccount(a.ID) },
		"RecordSignIn":  func(tx store.Tx) error { return tx.RecordSignIn(a.ID, now) },
		"SaveSSOLink": func(tx store.Tx) error {
			return tx.SaveSSOLink(store.SSOLink{Issuer: "i", Subject: "s", AccountID: a.ID})
		},
		"DeleteSSOLink":        func(tx store.Tx) error { return tx.DeleteSSOLink(a.ID, "https://id.example.test", name) },
		"SavePassword":         func(tx store.Tx) error { return tx.SavePassword(store.Password{AccountID: a.ID, Hash: "other"}) },
		"CreateFactor":         func(tx store.Tx) error { return tx.CreateFactor(newFactor("f", a.ID)) },
		"DeleteFactors":        func(tx store.Tx) error { return tx.DeleteFactors(a.ID) },
		"UseStep":              func(tx store.Tx) error { return second(tx.UseStep("factor of "+name, 9, now)) },
		"ReplaceRecoveryCodes": func(tx store.Tx) error { return tx.ReplaceRecoveryCodes(a.ID, nil, now) },
		"SpendRecoveryCode":    func(tx store.Tx) error { return second(tx.SpendRecoveryCode(a.ID, hash("code of "+name), now)) },
		"CreateFlow":           func(tx store.Tx) error { return tx.CreateFlow(newFlow("f", a.ID), 1) },
		"SaveFlow":             func(tx store.Tx) error { return tx.SaveFlow(newFlow("flow of "+name, a.ID)) },
		"EndFlow":              func(tx store.Tx) error { return second(tx.EndFlow(hash("flow of " + name))) },
		"CreateSession":        func(tx store.Tx) error { return tx.CreateSession(newSession("s", a.ID)) },
		"EndSession":           func(tx store.Tx) error { return second(tx.EndSession(hash("session of " + name))) },
		"SawFamily":            func(tx store.Tx) error { return tx.SawFamily(hash("session of "+name), now.Add(time.Hour)) },
		"CreateOneTimeLink":    func(tx store.Tx) error { return tx.CreateOneTimeLink(newLink("l", a.ID)) },
		"SpendOneTimeLink":     func(tx store.Tx) error { return second(tx.SpendOneTimeLink(hash("link of "+name), now)) },
		"CountFailure":         func(tx store.Tx) error { return second(tx.CountFailure("k", now, 0)) },
		"UncountFailure":       func(tx store.Tx) error { return tx.UncountFailure("k") },
		"ClearFailures":        func(tx store.Tx) error { return tx.ClearFailures("k") },
		"UseState":             func(tx store.Tx) error { return second(tx.UseState(hash("s"), now)) },
		"Reseal": func(tx store.Tx) error {
			return tx.Reseal(store.SealedValue{Table: "factors", Row: "factor of " + name, Value: sealed("KEY1", "secret")}, sealed("KEY2", "x"))
		},
		"Audit": func(tx store.Tx) error { return tx.Audit(store.Event{At: now}) },
	} {
		t.Run(what, func(t *testing.T) {
			var err error
			view(t, s, func(tx store.Tx) error {
				err = write(tx)
				return nil
			})
			if !errors.Is(err, store.ErrReadOnly) {
				t.Errorf("got %v, want %v", err, store.ErrReadOnly)
			}
		})
	}
	wantRows(t, s, a, allRows)
}

func second[T any](_ T, err error) error { return err }

func testViewConsistent(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	view(t, s, func(tx store.Tx) error {
		before, err := tx.Account(a.ID)
		if err != nil {
			return err
		}
		// A write in the middle of a view neither waits for it nor shows.
		update(t, s, func(tx store.Tx) error { return tx.SetSuspended(a.ID, true, now) })
		after, err := tx.Account(a.ID)
		if err != nil || before.Suspended || after.Suspended {
			t.Errorf("before %+v, after %+v, %v", before, after, err)
		}
		return nil
	})
	view(t, s, func(tx store.Tx) error {
		got, err := tx.Account(a.ID)
		if err == nil && !got.Suspended {
			t.Error("a view that begins later does not show it")
		}
		return err
	})
	// What is written can be read before it is kept.
	update(t, s, func(tx store.Tx) error {
		b := newAccount("b@example.test")
		_, err := tx.AccountByEmail("b@example.test")
		if !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("before it is there: %v", err)
		}
		if err := tx.CreateAccount(b); err != nil {
			return err
		}
		_, err = tx.Account(b.ID)
		return err
	})
}

func testCancellation(t *testing.T, s store.Store) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	ran := false
	for name, do := range map[string]func(context.Context, func(store.Tx) error) error{"View": s.View, "Update": s.Update} {
		if err := do(cancelled, func(store.Tx) error { ran = true; return nil }); !errors.Is(err, context.Canceled) || ran {
			t.Errorf("%s: %v, ran %t", name, err, ran)
		}
	}
	if err := s.Ping(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("Ping: %v", err)
	}
	if err := s.Prune(cancelled, now, now); !errors.Is(err, context.Canceled) {
		t.Errorf("Prune: %v", err)
	}

	// Waiting for another Update ends with the context.
	update(t, s, func(store.Tx) error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		done := make(chan error)
		go func() { done <- s.Update(ctx, func(store.Tx) error { return nil }) }()
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting: %v", err)
		}
		return nil
	})

	// Ending in the middle keeps nothing, whether the caller goes on or not.
	for name, after := range map[string]func(tx store.Tx) error{
		"and stops":   func(store.Tx) error { return nil },
		"and goes on": func(tx store.Tx) error { return tx.Audit(store.Event{At: now}) },
		"and overlooks it": func(tx store.Tx) error {
			tx.Audit(store.Event{At: now})
			return nil
		},
	} {
		t.Run("in the middle "+name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			err := s.Update(ctx, func(tx store.Tx) error {
				if err := tx.Audit(store.Event{At: now}); err != nil {
					return err
				}
				cancel()
				return after(tx)
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
	view(t, s, func(tx store.Tx) error {
		events, err := tx.Events("", 10)
		if len(events) > 0 {
			t.Errorf("kept: %+v", events)
		}
		return err
	})
	person(t, s, "a@example.test") // the store still works
}

func testClose(t *testing.T, s store.Store) {
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(store.Tx) error { return nil }
	for name, err := range map[string]error{
		"View":   s.View(t.Context(), nothing),
		"Update": s.Update(t.Context(), nothing),
		"Ping":   s.Ping(t.Context()),
		"Prune":  s.Prune(t.Context(), now, now),
	} {
		if err == nil {
			t.Errorf("%s works on a closed store", name)
		}
	}
}

func testReopen(t *testing.T, open func(t *testing.T) store.Store) {
	a := newAccount("a@example.test")
	s := open(t)
	update(t, s, func(tx store.Tx) error { return tx.CreateAccount(a) })
	everything(t, s, a)
	update(t, s, func(tx store.Tx) error {
		_, err := tx.UseState(hash("state"), now.Add(time.Hour))
		_, err2 := tx.CountFailure("k", now, 0)
		return errors.Join(err, err2)
	})
	gone := person(t, s, "gone@example.test")
	update(t, s, func(tx store.Tx) error { return tx.RemoveAccount(gone.ID) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t)
	defer s.Close()
	wantRows(t, s, a, allRows)
	update(t, s, func(tx store.Tx) error {
		if first, err := tx.UseState(hash("state"), now.Add(time.Hour)); err != nil || first {
			t.Errorf("a used state came back: %v", err)
		}
		if f, err := tx.Failures("k"); err != nil || f.Count != 1 {
			t.Errorf("failures: %+v, %v", f, err)
		}
		gone.Attributes.Email = "back@example.test"
		if err := tx.CreateAccount(gone); err == nil {
			t.Error("the id of a removed account was given again")
		}
		return nil
	})
}
