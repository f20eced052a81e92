package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func testSubscribe(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	update(t, s, func(tx store.Tx) error { return tx.CreateSession(newSession("s", a.ID)) })
	var told []string
	note := func(who string) func(store.Change) {
		return func(c store.Change) { told = append(told, who+" "+describe(c, a.ID)) }
	}
	stopFirst := s.Subscribe(note("first"))
	stopSecond := s.Subscribe(note("second"))
	defer stopSecond()
	wants := func(t *testing.T, want ...string) {
		t.Helper()
		if got := strings.Join(told, ", "); got != strings.Join(want, ", ") {
			t.Fatalf("told %s; want %s", got, strings.Join(want, ", "))
		}
		told = nil
	}

	update(t, s, func(tx store.Tx) error {
		ended, err := tx.EndSession(hash("s"))
		if err == nil && !ended {
			err = errors.New("no session")
		}
		err = errors.Join(err, tx.SetSuspended(a.ID, true, now), tx.MoveEpoch(a.ID, nil, now))
		if len(told) > 0 {
			t.Error("told before it is kept")
		}
		return err
	})
	wants(t, "first session", "second session", "first account", "second account")

	err := s.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.SetSuspended(a.ID, false, now), errors.New("no"))
	})
	if err == nil {
		t.Fatal("no error")
	}
	wants(t)

	stopFirst()
	stopFirst()
	update(t, s, func(tx store.Tx) error { return tx.SetSuspended(a.ID, false, now) })
	wants(t, "second account")

	// One that is told may read what has changed, and stop.
	var suspended bool
	var stop func()
	stop = s.Subscribe(func(store.Change) {
		view(t, s, func(tx store.Tx) error {
			got, err := tx.Account(a.ID)
			suspended = got.Suspended
			return err
		})
		stop()
	})
	for range 2 {
		update(t, s, func(tx store.Tx) error { return tx.SetSuspended(a.ID, true, now) })
		if !suspended {
			t.Error("told before it can be read, or after Update returned")
		}
	}
	wants(t, "second account", "second account")

	// What is told comes in the order of the commits.
	counts := make([]int64, 0, parallel)
	defer s.Subscribe(func(store.Change) {
		view(t, s, func(tx store.Tx) error {
			got, err := tx.Account(a.ID)
			counts = append(counts, got.Epoch)
			return err
		})
	})()
	race(func(int) {
		if err := s.Update(context.Background(), func(tx store.Tx) error { return tx.MoveEpoch(a.ID, nil, now) }); err != nil {
			t.Error(err)
		}
	})
	for i := 1; i < len(counts); i++ {
		if counts[i] != counts[i-1]+1 {
			t.Fatalf("epochs as told: %v", counts)
		}
	}
	if len(counts) != parallel {
		t.Fatalf("told %d times", len(counts))
	}
}

func testChanges(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	everything(t, s, a)
	var told []string
	defer s.Subscribe(func(c store.Change) { told = append(told, describe(c, a.ID)) })()
	for _, write := range []struct {
		name string
		do   func(tx store.Tx) error
		want string
	}{
		{"SaveAttributes", func(tx store.Tx) error { return tx.SaveAttributes(a.ID, a.Attributes, now) }, "[account]"},
		{"SavePassword", func(tx store.Tx) error { return tx.SavePassword(store.Password{AccountID: a.ID, Hash: "h"}) }, "[account]"},
		{"CreateFactor", func(tx store.Tx) error { return tx.CreateFactor(newFactor("new", a.ID)) }, "[account]"},
		{"UseStep", func(tx store.Tx) error { return second(tx.UseStep("new", 1, now)) }, "[]"},
		{"DeleteFactors", func(tx store.Tx) error { return tx.DeleteFactors(a.ID) }, "[account]"},
		{"ChooseFactors", func(tx store.Tx) error { return tx.ChooseFactors(a.ID) }, "[account]"},
		{"RecordSignIn", func(tx store.Tx) error { return tx.RecordSignIn(a.ID, now) }, "[]"},
		{"SaveSSOLink", func(tx store.Tx) error {
			return tx.SaveSSOLink(store.SSOLink{Issuer: "i", Subject: "s", AccountID: a.ID})
		}, "[account]"},
		{"DeleteSSOLink", func(tx store.Tx) error { return tx.DeleteSSOLink(a.ID, "i", "s") }, "[account]"},
		{"CreateSession", func(tx store.Tx) error { return tx.CreateSession(newSession("new", a.ID)) }, "[]"},
		{"SawFamily", func(tx store.Tx) error { return tx.SawFamily(hash("new"), now.Add(time.Hour)) }, "[]"},
		{"EndSession", func(tx store.Tx) error { return second(tx.EndSession(hash("new"))) }, "[session]"},
		{"EndSession again", func(tx store.Tx) error { return second(tx.EndSession(hash("new"))) }, "[]"},
		{"CreateFlow", func(tx store.Tx) error { return tx.CreateFlow(newFlow("new", a.ID), 3) }, "[]"},
		{"MoveEpoch", func(tx store.Tx) error { return tx.MoveEpoch(a.ID, nil, now) }, "[account]"},
		{"SetSuspended", func(tx store.Tx) error { return tx.SetSuspended(a.ID, true, now) }, "[account]"},
		{"resuming", func(tx store.Tx) error { return tx.SetSuspended(a.ID, false, now) }, "[account]"},
		{"CountFailure", func(tx store.Tx) error { return second(tx.CountFailure("k", now, 0)) }, "[]"},
		{"Audit", func(tx store.Tx) error { return tx.Audit(store.Event{At: now}) }, "[]"},
		{"RemoveAccount", func(tx store.Tx) error { return tx.RemoveAccount(a.ID) }, "[account]"},
	} {
		told = nil
		update(t, s, write.do)
		if got := fmt.Sprint(told); got != write.want {
			t.Errorf("%s: told %s, want %s", write.name, got, write.want)
		}
	}
}

// describe tells which of the two a change is.
func describe(c store.Change, accountID string) string {
	switch {
	case c.Account == accountID && c.Session == nil:
		return "account"
	case c.Account == "" && (bytes.Equal(c.Session, hash("s")) || bytes.Equal(c.Session, hash("new"))):
		return "session"
	}
	return fmt.Sprintf("%+v", c)
}
