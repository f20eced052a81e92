package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func newTicket(name, session string) store.Ticket {
	return store.Ticket{
		ID: hash(name), Session: hash(session), Origin: "https://app.example.test", Binding: hash("binding"),
		CreatedAt: now, ExpiresAt: now.Add(30 * time.Second),
	}
}

func testTickets(t *testing.T, s store.Store) {
	const late = 29 * time.Second
	a := person(t, s, "a@example.test")
	family(t, s, a, "portal")
	update(t, s, func(tx store.Tx) error { return tx.CreateSession(newSession("other", a.ID)) })
	create := func(name, session string) func(tx store.Tx) error {
		return func(tx store.Tx) error { return tx.CreateTicket(newTicket(name, session), 3) }
	}
	spend := func(name string, at time.Time) (found store.Ticket, err error) {
		err = s.Update(t.Context(), func(tx store.Tx) (err error) {
			found, err = tx.SpendTicket(hash(name), at)
			return err
		})
		return found, err
	}
	update(t, s, create("1", "portal"))
	view(t, s, func(tx store.Tx) error {
		if got, err := tx.Ticket(hash("1"), now.Add(late)); err != nil || !reflect.DeepEqual(got, newTicket("1", "portal")) {
			t.Errorf("got %+v, %v", got, err)
		}
		if _, err := tx.Ticket(hash("1"), now.Add(30*time.Second)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after its time: %v", err)
		}
		return nil
	})
	if _, err := spend("1", now.Add(30*time.Second)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("spent after its time: %v", err)
	}
	if got, err := spend("1", now.Add(late)); err != nil || !reflect.DeepEqual(got, newTicket("1", "portal")) {
		t.Errorf("spent %+v, %v", got, err)
	}
	if _, err := spend("1", now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("spent twice: %v", err)
	}
	refused(t, s, store.ErrNotFound, create("2", "no such session"))

	update(t, s, create("theirs", "other"))
	for i := range 5 {
		k := newTicket(fmt.Sprint("many ", i), "portal")
		k.CreatedAt = now.Add(time.Duration(i) * time.Second)
		update(t, s, func(tx store.Tx) error { return tx.CreateTicket(k, 3) })
	}
	there := func(t *testing.T, want map[string]bool) {
		t.Helper()
		view(t, s, func(tx store.Tx) error {
			for name, there := range want {
				if _, err := tx.Ticket(hash(name), now); (err == nil) != there {
					t.Errorf("ticket %s: %v", name, err)
				}
			}
			return nil
		})
	}
	there(t, map[string]bool{"many 0": false, "many 1": false, "many 2": true, "many 3": true, "many 4": true, "theirs": true})

	t.Run("one winner", func(t *testing.T) {
		var won atomic.Int32
		race(func(int) {
			err := s.Update(context.Background(), func(tx store.Tx) error {
				_, err := tx.SpendTicket(hash("many 4"), now)
				return err
			})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, store.ErrNotFound):
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d got it", won.Load())
		}
	})
	t.Run("with its session", func(t *testing.T) {
		update(t, s, func(tx store.Tx) error { return second(tx.EndSession(hash("portal on b"))) })
		there(t, map[string]bool{"many 2": false, "many 3": false, "theirs": true})
	})
	t.Run("pruned", func(t *testing.T) {
		for at, left := range map[time.Duration]bool{late: true, 30 * time.Second: false} {
			update(t, s, func(tx store.Tx) error { return create("short", "other")(tx) })
			if err := s.Prune(t.Context(), now.Add(at), now); err != nil {
				t.Fatal(err)
			}
			there(t, map[string]bool{"short": left})
			if left {
				if _, err := spend("short", now); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
