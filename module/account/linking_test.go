package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// google is what another provider says of Alice, by another address.
func google() Assertion {
	return Assertion{
		Issuer: "https://accounts.test", Subject: "1234", SSO: "google",
		Email: "alice@private.test", EmailVerified: true,
		Attributes: identity.Attributes{Name: "Alice at home", Role: identity.Agent},
	}
}

func (w *world) links(id string) (links []store.SSOLink) {
	w.t.Helper()
	w.view(func(tx store.Tx) (err error) {
		links, err = tx.SSOLinks(id)
		return err
	})
	return links
}

// A person who is signed in links a provider, whatever they are and whatever
// address they have there, and gets in through it from then on.
func TestLink(t *testing.T) {
	w := newWorld(t)
	in := w.signIn(w.add("alice@example.test")) // with a second factor
	w.role(in.AccountID, identity.Admin)
	before := w.account(in.AccountID)
	told := false
	if err := w.Link(t.Context(), in.Self, google(), anyone(), func(store.Tx, store.Account) error { told = true; return nil }); err != nil {
		t.Fatal(err)
	}
	after := w.account(in.AccountID)
	if !told || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("the account is another:\n%+v\n%+v", before, after)
	}
	links := w.links(in.AccountID)
	if len(links) != 1 || links[0].SSO != "google" || links[0].Email != "alice@private.test" || !links[0].Added || !links[0].CreatedAt.Equal(w.clock.Now()) || !links[0].UsedAt.IsZero() {
		t.Errorf("links %+v", links)
	}

	w.clock.Pass(time.Hour)
	got := w.through(google(), Admission{Admit: []string{"any"}, MaxRole: identity.Agent})
	if got.ID != in.AccountID || got.Joined || got.Attributes.Email != "alice@example.test" || got.Attributes.Name != "Alice at home" {
		t.Errorf("signed in to %+v", got)
	}
	elsewhere := google()
	elsewhere.Email = "alice@moved.test"
	w.add("alice@moved.test") // somebody else's by now: nothing to this account
	if got := w.through(elsewhere, anyone()); got.ID != in.AccountID || got.Attributes.Email != "alice@example.test" {
		t.Errorf("signed in to %+v", got)
	}
	if links := w.links(in.AccountID); len(links) != 1 || !links[0].Added || links[0].Email != "alice@moved.test" || !links[0].UsedAt.Equal(w.clock.Now()) {
		t.Errorf("links %+v", links)
	}
}

// What is not linked, and why: nothing changes, and nothing is told.
func TestLinkRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		world func(w *world, in *signedIn)
		says  func(a *Assertion)
		rules func(r *Admission)
		want  string
	}{
		{name: "another account's", world: func(w *world, _ *signedIn) { w.through(google(), anyone()) }, want: string(LinkedElsewhere)},
		{name: "her own already", world: func(w *world, in *signedIn) {
			if err := w.Link(w.t.Context(), in.Self, google(), anyone(), nil); err != nil {
				w.t.Fatal(err)
			}
		}, want: ErrLinkedAlready.Error()},
		{name: "a second one of the issuer", world: func(w *world, in *signedIn) {
			other := google()
			other.Subject = "5678"
			if err := w.Link(w.t.Context(), in.Self, other, anyone(), nil); err != nil {
				w.t.Fatal(err)
			}
		}, want: string(IssuerLinked)},
		{name: "without an address", says: func(a *Assertion) { a.Email = "" }, want: string(NoEmail)},
		{name: "with an address that is not verified", says: func(a *Assertion) { a.EmailVerified = false }, want: string(Unverified)},
		{name: "of a domain that is not admitted", rules: func(r *Admission) { r.Admit = []string{"example.test"} }, want: string(NotAdmitted)},
		{name: "where nobody is admitted", rules: func(r *Admission) { r.Admit = nil }, want: string(NotAdmitted)},
		{name: "after signing out", world: func(w *world, in *signedIn) {
			w.update(func(tx store.Tx) error { return second(tx.EndSession(in.Session)) })
		}, want: ErrSignedOut.Error()},
		{name: "in another's session", world: func(w *world, in *signedIn) { in.AccountID = w.add("bob@example.test").ID }, want: ErrSignedOut.Error()},
		{name: "while suspended", world: func(w *world, in *signedIn) { w.suspend(in.AccountID) }, want: ErrSignedOut.Error()},
		{name: "after the account is removed", world: func(w *world, in *signedIn) {
			w.update(func(tx store.Tx) error { return tx.RemoveAccount(in.AccountID) })
		}, want: ErrSignedOut.Error()},
		{name: "after the password was changed in that very session", world: func(w *world, in *signedIn) {
			w.update(func(tx store.Tx) error { return tx.MoveEpoch(in.AccountID, in.Session, w.clock.Now()) })
		}, want: ErrMeanwhile.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			in := w.signIn(w.add("alice@example.test"))
			if tc.world != nil {
				tc.world(w, &in)
			}
			a, rules := google(), anyone()
			if tc.says != nil {
				tc.says(&a)
			}
			if tc.rules != nil {
				tc.rules(&rules)
			}
			before := w.everything()
			err := w.Link(t.Context(), in.Self, a, rules, func(store.Tx, store.Account) error {
				t.Error("it is told as done")
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
			if after := w.everything(); after != before {
				t.Errorf("something changed:\n%s\n%s", before, after)
			}
		})
	}
}

// An account that is prepared for somebody admits them as existing; so does one
// that somebody links to.
func TestLinkWhereNobodyGetsAnAccount(t *testing.T) {
	w := newWorld(t)
	in := w.signIn(w.add("alice@example.test"))
	if err := w.Link(t.Context(), in.Self, google(), Admission{Admit: []string{"existing"}}, nil); err != nil {
		t.Error(err)
	}
}

// Fifty links at once: of one subject for one account, or by one account to one
// subject of an issuer.
func TestLinkRaces(t *testing.T) {
	race := func(w *world, link func(i int) error) (done int32) {
		var count atomic.Int32
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if link(i) == nil {
					count.Add(1)
				}
			})
		}
		wg.Wait()
		return count.Load()
	}
	t.Run("two accounts, one subject", func(t *testing.T) {
		w := newWorld(t)
		in := []signedIn{w.signIn(w.add("alice@example.test")), w.signIn(w.add("bob@example.test"))}
		done := race(w, func(i int) error { return w.Link(context.Background(), in[i%2].Self, google(), anyone(), nil) })
		if n := len(w.links(in[0].AccountID)) + len(w.links(in[1].AccountID)); done != 1 || n != 1 {
			t.Errorf("linked %d times, %d links", done, n)
		}
	})
	t.Run("one account, many subjects of one issuer", func(t *testing.T) {
		w := newWorld(t)
		in := w.signIn(w.add("alice@example.test"))
		done := race(w, func(i int) error {
			a := google()
			a.Subject = fmt.Sprint(i)
			return w.Link(context.Background(), in.Self, a, anyone(), nil)
		})
		if n := len(w.links(in.AccountID)); done != 1 || n != 1 {
			t.Errorf("linked %d times, %d links", done, n)
		}
	})
	t.Run("two links away at once", func(t *testing.T) {
		w := newWorld(t)
		in := w.signIn(w.add("alice@example.test"))
		for _, a := range []Assertion{google(), alice()} {
			if err := w.Link(t.Context(), in.Self, a, anyone(), nil); err != nil {
				t.Fatal(err)
			}
		}
		// Each is enough as long as the other is there.
		links := w.links(in.AccountID)
		done := race(w, func(i int) error {
			_, err := w.Unlink(context.Background(), in.Self, unlinking(links[i%2], false), nil)
			return err
		})
		if n := len(w.links(in.AccountID)); done != 1 || n != 1 {
			t.Errorf("removed %d times, %d links are left", done, n)
		}
	})
}

// unlinking removes that link if another one is left, or a password that counts.
func unlinking(link store.SSOLink, password bool) Unlinking {
	return Unlinking{
		ID: LinkID(link),
		Enough: func(_ store.Account, left []store.SSOLink, has bool) bool {
			return len(left) > 0 || has && password
		},
		Issuer: func(sso string) string {
			return map[string]string{"google": google().Issuer, "google-customers": google().Issuer, "okta": issuer}[sso]
		},
	}
}

// Removing a link ends what was made through its provider, and nothing else.
func TestUnlink(t *testing.T) {
	w := newWorld(t)
	in, bob := w.signIn(w.add("alice@example.test")), w.signIn(w.add("bob@example.test"))
	for _, a := range []Assertion{google(), alice()} {
		if err := w.Link(t.Context(), in.Self, a, anyone(), nil); err != nil {
			t.Fatal(err)
		}
	}
	made := map[string][]byte{}
	for _, name := range []string{"google", "google-customers", "okta", ""} {
		id := []byte("session of " + name)
		made[name] = id
		w.update(func(tx store.Tx) error {
			now := w.clock.Now()
			return tx.CreateSession(store.Session{ID: id, AccountID: in.AccountID, Epoch: in.Epoch, SSO: name, Audience: "team",
				SignedInAt: now, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)})
		})
	}
	link := w.links(in.AccountID)[0]
	if link.SSO != "google" {
		link = w.links(in.AccountID)[1]
	}
	before := w.everything()
	for name, tc := range map[string]struct {
		self Self
		link store.SSOLink
		want error
	}{
		"another's":              {bob.Self, link, ErrNoneSuch},
		"none":                   {in.Self, store.SSOLink{Issuer: link.Issuer, Subject: "x"}, ErrNoneSuch},
		"after signing out":      {Self{AccountID: in.AccountID, Session: []byte("x"), Epoch: in.Epoch}, link, ErrSignedOut},
		"by an earlier epoch":    {Self{AccountID: in.AccountID, Session: in.Session, Epoch: in.Epoch - 1}, link, ErrMeanwhile},
		"in another's session":   {Self{AccountID: in.AccountID, Session: bob.Session, Epoch: in.Epoch}, link, ErrSignedOut},
		"of an account not here": {Self{AccountID: "nobody", Session: in.Session}, link, ErrSignedOut},
	} {
		if _, err := w.Unlink(t.Context(), tc.self, unlinking(tc.link, true), nil); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if after := w.everything(); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}

	removed, err := w.Unlink(t.Context(), in.Self, unlinking(link, true), nil)
	if err != nil || removed.Subject != "1234" {
		t.Fatalf("%+v, %v", removed, err)
	}
	w.view(func(tx store.Tx) error {
		for name, id := range made {
			_, err := tx.Session(id)
			if ended := errors.Is(err, store.ErrNotFound); ended != strings.HasPrefix(name, "google") {
				t.Errorf("the session of %q has ended: %t", name, ended)
			}
		}
		_, err := tx.Session(in.Session)
		return err
	})
	var refusal *Refusal
	taken := google()
	taken.Email = "alice@example.test"
	if _, err := w.SignInThroughProvider(t.Context(), taken, anyone(), keep); !errors.As(err, &refusal) || refusal.Reason != EmailTaken {
		t.Errorf("somebody gets in through what was removed: %v", err)
	}

	// The last one stays where nothing else lets in.
	last := w.links(in.AccountID)[0]
	if _, err := w.Unlink(t.Context(), in.Self, unlinking(last, false), nil); !errors.Is(err, ErrOnlyWayIn) {
		t.Errorf("the only way in: %v", err)
	}
	if _, err := w.Unlink(t.Context(), in.Self, unlinking(last, true), nil); err != nil {
		t.Errorf("with a password: %v", err)
	}
}
