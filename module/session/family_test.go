package session

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// beginning begins a session with what change says of it, and returns a request
// with its cookie.
func (w *world) beginning(t *testing.T, change func(b *Beginning)) (*http.Request, []byte) {
	t.Helper()
	var token string
	w.update(t, func(tx store.Tx) (err error) {
		b := Beginning{AccountID: w.account.ID, Audience: "team", SignedInAt: w.clock.Now(), Until: w.clock.Now().Add(24 * time.Hour)}
		change(&b)
		a, err := tx.Account(b.AccountID)
		if err != nil {
			return err
		}
		b.Epoch = a.Epoch
		token, err = w.Begin(tx, b)
		return err
	})
	recorder := httptest.NewRecorder()
	if err := w.SetCookie(recorder, token, "team", true); err != nil {
		t.Fatal(err)
	}
	return requestWith(recorder.Result().Cookies()[0]), secret.TokenID(token)
}

// A browser's sessions on several sites are one thing: the family goes on when
// the same person signs in in the same way, and ends with anything else.
func TestFamilyOfWhatIsReplaced(t *testing.T) {
	w := newWorld(t)
	other := w.account
	other.ID, other.Attributes.Email = store.NewID(), "bob@example.test"
	w.update(t, func(tx store.Tx) error { return tx.CreateAccount(other) })
	_, foreign := w.beginning(t, func(*Beginning) {})

	for _, tc := range []struct {
		name    string
		sso     string
		then    func(b *Beginning)
		goes    bool
		foreign bool // the new session joins the foreign family
	}{
		{"the same person, password", "", func(*Beginning) {}, true, false},
		{"the same person, the same SSO config", "okta", func(b *Beginning) { b.SSO = "okta" }, true, false},
		{"the same person, SSO after a password", "", func(b *Beginning) { b.SSO = "okta" }, false, false},
		{"the same person, a password after SSO", "okta", func(*Beginning) {}, false, false},
		{"the same person, another SSO config", "okta", func(b *Beginning) { b.SSO = "entra" }, false, false},
		{"somebody else", "", func(b *Beginning) { b.AccountID = other.ID }, false, false},
		{"a ticket of the same family", "", func(b *Beginning) { b.Family = []byte("own") }, true, false},
		{"a ticket of another family", "", func(b *Beginning) { b.Family = foreign }, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			first, firstID := w.beginning(t, func(b *Beginning) { b.SSO = tc.sso })
			child, _ := w.beginning(t, func(b *Beginning) { b.SSO, b.Family = tc.sso, firstID })
			next, nextID := w.beginning(t, func(b *Beginning) {
				tc.then(b)
				b.Replaces = firstID
				if string(b.Family) == "own" {
					b.Family = firstID
				}
			})
			if w.lives(t, first) {
				t.Error("the session that was replaced lives")
			}
			if w.lives(t, child) != tc.goes {
				t.Errorf("another of its family lives: %t, want %t", !tc.goes, tc.goes)
			}
			live, err := w.Find(next, true)
			if err != nil || live == nil {
				t.Fatalf("the new one: %v, %v", live, err)
			}
			want := nextID
			if tc.goes {
				want = firstID
			} else if tc.foreign {
				want = foreign
			}
			if string(live.Session.Family) != string(want) {
				t.Errorf("family %x, want %x", live.Session.Family, want)
			}
		})
	}
}

// Whoever throws the cookies away is not given sessions without end.
func TestFamilyIsBounded(t *testing.T) {
	w := newWorld(t)
	first, firstID := w.beginning(t, func(*Beginning) {})
	elsewhere, _ := w.beginning(t, func(*Beginning) {})
	join := func() *http.Request {
		w.clock.Move(time.Second)
		child, _ := w.beginning(t, func(b *Beginning) { b.Family, b.From = firstID, firstID })
		return child
	}
	oldest := join()
	w.clock.Move(time.Second)
	w.update(t, func(tx store.Tx) error {
		like, err := tx.Session(firstID)
		for i := range maxFamily - 3 {
			like.ID, like.CreatedAt = fmt.Appendf(nil, "child %d", i), w.clock.Now()
			err = errors.Join(err, tx.CreateSession(like))
		}
		return err
	})
	join()
	if !w.lives(t, oldest) {
		t.Fatal("the oldest has ended while there was room")
	}
	newest := join()
	if w.lives(t, oldest) {
		t.Error("the oldest lives")
	}
	for name, r := range map[string]*http.Request{"the newest": newest, "the one they are made from": first, "another family": elsewhere} {
		if !w.lives(t, r) {
			t.Errorf("%s has ended", name)
		}
	}
}

// A copy in memory does not know that its person was busy on another site.
func TestFamilyIdlesTogether(t *testing.T) {
	for _, tc := range []struct {
		name    string
		written bool // the store has been told
	}{{"in this process", false}, {"in the store", true}} {
		t.Run("used elsewhere, noted "+tc.name, func(t *testing.T) {
			w := newWorld(t)
			first, firstID := w.beginning(t, func(*Beginning) {})
			child, _ := w.beginning(t, func(b *Beginning) { b.Family = firstID })
			if !w.lives(t, first) || !w.lives(t, child) {
				t.Fatal("they do not live to begin with")
			}
			for range 3 {
				w.clock.Move(5 * time.Hour)
				if !w.lives(t, child) {
					t.Fatal("the one that is used has ended")
				}
			}
			if tc.written {
				if err := w.registry.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if !w.lives(t, first) {
				t.Error("idled out although another of its family was used")
			}
			w.clock.Move(8 * time.Hour)
			if w.lives(t, first) || w.lives(t, child) {
				t.Error("lives although none of the family was used")
			}
		})
	}
}

// None outlasts the one that the others are made from, and all idle out like the
// first to do so.
func TestFamilyLifetimes(t *testing.T) {
	w := newWorld(t)
	w.Keeper.lifetimes = map[string]Lifetimes{
		"team":   {Idle: 8 * time.Hour, Absolute: 24 * time.Hour},
		"bank":   {Idle: 15 * time.Minute, Absolute: time.Hour},
		"forums": {Idle: 100 * time.Hour, Absolute: 1000 * time.Hour},
	}
	began := w.clock.Now().Truncate(time.Microsecond)
	var first []byte
	lasts := func(step string, want map[string]string) {
		t.Helper()
		w.update(t, func(tx store.Tx) error {
			all, err := tx.Sessions(w.account.ID)
			for _, s := range all {
				if got := s.IdleTimeout.String() + " " + s.ExpiresAt.Sub(began).String(); got != want[s.Audience] {
					t.Errorf("%s: %s lasts %s, want %s", step, s.Audience, got, want[s.Audience])
				}
			}
			if len(all) != len(want) {
				t.Errorf("%s: %d sessions", step, len(all))
			}
			return err
		})
	}
	child := func(audience string, until time.Duration) {
		t.Helper()
		w.beginning(t, func(b *Beginning) {
			b.Family, b.Audience, b.SignedInAt, b.Until = first, audience, began, began.Add(until)
		})
	}
	_, first = w.beginning(t, func(b *Beginning) { b.SignedInAt = began })
	lasts("alone", map[string]string{"team": "8h0m0s 24h0m0s"})
	child("forums", 24*time.Hour)
	lasts("with one that lasts longer", map[string]string{"team": "8h0m0s 24h0m0s", "forums": "8h0m0s 24h0m0s"})
	child("bank", 24*time.Hour)
	lasts("with one that lasts shorter", map[string]string{"team": "15m0s 24h0m0s", "forums": "15m0s 24h0m0s", "bank": "15m0s 1h0m0s"})
	w.clock.Move(10 * time.Minute)
	next, _ := w.beginning(t, func(b *Beginning) { b.Replaces, b.Audience, b.SignedInAt = first, "bank", began.Add(10*time.Minute) })
	w.update(t, func(tx store.Tx) error {
		all, err := tx.Sessions(w.account.ID)
		for _, s := range all {
			if s.IdleTimeout != 15*time.Minute || s.ExpiresAt.After(began.Add(70*time.Minute)) {
				t.Errorf("signed in again: %s lasts %s, %s", s.Audience, s.IdleTimeout, s.ExpiresAt.Sub(began))
			}
		}
		return err
	})
	w.clock.Move(16 * time.Minute)
	if w.lives(t, next) {
		t.Error("lives although none of the family was used")
	}
}

func TestEndingOneEndsTheFamily(t *testing.T) {
	w := newWorld(t)
	first, firstID := w.beginning(t, func(*Beginning) {})
	child, childID := w.beginning(t, func(b *Beginning) { b.Family = firstID })
	if !w.lives(t, first) || !w.lives(t, child) {
		t.Fatal("they do not live to begin with")
	}
	w.update(t, func(tx store.Tx) error { _, err := tx.EndSession(childID); return err })
	if w.lives(t, first) || w.lives(t, child) {
		t.Error("one lives on, in memory")
	}
}

// To a person a browser is one thing.
func TestBrowsers(t *testing.T) {
	at := func(minutes int) time.Time { return time.Unix(int64(60*minutes), 0) }
	s := func(id, family string, signedIn, factor, created int) store.Session {
		return store.Session{ID: []byte(id), Family: []byte(family), SignedInAt: at(signedIn), SecondFactorAt: at(factor), CreatedAt: at(created)}
	}
	got := Browsers([]store.Session{
		s("stepped up since", "1", 1, 5, 6),
		s("alone", "2", 1, 0, 5),
		s("child", "3", 1, 0, 4),
		s("first", "3", 1, 0, 3),
		s("before the step up", "1", 1, 0, 2),
		s("signed in again", "4", 9, 0, 9),
		s("with an earlier passcode", "4", 2, 3, 1),
	})
	names := ""
	for _, s := range got {
		names += string(s.ID) + "; "
	}
	if want := "stepped up since; alone; first; signed in again; "; names != want {
		t.Errorf("got %s want %s", names, want)
	}
}
