package profile_test

import (
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func TestPassword(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	d.mails()
	d.configure(audiences{"team": {}})
	alice := d.add("alice@example.test")
	b, other := d.signIn(alice, how{}), d.signIn(alice, how{})
	d.trusts(alice)
	b.get(passwordAddress).as("200").says("At least 15 characters").has(`value="alice@example.test"`)
	for typed, want := range map[string]string{
		"": "Enter your password.", "short": "too short", "password12345678": "Many people use this", "my parasol is yellow": "too close to your name",
		strings.Repeat("x", 1025): "too long",
	} {
		b.post(passwordAddress, "password", typed).as("422").says(want).lacks(`name="password" value`)
	}
	other.get(answer.Account).as("200")
	b.post(passwordAddress, "password", another).as(done(answer.Account, pages.NoticePassword))
	d.audited(alice, "password.change success: ")
	b.get(answer.Account + "?done=password").as("200").says("You are signed out everywhere else.")
	other.get(answer.Account).as("302 " + answer.SignInFor(answer.Account))
	if person := d.person(alice); len(person.TrustedDevices) != 0 || len(person.Sessions) != 1 {
		t.Errorf("left: %+v", person)
	}
	for typed, right := range map[string]bool{password: false, another: true} {
		if _, err := d.people.CheckPassword(t.Context(), "alice@example.test", typed, account.From{}); (err == nil) != right {
			t.Errorf("%s: %v", typed, err)
		}
	}
	if mail := d.mail.Next(t, "alice@example.test"); !strings.Contains(mail.Text, "192.0.2.7") || !strings.Contains(mail.Subject, "password") {
		t.Errorf("told %q: %s", mail.Subject, mail.Text)
	}
}

// Whose password cannot be changed sees no way to, and finds none.
func TestPasswordIsNotOffered(t *testing.T) {
	off := policy.Audience{PasswordChange: policy.Off}
	for _, tc := range []struct {
		name      string
		audiences audiences
		how       how
		password  bool
		offered   bool
	}{
		{"off", audiences{"team": off}, how{}, true, false},
		{"on in an audience of others", audiences{"team": off, "staff": {Roles: []string{"agent"}}}, how{}, true, false},
		{"on in one of theirs", audiences{"team": off, "more": {}}, how{}, true, true},
		{"on where no passwords are taken", audiences{"team": off, "company": {Password: policy.Off, SSO: []string{"okta"}}}, how{}, true, false},
		{"no password", audiences{"team": {SSO: []string{"okta"}}}, how{sso: "okta"}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, tc.audiences)
			alice, err := d.people.Create(t.Context(), account.NewAccount{Email: "alice@example.test", Password: map[bool]string{true: password}[tc.password]}, nil)
			d.must(err)
			b := d.signIn(alice, tc.how)
			before := d.state(alice)
			page := b.get(answer.Account).as("200")
			if tc.offered {
				page.says("Change your password")
				b.get(passwordAddress).as("200")
				return
			}
			page.not("Change your password")
			b.get(passwordAddress).as("404") // before anybody has to sign in again for it
			b.post(passwordAddress, "password", another).as("404")
			if d.state(alice) != before {
				t.Error("something was done")
			}
		})
	}
}

// A password may be short where every audience requires a second factor.
func TestPasswordLength(t *testing.T) {
	d := newDesk(t, audiences{"team": {SecondFactor: policy.SecondFactorRequired}})
	alice := d.add("alice@example.test")
	d.has(alice, store.MethodApp, true)
	b := d.signIn(alice, how{secondFactor: true})
	b.get(passwordAddress).as("200").says("At least 8 characters")
	b.post(passwordAddress, "password", "umbrelas").as(done(answer.Account, pages.NoticePassword))
}
