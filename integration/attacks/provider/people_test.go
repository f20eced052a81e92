//go:build integration

package provider

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// person has the provider say something else of the person.
func person(change func(claims map[string]any)) behaviour {
	return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) { change(b.Person) }
}

// called has the person have another address.
func called(email any) behaviour { return person(set("email", email)) }

// Rule 20, S7: people whom the provider vouches for, but not so that they may
// get in.
func TestPeople(t *testing.T) {
	t.Parallel()
	var (
		noEmail     = func(reason string) refusal { return refusal{http.StatusForbidden, "no_email", reason} }
		unverified  = refusal{http.StatusForbidden, "email_unverified", "set trust_email"}
		notAdmitted = func(reason string) refusal { return refusal{http.StatusForbidden, "not_admitted", reason} }
	)
	const (
		nothing  = "neither ID token nor userinfo has an e-mail address"
		unusable = "is not an address that can be used"
		outside  = "admit does not name the domain of"
	)
	var attacks []attack
	for _, test := range []struct {
		name, words string
		behave      behaviour
		refusal
	}{
		{"email missing", "", person(without("email")), noEmail(nothing)},
		{"email empty", "", called(""), noEmail(nothing)},
		{"email null", "", called(nil), noEmail(nothing)},
		{"email a number", "", called(7), noEmail(nothing)},
		{"email a list", "", called([]string{"boss@example.test"}), noEmail(nothing)},
		{"email an object", "", called(map[string]any{"value": "boss@example.test"}), noEmail(nothing)},
		{"email in capitals", "", person(renamed("email", "EMAIL")), noEmail(nothing)},
		{"email in plural", "", person(func(c map[string]any) { c["emails"] = []any{c["email"]}; delete(c, "email") }), noEmail(nothing)},
		{"email as preferred username", "", person(renamed("email", "preferred_username")), noEmail(nothing)},
		{"email without a domain", "", called("boss"), noEmail(nothing)},
		{"email without a name", "", called("@example.test"), noEmail(nothing)},
		{"email with a line break", "", called("boss@example.test\r\nBcc: x@evil.test"), noEmail(nothing)},
		{"email with NUL", "", called("boss@example.test\x00@evil.test"), noEmail(nothing)},
		{"email with a name before", "", called("Boss <boss@example.test>"), noEmail(nothing)},
		{"email with a mark for the other direction", "", called("boss\u202e@example.test"), noEmail(nothing)},
		{"email with a blank inside", "", called("boss @example.test"), noEmail(nothing)},
		{"email of 255 bytes", "", called(strings.Repeat("a", 242) + "@example.test"), noEmail(nothing)},
		{"two emails", "", called("boss@example.test,x@evil.test"), noEmail(unusable)},
		{"two emails, other comma", "", called("boss@example.test;x@evil.test"), noEmail(unusable)},
		{"email in an email", "", called(`"boss@example.test"@evil.test`), noEmail(unusable)},
		{"email with two ats", "", called("boss@example.test@evil.test"), noEmail(unusable)},
		{"email with a dot at the end", "", called("boss@example.test."), noEmail(unusable)},
		{"email at an address", "", called("boss@[127.0.0.1]"), noEmail(unusable)},
		{"email with the Kelvin sign for k", "", called("mi\u212ae@example.test"), noEmail(unusable)},
		{"email with a long s", "", called("bo\u017fs@example.test"), noEmail(unusable)},
		{"email with a dotted capital I", "", called("al\u0130ce@example.test"), noEmail(unusable)},

		{"email_verified false", "", person(set("email_verified", false)), unverified},
		{"email_verified missing", "", person(without("email_verified")), unverified},
		{"email_verified null", "", person(set("email_verified", nil)), unverified},
		{"email_verified the word false", "", person(set("email_verified", "false")), unverified},
		{"email_verified TRUE", "", person(set("email_verified", "TRUE")), unverified},
		{"email_verified yes", "", person(set("email_verified", "yes")), unverified},
		{"email_verified 1", "", person(set("email_verified", 1)), unverified},
		{"email_verified a list", "", person(set("email_verified", []bool{true})), unverified},
		{"email_verified under another name", "", person(renamed("email_verified", "Email_Verified")), unverified},
		{"verified_email", "", person(renamed("email_verified", "verified_email")), unverified},

		{"domain that begins alike", "admit example.test", called("boss@example.test.evil.test"), notAdmitted(outside)},
		{"domain that ends alike", "admit example.test", called("boss@notexample.test"), notAdmitted(outside)},
		{"domain below", "admit example.test", called("boss@sub.example.test"), notAdmitted(outside)},
		{"domain above", "admit sub.example.test", called("boss@example.test"), notAdmitted(outside)},
		{"domain with an at encoded", "admit example.test", called("boss%40example.test@evil.test"), notAdmitted(outside)},
		{"domain with a plus", "admit example.test", called("boss+example.test@evil.test"), notAdmitted(outside)},
		{"domain in wide letters", "admit example.test", called("boss@ｅxample.test"), notAdmitted(outside)},
		{"domain with a Cyrillic letter", "admit example.test", called("boss@ex\u0430mple.test"), notAdmitted(outside)},
		{"domain in Punycode", "admit example.test", called("boss@xn--exmple-4nf.test"), notAdmitted(outside)},
		{"domain in another claim", "admit example.test", person(func(c map[string]any) {
			c["email"], c["hd"] = "boss@evil.test", "example.test"
		}), notAdmitted(outside)},
		{"existing, and nobody prepared", "admit existing", nil, notAdmitted("no account has been prepared for")},
		{"domain right, and not verified", "admit example.test", person(set("email_verified", false)), unverified},
	} {
		attacks = append(attacks, attack{
			situation: situation{name: "people " + test.name, words: test.words, behave: test.behave},
			refusal:   test.refusal,
		})
	}
	repel(t, attacks)
}

// Rule 20, S11: who controls an address at a provider controls nobody's account.
func TestTakingAccountsOver(t *testing.T) {
	t.Parallel()
	const (
		password, factor, invited, agent, admin, suspended = "password@example.test", "factor@example.test", "invited@example.test",
			"agent@example.test", "admin@example.test", "suspended@example.test"
	)
	taken := func(reason string) refusal { return refusal{http.StatusForbidden, "email_taken", reason} }
	tests := []struct {
		name, words string
		email       string
		refusal
	}{
		{"of somebody with a password", "admit any", password, taken("belongs to account")},
		{"of somebody with a password, in capitals", "admit any", strings.ToUpper(password), taken("belongs to account")},
		{"of somebody with a password, by domain", "admit example.test", password, taken("belongs to account")},
		{"of somebody with a password, existing", "admit existing", password, taken("it has a password")},
		{"of somebody with a second factor", "admit any", factor, taken("belongs to account")},
		{"of somebody with a second factor, existing", "admit existing", factor, taken("cannot be taken over")},
		{"of somebody invited", "admit any", invited, taken("belongs to account")},
		{"of an agent to come, existing", "admit existing", agent, taken("its role is agent")},
		{"of an administrator to come, existing", "admit existing", admin, taken("its role is admin")},
		{"of somebody suspended", "admit any", suspended, taken("belongs to account")},
		{"of somebody suspended, existing", "admit existing", suspended, taken("it is suspended")},
		{"joining somebody with a second factor", "admit any\nlink verified_email", factor, taken("it has a second factor")},
		{"joining an agent", "admit any\nlink verified_email", agent, taken("its role is agent")},
		{"joining an administrator, vouched for", "admit existing\nlink verified_email\ntrust_email", admin, taken("its role is admin")},
		{"joining somebody suspended", "admit example.test\nlink verified_email", suspended, taken("it is suspended")},
		{"of an administrator, vouched for", "admit existing\ntrust_email", admin, taken("its role is admin")},
	}
	var situations []situation
	for _, test := range tests {
		situations = append(situations, situation{name: test.name, words: test.words, behave: called(test.email)})
	}
	const known, prepared, joining = "somebody known", "somebody prepared", "somebody joining"
	situations = append(situations, situation{name: known}, situation{name: prepared, words: "admit existing"},
		situation{name: joining, words: "admit any\nlink verified_email"})
	s := newStage(t, "", "second_factor required", situations...)
	s.AddUser(password)
	s.AddUser(factor)
	s.Enroll(s.Browser(), factor)
	s.Invite(invited)
	s.Invite(agent, "--role", "agent")
	s.Invite(admin, "--role", "admin")
	s.Invite(suspended)
	s.Must("user", "suspend", suspended)
	s.Invite(slug(prepared) + "@example.test")
	s.AddUser(slug(joining) + "@example.test")
	everybody := func() (people []map[string]any) {
		s.JSON(&people, "user", "list")
		return people
	}

	before := everybody()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.For(t)
			b, seen := s.Browser(), s.App.Count()
			s.wantRefused(t, b, b.Open(start(test.name)), test.refusal)
			s.wantAudited(t, test.name)
			if s.App.Count() != seen {
				t.Error("the app was reached")
			}
		})
	}
	if after := everybody(); !reflect.DeepEqual(after, before) {
		t.Errorf("accounts changed:\n%v\nbefore\n%v", after, before)
	}

	t.Run("prepared, taken once and not twice", func(t *testing.T) {
		s.For(t)
		b := s.Browser()
		b.Open(start(prepared)).App()
		s.providers[prepared].Behave(func(b *providertest.Behaviour) { b.Person["sub"] = "somebody else" })
		b = s.Browser()
		s.wantRefused(t, b, b.Open(start(prepared)), taken("cannot be taken over"))
	})
	t.Run("joined by one person of the provider and no other", func(t *testing.T) {
		s.For(t)
		email := slug(joining) + "@example.test"
		unverified := func(verified bool) {
			s.providers[joining].Behave(func(b *providertest.Behaviour) { b.Person["email_verified"] = verified })
		}
		unverified(false)
		b := s.Browser()
		s.wantRefused(t, b, b.Open(start(joining)), refusal{http.StatusForbidden, "email_unverified", "trust_email"})
		unverified(true)
		b = s.Browser()
		if got := b.Open(start(joining)).App().Header.Get("Remote-User"); got != email {
			t.Errorf("joined %q", got)
		}
		s.providers[joining].Behave(func(b *providertest.Behaviour) { b.Person["sub"] = "somebody else" })
		b = s.Browser()
		s.wantRefused(t, b, b.Open(start(joining)), taken("linked to another subject of this issuer"))
	})
	t.Run("an address that becomes somebody else's", func(t *testing.T) {
		s.For(t)
		b := s.Browser()
		b.Open(start(known)).App()
		s.providers[known].Behave(func(b *providertest.Behaviour) { b.Person["email"] = admin })
		b = s.Browser()
		s.wantRefused(t, b, b.Open(start(known)), taken("the provider changed the address of account"))
	})
	t.Run("suspended here", func(t *testing.T) {
		s.For(t)
		email := slug(known) + "@example.test"
		s.providers[known].Behave(func(b *providertest.Behaviour) { b.Person["email"] = email })
		b := s.Browser()
		b.Open(start(known)).App()
		s.Must("user", "suspend", email)
		if b.Whoami() != nil {
			t.Error("the session lives on")
		}
		b = s.Browser()
		s.wantRefused(t, b, b.Open(start(known)), refusal{http.StatusForbidden, "suspended", "is suspended"})
	})
}

// Whatever role a provider claims, nobody asked it (max_role, rule 20): roles
// come from claims only where the configuration maps one.
func TestRoleIsNotClaimed(t *testing.T) {
	t.Parallel()
	var situations []situation
	for name, claim := range map[string]any{"role": "admin", "roles": []string{"admin"}, "groups": []string{"admin"}} {
		situations = append(situations, situation{name: "claims " + name, words: "admit any\nmax_role admin", behave: person(set(name, claim))})
	}
	s := newStage(t, "", "", situations...)
	for _, situation := range situations {
		got := s.Browser().Open(start(situation.name)).App()
		if role, groups := got.Header.Get("Remote-Role"), got.Header.Get("Remote-Groups"); role != "end-user" || strings.Contains(groups, "admin") {
			t.Errorf("%s: role %q, groups %q", situation.name, role, groups)
		}
	}
}
