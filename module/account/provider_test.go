package account

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
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

func TestNothingIsWrittenThatIsNotNew(t *testing.T) {
	w := newWorld(t)
	first := w.through(alice(), anyone())
	w.clock.Pass(time.Hour)
	w.through(alice(), anyone())
	if again := w.account(first.ID); !again.UpdatedAt.Equal(first.UpdatedAt) || again.Epoch != first.Epoch {
		t.Errorf("a sign-in without news changed the account: %+v, before %+v", again, first)
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

func existing(r *Admission) { r.Admit = []string{"existing"} }

// prepare makes an account as an administrator does for somebody to come.
func (w *world) prepare(email string) string {
	w.t.Helper()
	account, err := w.Create(w.t.Context(), NewAccount{Email: email, Name: "Prepared"}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return account.ID
}

func (w *world) suspend(id string) {
	w.t.Helper()
	if err := w.Suspend(w.t.Context(), id, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) role(id string, role identity.Role) {
	w.t.Helper()
	err := w.SetAttributes(w.t.Context(), id, func(a *identity.Attributes) error { a.Role = role; return nil }, nil)
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestAdmitted(t *testing.T) {
	tests := []struct {
		name   string
		admit  []string
		email  string
		trust  bool
		verify bool
	}{
		{"anybody", []string{"any"}, "alice@example.test", false, true},
		{"a domain", []string{"example.com", "example.test"}, "alice@example.test", false, true},
		{"a domain without case", []string{"Example.TEST"}, "alice@eXample.test", false, true},
		{"a provider that vouches for its addresses", []string{"any"}, "alice@example.test", true, false},
		{"an address that needs trimming", []string{"any"}, " alice@example.test ", false, true},
		{"an address that is not ASCII", []string{"any"}, "alicé@example.test", false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			a := alice()
			a.Email, a.EmailVerified = test.email, test.verify
			account := w.through(a, Admission{Admit: test.admit, TrustEmail: test.trust})
			if account.Attributes.Email != strings.TrimSpace(test.email) {
				t.Errorf("address %q", account.Attributes.Email)
			}
		})
	}
}

// TestPreparedAccount: admit existing lets the person take over what was
// prepared, once, and ends the invitation.
func TestPreparedAccount(t *testing.T) {
	w := newWorld(t)
	id := w.prepare("Alice@example.test")
	_, linkID := secret.NewToken()
	w.update(func(tx store.Tx) error {
		return tx.CreateOneTimeLink(store.OneTimeLink{ID: linkID, AccountID: id, Purpose: store.PurposeInvitation,
			CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(72 * time.Hour)})
	})
	rules := Admission{Admit: []string{"existing"}}
	if got := w.through(alice(), rules); got.ID != id || got.Attributes.Name != "Alice Example" || got.Attributes.Role != identity.EndUser {
		t.Errorf("took over %+v, want account %s", got, id)
	}
	w.view(func(tx store.Tx) error {
		if _, err := tx.OneTimeLink(linkID, w.clock.Now()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the invitation still opens the account: %v", err)
		}
		return nil
	})
	if again := w.through(alice(), rules); again.ID != id {
		t.Error("the second sign-in found another account")
	}
	second := alice()
	second.Subject = "another-sub"
	w.refused(second, rules, EmailTaken, "cannot be taken over")
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

// TestRoleByClaim: what a claim can do to a role (max_role, rule 20).
func TestRoleByClaim(t *testing.T) {
	tests := []struct {
		name             string
		has, claim, most identity.Role
		others           int // further administrators
		want             identity.Role
	}{
		{"no claim", identity.Agent, "", identity.Admin, 0, identity.Agent},
		{"an unknown role", identity.Agent, "root", identity.Admin, 0, identity.Agent},
		{"up", identity.EndUser, identity.Agent, identity.Agent, 0, identity.Agent},
		{"up, but not beyond the most", identity.EndUser, identity.Admin, identity.Agent, 0, identity.Agent},
		{"without a most", identity.EndUser, identity.Admin, "", 0, identity.EndUser},
		{"down", identity.Agent, identity.EndUser, identity.Agent, 0, identity.EndUser},
		{"an administrator whose claim is more than it can give", identity.Admin, identity.Admin, identity.Agent, 1, identity.Admin},
		{"an administrator of several, down", identity.Admin, identity.EndUser, identity.Agent, 1, identity.EndUser},
		{"the last administrator, down", identity.Admin, identity.EndUser, identity.Agent, 0, identity.Admin},
		{"the last administrator, to agent", identity.Admin, identity.Agent, identity.Admin, 0, identity.Admin},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			first := w.through(alice(), anyone())
			w.role(first.ID, test.has)
			for i := range test.others {
				w.role(w.prepare(fmt.Sprintf("admin-%d@example.test", i)), identity.Admin)
			}
			a := alice()
			a.Attributes.Role = test.claim
			w.through(a, Admission{Admit: []string{"any"}, MaxRole: test.most})
			if got := w.account(first.ID).Attributes.Role; got != test.want {
				t.Errorf("role %s, want %s", got, test.want)
			}
		})
	}

	t.Run("at the first sign-in", func(t *testing.T) {
		w := newWorld(t)
		a := alice()
		a.Attributes.Role = identity.Admin
		if got := w.through(a, anyone()); got.Attributes.Role != identity.Agent {
			t.Errorf("role %s", got.Attributes.Role)
		}
	})

	t.Run("another administrator who is suspended does not count", func(t *testing.T) {
		w := newWorld(t)
		first := w.through(alice(), anyone())
		w.role(first.ID, identity.Admin)
		other := w.prepare("other@example.test")
		w.role(other, identity.Admin)
		w.suspend(other)
		a := alice()
		a.Attributes.Role = identity.EndUser
		if got := w.through(a, anyone()); got.Attributes.Role != identity.Admin {
			t.Errorf("role %s", got.Attributes.Role)
		}
	})
}

// TestAttributesFromProvider: each sign-in takes over what the provider told, and
// leaves what it did not tell (S8, S10).
func TestAttributesFromProvider(t *testing.T) {
	w := newWorld(t)
	told := func(role identity.Role, changes identity.Changes) identity.Attributes {
		t.Helper()
		a := alice()
		a.Attributes.Role, a.Changes = role, changes
		in := w.through(a, anyone())
		if stored := w.account(in.ID).Attributes; !stored.Equal(&in.Attributes) {
			t.Errorf("returned %+v, stored %+v", in.Attributes, stored)
		}
		return in.Attributes
	}
	got := told("", identity.Changes{"tags": {"a", "b"}, "phone": {"+0012"}, "field.x": {"1"}, "field.y": {"2"}, "custom_role_id": {"42"}})
	if got.Role != identity.EndUser || strings.Join(got.Tags, " ") != "a b" || got.Phone != "+0012" || got.Fields["x"] != "1" {
		t.Errorf("first: %+v", got)
	}
	if got.CustomRoleID != "" {
		t.Error("a custom role counts for an end user")
	}
	got = told(identity.Agent, identity.Changes{"tags": {"c"}, "field.x": nil, "custom_role_id": {"42"}})
	if _, there := got.Fields["x"]; there || got.Role != identity.Agent || strings.Join(got.Tags, " ") != "c" || got.Phone != "+0012" || got.Fields["y"] != "2" || got.CustomRoleID != "42" {
		t.Errorf("second: %+v", got)
	}
	if got = told("", nil); got.Role != identity.Agent || got.CustomRoleID != "42" {
		t.Errorf("nothing told: %+v", got)
	}

	// The provider is the source of what it sends, whatever an administrator
	// has set; and a role too low for it ends a custom role.
	id := w.through(alice(), anyone()).ID
	err := w.SetAttributes(t.Context(), id, func(a *identity.Attributes) error {
		a.Name, a.Tags, a.Phone = "By hand", []string{"by", "hand"}, "+99"
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got = told("", identity.Changes{"tags": nil}); got.Name != "Alice Example" || len(got.Tags) != 0 || got.Phone != "+99" {
		t.Errorf("after an administrator: %+v", got)
	}
	w.role(id, identity.EndUser)
	if got := w.account(id).Attributes; got.CustomRoleID != "" {
		t.Errorf("an end user keeps a custom role: %+v", got)
	}

	many := make(identity.Changes)
	for i := range 100 {
		many[fmt.Sprint("field.f", i)] = []string{"x"}
	}
	a := alice()
	a.Changes = many
	if in := w.through(a, anyone()); len(in.Attributes.Fields) > 64 || len(in.LeftOut) == 0 {
		t.Errorf("%d fields, left out %q", len(in.Attributes.Fields), in.LeftOut)
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

// TestCreationIsLimited: a provider where anybody can register does not fill
// the disk (rule 20).
func TestCreationIsLimited(t *testing.T) {
	w := newWorld(t)
	person := func(sso string, i int) Assertion {
		a := alice()
		a.SSO, a.Subject, a.Email = sso, fmt.Sprintf("%s-%d", sso, i), fmt.Sprintf("%s-%d@example.test", sso, i)
		return a
	}
	known := w.through(person("okta", 0), anyone())
	for range creationsPerSSOBurst - 1 {
		if !w.creations.allow("okta", w.clock.Now()) {
			t.Fatal("limited before the burst was used up")
		}
	}
	w.refused(person("okta", 1), anyone(), TooManyNew, "okta")
	for range 2 * creationsBurst {
		w.creations.allow("okta", w.clock.Now()) // the flood of one is not the others' loss
	}

	// People who have an account, and who would be refused anyway, are not
	// what is counted.
	if got := w.through(person("okta", 0), anyone()); got.ID != known.ID {
		t.Error("a known person was not found")
	}
	w.refused(person("okta", 1), Admission{Admit: []string{"example.com"}}, NotAdmitted, "")
	w.through(person("entra", 1), anyone())

	w.clock.Pass(time.Second)
	w.through(person("okta", 1), anyone())

	// All SSO configs together have a limit, too.
	for i := 0; w.creations.allow(fmt.Sprint("sso-", i/100), w.clock.Now()); i++ {
		if i > creationsBurst {
			t.Fatal("no limit for all of them together")
		}
	}
	w.refused(person("late", 1), anyone(), TooManyNew, "late")
}
