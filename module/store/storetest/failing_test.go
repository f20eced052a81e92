package storetest_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

func TestFailing(t *testing.T) {
	inner, err := store.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	var failing string
	var asked []string
	fault := errors.New("fault")
	s := storetest.Failing(inner, func(op string) error {
		asked = append(asked, op)
		if op == failing {
			return fault
		}
		return nil
	})
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	ran := false
	view := func() error { return s.View(t.Context(), func(store.Tx) error { ran = true; return nil }) }
	update := func() error {
		return s.Update(t.Context(), func(tx store.Tx) error {
			ran = true
			_, err := tx.CountFailure("k", now, 0)
			return err
		})
	}
	kept := 0
	for _, tc := range []struct {
		failing string
		do      func() error
		asked   []string
		runs    bool
		keeps   int
	}{
		{"", view, []string{"view", "viewed"}, true, 0},
		{"", update, []string{"update", "commit", "kept"}, true, 1},
		{"view", view, []string{"view"}, false, 0},
		{"viewed", view, []string{"view", "viewed"}, true, 0},
		{"update", update, []string{"update"}, false, 0},
		{"commit", update, []string{"update", "commit"}, true, 0},
		{"kept", update, []string{"update", "commit", "kept"}, true, 1},
		{"ping", func() error { return s.Ping(t.Context()) }, []string{"ping"}, false, 0},
		{"", func() error { return s.Ping(t.Context()) }, []string{"ping"}, false, 0},
		{"prune", func() error { return s.Prune(t.Context(), now, now) }, []string{"prune"}, false, 0},
		{"", func() error { return s.Prune(t.Context(), now, now) }, []string{"prune"}, false, 0},
	} {
		failing, asked, ran = tc.failing, nil, false
		if err := tc.do(); (err == nil) != (tc.failing == "") || err != nil && !errors.Is(err, fault) {
			t.Errorf("%q: got %v", tc.failing, err)
		}
		if !slices.Equal(asked, tc.asked) || ran != tc.runs {
			t.Errorf("%q: asked %v, ran %t; want %v, %t", tc.failing, asked, ran, tc.asked, tc.runs)
		}
		kept += tc.keeps
		err := inner.View(t.Context(), func(tx store.Tx) error {
			f, err := tx.Failures("k")
			if f.Count != kept {
				t.Errorf("%q: %d kept, want %d", tc.failing, f.Count, kept)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A store that is late keeps all or nothing of what was under way, wherever in
// it the time is over.
func TestLate(t *testing.T) {
	inner, err := store.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	kept, in := 0, 0
	for allowed := 0; ; allowed++ {
		left := allowed
		s := storetest.Late(inner, func(context.Context) bool { left--; return left < 0 })
		err := s.Update(t.Context(), func(tx store.Tx) error {
			for _, key := range []string{"a", "b"} {
				if _, err := tx.CountFailure(key, now, 0); err != nil {
					in++
					return err
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if err == nil {
			kept++
		}
		err2 := inner.View(t.Context(), func(tx store.Tx) error {
			for _, key := range []string{"a", "b"} {
				if f, err := tx.Failures(key); err != nil || f.Count != kept {
					t.Errorf("over after %d looks: %s is %d, want %d: %v", allowed, key, f.Count, kept, err)
				}
			}
			return nil
		})
		if err2 != nil {
			t.Fatal(err2)
		}
		if err == nil && left >= 0 {
			break
		}
	}
	if in < 2 {
		t.Errorf("the time was over %d times in the middle", in)
	}
	left := 0
	err = storetest.Late(inner, func(context.Context) bool { left--; return left < 0 }).View(t.Context(), func(tx store.Tx) error {
		_, err := tx.Failures("a")
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading: %v", err)
	}
}
