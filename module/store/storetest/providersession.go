package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func newProviderSession(name, subject, sid string) store.ProviderSession {
	return store.ProviderSession{
		Session: hash(name), SSO: "okta", Issuer: "https://id.example.test", Subject: subject, SID: sid,
		CheckedAt: now, Secret: sealed("KEY1", "tokens of "+name),
	}
}

func testProviderSessions(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	phone, desk, other := newProviderSession("phone", "ann", "s1"), newProviderSession("desk", "ann", "s2"), newProviderSession("other", "bob", "")
	other.Secret = nil
	elsewhere := newProviderSession("elsewhere", "ann", "s1")
	elsewhere.SSO, elsewhere.Issuer = "google", "https://google.example.test"
	desk.CheckedAt, other.CheckedAt = now.Add(-time.Hour), now.Add(-time.Minute)
	all := []store.ProviderSession{phone, desk, other, elsewhere}
	update(t, s, func(tx store.Tx) error {
		for _, p := range all {
			session := store.Session{ID: p.Session, AccountID: a.ID, Epoch: 1, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
			if err := errors.Join(tx.CreateSession(session), tx.SaveProviderSession(p)); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx store.Tx) error {
		for _, want := range all {
			if got, err := tx.ProviderSession(want.Session); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
		if _, err := tx.ProviderSession(hash("none")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("of no session: %v", err)
		}
		return nil
	})

	names := func(found []store.ProviderSession) string {
		n := ""
		for _, p := range all {
			for _, f := range found {
				if reflect.DeepEqual(p, f) {
					n += string(p.Secret) + "; "
				}
			}
		}
		return fmt.Sprint(len(found), ": ", n)
	}
	const issuer = "https://id.example.test"
	view(t, s, func(tx store.Tx) error {
		for _, ask := range []struct {
			name string
			list func() ([]store.ProviderSession, error)
			want string
		}{
			{"all of a subject", func() ([]store.ProviderSession, error) { return tx.ProviderSessionsOf(issuer, "ann", 9) }, names([]store.ProviderSession{phone, desk})},
			{"another issuer's subject", func() ([]store.ProviderSession, error) { return tx.ProviderSessionsOf(issuer+"/", "ann", 9) }, names(nil)},
			{"a session of the provider", func() ([]store.ProviderSession, error) { return tx.ProviderSessionsBySID(issuer, "s1", 9) }, names([]store.ProviderSession{phone})},
			{"no session of the provider", func() ([]store.ProviderSession, error) { return tx.ProviderSessionsBySID(issuer, "", 9) }, names(nil)},
		} {
			if found, err := ask.list(); err != nil || names(found) != ask.want {
				t.Errorf("%s: got %s, %v; want %s", ask.name, names(found), err, ask.want)
			}
		}
		for name, list := range map[string]func(limit int) ([]store.ProviderSession, error){
			"of a subject": func(limit int) ([]store.ProviderSession, error) { return tx.ProviderSessionsOf(issuer, "ann", limit) },
			"of a session of the provider": func(limit int) ([]store.ProviderSession, error) {
				return tx.ProviderSessionsBySID(issuer, "s1", limit)
			},
		} {
			for _, limit := range []int{0, 1} {
				if found, err := list(limit); err != nil || len(found) != limit {
					t.Errorf("%s, at most %d: %d, %v", name, limit, len(found), err)
				}
			}
		}
		return nil
	})

	phone.SID, phone.Secret, phone.CheckedAt = "s3", sealed("KEY1", "later tokens"), now.Add(time.Minute)
	update(t, s, func(tx store.Tx) error { return tx.SaveProviderSession(phone) })
	view(t, s, func(tx store.Tx) error {
		if got, err := tx.ProviderSession(phone.Session); err != nil || !reflect.DeepEqual(got, phone) {
			t.Errorf("replaced: got %+v, %v; want %+v", got, err, phone)
		}
		return nil
	})
	refused(t, s, store.ErrNotFound, func(tx store.Tx) error {
		return tx.SaveProviderSession(newProviderSession("never begun", "ann", ""))
	})

	// Another session of the family has the same provider behind it.
	update(t, s, func(tx store.Tx) error {
		return tx.CreateSession(store.Session{ID: hash("child"), Family: hash("desk"), AccountID: a.ID, Epoch: 1, SeenAt: now, ExpiresAt: now.Add(time.Hour)})
	})
	view(t, s, func(tx store.Tx) error {
		if got, err := tx.ProviderSession(hash("child")); err != nil || !reflect.DeepEqual(got, desk) {
			t.Errorf("of another session of the family: got %+v, %v; want %+v", got, err, desk)
		}
		return nil
	})

	// It goes with its session, in whatever way that goes.
	update(t, s, func(tx store.Tx) error { return second(tx.EndSession(phone.Session)) })
	refused(t, s, store.ErrNotFound, func(tx store.Tx) error { return tx.SaveProviderSession(phone) })
	update(t, s, func(tx store.Tx) error { return tx.MoveEpoch(a.ID, desk.Session, now) })
	view(t, s, func(tx store.Tx) error {
		for _, p := range all {
			_, err := tx.ProviderSession(p.Session)
			if kept := reflect.DeepEqual(p, desk); (err == nil) != kept || err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: kept %t, %v", p.Secret, kept, err)
			}
		}
		return nil
	})

	// One caller asks the provider.
	var winners atomic.Int32
	race(func(i int) {
		won := false
		err := s.Update(t.Context(), func(tx store.Tx) (err error) {
			won, err = tx.ClaimProviderSession(desk.Session, desk.CheckedAt, now.Add(time.Duration(i)*time.Second))
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if won {
			winners.Add(1)
		}
	})
	if n := winners.Load(); n != 1 {
		t.Errorf("%d callers claimed one session", n)
	}
	update(t, s, func(tx store.Tx) error {
		if won, err := tx.ClaimProviderSession(hash("none"), now, now.Add(time.Second)); won || err != nil {
			t.Errorf("a session that is not there is claimed: %t, %v", won, err)
		}
		return nil
	})
}

// What a provider knows of a family is known as long as anybody of it lives: a
// session that was made from another may last longer.
func testProviderSessionOfFamily(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	first, child := newSession("first", a.ID), newSession("child", a.ID)
	first.ExpiresAt, child.ExpiresAt, child.Family = now.Add(time.Hour), now.Add(5*time.Hour), first.ID
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.CreateSession(first), tx.CreateSession(child), tx.SaveProviderSession(newProviderSession("first", "ann", "s1")))
	})
	for _, prune := range []struct {
		after time.Duration
		left  int
	}{{3 * time.Hour, 1}, {6 * time.Hour, 0}} {
		if err := s.Prune(t.Context(), now.Add(prune.after), now); err != nil {
			t.Fatal(err)
		}
		view(t, s, func(tx store.Tx) error {
			if found, err := tx.ProviderSessionsBySID("https://id.example.test", "s1", 9); err != nil || len(found) != prune.left {
				t.Errorf("%s later: %d, %v", prune.after, len(found), err)
			}
			return nil
		})
	}
}

func testProviderLogouts(t *testing.T, s store.Store) {
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for _, note := range []struct {
		name  string
		id    string
		at    time.Time
		want  time.Time // of "s1"
		prune time.Time
	}{
		{name: "another", id: "s2", at: at(0)},
		{name: "first", id: "s1", at: at(0), want: at(0)},
		{name: "later", id: "s1", at: at(time.Minute), want: at(time.Minute)},
		{name: "with the clock set back", id: "s1", at: at(-time.Minute), want: at(time.Minute)},
		{name: "almost an hour later", id: "s2", at: at(0), want: at(time.Minute), prune: at(time.Hour + time.Minute - time.Microsecond)},
		{name: "an hour later", id: "s2", at: at(0), prune: at(time.Hour + time.Minute)},
	} {
		update(t, s, func(tx store.Tx) error { return tx.NoteProviderLogout(hash(note.id), note.at) })
		if !note.prune.IsZero() {
			if err := s.Prune(t.Context(), note.prune, now); err != nil {
				t.Fatal(err)
			}
		}
		view(t, s, func(tx store.Tx) error {
			if got, err := tx.ProviderLogout(hash("s1")); err != nil || !got.Equal(note.want) {
				t.Errorf("%s: %v, %v; want %v", note.name, got, err, note.want)
			}
			return nil
		})
	}
}
