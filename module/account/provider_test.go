package account

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const issuer = "https://idp.example.test"

// alice is what the provider says of Alice.
func alice() Assertion {
	return Assertion{
		Issuer: issuer, Subject: "alice-sub", SSO: "okta",
		Email: "alice@example.test", EmailVerified: true,
		Attributes: identity.Attributes{Name: "Alice Example"},
	}
}

func anyone() Admission { return Admission{Admit: []string{"any"}, MaxRole: identity.Agent} }

// through signs somebody in who has to get in.
func (w *world) through(a Assertion, rules Admission) SignedIn {
	w.t.Helper()
	account, err := w.SignInThroughProvider(w.t.Context(), a, rules, keep)
	if err != nil {
		w.t.Fatal(err)
	}
	return account
}

// refused fails the test unless the person is refused for that reason, with
// that in the log, and nothing has changed.
func (w *world) refused(a Assertion, rules Admission, reason RefusalReason, detail string) {
	w.t.Helper()
	before := w.everything()
	_, err := w.SignInThroughProvider(w.t.Context(), a, rules, func(store.Tx, SignedIn) error {
		w.t.Error("a session would have been made")
		return nil
	})
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		w.t.Fatalf("error %v, want a refusal %q", err, reason)
	}
	if refusal.Reason != reason || !strings.Contains(refusal.Detail, detail) {
		w.t.Errorf("refused (%s, %q), want %s with %q", refusal.Reason, refusal.Detail, reason, detail)
	}
	if after := w.everything(); after != before {
		w.t.Errorf("the refusal changed something:\n%s\n%s", before, after)
	}
}

// everything is all accounts and links as text.
func (w *world) everything() string {
	w.t.Helper()
	var b strings.Builder
	w.view(func(tx store.Tx) error {
		accounts, err := tx.Accounts("", 1000)
		for _, account := range accounts {
			links, err := tx.SSOLinks(account.ID)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%+v %+v\n", account, links)
		}
		return err
	})
	return b.String()
}

func keep(store.Tx, SignedIn) error { return nil }

func TestFirstSignInMakesTheAccount(t *testing.T) {
	w := newWorld(t)
	var inside SignedIn
	got, err := w.SignInThroughProvider(t.Context(), alice(), anyone(), func(tx store.Tx, account SignedIn) error {
		inside = account
		_, err := tx.Account(account.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if inside.ID != got.ID || !inside.LastSignIn.Equal(w.clock.Now()) {
		t.Errorf("the session was made for %+v", inside)
	}
	stored := w.account(got.ID)
	if a := stored.Attributes; a.Email != "alice@example.test" || a.Name != "Alice Example" || a.Role != identity.EndUser {
		t.Errorf("attributes %+v", a)
	}
	if !stored.LastSignIn.Equal(w.clock.Now()) || !stored.CreatedAt.Equal(w.clock.Now()) {
		t.Errorf("times %+v", stored)
	}
	w.view(func(tx store.Tx) error {
		links, err := tx.SSOLinks(got.ID)
		if err != nil || len(links) != 1 || links[0].Issuer != issuer || links[0].Subject != "alice-sub" || links[0].SSO != "okta" {
			t.Errorf("links %+v, %v", links, err)
		}
		if _, err := tx.Password(got.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an SSO account has a password: %v", err)
		}
		return nil
	})
}

func TestFoundByIssuerAndSubjectOnly(t *testing.T) {
	w := newWorld(t)
	first := w.through(alice(), anyone())
	w.clock.Pass(time.Hour)

	changed := alice()
	changed.Email, changed.Attributes.Name = "alice.new@example.test", "Alice New"
	changed.SSO = "okta-new"
	second := w.through(changed, anyone())
	if second.ID != first.ID {
		t.Error("another address made another account")
	}
	if a := w.account(first.ID); a.Attributes.Email != changed.Email || a.Attributes.Name != "Alice New" || !a.LastSignIn.Equal(w.clock.Now()) {
		t.Errorf("not updated: %+v", a)
	}
	w.view(func(tx store.Tx) error {
		links, err := tx.SSOLinks(first.ID)
		if err != nil || len(links) != 1 || links[0].SSO != "okta-new" || !links[0].UsedAt.Equal(w.clock.Now()) {
			t.Errorf("links %+v, %v", links, err)
		}
		return nil
	})

	nameless := changed
	nameless.Attributes.Name = ""
	w.through(nameless, anyone())
	if a := w.account(first.ID); a.Attributes.Name != "Alice New" {
		t.Errorf("what was not told was forgotten: %+v", a.Attributes)
	}

	spelled := changed
	spelled.Email = "Alice.New@Example.test"
	w.through(spelled, anyone())
	if a := w.account(first.ID); a.Attributes.Email != spelled.Email {
		t.Errorf("the provider's spelling was not kept: %+v", a.Attributes)
	}

	// Whoever gets her old address is somebody else.
	newcomer := alice()
	newcomer.Subject = "another-sub"
	if third := w.through(newcomer, anyone()); third.ID == first.ID {
		t.Error("an account was found by its former address")
	}
}

// TestProviderRefusals: who is refused and why (rule 20, S7, S11).
func TestProviderRefusals(t *testing.T) {
	tests := []struct {
		name   string
		world  func(w *world)
		change func(a *Assertion)
		rules  func(r *Admission)
		reason RefusalReason
		detail string
	}{
		{name: "no address", change: func(a *Assertion) { a.Email = "" }, reason: NoEmail},
		{name: "an address that is none", change: func(a *Assertion) { a.Email = "alice" }, reason: NoEmail},
		{name: "an address with a name", change: func(a *Assertion) { a.Email = "Boss <alice@example.test>" }, reason: NoEmail},
		{name: "two addresses", change: func(a *Assertion) { a.Email = "alice@example.test,boss@example.test" }, reason: NoEmail},
		{name: "an address with a line break", change: func(a *Assertion) { a.Email = "alice@example.test\r\nBcc: x@y.test" }, reason: NoEmail},
		{name: "an address with NUL", change: func(a *Assertion) { a.Email = "alice\x00@example.test" }, reason: NoEmail},
		{name: "an address of 255 bytes", change: func(a *Assertion) { a.Email = strings.Repeat("a", 242) + "@example.test" }, reason: NoEmail},
		{name: "a quoted domain inside", change: func(a *Assertion) { a.Email = `"x@example.test"@evil.test` }, reason: NoEmail},
		{name: "Kelvin sign for k", change: func(a *Assertion) { a.Email = "mi\u212ae@example.test" }, reason: NoEmail},
		{name: "dotted capital I for i", change: func(a *Assertion) { a.Email = "al\u0130ce@example.test" }, reason: NoEmail},
		{name: "long s for s", change: func(a *Assertion) { a.Email = "alice@example.te\u017ft" }, reason: NoEmail},

		{name: "not verified", change: func(a *Assertion) { a.EmailVerified = false }, reason: Unverified, detail: "trust_email"},
		{name: "not verified, of a known person", world: func(w *world) { w.through(alice(), anyone()) },
			change: func(a *Assertion) { a.EmailVerified = false }, reason: Unverified, detail: "trust_email"},
		{name: "not verified, for a prepared account", world: func(w *world) { w.prepare("alice@example.test") },
			change: func(a *Assertion) { a.EmailVerified = false },
			rules:  func(r *Admission) { r.Admit = []string{"existing"} }, reason: Unverified, detail: "trust_email"},

		{name: "nobody is admitted", rules: func(r *Admission) { r.Admit = nil }, reason: NotAdmitted},
		{name: "another domain", rules: func(r *Admission) { r.Admit = []string{"example.com"} }, reason: NotAdmitted, detail: "domain"},
		{name: "a subdomain", change: func(a *Assertion) { a.Email = "alice@sub.example.test" },
			rules: func(r *Admission) { r.Admit = []string{"example.test"} }, reason: NotAdmitted},
		{name: "a domain that ends alike", change: func(a *Assertion) { a.Email = "alice@evilexample.test" },
			rules: func(r *Admission) { r.Admit = []string{"example.test"} }, reason: NotAdmitted},
		{name: "any beside domains is a domain", rules: func(r *Admission) { r.Admit = []string{"any", "example.com"} }, reason: NotAdmitted},
		{name: "another domain does not learn whose address is taken", world: func(w *world) { w.add("alice@example.test") },
			rules: func(r *Admission) { r.Admit = []string{"example.com"} }, reason: NotAdmitted},

		{name: "the address of an account with a password", world: func(w *world) { w.add("alice@example.test") },
			reason: EmailTaken, detail: "belongs to account"},
		{name: "the address of a prepared account", world: func(w *world) { w.prepare("alice@example.test") }, reason: EmailTaken},
		{name: "the address in other case", world: func(w *world) { w.add("ALICE@Example.test") }, reason: EmailTaken},
		{name: "the same subject of another issuer", world: func(w *world) {
			other := alice()
			other.Issuer = "https://evil.test"
			w.through(other, anyone())
		}, reason: EmailTaken},
		{name: "the same address of another subject", world: func(w *world) {
			other := alice()
			other.Subject = "Alice-sub"
			w.through(other, anyone())
		}, reason: EmailTaken},
		{name: "an update to somebody else's address", world: func(w *world) {
			w.add("boss@example.test")
			w.through(alice(), anyone())
		}, change: func(a *Assertion) { a.Email = "Boss@example.test" }, reason: EmailTaken, detail: "changed the address"},

		{name: "suspended", world: func(w *world) { w.suspend(w.through(alice(), anyone()).ID) }, reason: Suspended},

		{name: "existing: no account", rules: existing, reason: NotAdmitted, detail: "prepared"},
		{name: "existing: an account with a password", world: func(w *world) { w.add("alice@example.test") },
			rules: existing, reason: EmailTaken, detail: "it has a password"},
		{name: "existing: an agent's account", world: func(w *world) { w.role(w.prepare("alice@example.test"), identity.Agent) },
			rules: existing, reason: EmailTaken, detail: "its role is agent"},
		{name: "existing: an administrator's account", world: func(w *world) { w.role(w.prepare("alice@example.test"), identity.Admin) },
			rules: existing, reason: EmailTaken, detail: "its role is admin"},
		{name: "existing: an account that is suspended", world: func(w *world) { w.suspend(w.prepare("alice@example.test")) },
			rules: existing, reason: EmailTaken, detail: "suspended"},
		{name: "existing: an account that was used", world: func(w *world) {
			id := w.prepare("alice@example.test")
			w.update(func(tx store.Tx) error { return tx.RecordSignIn(id, w.clock.Now()) })
		}, rules: existing, reason: EmailTaken, detail: "signed in"},
		{name: "existing: an account with a second factor", world: func(w *world) {
			w.enroll(w.prepare("alice@example.test"), false)
			// An authenticator app alone, without the sign-in that set it up.
		}, rules: existing, reason: EmailTaken, detail: "second factor"},
		{name: "existing: an account of another provider", world: func(w *world) {
			id := w.prepare("alice@example.test")
			w.update(func(tx store.Tx) error {
				return tx.SaveSSOLink(store.SSOLink{Issuer: "https://evil.test", Subject: "x", AccountID: id, SSO: "evil",
					CreatedAt: w.clock.Now(), UsedAt: w.clock.Now()})
			})
		}, rules: existing, reason: EmailTaken, detail: "linked to a provider"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			if test.world != nil {
				test.world(w)
			}
			a, rules := alice(), anyone()
			if test.change != nil {
				test.change(&a)
			}
			if test.rules != nil {
				test.rules(&rules)
			}
			w.refused(a, rules, test.reason, test.detail)
		})
	}
}

func (w *world) suspend(id string) {
	w.t.Helper()
	if err := w.Suspend(w.t.Context(), id, nil); err != nil {
		w.t.Fatal(err)
	}
}

// TestThenUndoes: without a session there is no account either.
func TestThenUndoes(t *testing.T) {
	w := newWorld(t)
	before := w.everything()
	broken := errors.New("no session")
	_, err := w.SignInThroughProvider(t.Context(), alice(), anyone(), func(store.Tx, SignedIn) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if after := w.everything(); after != before {
		t.Errorf("something is left: %s", after)
	}
}

func TestAssertionOfNobody(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Assertion){
		"no issuer":     func(a *Assertion) { a.Issuer = "" },
		"no subject":    func(a *Assertion) { a.Subject = "" },
		"no SSO config": func(a *Assertion) { a.SSO = "" },
	} {
		t.Run(name, func(t *testing.T) {
			a := alice()
			change(&a)
			if _, err := w.SignInThroughProvider(t.Context(), a, anyone(), keep); err == nil {
				t.Error("somebody was let in")
			}
		})
	}
}

// TestNoMember: whoever is known and has lost what let them in keeps what the
// provider has changed, and gets neither session nor sign-in; nobody unknown gets
// an account.
func TestNoMember(t *testing.T) {
	w := newWorld(t)
	agents := anyone()
	agents.Member = func(role identity.Role) bool { return role.AtLeast(identity.Agent) }
	w.refused(alice(), agents, NotMember, "end-user")

	a := alice()
	a.Attributes.Role = identity.Agent
	before := w.through(a, agents)
	if before.RoleBefore != identity.EndUser || before.Refused {
		t.Errorf("let in: %+v", before)
	}
	w.clock.Pass(time.Hour)
	a.Attributes.Role = identity.EndUser
	var seen SignedIn
	in, err := w.SignInThroughProvider(t.Context(), a, agents, func(_ store.Tx, in SignedIn) error { seen = in; return nil })
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Reason != NotMember || !in.Refused || !seen.Refused || seen.RoleBefore != identity.Agent {
		t.Errorf("got %+v, %v", in, err)
	}
	if after := w.account(before.ID); after.Attributes.Role != identity.EndUser || !after.LastSignIn.Equal(before.LastSignIn) {
		t.Errorf("kept %+v", after)
	}
}
