package upstream

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
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
