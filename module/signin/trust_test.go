package signin_test

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const month = caddy.Duration(30 * 24 * time.Hour)

// trusting is a site where browsers can be trusted, and somebody who has signed
// in with one and said so.
func trusting(t *testing.T) (s *site, alice store.Account, app app, b *browser) {
	s = newSite(t, audiences{"team": {SecondFactor: "required", TrustDevice: month}}, nil)
	alice = s.add("alice@example.test", password)
	app, _ = s.enroll(alice, true)
	b = s.browser()
	page := b.get(answer.Passcode + "?flow=" + b.begin("/"))
	page.says("30 days")
	b.post(answer.Passcode, "flow", page.field("flow"), "passcode", app.code(), "trust_device", "on").as("303 /")
	s.audited("sign-in success password and passcode app: this browser is trusted from now on")
	return s, alice, app, b
}

func (s *site) trusted(a store.Account) (devices []store.TrustedDevice) {
	s.Helper()
	s.must(s.store.View(s.Context(), func(tx store.Tx) (err error) {
		devices, err = tx.TrustedDevices(a.ID, s.Now())
		return err
	}))
	return devices
}

// F6: a browser that passed is not asked again for that long.
func TestTrustedBrowser(t *testing.T) {
	for _, tc := range []struct {
		name string
		with func(s *site, alice store.Account, b *browser) *browser
		asks bool
	}{
		{"the same browser", func(_ *site, _ store.Account, b *browser) *browser { return b }, false},
		{"signed out meanwhile", func(_ *site, _ store.Account, b *browser) *browser {
			b.post(answer.SignOut).as("303 " + answer.SignOut)
			return b
		}, false},
		{"a day before its time is over", func(s *site, _ store.Account, b *browser) *browser {
			s.pass(29 * 24 * time.Hour)
			return b
		}, false},
		{"another browser", func(s *site, _ store.Account, _ *browser) *browser { return s.browser() }, true},
		{"when its time is over", func(s *site, _ store.Account, b *browser) *browser {
			s.pass(30 * 24 * time.Hour)
			return b
		}, true},
		{"forgotten, though the cookie is there", func(s *site, alice store.Account, b *browser) *browser {
			s.must(s.store.Update(s.Context(), func(tx store.Tx) error {
				_, err := tx.ForgetDevice(alice.ID, s.trusted(alice)[0].ID)
				return err
			}))
			return b
		}, true},
		{"the password changed", func(s *site, _ store.Account, b *browser) *browser {
			s.must(s.people.SetPassword(s.Context(), s.find("alice@example.test").ID, password, longRules, nil))
			return b
		}, true},
		{"suspended and resumed", func(s *site, alice store.Account, b *browser) *browser {
			s.must(s.people.Suspend(s.Context(), alice.ID, nil))
			s.must(s.people.Resume(s.Context(), alice.ID, nil))
			return b
		}, true},
		{"a factor was added", func(s *site, alice store.Account, b *browser) *browser {
			s.must(s.store.Update(s.Context(), func(tx store.Tx) error { return tx.MoveEpoch(alice.ID, nil, s.Now()) }))
			return b
		}, true},
		{"the setting is off by now", func(s *site, _ store.Account, b *browser) *browser {
			s.configure(audiences{"team": {SecondFactor: "required"}})
			return b
		}, true},
		{"the setting is shorter by now", func(s *site, _ store.Account, b *browser) *browser {
			s.configure(audiences{"team": {SecondFactor: "required", TrustDevice: caddy.Duration(time.Hour)}})
			s.pass(time.Hour)
			return b
		}, true},
		{"the method does not count any more", func(s *site, alice store.Account, b *browser) *browser {
			s.newSenders()
			s.receives(alice, store.MethodEmail, "", true)
			s.configure(audiences{"team": {SecondFactor: "required", TrustDevice: month, Passcode: []string{"email"}}})
			return b
		}, true},
		{"somebody else's passcode in that browser", func(s *site, _ store.Account, b *browser) *browser {
			bob := s.add("bob@example.test", password)
			s.enroll(bob, true)
			b.signIn("bob@example.test", password, "/").flow()
			return b
		}, false}, // alice is not asked, bob was
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, alice, _, b := trusting(t)
			b = tc.with(s, alice, b)
			r := b.signIn("alice@example.test", password, "/a")
			if tc.asks {
				r.flow()
				return
			}
			r.as("303 /a")
			s.audited("sign-in success password, in a trusted browser")
			b.is("alice@example.test")
		})
	}
}

// What rests on trust opens only as long as trust is allowed.
func TestTrustIsTakenAway(t *testing.T) {
	s, alice, _, b := trusting(t)
	b.post(answer.SignOut)
	b.signIn("alice@example.test", password, "/").as("303 /")
	if found := s.sessions(alice); len(found) != 1 || !found[0].Trusted || found[0].SecondFactor != store.MethodApp {
		t.Fatalf("%+v", found)
	}
	b.get(signInFor("/a")).as("302 /a")
	s.configure(audiences{"team": {SecondFactor: "required"}})
	b.get(signInFor("/a")).flow()
}

// Nobody is trusted who did not say so, or where nobody is.
func TestNotTrusted(t *testing.T) {
	for name, tc := range map[string]struct {
		length caddy.Duration
		say    []string
	}{
		"not said":    {month, nil},
		"not allowed": {0, []string{"trust_device", "on"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, audiences{"team": {SecondFactor: "required", TrustDevice: tc.length}}, nil)
			alice := s.add("alice@example.test", password)
			app, _ := s.enroll(alice, true)
			b := s.browser()
			flow := b.begin("/")
			b.post(answer.Passcode, append([]string{"flow", flow, "passcode", app.code()}, tc.say...)...).as("303 /")
			if len(s.trusted(alice)) != 0 {
				t.Error("trusted")
			}
			b.begin("/") // asks
		})
	}
	t.Run("a wrong passcode", func(t *testing.T) {
		s := newSite(t, audiences{"team": {SecondFactor: "required", TrustDevice: month}}, nil)
		alice := s.add("alice@example.test", password)
		app, _ := s.enroll(alice, true)
		b := s.browser()
		flow := b.begin("/")
		b.post(answer.Passcode, "flow", flow, "passcode", other(app.code()), "trust_device", "on").as("401")
		if len(s.trusted(alice)) != 0 {
			t.Error("trusted")
		}
	})
}

// Stepping up is part of signing in: a trusted browser is not asked then either.
func TestTrustedBrowserStepsUp(t *testing.T) {
	s := newSite(t, audiences{"customers": {}, "vault": {SecondFactor: "required", TrustDevice: month}, "safe": {SecondFactor: "required"}},
		map[string]string{"/": "customers", "/vault": "vault", "/safe": "safe"})
	alice := s.add("alice@example.test", password)
	app, _ := s.enroll(alice, true)
	b := s.browser()
	flow := b.begin("/vault")
	b.post(answer.Passcode, "flow", flow, "passcode", app.code(), "trust_device", "on").as("303 /vault")
	b.post(answer.SignOut)
	b.signIn("alice@example.test", password, "/").as("303 /")
	b.get(signInFor("/vault")).as("302 /vault")
	b.get(signInFor("/safe")).flow() // where no browser is trusted
	if n := len(s.sessions(alice)); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// Whoever is to show again that it is them gives everything again.
func TestSignInAgain(t *testing.T) {
	s, alice, app, b := trusting(t)
	again := answer.SignInAgain(answer.Factors)
	b.get(again).as("302 " + answer.Factors) // a moment ago
	s.pass(6 * time.Minute)
	page := b.get(again).as("200").says("once more")
	if page.field("again") != "1" || page.field("email") != "alice@example.test" {
		t.Errorf("again=%q, email=%q", page.field("again"), page.field("email"))
	}
	b.post(answer.SignIn, "again", "1", "email", "alice@example.test", "password", "wrong", "return_to", answer.Factors).as("401").says("once more")
	flow := b.post(answer.SignIn, "again", "1", "email", "alice@example.test", "password", password, "return_to", answer.Factors).flow()
	before := s.sessions(alice)[0]
	b.passcode(flow, app.code()).as("303 " + answer.Factors)
	after := s.sessions(alice)
	if len(after) != 1 || string(after[0].ID) == string(before.ID) || after[0].Trusted {
		t.Errorf("before %+v, after %+v", before, after)
	}
	b.get(again).as("302 " + answer.Factors)

	// A trusted browser is one that somebody left open.
	s.pass(time.Hour)
	b.post(answer.SignOut)
	b.signIn("alice@example.test", password, "/").as("303 /")
	b.get(again).as("200")

	// Nobody is signed in: the same page, and the same questions.
	stranger := s.browser()
	stranger.get(again).as("200")
	stranger.post(answer.SignIn, "again", "1", "email", "alice@example.test", "password", password, "return_to", answer.Factors).flow()
}

// Who has a factor that is not asked for any more is asked all the same before
// changing it.
func TestSignInAgainWhereNothingIsRequired(t *testing.T) {
	s := newSite(t, audiences{"team": {SecondFactor: "off"}}, nil)
	alice := s.add("alice@example.test", password)
	app, _ := s.enroll(alice, true)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	b.get(answer.SignInAgain(answer.Factors)).as("200")
	flow := b.post(answer.SignIn, "again", "1", "email", "alice@example.test", "password", password, "return_to", answer.Factors).flow()
	b.passcode(flow, app.code()).as("303 " + answer.Factors)
	b.get(answer.SignInAgain(answer.Factors)).as("302 " + answer.Factors)
}
