package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// look has the revalidator look at a session now, and returns in how long it will
// again.
func (w *world) look(r *Revalidator, b *browser) time.Duration {
	w.Helper()
	return r.look(r.lines["okta"], b.Session).Sub(w.Now())
}

// TestWhatAProviderSays: no ends the session, everything that is no answer leaves
// it as it is, and either way the last refresh token is kept (requirement S8).
func TestWhatAProviderSays(t *testing.T) {
	const no = "sign-out | success | revalidate sso okta | "
	answer := func(status int) func(*providertest.Behaviour) {
		return func(b *providertest.Behaviour) {
			b.Handlers[providertest.PathToken] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
		}
	}
	for _, tc := range []struct {
		name   string
		behave func(*providertest.Behaviour)
		ends   string // what the audit trail says; "": it goes on
		due    bool   // still, though asked
		rotate bool   // the refresh token is another now
	}{
		{"yes", func(*providertest.Behaviour) {}, "", false, false},
		{"yes, and a new refresh token", func(b *providertest.Behaviour) { b.Rotate = true }, "", false, true},
		{"yes, and nothing about the person", func(b *providertest.Behaviour) {
			b.RefreshResponse = func(a map[string]any) { delete(a, "id_token") }
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"sub":"248289761001"}`)) }
		}, "", false, false},
		{"no", func(b *providertest.Behaviour) { b.RefreshError = "invalid_grant" }, no + "sso okta: refreshing: the provider says \"invalid_grant\"", false, false},
		{"no, since the person has to do something there", func(b *providertest.Behaviour) { b.RefreshError = "interaction_required" }, no, false, false},
		{"somebody else", func(b *providertest.Behaviour) {
			b.RefreshClaims = func(c map[string]any) { c["sub"] = "the-boss" }
		}, no + "sso okta: ID token: sub is not that of the sign-in", false, false},
		{"an address that is not theirs", func(b *providertest.Behaviour) { b.Person["email_verified"] = false }, no + "refused (unverified)", false, false},
		{"an address of another account", func(b *providertest.Behaviour) { b.Person["email"] = "bob@example.test" }, no + "refused (email_taken)", false, false},
		{"an error of its own", answer(503), "", true, false},
		{"nothing to go by", answer(400), "", true, false},
		{"nothing to this client", func(b *providertest.Behaviour) { b.RefreshError = "invalid_client" }, "", true, false},
		{"what cannot be believed, with a new refresh token", func(b *providertest.Behaviour) {
			b.Rotate = true
			b.Sign = func(c map[string]any) string { return providertest.Forge(`{"alg":"none"}`, c, nil) }
		}, "", true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.people.Create(t.Context(), account.NewAccount{Email: "bob@example.test"}, func(store.Tx, store.Account) error { return nil })
			w.must(err)
			r, b := w.revalidator(), w.signIn()
			before, had := b.row()
			if had.RefreshToken == "" || had.Nonce == "" || strings.Contains(string(before.Secret), had.RefreshToken) {
				t.Fatalf("kept at sign-in: %+v, sealed as %q", had, before.Secret)
			}
			w.pass(every)
			w.behave(tc.behave)
			w.look(r, b)
			if n := w.asked(); n != 1 {
				t.Errorf("asked %d times", n)
			}
			events := strings.Join(w.events(b.AccountID), "\n")
			if !strings.HasPrefix(events, tc.ends) || tc.ends == "" && events != "" {
				t.Errorf("the audit trail says %q, want %q", events, tc.ends)
			}
			if goesOn := b.request() != nil; goesOn != (tc.ends == "") {
				t.Fatalf("the next request is let in: %t", goesOn)
			}
			if tc.ends != "" {
				return
			}
			after, has := b.row()
			if due := after.CheckedAt.Equal(before.CheckedAt); due != tc.due || !due && !after.CheckedAt.Equal(w.Now()) {
				t.Errorf("checked at %s, before at %s; still due: want %t", after.CheckedAt, before.CheckedAt, tc.due)
			}
			if (has.RefreshToken != had.RefreshToken) != tc.rotate || has.RefreshToken == "" || has.Nonce != had.Nonce {
				t.Errorf("kept %+v, before %+v", has, had)
			}
		})
	}
}

// TestWhatIsTakenOver: what the provider tells of the person counts from the next
// request on, as after a sign-in.
func TestWhatIsTakenOver(t *testing.T) {
	w := newWorld(t)
	w.behave(func(b *providertest.Behaviour) { b.Person["role"] = "admin" })
	r, b := w.revalidator(), w.signIn()
	signedIn := b.request().Account.LastSignIn
	steps := []struct {
		name   string
		person map[string]any
		email  string
		role   identity.Role
		event  string
	}{
		{"nothing new", nil, "alice@example.test", identity.Admin, ""},
		{"name and address", map[string]any{"name": "Alice Smith", "email": "smith@example.test"}, "smith@example.test", identity.Admin, ""},
		{"a role that the last administrator keeps", map[string]any{"role": "end-user"}, "smith@example.test", identity.Admin, ""},
		{"no address", map[string]any{"email": nil}, "smith@example.test", identity.Admin, ""},
		{"a role", map[string]any{"role": "agent"}, "smith@example.test", identity.Agent, `role | success | revalidate sso okta | "admin" to "agent"`},
	}
	for i, step := range steps {
		if i == len(steps)-1 {
			_, err := w.people.Create(t.Context(), account.NewAccount{Email: "root@example.test", Role: identity.Admin}, func(store.Tx, store.Account) error { return nil })
			w.must(err)
		}
		w.behave(func(b *providertest.Behaviour) {
			for name, value := range step.person {
				b.Person[name] = value
			}
		})
		w.pass(every)
		w.look(r, b)
		live := b.request()
		if live == nil {
			t.Fatalf("%s: the session has ended: %v", step.name, w.events(b.AccountID))
		}
		if a := live.Account; a.Attributes.Email != step.email || a.Attributes.Role != step.role || !a.LastSignIn.Equal(signedIn) {
			t.Errorf("%s: %+v", step.name, a)
		}
		if got := strings.Join(w.events(b.AccountID), "\n"); got != step.event {
			t.Errorf("%s: the audit trail says %q, want %q", step.name, got, step.event)
		}
	}
	if n := w.asked(); n != len(steps) {
		t.Errorf("asked %d times", n)
	}
}

// TestWhoMayNotGoOn: what has become of the account or of the SSO config decides
// as at a sign-in.
func TestWhoMayNotGoOn(t *testing.T) {
	for name, tc := range map[string]struct {
		act  func(w *world, b *browser)
		asks int
		says string
	}{
		"linked to nobody any more": {func(w *world, b *browser) {
			w.must(w.store.Update(w.Context(), func(tx store.Tx) error {
				return tx.DeleteSSOLink(b.AccountID, w.idp.Issuer(), "248289761001")
			}))
		}, 1, "is not linked"},
		"linked to nobody any more, and the provider tells nothing": {func(w *world, b *browser) {
			w.must(w.store.Update(w.Context(), func(tx store.Tx) error {
				return tx.DeleteSSOLink(b.AccountID, w.idp.Issuer(), "248289761001")
			}))
			w.behave(func(b *providertest.Behaviour) {
				b.RefreshResponse = func(a map[string]any) { delete(a, "id_token") }
			})
		}, 1, "is not linked"},
		"linked to somebody else by now": {func(w *world, b *browser) {
			bob, err := w.people.Create(w.Context(), account.NewAccount{Email: "bob@example.test"}, func(store.Tx, store.Account) error { return nil })
			w.must(err)
			w.must(w.store.Update(w.Context(), func(tx store.Tx) error {
				link := store.SSOLink{Issuer: w.idp.Issuer(), Subject: "248289761001", AccountID: bob.ID, SSO: "okta"}
				return errors.Join(tx.DeleteSSOLink(b.AccountID, link.Issuer, link.Subject), tx.SaveSSOLink(link))
			}))
		}, 1, "is not linked"},
		"at another issuer by now": {func(w *world, b *browser) {
			p, _ := b.row()
			p.Issuer = "https://former.example.test"
			w.must(w.store.Update(w.Context(), func(tx store.Tx) error { return tx.SaveProviderSession(p) }))
		}, 0, "there is no refresh token"},
		"what was kept cannot be opened": {func(w *world, b *browser) {
			p, _ := b.row()
			p.Secret = append([]byte(nil), p.Secret...)
			p.Secret[len(p.Secret)-1] ^= 1
			w.must(w.store.Update(w.Context(), func(tx store.Tx) error { return tx.SaveProviderSession(p) }))
		}, 0, "there is no refresh token"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.behave(func(b *providertest.Behaviour) {
				b.Discovery = func(d map[string]any) { delete(d, "userinfo_endpoint") }
			})
			r, b := w.revalidator(), w.signIn()
			tc.act(w, b)
			w.pass(every)
			w.look(r, b)
			if b.request() != nil {
				t.Error("it goes on")
			}
			if events := strings.Join(w.events(b.AccountID), "\n"); !strings.Contains(events, tc.says) {
				t.Errorf("the audit trail says %q, want %q", events, tc.says)
			}
			if n := w.asked(); n != tc.asks {
				t.Errorf("asked %d times, want %d", n, tc.asks)
			}
		})
	}
}

// TestWithoutRefreshToken: such a session lasts as long as one may without being
// asked about, and then the person signs in again.
func TestWithoutRefreshToken(t *testing.T) {
	w := newWorld(t)
	w.behave(func(b *providertest.Behaviour) { b.Refresh = false })
	r, b := w.revalidator(), w.signIn()
	other := w.signIn()
	w.pass(every - time.Second)
	if left := w.look(r, b); left != time.Second || b.request() == nil {
		t.Errorf("before its time it is looked at again in %s", left)
	}
	w.pass(time.Second)
	w.look(r, b)
	w.look(r, other)
	if b.request() != nil || other.request() != nil || w.asked() != 0 {
		t.Errorf("it goes on, or the provider was asked (%d times) with nothing", w.asked())
	}
	if n := w.logs.FilterMessageSnippet("offline_access").Len(); n != 1 {
		t.Errorf("what to do is logged %d times", n)
	}
}

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
