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
		{"", view, []string{"view"}, true, 0},
		{"", update, []string{"update", "commit", "kept"}, true, 1},
		{"view", view, []string{"view"}, false, 0},
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
