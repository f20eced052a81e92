package account

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const newPassword = "eleven brave lighthouses"

func (w *world) link(accountID string, purpose store.Purpose) string {
	w.t.Helper()
	token, _, err := w.IssueLink(w.t.Context(), accountID, purpose, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) setByLink(token, password string, from From) error {
	_, err := w.SetPasswordByLink(w.t.Context(), token, password, Rules{}, from, nil)
	return err
}

func TestLinkLifetimes(t *testing.T) {
	for purpose, lifetime := range map[store.Purpose]time.Duration{store.PurposeInvitation: 72 * time.Hour, store.PurposeReset: time.Hour} {
		t.Run(string(purpose), func(t *testing.T) {
			w := newWorld(t)
			alice := w.add("alice@example.test")
			token, expires, err := w.IssueLink(t.Context(), alice.ID, purpose, nil)
			if err != nil || !expires.Equal(w.clock.Now().Add(lifetime)) {
				t.Fatalf("expires %s, %v", expires, err)
			}
			w.clock.Pass(lifetime - time.Second)
			for range 3 { // mail scanners follow links
				owner, link, err := w.LinkOwner(t.Context(), token, From{})
				if err != nil || owner.ID != alice.ID || link.Purpose != purpose {
					t.Fatalf("owner %+v of %+v, %v", owner, link, err)
				}
			}
			w.clock.Pass(time.Second)
			if _, _, err := w.LinkOwner(t.Context(), token, From{}); !errors.Is(err, ErrLink) {
				t.Errorf("expired: %v", err)
			}
			if err := w.setByLink(token, newPassword, From{}); !errors.Is(err, ErrLink) {
				t.Errorf("expired: %v", err)
			}
		})
	}
}

func TestSetPasswordByLink(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	app, _ := w.enroll(alice.ID, true)
	before := w.account(alice.ID)
	earlier := w.link(alice.ID, store.PurposeReset)
	e := w.beginEnrollment(alice.ID)
	_, sessionID := secret.NewToken()
	w.update(func(tx store.Tx) error {
		return tx.CreateSession(store.Session{
			ID: sessionID, AccountID: alice.ID, Epoch: before.Epoch, Audience: "team", SignedInAt: w.clock.Now(),
			CreatedAt: w.clock.Now(), SeenAt: w.clock.Now(), IdleTimeout: time.Hour, ExpiresAt: w.clock.Now().Add(time.Hour),
		})
	})
	w.exhaust("alice@example.test", elsewhere)
	for i := range freeGuesses {
		w.passcode(alice.ID, "not a code", elsewhere(i))
	}
	token := w.link(alice.ID, store.PurposeReset) // the waiting took longer than the link lives
	if err := w.setByLink(earlier, newPassword, From{}); !errors.Is(err, ErrLink) {
		t.Errorf("an earlier link: %v", err)
	}
	var weak *Weak
	if err := w.setByLink(token, "short", From{}); !errors.As(err, &weak) || weak.Reason != TooShort {
		t.Errorf("a short one: %v", err)
	}
	if err := w.setByLink(token, "alice knows this", From{}); !errors.As(err, &weak) || weak.Reason != OwnWords {
		t.Errorf("her own name: %v", err)
	}
	if err := w.setByLink(token, newPassword, From{}); err != nil {
		t.Fatal(err)
	}
	if err := w.setByLink(token, newPassword, From{}); !errors.Is(err, ErrLink) {
		t.Errorf("used: %v", err)
	}
	if after := w.account(alice.ID); after.Epoch == before.Epoch {
		t.Error("the epoch did not move")
	}
	w.view(func(tx store.Tx) error {
		if _, err := tx.Session(sessionID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the session goes on: %v", err)
		}
		if _, err := tx.Flow(e.flow.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the flow goes on: %v", err)
		}
		return nil
	})
	w.expect("the old password", w.password("alice@example.test", goodPassword, elsewhere(900)), "wrong")
	w.expect("the new one, without waiting", w.password("alice@example.test", newPassword, elsewhere(901)), "in")
	w.expect("the passcode still waits", w.passcode(alice.ID, app.code(0), elsewhere(902)), "held 30s")
}

func TestOneLinkAtOnce(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	token := w.link(alice.ID, store.PurposeReset)
	counts := atOnce(50, func(i int) error { return w.setByLink(token, newPassword, elsewhere(i)) })
	if counts["in"] != 1 || counts["error: "+ErrLink.Error()] != 49 {
		t.Errorf("got %v, want one in", counts)
	}
}

func TestLinkOfSuspendedAccount(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	token := w.link(alice.ID, store.PurposeReset)
	if err := w.Suspend(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.setByLink(token, newPassword, From{}); !errors.Is(err, ErrLink) {
		t.Errorf("got %v", err)
	}
	if _, _, err := w.IssueLink(t.Context(), alice.ID, store.PurposeReset, nil); !errors.Is(err, ErrSuspended) {
		t.Errorf("a new link: %v", err)
	}
	if err := w.Resume(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.setByLink(token, newPassword, From{}); !errors.Is(err, ErrLink) {
		t.Errorf("resumed, with the link from before: %v", err)
	}
	if _, _, err := w.IssueLink(t.Context(), "nobody", store.PurposeReset, nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a link for nobody: %v", err)
	}
}

func TestLinkGuessing(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	token := w.link(alice.ID, store.PurposeReset)
	bad := from("192.0.2.66")
	for i := range networkGuesses {
		var err error
		if i%2 == 0 {
			_, _, err = w.LinkOwner(t.Context(), fmt.Sprint("guess ", i), bad)
		} else {
			err = w.setByLink(fmt.Sprint("guess ", i), newPassword, bad)
		}
		if !errors.Is(err, ErrLink) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	w.expect("that network", outcome(w.setByLink(token, newPassword, bad)), "held 30s")
	if _, _, err := w.LinkOwner(t.Context(), "", bad); outcome(err) != "held 30s" {
		t.Errorf("an empty token: %v", err)
	}
	w.expect("its passwords are counted by themselves", w.password("alice@example.test", goodPassword, bad), "in")
	w.expect("another network", outcome(w.setByLink(token, newPassword, elsewhere(1))), "in")
}

func TestSetPassword(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	if err := w.SetPassword(t.Context(), alice.ID, newPassword, Rules{}, nil); err != nil {
		t.Fatal(err)
	}
	w.expect("the new one", w.password("alice@example.test", newPassword, From{}), "in")
	if w.account(alice.ID).Epoch == alice.Epoch {
		t.Error("the epoch did not move")
	}
	var weak *Weak
	if err := w.SetPassword(t.Context(), alice.ID, "sh0rt-ish", Rules{Minimum: 8}, nil); err != nil {
		t.Errorf("eight are enough here: %v", err)
	}
	if err := w.SetPassword(t.Context(), alice.ID, "sh0rter", Rules{Minimum: 8}, nil); !errors.As(err, &weak) || weak.Minimum != 8 {
		t.Errorf("seven are not: %v", err)
	}
	if err := w.SetPassword(t.Context(), "nobody", newPassword, Rules{}, nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}
