package account

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// joining are the rules of an SSO config with link verified_email.
func joining() Admission {
	rules := anyone()
	rules.JoinVerified = true
	return rules
}

// Whoever has a verified address joins the account that has it, whatever it was
// used for, and keeps it from then on.
func TestJoin(t *testing.T) {
	for _, tc := range []struct {
		name  string
		world func(w *world) (id string)
		rules func(r *Admission)
		says  func(a *Assertion)
	}{
		{name: "an account with a password", world: func(w *world) string { return w.add("Alice@example.test").ID }},
		{name: "one that is used", world: func(w *world) string {
			id := w.add("alice@example.test").ID
			w.update(func(tx store.Tx) error { return tx.RecordSignIn(id, w.clock.Now()) })
			return id
		}},
		{name: "one of another provider", world: func(w *world) string {
			other := alice()
			other.Issuer, other.SSO = "https://other.test", "other"
			return w.through(other, anyone()).ID
		}},
		{name: "where nobody gets a new one", world: func(w *world) string { return w.add("alice@example.test").ID }, rules: existing},
		{name: "where her domain is admitted", world: func(w *world) string { return w.add("alice@example.test").ID },
			rules: func(r *Admission) { r.Admit = []string{"example.test"} }},
		{name: "from a provider that vouches for its addresses", world: func(w *world) string { return w.add("alice@example.test").ID },
			rules: func(r *Admission) { r.TrustEmail = true }, says: func(a *Assertion) { a.EmailVerified = false }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			id := tc.world(w)
			before := w.account(id)
			a, rules := alice(), joining()
			if tc.rules != nil {
				tc.rules(&rules)
			}
			if tc.says != nil {
				tc.says(&a)
			}
			in := w.through(a, rules)
			if in.ID != id || !in.Joined || in.RoleBefore != identity.EndUser || in.Epoch != before.Epoch+1 || in.Attributes.Name != "Alice Example" {
				t.Errorf("joined %+v, want account %s", in, id)
			}
			if again := w.through(a, rules); again.ID != id || again.Joined || again.Epoch != in.Epoch {
				t.Errorf("the next sign-in: %+v", again)
			}
		})
	}
}

// What was prepared for somebody is no one else's: they do not join it.
func TestJoinOfPrepared(t *testing.T) {
	for _, admit := range []string{"any", "existing", "example.test"} {
		w := newWorld(t)
		id := w.prepare("alice@example.test")
		rules := joining()
		rules.Admit = []string{admit}
		if in := w.through(alice(), rules); in.ID != id || in.Joined {
			t.Errorf("admit %s: %+v", admit, in)
		}
	}
}

// Who does not join an account by its address (rule 20, S11): nothing changes.
func TestJoinRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		world  func(w *world, id string)
		says   func(a *Assertion)
		rules  func(r *Admission)
		reason RefusalReason
		detail string
	}{
		{name: "not configured", rules: func(r *Admission) { r.JoinVerified = false }, reason: EmailTaken, detail: "link verified_email"},
		{name: "not verified", says: func(a *Assertion) { a.EmailVerified = false }, reason: Unverified, detail: "trust_email"},
		{name: "another domain than is admitted", rules: func(r *Admission) { r.Admit = []string{"example.com"} }, reason: NotAdmitted},
		{name: "an agent", world: func(w *world, id string) { w.role(id, identity.Agent) }, reason: EmailTaken, detail: "role is agent"},
		{name: "an administrator", world: func(w *world, id string) { w.role(id, identity.Admin) }, reason: EmailTaken, detail: "role is admin"},
		{name: "somebody with a second factor", world: func(w *world, id string) { w.enroll(id, false) }, reason: EmailTaken, detail: "second factor"},
		{name: "somebody whose second factor was required", world: func(w *world, id string) { w.enroll(id, true) }, reason: EmailTaken, detail: "second factor"},
		{name: "somebody suspended", world: func(w *world, id string) { w.suspend(id) }, reason: EmailTaken, detail: "suspended"},
		{name: "an address that was given to somebody else at the provider", world: func(w *world, id string) {
			first := alice()
			first.Subject = "first-sub"
			w.through(first, joining())
		}, reason: EmailTaken, detail: "another subject"},
		{name: "a role that is not of the audience", rules: func(r *Admission) {
			r.Member = func(role identity.Role) bool { return role == identity.Agent }
		}, reason: NotMember},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			id := w.add("alice@example.test").ID
			if tc.world != nil {
				tc.world(w, id)
			}
			a, rules := alice(), joining()
			if tc.says != nil {
				tc.says(&a)
			}
			if tc.rules != nil {
				tc.rules(&rules)
			}
			w.refused(a, rules, tc.reason, tc.detail)
		})
	}
}

// What rests on the earlier way in and is not finished ends when somebody joins;
// the password stays.
func TestJoinEndsWhatIsUnderWay(t *testing.T) {
	w := newWorld(t)
	id := w.add("alice@example.test").ID
	enrolling := w.beginEnrollment(id)
	_, session := secret.NewToken()
	_, link := secret.NewToken()
	w.update(func(tx store.Tx) error {
		now := w.clock.Now()
		return errors.Join(
			tx.CreateSession(store.Session{ID: session, AccountID: id, Audience: "team", SignedInAt: now, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}),
			tx.CreateOneTimeLink(store.OneTimeLink{ID: link, AccountID: id, Purpose: store.PurposeReset, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}),
		)
	})
	w.through(alice(), joining())
	w.view(func(tx store.Tx) error {
		for what, err := range map[string]error{
			"session":       second(tx.Session(session)),
			"one-time link": second(tx.OneTimeLink(link, w.clock.Now())),
			"enrolment":     second(tx.Flow(enrolling.flow.ID)),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a %s goes on: %v", what, err)
			}
		}
		return second(tx.Password(id))
	})
}

func second[T any](_ T, err error) error { return err }

// Of fifty people at one provider who have one address, one joins, and of those
// who race with a second factor or a role nobody joins an account that has one.
func TestJoinRaces(t *testing.T) {
	t.Run("fifty people with one address", func(t *testing.T) {
		w := newWorld(t)
		id := w.add("alice@example.test").ID
		var joined atomic.Int32
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				a := alice()
				a.Subject = fmt.Sprint("sub-", i)
				in, err := w.SignInThroughProvider(t.Context(), a, joining(), keep)
				var refusal *Refusal
				switch {
				case err == nil && in.ID == id && in.Joined:
					joined.Add(1)
				case !errors.As(err, &refusal) || refusal.Reason != EmailTaken || !strings.Contains(refusal.Detail, "another subject"):
					t.Errorf("%d: %+v, %v", i, in, err)
				}
			})
		}
		wg.Wait()
		if joined.Load() != 1 {
			t.Errorf("%d joined", joined.Load())
		}
	})
	t.Run("one person fifty times", func(t *testing.T) {
		w := newWorld(t)
		id := w.add("alice@example.test").ID
		var joined atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				in, err := w.SignInThroughProvider(t.Context(), alice(), joining(), keep)
				if err != nil || in.ID != id {
					t.Errorf("%+v, %v", in, err)
				}
				if in.Joined {
					joined.Add(1)
				}
			})
		}
		wg.Wait()
		if joined.Load() != 1 {
			t.Errorf("joined %d times", joined.Load())
		}
	})
	for name, change := range map[string]func(w *world, e enrollment) error{
		"a second factor": func(w *world, e enrollment) error {
			return w.FinishEnrollment(t.Context(), e.flow.AccountID, e.sealed, e.row, e.device.code(0), false, From{}, func(tx store.Tx, _ []string) error {
				// As the wizard does: what changed meanwhile ends it.
				a, err := tx.Account(e.flow.AccountID)
				if err == nil && a.Epoch != e.flow.Epoch+1 {
					err = store.ErrNotFound
				}
				return err
			})
		},
		"a role": func(w *world, e enrollment) error {
			return w.SetAttributes(t.Context(), e.flow.AccountID, func(a *identity.Attributes) error { a.Role = identity.Admin; return nil }, nil)
		},
	} {
		t.Run("with "+name, func(t *testing.T) {
			w := newWorld(t)
			e := w.beginEnrollment(w.add("alice@example.test").ID)
			var wg sync.WaitGroup
			var joinErr, changeErr error
			wg.Go(func() { _, joinErr = w.SignInThroughProvider(t.Context(), alice(), joining(), keep) })
			wg.Go(func() { changeErr = change(w, e) })
			wg.Wait()
			if joinErr == nil && changeErr == nil && name == "a second factor" {
				t.Error("the second factor is set up in a flow that the joining has ended")
			}
			if joinErr != nil && changeErr != nil {
				t.Errorf("neither is done: %v, %v", joinErr, changeErr)
			}
			w.view(func(tx store.Tx) error {
				links, err := tx.SSOLinks(e.flow.AccountID)
				if (len(links) == 1) != (joinErr == nil) {
					t.Errorf("links %+v, %v", links, joinErr)
				}
				return err
			})
		})
	}
}
