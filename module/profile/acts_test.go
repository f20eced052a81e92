package profile_test

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func TestAccountPage(t *testing.T) {
	d := newDesk(t, audiences{"team": {SSO: []string{"okta", "gone"}}})
	alice := d.add("alice@example.test")
	d.has(alice, store.MethodSMS, true)
	device := d.trusts(alice)
	d.links(alice, "okta")
	d.links(alice, "elsewhere")
	other := d.signIn(alice, how{secondFactor: true})
	d.pass(time.Hour)
	b := d.signIn(alice, how{sso: "okta"})
	r := b.get(answer.Account).as("200")
	r.says("<Somebody>", "alice@example.test", "With Our company", "Passcode by SMS", "+49 *** 67", "9 codes left", "Firefox on Windows",
		"From 203.0.113.7", "From 203.0.113.8", "This one", "elsewhere", "Sign out everywhere else")
	r.has(`value="`+other.id+`"`, `value="`+device+`"`, `value="`+token+`"`, `<time datetime="`)
	r.lacks("<Somebody>", `value="`+b.id+`"`, "/account/name", "1701234567", "sealed")
}

// Who has more sessions than a page can hold sees the newest, and may end all.
func TestManySessions(t *testing.T) {
	d := newDesk(t, audiences{"team": {IdleTimeout: 3.6e12}})
	alice := d.add("alice@example.test")
	b := d.signIn(alice, how{})
	begin := func(n int) {
		d.change(func(tx store.Tx) error {
			for range n {
				_, id := secret.NewToken()
				err := tx.CreateSession(store.Session{
					ID: id, AccountID: alice.ID, Audience: "team", SignedInAt: d.Now(), CreatedAt: d.Now(), SeenAt: d.Now(),
					IdleTimeout: time.Hour, ExpiresAt: d.Now().Add(24 * time.Hour), Browser: strings.Repeat("M", 256), Address: "203.0.113.7",
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	begin(40)
	d.pass(50 * time.Minute)
	b.get(answer.Account).as("200")
	d.pass(20 * time.Minute)
	b.get(answer.Account).as("200").not("Sign out everywhere else") // the others have been left alone for too long
	begin(100)
	r := b.get(answer.Account).as("200").says("71 older ones are not shown.", "This one")
	if ends := strings.Count(r.body, `name="end"`); ends != 30 { // all but this one, and one for all others
		t.Errorf("%d sessions can be ended", ends)
	}
	if len(r.body) > 40_000 {
		t.Errorf("the page has %d bytes", len(r.body))
	}
	b.post(sessionsAddress, "end", "others").as(done(answer.Account, pages.NoticeOthersEnded))
	d.audited(alice, "session.revoke success: all others")
	if left := d.person(alice).Sessions; len(left) != 1 || hex.EncodeToString(left[0].ID) != b.id {
		t.Errorf("%d sessions are left", len(left))
	}
	b.get(answer.Account).as("200")
}

func TestEndSession(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	alice, bob := d.add("alice@example.test"), d.add("bob@example.test")
	b, other, bobs := d.signIn(alice, how{}), d.signIn(alice, how{}), d.signIn(bob, how{})
	other.get(answer.Account).as("200")
	before := d.state(alice, bob)
	for _, id := range []string{bobs.id, strings.Repeat("00", 32), "00"} {
		b.post(sessionsAddress, "end", id).as(done(answer.Account, pages.NoticeGone))
	}
	for _, id := range []string{"", "x", "' OR 1=1 --", "OTHERS"} {
		b.post(sessionsAddress, "end", id).as("400")
	}
	if d.state(alice, bob) != before {
		t.Error("something was done")
	}
	b.post(sessionsAddress, "end", other.id).as(done(answer.Account, pages.NoticeSessionEnded))
	d.audited(alice, "session.revoke success: one session")
	other.get(answer.Account).as("302 " + answer.SignInFor(answer.Account))
	b.post(sessionsAddress, "end", other.id).as(done(answer.Account, pages.NoticeGone))
	b.post(sessionsAddress, "end", b.id).as(done(answer.Account, pages.NoticeSessionEnded)) // one's own, too
	b.get(answer.Account).as("302 " + answer.SignInFor(answer.Account))
	bobs.get(answer.Account).as("200")
}

func TestForgetDevice(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	alice, bob := d.add("alice@example.test"), d.add("bob@example.test")
	b, device, bobs := d.signIn(alice, how{}), d.trusts(alice), d.trusts(bob)
	b.post(devicesAddress, "forget", bobs).as(done(answer.Account, pages.NoticeGone))
	b.post(devicesAddress, "forget", "x").as("400")
	b.post(devicesAddress, "forget", device).as(done(answer.Account, pages.NoticeForgotten))
	d.audited(alice, "device.forget success: ")
	if n := len(d.person(alice).TrustedDevices); n != 0 || len(d.person(bob).TrustedDevices) != 1 {
		t.Errorf("%d are left", n)
	}
}

func TestName(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	alice := d.add("alice@example.test")
	b := d.signIn(alice, how{})
	d.pass(time.Hour) // needs no fresh sign-in
	b.get(nameAddress).as("200").has(`value="&lt;Somebody&gt;"`, `value="`+token+`"`)
	b.post(nameAddress, "name", "a\x07b").as("422").says("This name cannot be used.")
	b.post(nameAddress, "name", strings.Repeat("x", 257)).as("422")
	b.post(nameAddress).as("400")
	b.post(nameAddress, "name", " アリス ").as(done(answer.Account, pages.NoticeName))
	d.audited(alice, "name.change success: ")
	b.get(answer.Account+"?done=name").as("200").says("アリス", "Your name has been changed.")
	d.links(alice, "okta")
	b.get(nameAddress).as("404")
	b.post(nameAddress, "name", "Somebody Else").as("404")
	if name := d.person(alice).Attributes.Name; name != "アリス" {
		t.Errorf("called %q", name)
	}
}

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
			want := "404"
			if tc.how.sso != "" {
				want = "303 " + again(passwordAddress)
			}
			b.post(passwordAddress, "password", another).as(want)
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

// Of fifty at once one is done; the others say that they were not.
func TestAtOnce(t *testing.T) {
	for _, name := range []string{"password", "session", "device", "remove", "codes"} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, audiences{"team": {}})
			alice := d.add("alice@example.test")
			form := acts(d, alice)[name]
			b := d.signIn(alice, how{secondFactor: true})
			b.get(answer.Account).as("200")
			epoch := d.person(alice).Epoch
			replies := make([]*reply, 50)
			var all sync.WaitGroup
			start := make(chan struct{})
			for i := range replies {
				all.Go(func() { <-start; replies[i] = b.post(form[0], form[1:]...) })
			}
			close(start)
			all.Wait()
			won := 0
			for _, r := range replies {
				switch {
				case r.status == 200 || r.status == 303 && !strings.HasSuffix(r.location, "=gone") && !strings.HasSuffix(r.location, "=meanwhile"):
					won++
				case r.status != 303 && r.status != 503: // so many passwords are hashed one after the other
					t.Errorf("answered %d", r.status)
				}
			}
			moved := d.person(alice).Epoch - epoch
			if _, ends := needFresh[name]; won != 1 && name != "codes" && name != "password" || ends && int64(won) != moved || won < 1 {
				t.Errorf("%d say that they did it, the epoch moved by %d", won, moved)
			}
			b.get(answer.Account).as("200")
		})
	}
}

func TestRoles(t *testing.T) {
	for role, want := range map[identity.Role]string{identity.EndUser: "User", identity.Agent: "Agent", identity.Admin: "Administrator"} {
		d := newDesk(t, audiences{"team": {}})
		made, err := d.people.Create(t.Context(), account.NewAccount{Email: "alice@example.test", Role: role, Password: password}, nil)
		d.must(err)
		d.signIn(made, how{}).get(answer.Account).as("200").says(want)
	}
}
