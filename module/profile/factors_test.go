package profile_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// The page of the second factors in every configuration.
func TestFactorsPage(t *testing.T) {
	off, required := policy.Audience{SecondFactor: policy.Off}, policy.Audience{SecondFactor: policy.SecondFactorRequired, Passcode: []string{"app", "email"}}
	for _, tc := range []struct {
		name      string
		audiences audiences
		factors   string // methods, "!" for by choice
		has, not  []string
		status    int
	}{
		{"optional, none", audiences{"team": {Passcode: []string{"app", "email", "sms"}}}, "", []string{"Set one up", "authenticator app", "by e-mail"}, []string{"by SMS", "Recovery codes"}, 200},
		{"optional, one", audiences{"team": {Passcode: []string{"app", "email"}}}, "app!", []string{"Add another one", "by e-mail", "Remove", "9 codes left", "Set up by you"}, []string{"Use an authenticator app", "Ask me", "Ask first", "required"}, 200},
		{"optional, two", audiences{"team": {}}, "app! email", []string{"Asked first", "Ask first", "Remove", "a***@example.test"}, []string{"Add another one"}, 200},
		{"off, none", audiences{"team": off}, "", nil, nil, 404},
		{"off, one by choice", audiences{"team": off}, "app!", []string{"Remove"}, []string{"Ask me", "Add another one"}, 200},
		{"off, one that was required", audiences{"team": off}, "app", []string{"Remove", "not asked for one"}, []string{"Ask me", "Add another one"}, 200},
		{"not required any more", audiences{"team": {}}, "app", []string{"Remove", "not asked for one", "Ask me at every sign-in"}, nil, 200},
		{"required, one", audiences{"team": required}, "app", []string{"A second factor is required.", "by e-mail"}, []string{"Yes, remove it", "Ask me"}, 200},
		{"required, two", audiences{"team": required}, "app email", []string{"Yes, remove it"}, []string{"A second factor is required."}, 200},
		{"required, one that counts", audiences{"team": required}, "app sms", []string{"A second factor is required.", "Yes, remove it"}, nil, 200},
		{"required in one of theirs", audiences{"team": off, "vault": required}, "app", []string{"A second factor is required."}, []string{"Yes, remove it"}, 200},
		{"required of others", audiences{"team": {}, "vault": {SecondFactor: policy.SecondFactorRequired, Roles: []string{"admin"}}}, "app!", []string{"Yes, remove it"}, []string{"A second factor is required."}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, tc.audiences)
			d.mails()
			d.configure(tc.audiences)
			alice := d.add("alice@example.test")
			for _, name := range strings.Fields(tc.factors) {
				method, chosen := strings.CutSuffix(name, "!")
				d.has(alice, store.Method(method), !chosen)
			}
			b := d.signIn(alice, how{secondFactor: tc.factors != ""})
			r := b.get(answer.Factors).as(fmt.Sprint(tc.status)).says(tc.has...).not(tc.not...)
			account := b.get(answer.Account).as("200")
			if tc.status == 404 {
				account.not("second factor", "Second factor")
				return
			}
			account.has(`href="/auth-gateway/account/second-factor"`)
			if strings.Contains(r.body, "by e-mail") && strings.Contains(r.body, `name="begin"`) {
				r.has(`action="/auth-gateway/enroll"`, `name="method" value="email"`, `value="`+token+`"`)
			}
		})
	}
}

func TestRemoveFactor(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	d.mails()
	d.configure(audiences{"team": {}})
	alice, bob := d.add("alice@example.test"), d.add("bob@example.test")
	app, mail := d.has(alice, store.MethodApp, true), d.has(alice, store.MethodEmail, false)
	bobs := d.has(bob, store.MethodApp, false)
	b, other := d.signIn(alice, how{secondFactor: true}), d.signIn(alice, how{secondFactor: true})
	d.trusts(alice)
	before := d.state(alice, bob)
	for _, id := range []string{bobs, "x"} {
		b.post(answer.Factors, "remove", id).as(done(answer.Factors, pages.NoticeGone))
		b.post(answer.Factors, "prefer", id).as(done(answer.Factors, pages.NoticeGone))
	}
	b.post(answer.Factors).as("400")
	b.post(answer.Factors, "remove", app, "prefer", mail).as("400")
	if d.state(alice, bob) != before {
		t.Error("something was done")
	}
	b.post(answer.Factors, "remove", app).as(done(answer.Factors, pages.NoticeFactorRemoved))
	d.audited(alice, "second-factor.remove success: app")
	other.get(answer.Account).as("302 " + answer.SignInFor(answer.Account))
	b.get(answer.Factors + "?done=factor_removed").as("200").says("The second factor has been removed.")
	person := d.person(alice)
	if len(person.Factors) != 1 || !person.Factors[0].Preferred || person.RecoveryCodes != 9 || len(person.TrustedDevices) != 0 {
		t.Errorf("left: %+v", person)
	}
	if told := d.mail.Next(t, "alice@example.test"); !strings.Contains(told.Text, "192.0.2.7") {
		t.Errorf("told %q: %s", told.Subject, told.Text)
	}
	b.post(answer.Factors, "remove", mail).as(done(answer.Factors, pages.NoticeFactorRemoved))
	if person = d.person(alice); len(person.Factors) != 0 || person.RecoveryCodes != 0 {
		t.Errorf("left: %+v", person)
	}
	b.get(answer.Account).as("200")
}

// Where one is required the last one that counts stays, whatever is posted.
func TestRemoveWhatIsRequired(t *testing.T) {
	d := newDesk(t, audiences{"team": {}, "vault": {SecondFactor: policy.SecondFactorRequired, Passcode: []string{"app"}}})
	alice := d.add("alice@example.test")
	app, sms := d.has(alice, store.MethodApp, false), d.has(alice, store.MethodSMS, false)
	b := d.signIn(alice, how{secondFactor: true})
	before := d.state(alice)
	b.post(answer.Factors, "remove", app).as(done(answer.Factors, pages.NoticeStillRequired))
	if d.state(alice) != before {
		t.Error("something was done")
	}
	b.get(answer.Factors + "?done=still_required").as("200").says("so this one has to stay")
	b.post(answer.Factors, "remove", sms).as(done(answer.Factors, pages.NoticeFactorRemoved))
	b.get(answer.Account).as("200")
}

func TestPreferFactor(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	alice := d.add("alice@example.test")
	d.has(alice, store.MethodApp, true)
	mail := d.has(alice, store.MethodEmail, false)
	b, other := d.signIn(alice, how{secondFactor: true}), d.signIn(alice, how{secondFactor: true})
	b.post(answer.Factors, "prefer", mail).as(done(answer.Factors, pages.NoticeFactorPreferred))
	d.audited(alice, "second-factor.prefer success: email")
	other.get(answer.Account).as("200") // nothing ends
	for _, f := range d.person(alice).Factors {
		if f.Preferred != (f.ID == mail) {
			t.Errorf("%+v", f)
		}
	}
}

// Somebody whose factor was required once may go on being asked for it; where
// none is offered there is nothing to turn on.
func TestKeepFactors(t *testing.T) {
	optional, off := audiences{"team": {}}, audiences{"team": {SecondFactor: policy.Off}}
	d := newDesk(t, off)
	alice := d.add("alice@example.test")
	d.has(alice, store.MethodApp, true)
	b := d.signIn(alice, how{secondFactor: true})
	b.post(answer.Factors, "keep", "1").as(done(answer.Factors, pages.NoticeGone))
	d.configure(optional)
	b = d.signIn(alice, how{secondFactor: true})
	without := d.signIn(alice, how{})
	without.get(answer.Account).as("200") // not asked
	b.post(answer.Factors, "keep", "1").as(done(answer.Factors, pages.NoticeFactorsKept))
	d.audited(alice, "second-factor.keep success: ")
	b.get(answer.Factors).as("200").not("Ask me at every sign-in", "not asked for one")
	without.get(answer.Account).as("302 " + answer.SignInFor(answer.Account)) // asked from now on
	b.post(answer.Factors, "keep", "1").as(done(answer.Factors, pages.NoticeGone))
}

var shownCode = regexp.MustCompile(`<li>([a-z2-7-]{19})</li>`)

func TestRecoveryCodes(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	d.mails()
	d.configure(audiences{"team": {}})
	alice := d.add("alice@example.test")
	d.has(alice, store.MethodApp, false)
	b, other := d.signIn(alice, how{secondFactor: true}), d.signIn(alice, how{secondFactor: true})
	r := b.post(codesAddress).as("200").has(`id="recovery-codes"`, `href="/auth-gateway/account/second-factor"`).lacks("hreflang")
	d.audited(alice, "recovery-codes.make success: ")
	codes := shownCode.FindAllStringSubmatch(r.body, -1)
	if len(codes) != 10 || d.person(alice).RecoveryCodes != 10 {
		t.Fatalf("%d codes are shown, %d are left", len(codes), d.person(alice).RecoveryCodes)
	}
	other.get(answer.Account).as("302 " + answer.SignInFor(answer.Account))
	b.get(answer.Factors).as("200").says("10 codes left").not(codes[0][1])
	if told := d.mail.Next(t, "alice@example.test"); strings.Contains(told.Text, codes[0][1]) || !strings.Contains(told.Text, "192.0.2.7") {
		t.Errorf("told %q: %s", told.Subject, told.Text)
	}
	err := d.people.CheckPasscode(t.Context(), account.Asked{AccountID: alice.ID}, codes[3][1], account.From{}, func(store.Tx, string) error { return nil })
	if err != nil {
		t.Errorf("a new code: %v", err)
	}

	bob := d.add("bob@example.test")
	d.signIn(bob, how{}).post(codesAddress).as(done(answer.Factors, pages.NoticeGone))
	if n := d.person(bob).RecoveryCodes; n != 0 {
		t.Errorf("%d codes without a second factor", n)
	}
}
