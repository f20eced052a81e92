package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func testFlows(t *testing.T, s store.Store) {
	a, other := person(t, s, "a@example.test"), person(t, s, "other@example.test")
	want := newFlow("1", a.ID)
	want.Session, want.Secret, want.Tries, want.MustChange = hash("session"), sealed("KEY1", "s"), 2, true
	update(t, s, func(tx store.Tx) error { return tx.CreateFlow(want, 3) })
	check := func() {
		t.Helper()
		view(t, s, func(tx store.Tx) error {
			if got, err := tx.Flow(want.ID); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
			return nil
		})
	}
	check()
	want.Stage, want.Audience, want.ReturnTo, want.Session, want.Secret = "enroll", "customers", "/", nil, nil
	want.Tries, want.MustChange, want.Epoch, want.ExpiresAt = 5, false, 4, now.Add(time.Hour)
	update(t, s, func(tx store.Tx) error { return tx.SaveFlow(want) })
	check()

	update(t, s, func(tx store.Tx) error {
		theirs := newFlow("theirs", other.ID)
		theirs.CreatedAt = now.Add(-time.Hour)
		return tx.CreateFlow(theirs, 1)
	})
	for i := 2; i <= 5; i++ {
		f := newFlow(fmt.Sprint(i), a.ID)
		f.CreatedAt = now.Add(time.Duration(i) * time.Second)
		update(t, s, func(tx store.Tx) error { return tx.CreateFlow(f, 3) })
	}
	view(t, s, func(tx store.Tx) error {
		for name, there := range map[string]bool{"1": false, "2": false, "3": true, "4": true, "5": true, "theirs": true} {
			if _, err := tx.Flow(hash(name)); (err == nil) != there {
				t.Errorf("flow %s: %v", name, err)
			}
		}
		return nil
	})
	// A flow made in the same moment as the others, or with the clock set
	// back, is still the newest.
	late := newFlow("late", a.ID)
	late.CreatedAt = now.Add(-time.Hour)
	update(t, s, func(tx store.Tx) error { return tx.CreateFlow(late, 1) })
	update(t, s, func(tx store.Tx) error {
		if _, err := tx.Flow(hash("5")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("flow 5: %v", err)
		}
		ended, err := tx.EndFlow(late.ID)
		again, err2 := tx.EndFlow(late.ID)
		if !ended || again {
			t.Errorf("EndFlow: %t, then %t", ended, again)
		}
		return errors.Join(err, err2)
	})
	refused(t, s, store.ErrNotFound, func(tx store.Tx) error { return tx.SaveFlow(late) })
}

func testSessions(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	older, want := newSession("1", a.ID), newSession("2", a.ID)
	want.SSO, want.SecondFactor, want.SecondFactorAt, want.Trusted = "okta", store.MethodSMS, now.Add(time.Second), true
	want.CreatedAt = now.Add(time.Minute)
	update(t, s, func(tx store.Tx) error { return errors.Join(tx.CreateSession(older), tx.CreateSession(want)) })
	view(t, s, func(tx store.Tx) error {
		if got, err := tx.Session(want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		if got, err := tx.Sessions(a.ID); err != nil || !reflect.DeepEqual(got, []store.Session{want, older}) {
			t.Errorf("newest first: %+v, %v", got, err)
		}
		for _, id := range [][]byte{hash("3"), want.ID[:31], nil} {
			if _, err := tx.Session(id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("session %x: %v", id, err)
			}
		}
		if got, err := tx.Sessions("nobody"); err != nil || len(got) != 0 {
			t.Errorf("sessions of nobody: %+v, %v", got, err)
		}
		return nil
	})
	if s.Update(t.Context(), func(tx store.Tx) error { return tx.CreateSession(want) }) == nil {
		t.Error("one id for two sessions")
	}

	for _, saw := range []struct {
		name     string
		at, want time.Time
	}{
		{"later", now.Add(time.Hour), now.Add(time.Hour)},
		{"earlier", now.Add(time.Minute), now.Add(time.Hour)},
		{"later still", now.Add(2 * time.Hour), now.Add(2 * time.Hour)},
	} {
		update(t, s, func(tx store.Tx) error { return tx.SawFamily(want.ID, saw.at) })
		view(t, s, func(tx store.Tx) error {
			if got, err := tx.Session(want.ID); err != nil || !got.SeenAt.Equal(saw.want) {
				t.Errorf("%s: seen at %v, %v", saw.name, got.SeenAt, err)
			}
			return nil
		})
	}
	update(t, s, func(tx store.Tx) error {
		ended, err := tx.EndSession(want.ID)
		again, err2 := tx.EndSession(want.ID)
		if !ended || again {
			t.Errorf("EndSession: %t, then %t", ended, again)
		}
		return errors.Join(err, err2, tx.SawFamily(want.ID, now.Add(3*time.Hour)))
	})
	view(t, s, func(tx store.Tx) error {
		if got, err := tx.Sessions(a.ID); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], older) {
			t.Errorf("after the end of one: %+v, %v", got, err)
		}
		return nil
	})
}

func testFailures(t *testing.T, s store.Store) {
	const leak = time.Minute
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for _, step := range []struct {
		name string
		do   func(tx store.Tx) error
		want store.Failures
	}{
		{"unknown", func(store.Tx) error { return nil }, store.Failures{}},
		{"uncounting nothing", func(tx store.Tx) error { return tx.UncountFailure("k") }, store.Failures{}},
		{"first", count(at(0), 0), store.Failures{Count: 1, Last: at(0)}},
		{"another key", func(tx store.Tx) error {
			return errors.Join(count(at(0), 0)(tx), tx.UncountFailure("k2"), tx.ClearFailures("k2"))
		},
			store.Failures{Count: 2, Last: at(0)}},
		{"without a leak, much later", count(at(time.Hour), 0), store.Failures{Count: 3, Last: at(time.Hour)}},
		{"less than a leak later", count(at(time.Hour+leak-1000), leak), store.Failures{Count: 4, Last: at(time.Hour + leak - 1000)}},
		{"uncount", func(tx store.Tx) error { return tx.UncountFailure("k") }, store.Failures{Count: 3, Last: at(time.Hour + leak - 1000)}},
		{"two leaks later", count(at(time.Hour+3*leak-1000), leak), store.Failures{Count: 2, Last: at(time.Hour + 3*leak - 1000)}},
		{"with the clock set back", count(at(0), leak), store.Failures{Count: 3, Last: at(time.Hour + 3*leak - 1000)}},
		{"days later", count(at(100*time.Hour), leak), store.Failures{Count: 1, Last: at(100 * time.Hour)}},
		{"uncount the last", func(tx store.Tx) error { return tx.UncountFailure("k") }, store.Failures{}},
		{"again", count(at(101*time.Hour), leak), store.Failures{Count: 1, Last: at(101 * time.Hour)}},
		{"clear", func(tx store.Tx) error { return tx.ClearFailures("k") }, store.Failures{}},
	} {
		update(t, s, step.do)
		view(t, s, func(tx store.Tx) error {
			if got, err := tx.Failures("k"); err != nil || got != step.want {
				t.Errorf("%s: got %+v, %v; want %+v", step.name, got, err, step.want)
			}
			return nil
		})
	}
}

// count counts a failure and checks that CountFailure tells what it stored.
func count(at time.Time, leak time.Duration) func(tx store.Tx) error {
	return func(tx store.Tx) error {
		told, err := tx.CountFailure("k", at, leak)
		if err != nil {
			return err
		}
		if kept, err := tx.Failures("k"); err != nil || kept != told {
			return fmt.Errorf("CountFailure told %+v and kept %+v, %v", told, kept, err)
		}
		return nil
	}
}

func testUsedStates(t *testing.T, s store.Store) {
	for _, use := range []struct {
		id   string
		want bool
	}{{"1", true}, {"1", false}, {"2", true}, {"1", false}} {
		update(t, s, func(tx store.Tx) error {
			got, err := tx.UseState(hash(use.id), now.Add(time.Minute))
			if got != use.want {
				t.Errorf("state %s: %t", use.id, got)
			}
			return err
		})
	}
}

func testAudit(t *testing.T, s store.Store) {
	full := store.Event{At: now, Action: "sign-in", Outcome: "failure", AccountID: "a", Actor: "command line",
		Address: "2001:db8::1", How: "sso okta", Detail: "what", ErrorID: "1234abcd", Count: 7}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.Audit(full),
			tx.Audit(store.Event{At: now.Add(time.Second), Action: "later", AccountID: "b"}),
			tx.Audit(store.Event{At: now.Add(-time.Second), Action: "earlier", AccountID: "a"}),
			tx.Audit(store.Event{At: now, Action: "same moment", AccountID: "a"}))
	})
	view(t, s, func(tx store.Tx) error {
		for _, ask := range []struct {
			account string
			limit   int
			want    string
		}{
			{"", 10, "[later same moment sign-in earlier]"},
			{"", 2, "[later same moment]"},
			{"a", 10, "[same moment sign-in earlier]"},
			{"a", 1, "[same moment]"},
			{"nobody", 10, "[]"},
		} {
			events, err := tx.Events(ask.account, ask.limit)
			actions := []string{}
			for _, e := range events {
				actions = append(actions, e.Action)
				if e.Action == "sign-in" && e != full {
					t.Errorf("got %+v, want %+v", e, full)
				}
				if e.Action == "later" && e.Count != 1 {
					t.Errorf("one event counts %d times", e.Count)
				}
			}
			if got := fmt.Sprint(actions); err != nil || got != ask.want {
				t.Errorf("events of %q: got %s, %v; want %s", ask.account, got, err, ask.want)
			}
		}
		return nil
	})
}

func testPrune(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	const day = 24 * time.Hour
	update(t, s, func(tx store.Tx) error {
		flow := func(name string, expires time.Time) error {
			f := newFlow(name, a.ID)
			f.ExpiresAt = expires
			return tx.CreateFlow(f, 10)
		}
		session := func(name string, seen time.Time, idle time.Duration, expires time.Time) error {
			s := newSession(name, a.ID)
			s.SeenAt, s.IdleTimeout, s.ExpiresAt = seen, idle, expires
			return tx.CreateSession(s)
		}
		state := func(name string, expires time.Time) error {
			_, err := tx.UseState(hash(name), expires)
			return err
		}
		counter := func(key string, last time.Time) error {
			_, err := tx.CountFailure(key, last, 0)
			return err
		}
		return errors.Join(
			flow("expired", now), flow("live", now.Add(time.Second)),
			session("expired", now, day, now.Add(-time.Hour)),
			session("idle", now.Add(-9*time.Hour), 8*time.Hour, now.Add(day)),
			session("idle but seen since", now.Add(-9*time.Hour), 8*time.Hour, now.Add(day)),
			session("never idle", now.Add(-9*time.Hour), 0, now.Add(day)),
			session("live", now.Add(-time.Hour), 8*time.Hour, now.Add(day)),
			tx.SawFamily(hash("idle but seen since"), now.Add(-time.Minute)),
			session("seen since and idle again", now.Add(-20*time.Hour), 8*time.Hour, now.Add(day)),
			tx.SawFamily(hash("seen since and idle again"), now.Add(-9*time.Hour)),
			session("seen since but expired", now.Add(-20*time.Hour), 8*time.Hour, now.Add(-time.Hour)),
			tx.SawFamily(hash("seen since but expired"), now.Add(-2*time.Hour)),
			tx.CreateOneTimeLink(newLink("live", a.ID)),
			state("expired", now), state("live", now.Add(time.Second)),
			counter("idle", now.Add(-48*time.Hour-time.Second)), counter("live", now.Add(-47*time.Hour)),
			tx.Audit(store.Event{At: now.Add(-90*day - time.Microsecond), Action: "old"}),
			tx.Audit(store.Event{At: now.Add(-90 * day), Action: "kept"}))
	})
	if err := s.Prune(t.Context(), now, now.Add(-90*day)); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx store.Tx) error {
		for name, there := range map[string]bool{"expired": false, "live": true} {
			if _, err := tx.Flow(hash(name)); (err == nil) != there {
				t.Errorf("flow %s: %v", name, err)
			}
			// A state that is forgotten can be used again.
			if first, err := tx.UseState(hash(name), now.Add(time.Hour)); err != nil || first == there {
				t.Errorf("state %s: %t, %v", name, first, err)
			}
		}
		for name, there := range map[string]bool{
			"expired": false, "idle": false, "seen since and idle again": false, "seen since but expired": false,
			"idle but seen since": true, "never idle": true, "live": true,
		} {
			if _, err := tx.Session(hash(name)); (err == nil) != there {
				t.Errorf("session %s: %v", name, err)
			}
		}
		for key, want := range map[string]int{"idle": 0, "live": 1} {
			if f, err := tx.Failures(key); err != nil || f.Count != want {
				t.Errorf("failures %s: %+v, %v", key, f, err)
			}
		}
		if _, err := tx.OneTimeLink(hash("live"), now); err != nil {
			t.Errorf("link: %v", err)
		}
		if events, err := tx.Events("", 10); err != nil || len(events) != 1 || events[0].Action != "kept" {
			t.Errorf("events: %+v, %v", events, err)
		}
		if _, err := tx.Account(a.ID); err != nil {
			t.Errorf("account: %v", err)
		}
		return nil
	})
	if err := s.Prune(t.Context(), now.Add(time.Hour), now.Add(-90*day)); err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx store.Tx) error {
		if _, err := tx.OneTimeLink(hash("live"), now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an expired link is kept: %v", err)
		}
		return nil
	})
}
