package upstream

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// TestWhenToAsk: never before three quarters of the time, always at its end, and
// not about everybody at once.
func TestWhenToAsk(t *testing.T) {
	l := &line{every: every}
	checked := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	perTenth := make([]int, 10)
	for i := range 1 << 16 {
		after := l.due(store.ProviderSession{Session: []byte{byte(i >> 8), byte(i), 1}, CheckedAt: checked}).Sub(checked)
		if after <= every*3/4 || after > every {
			t.Fatalf("session %d is due after %s", i, after)
		}
		perTenth[min(9, (after-every*3/4)*10/(every/4))]++
	}
	for tenth, n := range perTenth {
		if n < 6000 || n > 7000 {
			t.Errorf("in tenth %d: %d of 65536", tenth, n)
		}
	}

	w := newWorld(t)
	r, b := w.revalidator(), w.signIn()
	if left := w.look(r, b); left <= every*3/4 || left > every {
		t.Errorf("looked at again in %s", left)
	}
	w.pass(every * 3 / 4)
	w.look(r, b)
	if n := w.asked(); n != 0 {
		t.Errorf("asked %d times too early", n)
	}
	w.pass(every / 4)
	if left := w.look(r, b); w.asked() != 1 || left <= every*3/4 || left > every {
		t.Errorf("asked %d times, looked at again in %s", w.asked(), left)
	}
	// A clock that was wrong once.
	w.pass(-every * 100)
	w.look(r, b)
	if n := w.asked(); n != 2 {
		t.Errorf("asked %d times: it waits until the clock has caught up", n)
	}
}

// TestOnlyThoseInUse: nobody is asked about a closed browser; one that is opened
// again is let in, and asked about at once.
func TestOnlyThoseInUse(t *testing.T) {
	w := newWorld(t)
	r := w.revalidator()
	w.keeper.Watch(r.Used)
	closed, open := w.signIn(), w.signIn()
	for range 8 {
		w.pass(every / 2)
		if open.request() == nil {
			t.Fatal("it has ended")
		}
	}
	w.eventually("asked about the one in use", func() bool { return w.asked() > 0 })
	before, _ := closed.row()
	if !before.CheckedAt.Equal(closed.SignedInAt) {
		t.Errorf("somebody has asked about a closed browser: %s", before.CheckedAt)
	}
	w.behave(func(b *providertest.Behaviour) { b.RefreshError = "invalid_grant" })
	if closed.request() == nil {
		t.Error("the request that brings it back is held up or refused")
	}
	w.eventually("the session that came back ends", func() bool { return closed.request() == nil })
}

// TestOneQuestionAtATime: however many processes and configurations look at a
// session, one of them asks (two at once would each make the other's refresh
// token worthless).
func TestOneQuestionAtATime(t *testing.T) {
	w := newWorld(t)
	w.behave(func(b *providertest.Behaviour) { b.Rotate = true })
	b := w.signIn()
	revalidators := []*Revalidator{w.revalidator(), w.revalidator(), w.revalidator()}
	for round := 1; round <= 3; round++ {
		w.pass(every)
		var all sync.WaitGroup
		for range 3 {
			for _, r := range revalidators {
				all.Go(func() { r.look(r.lines["okta"], b.Session) })
			}
		}
		all.Wait()
		if n := w.asked(); n != round {
			t.Fatalf("round %d: asked %d times", round, n)
		}
	}
	if b.request() == nil {
		t.Errorf("it has ended: %v", w.events(b.AccountID))
	}
}

// TestTokenReplacedMeanwhile: whoever may ask does so with the newest refresh token,
// also where another has got it and learned nothing, so that the session was as due
// as before.
func TestTokenReplacedMeanwhile(t *testing.T) {
	w := newWorld(t)
	r, b := w.revalidator(), w.signIn()
	w.pass(every)
	q := &question{line: r.lines["okta"], session: b.Session}
	w.must(r.read(q))
	row, kept := b.row()
	kept.RefreshToken = "the next one"
	row.Secret = w.sessions.seal(row.Session, kept)
	w.must(w.store.Update(w.Context(), func(tx store.Tx) error { return tx.SaveProviderSession(row) }))
	mine, err := r.claim(q, w.Now())
	w.must(err)
	if !mine || q.tokens != kept {
		t.Errorf("claimed: %t, and asks with %q", mine, q.tokens.RefreshToken)
	}
}

// TestFamily: what was made from a session is asked about as one with it, however
// it is used, and ends with it.
func TestFamily(t *testing.T) {
	w := newWorld(t)
	w.behave(func(b *providertest.Behaviour) { b.Rotate = true })
	r, portal := w.revalidator(), w.signIn()
	family := []*browser{portal, portal.another(), portal.another()}
	stranger := w.signIn()
	for round := 1; round <= 2; round++ {
		w.pass(every)
		for _, b := range family {
			w.look(r, b)
		}
		if n := w.asked(); n != round {
			t.Fatalf("round %d: asked %d times", round, n)
		}
	}
	for i, b := range family {
		if b.request() == nil {
			t.Errorf("session %d has ended", i)
		}
	}
	w.pass(every)
	w.behave(func(b *providertest.Behaviour) { b.RefreshError = "invalid_grant" })
	w.look(r, family[2])
	for i, b := range family {
		if b.request() != nil {
			t.Errorf("session %d goes on", i)
		}
	}
	if stranger.request() == nil {
		t.Error("another browser's session has ended")
	}
}

// TestSignedInAgainMeanwhile: the answer about a sign-in that is over is not held
// against the one that took its place.
func TestSignedInAgainMeanwhile(t *testing.T) {
	for name, refuse := range map[string]string{"no": "invalid_grant", "yes": ""} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r, b := w.revalidator(), w.signIn()
			w.pass(every)
			var later *browser
			w.behave(func(b *providertest.Behaviour) { b.RefreshError = refuse })
			_, old := b.row()
			w.breaks(func(op string) error {
				if op == "update" && later == nil && w.asked() == 1 {
					later = &browser{} // once
					later = w.signInPlaceOf(b.ID)
				}
				return nil
			})
			w.look(r, b)
			if later == nil || later.request() == nil {
				t.Fatalf("the new session has ended: %v", w.events(b.AccountID))
			}
			if _, kept := later.row(); kept.RefreshToken == "" || kept.RefreshToken == old.RefreshToken {
				t.Errorf("kept %+v", kept)
			}
		})
	}
}

// TestUsedDoesNotBlock: a line that is full is no reason to hold up a request.
func TestUsedDoesNotBlock(t *testing.T) {
	w := newWorld(t)
	r, b := w.revalidator(), w.signIn()
	r.Close() // nobody takes anything out of the line
	for i := range maxWaiting + 10 {
		s := b.Session
		s.Family = fmt.Append(nil, i)
		r.Used(s)
	}
	if n := len(r.lines["okta"].waiting); n != maxWaiting {
		t.Errorf("%d wait", n)
	}
	if _, known := r.lines["okta"].next.GetIfPresent(fmt.Sprint(maxWaiting + 1)); known {
		t.Error("one that found no room does not come back with its next request")
	}
}

// TestNothingToAsk: where nobody has said revalidate, nothing runs or is kept.
func TestNothingToAsk(t *testing.T) {
	w := newWorld(t, func(c *sso.Config) { c.Revalidate = 0 })
	r, b := w.revalidator(), w.signIn()
	w.keeper.Watch(r.Used)
	w.pass(23 * time.Hour)
	if b.request() == nil || len(r.lines) != 0 {
		t.Error("it has ended")
	}
	if _, kept := b.row(); kept.RefreshToken != "" || kept.Nonce != "" {
		t.Errorf("kept %+v", kept)
	}
}
