package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// family gives an account a session that begins a family, and two more of it.
func family(t *testing.T, s store.Store, a store.Account, name string) (ids [][]byte) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for _, member := range []string{name, name + " on b", name + " on c"} {
			session := newSession(member, a.ID)
			if member != name {
				session.Family = hash(name)
			}
			if err := tx.CreateSession(session); err != nil {
				return err
			}
			ids = append(ids, session.ID)
		}
		return nil
	})
	return ids
}

// left tells which of the sessions are still there, by number.
func left(t *testing.T, s store.Store, ids [][]byte) string {
	t.Helper()
	var found []int
	view(t, s, func(tx store.Tx) error {
		for i, id := range ids {
			if _, err := tx.Session(id); err == nil {
				found = append(found, i)
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	return fmt.Sprint(found)
}

func testFamilies(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	others := family(t, s, a, "other family")
	for _, end := range []struct {
		name string
		do   func(tx store.Tx, ids [][]byte) (bool, error)
		left string
		told []int
	}{
		{"the first", func(tx store.Tx, ids [][]byte) (bool, error) { return tx.EndSession(ids[0]) }, "[]", []int{0, 1, 2}},
		{"another", func(tx store.Tx, ids [][]byte) (bool, error) { return tx.EndSession(ids[2]) }, "[]", []int{0, 1, 2}},
		{"all by what they share", func(tx store.Tx, ids [][]byte) (bool, error) { return tx.EndFamily(ids[0]) }, "[]", []int{0, 1, 2}},
		{"the first is replaced", func(tx store.Tx, ids [][]byte) (bool, error) { return false, tx.DropSession(ids[0]) }, "[1 2]", []int{0}},
		{"another is replaced", func(tx store.Tx, ids [][]byte) (bool, error) { return false, tx.DropSession(ids[1]) }, "[0 2]", []int{1}},
		{"the first is replaced, then another ends", func(tx store.Tx, ids [][]byte) (bool, error) {
			if err := tx.DropSession(ids[0]); err != nil {
				return false, err
			}
			return tx.EndSession(ids[1])
		}, "[]", []int{0, 1, 2}},
	} {
		t.Run(end.name, func(t *testing.T) {
			ids := family(t, s, a, end.name)
			var told []int
			stop := s.Subscribe(func(c store.Change) {
				told = append(told, slices.IndexFunc(ids, func(id []byte) bool { return string(id) == string(c.Session) }))
			})
			var ended bool
			update(t, s, func(tx store.Tx) (err error) {
				ended, err = end.do(tx, ids)
				return err
			})
			stop()
			if ended != (end.left == "[]") {
				t.Errorf("ended: %t", ended)
			}
			if got := left(t, s, ids); got != end.left {
				t.Errorf("left: %s, want %s", got, end.left)
			}
			if slices.Sort(told); !slices.Equal(told, end.told) {
				t.Errorf("told of %v, want %v", told, end.told)
			}
			if got := left(t, s, others); got != "[0 1 2]" {
				t.Errorf("of another family: %s", got)
			}
			update(t, s, func(tx store.Tx) error {
				alive, err := tx.FamilyAlive(ids[0])
				if alive != (end.left != "[]") {
					t.Errorf("alive: %t", alive)
				}
				again, err2 := tx.EndFamily(ids[0])
				if again != alive {
					t.Errorf("ended again: %t", again)
				}
				return errors.Join(err, err2)
			})
		})
	}
	t.Run("one is used", func(t *testing.T) {
		update(t, s, func(tx store.Tx) error { return tx.SawFamily(others[0], now.Add(time.Hour)) })
		view(t, s, func(tx store.Tx) error {
			for i, id := range others {
				if got, err := tx.Session(id); err != nil || !got.SeenAt.Equal(now.Add(time.Hour)) {
					t.Errorf("session %d: seen at %v, %v", i, got.SeenAt, err)
				}
			}
			return nil
		})
	})
	t.Run("the family is limited", func(t *testing.T) {
		ids := family(t, s, a, "limited")
		var told int
		stop := s.Subscribe(func(store.Change) { told++ })
		defer stop()
		update(t, s, func(tx store.Tx) error { return tx.LimitFamily(ids[0], 9*time.Hour, now.Add(25*time.Hour)) })
		if told != 0 {
			t.Errorf("told %d times although nothing is shorter", told)
		}
		update(t, s, func(tx store.Tx) error { return tx.LimitFamily(ids[0], time.Hour, now.Add(2*time.Hour)) })
		if told != 3 {
			t.Errorf("told %d times", told)
		}
		view(t, s, func(tx store.Tx) error {
			for i, id := range append(ids, others[1]) {
				want := newSession("", "")
				if i < len(ids) {
					want.IdleTimeout, want.ExpiresAt = time.Hour, now.Add(2*time.Hour)
				}
				if got, err := tx.Session(id); err != nil || got.IdleTimeout != want.IdleTimeout || !got.ExpiresAt.Equal(want.ExpiresAt) {
					t.Errorf("session %d: %+v, %v", i, got, err)
				}
			}
			return nil
		})
	})
	t.Run("the epoch moves and one is kept", func(t *testing.T) {
		ids := family(t, s, a, "kept")
		update(t, s, func(tx store.Tx) error { return tx.MoveEpoch(a.ID, ids[1], now) })
		if got := left(t, s, ids); got != "[0 1 2]" {
			t.Errorf("of the family that is kept: %s", got)
		}
		if got := left(t, s, others); got != "[]" {
			t.Errorf("of the other: %s", got)
		}
		view(t, s, func(tx store.Tx) error {
			for i, id := range ids {
				if got, err := tx.Session(id); err != nil || got.Epoch != 2 || string(got.Family) != string(ids[0]) {
					t.Errorf("session %d: %+v, %v", i, got, err)
				}
			}
			return nil
		})
	})
}
