package session

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// What a person sees of their sessions is what still opens something: neither
// more, since rows outlive their session, nor less, since the store learns late
// that one was used.
func TestAlive(t *testing.T) {
	w := newWorld(t)
	_, left := w.begin(t)
	request, used := w.begin(t)
	listed := func() (ids [][]byte, sessions []store.Session) {
		t.Helper()
		err := w.store.View(context.Background(), func(tx store.Tx) (err error) {
			sessions, err = tx.Sessions(w.account.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		sessions = w.Alive(sessions, w.clock.Now())
		for _, s := range sessions {
			ids = append(ids, s.ID)
		}
		return ids, sessions
	}
	has := func(ids [][]byte, id []byte) bool {
		return slices.ContainsFunc(ids, func(other []byte) bool { return string(other) == string(id) })
	}
	if ids, _ := listed(); len(ids) != 2 {
		t.Fatalf("%d sessions at first", len(ids))
	}
	w.clock.Move(5 * time.Hour)
	if !w.lives(t, request) {
		t.Fatal("the session that is used has ended")
	}
	w.clock.Move(4 * time.Hour)
	ids, sessions := listed()
	if !has(ids, used) || has(ids, left) {
		t.Errorf("after nine hours: %x, want %x without %x", ids, used, left)
	}
	if seen := w.clock.Now().Add(-4 * time.Hour); len(sessions) == 1 && !sessions[0].SeenAt.Equal(seen) {
		t.Errorf("last seen %s, want %s", sessions[0].SeenAt, seen)
	}
	w.Keeper.lifetimes = map[string]Lifetimes{"team": {Idle: time.Hour, Absolute: 24 * time.Hour}}
	if ids, _ := listed(); len(ids) != 0 {
		t.Errorf("with a shorter idle timeout: %x", ids)
	}
}
