package upstream

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// TestOutage: while the provider cannot say anything everybody goes on, it is left
// alone for longer and longer, and that is logged once.
func TestOutage(t *testing.T) {
	w := newWorld(t)
	r := w.revalidator()
	// There are several people, and the provider says nothing about any.
	w.behave(func(b *providertest.Behaviour) {
		b.Discovery = func(d map[string]any) { delete(d, "userinfo_endpoint") }
		b.RefreshResponse = func(a map[string]any) { delete(a, "id_token") }
	})
	var all []*browser
	for i := range 10 {
		w.behave(func(b *providertest.Behaviour) {
			b.Person["sub"], b.Person["email"] = fmt.Sprint("person-", i), fmt.Sprintf("person%d@example.test", i)
		})
		all = append(all, w.signIn())
	}
	w.pass(every)
	w.behave(func(b *providertest.Behaviour) { b.RefreshError = "temporarily_unavailable" })
	for round, pause := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
		for i, b := range all {
			if again := w.look(r, b); again != pause {
				t.Fatalf("round %d: session %d is looked at again in %s, want %s", round, i, again, pause)
			}
			if b.request() == nil {
				t.Fatalf("round %d: a session has ended: %v", round, w.events(b.AccountID))
			}
		}
		if n := w.asked(); n != round+1 {
			t.Fatalf("round %d: asked %d times", round, n)
		}
		w.pass(pause)
	}
	if n := w.logs.FilterMessageSnippet("cannot say").Len(); n != 1 {
		t.Errorf("logged %d times: %v", n, w.logs.All())
	}
	w.behave(func(b *providertest.Behaviour) { b.RefreshError = "" })
	for _, b := range all {
		if again := w.look(r, b); again <= every*3/4 || b.request() == nil {
			t.Errorf("after it, looked at again in %s; %v", again, w.events(b.AccountID))
		}
	}
	if n := w.logs.FilterMessageSnippet("says again").Len(); n != 1 {
		t.Errorf("logged %d times: %v", n, w.logs.All())
	}
}

// TestOddSession: one about which the provider never says anything that could be
// believed holds up nobody and does not fill the log.
func TestOddSession(t *testing.T) {
	w := newWorld(t)
	r := w.revalidator()
	odd := w.signIn()
	w.behave(func(b *providertest.Behaviour) { b.Person["sub"], b.Person["email"] = "bob", "bob@example.test" })
	other := w.signIn()
	_, kept := odd.row()
	w.behave(func(b *providertest.Behaviour) {
		b.RefreshClaims = func(c map[string]any) {
			requests := w.idp.Requests(providertest.PathToken)
			if requests[len(requests)-1].Form.Get("refresh_token") == kept.RefreshToken {
				c["aud"] = "another-client"
			}
		}
	})
	w.pass(every)
	for range 24 { // two hours
		if again := w.look(r, odd); again != 5*time.Minute {
			t.Errorf("looked at again in %s", again)
		}
		w.look(r, other)
		w.pass(5 * time.Minute)
	}
	if other.request() == nil || odd.request() == nil {
		t.Errorf("ended: %v", w.events(other.AccountID))
	}
	if row, _ := other.row(); w.Now().Sub(row.CheckedAt) > every {
		t.Errorf("the other one was last asked about at %s, and it is %s", row.CheckedAt, w.Now())
	}
	if n := w.logs.Len(); n == 0 || n > 8 {
		t.Errorf("%d lines in two hours: %v", n, w.logs.All())
	}

	// However many such sessions there are, it is told of every few minutes.
	var o outage
	at := w.Now()
	for i, step := range []struct {
		after            time.Duration
		begins, says, it bool
	}{
		{0, true, false, true},
		{time.Second, true, false, false},
		{time.Second, false, true, true},
		{time.Second, true, false, false},
		{time.Second, false, true, false},
		{maxPause, true, false, true},
		{maxPause, true, false, false},
		{time.Second, false, true, true},
	} {
		at = at.Add(step.after)
		if step.begins && o.tell(at) != step.it || step.says && o.end() != step.it {
			t.Errorf("step %d: told, or not, against what is expected", i)
		}
	}
}

// TestStoreAtFault: what the provider has said waits for the store, for the
// refresh token before is over.
func TestStoreAtFault(t *testing.T) {
	w := newWorld(t)
	r, b := w.revalidator(), w.signIn()
	_, had := b.row()
	commits := 0 // by one at a time
	w.behave(func(b *providertest.Behaviour) {
		b.Rotate = true
		b.RefreshResponse = func(map[string]any) {
			w.breaks(func(op string) error {
				if op == "commit" {
					if commits++; commits == 1 {
						return errors.New("disk on fire")
					}
				}
				return nil
			})
		}
	})
	w.pass(every)
	w.look(r, b)
	w.breaks(nil)
	if _, has := b.row(); has.RefreshToken == had.RefreshToken || commits != 2 {
		t.Errorf("the new refresh token is lost (%d commits)", commits)
	}
	if w.logs.FilterMessageSnippet("waits for the store").Len() != 1 {
		t.Errorf("logged %v", w.logs.All())
	}

	// What cannot be read or claimed is not asked about.
	for _, op := range []string{"view", "update"} {
		asked := w.asked()
		w.pass(every)
		w.breaks(func(at string) error {
			if at == op {
				return errors.New("disk on fire")
			}
			return nil
		})
		logged := w.logs.Len()
		for range 10 {
			if again := w.look(r, b); again != lookAgain || w.asked() != asked {
				t.Errorf("%s: looked at again in %s, asked %d times", op, again, w.asked()-asked)
			}
		}
		if n := w.logs.Len() - logged; n != 1 {
			t.Errorf("%s: logged %d times", op, n)
		}
		w.breaks(nil)
		w.look(r, b)
	}

	r.Close()
	logged, asked := w.logs.Len(), w.asked()
	w.pass(every)
	if w.look(r, b); w.logs.Len() != logged || w.asked() != asked {
		t.Errorf("closing is taken for a fault, or nothing was closed: %v", w.logs.All())
	}
}

// TestKilled: a process that dies between the question and the answer leaves a
// session that is asked about again, by others, when it is due again; if the
// provider has replaced the refresh token meanwhile, the person signs in again.
func TestKilled(t *testing.T) {
	for name, tc := range map[string]struct{ rotates, goesOn bool }{
		"the refresh token holds":    {false, true},
		"the refresh token was lost": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.behave(func(b *providertest.Behaviour) { b.Rotate = tc.rotates })
			b := w.signIn()
			w.pass(every)
			p, kept := b.row()
			w.must(w.store.Update(t.Context(), func(tx store.Tx) error {
				_, err := tx.ClaimProviderSession(p.Session, p.CheckedAt, w.Now())
				return err
			}))
			_, err := w.sso.Refresh(t.Context(), sso.Grant{RefreshToken: kept.RefreshToken, Subject: p.Subject, Nonce: kept.Nonce})
			w.must(err)

			r := w.revalidator()
			w.look(r, b)
			if n := w.asked(); n != 1 {
				t.Errorf("asked %d times before it is due again", n-1)
			}
			w.pass(every)
			w.look(r, b)
			if goesOn := b.request() != nil; goesOn != tc.goesOn || w.asked() != 2 {
				t.Errorf("goes on: %t, want %t; asked %d times; %v", goesOn, tc.goesOn, w.asked()-1, w.events(b.AccountID))
			}
		})
	}
}

// TestClosing: the answer of a provider that is about to give one is waited for,
// and kept.
func TestClosing(t *testing.T) {
	w := newWorld(t)
	r := w.revalidator()
	w.keeper.Watch(r.Used)
	b := w.signIn()
	_, had := b.row()
	asked, answers := make(chan struct{}), make(chan struct{})
	w.behave(func(b *providertest.Behaviour) {
		b.Rotate = true
		b.RefreshResponse = func(map[string]any) {
			close(asked)
			<-answers
		}
	})
	w.pass(every)
	if b.request() == nil {
		t.Fatal("not signed in")
	}
	<-asked
	closed := make(chan struct{})
	go func() {
		r.Close()
		close(closed)
	}()
	<-r.ctx.Done()
	select {
	case <-closed:
		t.Error("it was not waited for")
	default:
	}
	close(answers)
	<-closed
	if _, has := b.row(); has.RefreshToken == had.RefreshToken {
		t.Error("the new refresh token is lost")
	}
	if b.request() == nil || w.logs.Len() != 0 {
		t.Errorf("the session has ended, or closing was taken for an outage: %v", w.logs.All())
	}
	// Requests that are still under way hand in sessions for a while.
	w.pass(every)
	b.request()
	if n := w.asked(); n != 1 {
		t.Errorf("asked %d times after closing", n-1)
	}
}
