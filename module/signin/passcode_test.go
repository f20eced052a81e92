package signin_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	ended         = answer.SignIn + "?ended=1"
	wrongPasscode = "passcode failure passcode app: wrong or used passcode"
)

// withFactor is a site with somebody who has an authenticator app.
func withFactor(t *testing.T) (s *site, alice store.Account, app app, recovery []string) {
	s = newSite(t, audiences{"team": {SecondFactor: "required"}}, nil)
	alice = s.add("alice@example.test", password)
	app, recovery = s.enroll(alice, true)
	return s, alice, app, recovery
}

func (b *browser) begin(returnTo string) (flow string) {
	b.Helper()
	return b.signIn("alice@example.test", password, returnTo).flow()
}

func (b *browser) passcode(flow, code string) *reply {
	b.Helper()
	return b.post(answer.Passcode, "flow", flow, "passcode", code)
}

func TestPasscode(t *testing.T) {
	s, alice, app, _ := withFactor(t)
	b := s.browser()
	flow := b.begin("/a")
	b.is("")
	b.get(answer.Passcode + "?flow=" + flow).as("200")
	b.passcode(flow, "").as("401")
	b.passcode(flow, strings.Repeat("1", 200)).as("401")
	if s.counted("passcode failure") != 0 {
		t.Error("what was not even tried is in the audit trail")
	}
	code := app.code()
	b.passcode(flow, other(code)).as("401")
	s.audited(wrongPasscode)
	b.is("")
	b.passcode(flow, code).as("303 /a")
	s.audited("sign-in success password and passcode app")
	b.is("alice@example.test")
	if sessions := s.sessions(alice); len(sessions) != 1 || sessions[0].SecondFactorAt.IsZero() {
		t.Errorf("sessions: %+v", sessions)
	}

	// A code counts once, in whichever flow.
	again := s.browser()
	flow = again.begin("/")
	again.passcode(flow, code).as("401")
	again.is("")
}

// other is a code that the app does not show.
func other(code string) string {
	return strings.Map(func(digit rune) rune { return '0' + (digit-'0'+5)%10 }, code)
}

// What stands for a flow is the cookie of the browser that began it, and the
// row in the store: neither alone, nor another's.
func TestFlows(t *testing.T) {
	for _, tc := range []struct {
		name string
		with func(s *site, b *browser, flow string) (*browser, string)
		in   bool
	}{
		{"the newest when none is named", func(_ *site, b *browser, _ string) (*browser, string) { return b, "" }, true},
		{"one that never was", func(_ *site, b *browser, _ string) (*browser, string) { return b, "AAAAAAAAAAAAAAAA" }, false},
		{"in another browser", func(s *site, _ *browser, flow string) (*browser, string) { return s.browser(), flow }, false},
		{"under another name", func(s *site, b *browser, flow string) (*browser, string) {
			b.cookies["__Host-auth_gateway_flow_other"] = b.cookies["__Host-auth_gateway_flow_"+flow]
			return b, "other"
		}, false},
		{"ten minutes later", func(s *site, b *browser, flow string) (*browser, string) {
			s.pass(10 * time.Minute)
			return b, flow
		}, false},
		{"suspended meanwhile", func(s *site, b *browser, flow string) (*browser, string) {
			alice, err := s.people.Find(s.Context(), "alice@example.test")
			s.must(err)
			s.must(s.people.Suspend(s.Context(), alice.ID, nil))
			s.must(s.people.Resume(s.Context(), alice.ID, nil))
			return b, flow
		}, false},
		{"removed meanwhile", func(s *site, b *browser, flow string) (*browser, string) {
			alice, err := s.people.Find(s.Context(), "alice@example.test")
			s.must(err)
			s.must(s.people.Remove(s.Context(), alice.ID, nil))
			return b, flow
		}, false},
		{"the password changed meanwhile", func(s *site, b *browser, flow string) (*browser, string) {
			s.reset("alice@example.test", "another right long one")
			return b, flow
		}, false},
		{"signed out meanwhile, the cookies restored", func(s *site, b *browser, flow string) (*browser, string) {
			kept := b.copy()
			b.post(answer.SignOut).as("303 " + answer.SignOut)
			return kept, flow
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, alice, app, _ := withFactor(t)
			first := s.browser()
			b, flow := tc.with(s, first, first.begin("/a"))
			r := b.passcode(flow, app.code())
			if tc.in {
				r.as("303 /a")
				return
			}
			r.as("303 " + ended)
			b.is("")
			if n := len(s.sessions(alice)); n != 0 {
				t.Errorf("%d sessions", n)
			}
			b.get(ended).as("200").says("took too long")
		})
	}
}

func (s *site) reset(email, password string) {
	s.Helper()
	found, err := s.people.Find(s.Context(), email)
	s.must(err)
	token, _, err := s.people.IssueLink(s.Context(), found.ID, store.PurposeReset, nil)
	s.must(err)
	s.hide(token, "token")
	s.browser().post(answer.Reset, "token", token, "password", password).as("200")
}

// Two tabs are two flows; when one has signed in the other goes on by itself.
func TestTwoTabs(t *testing.T) {
	s, alice, app, _ := withFactor(t)
	b := s.browser()
	one, two := b.begin("/one"), b.begin("/two")
	b.passcode(one, app.code()).as("303 /one")
	// Back, and once more: on to where that sign-in has led.
	b.get(answer.Passcode + "?flow=" + one).as("302 " + signInFor("/one"))
	b.passcode(one, "000000").as("303 " + signInFor("/one"))
	b.get(signInFor("/one")).as("302 /one")
	s.browser().get(answer.Passcode + "?flow=" + one).as("302 " + ended) // nobody else hears of it
	b.passcode(two, app.code()).as("303 /two")
	b.is("alice@example.test")
	if n := len(s.sessions(alice)); n != 1 {
		t.Errorf("%d sessions, the second tab's has not taken the place of the first's", n)
	}
}

func keys(m map[string]string) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// Fifty requests with one right code: one session, one sign-in.
func TestOneCodeFiftyTimes(t *testing.T) {
	s, alice, app, _ := withFactor(t)
	b := s.browser()
	flow, code := b.begin("/"), app.code()
	var in atomic.Int32
	atOnce(50, func(int) {
		if r := b.copy().passcode(flow, code); r.location == "/" {
			in.Add(1)
		}
	})
	if n := len(s.sessions(alice)); in.Load() != 1 || n != 1 || s.counted("sign-in success") != 1 {
		t.Errorf("%d got in, %d sessions, %d in the audit trail, want 1 of each", in.Load(), n, s.counted("sign-in success"))
	}
}

func TestPasscodesAreHeldOff(t *testing.T) {
	s, _, app, _ := withFactor(t)
	b := s.browser()
	flow, code := b.begin("/"), app.code()
	for range 10 {
		b.passcode(flow, other(code)).as("401")
	}
	if r := b.passcode(flow, code).as("429"); r.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After: %q, want 30", r.header.Get("Retry-After"))
	}
	s.audited("passcode refused passcode app: held off")
	// The right password forgives nothing of the passcode, nor does a reset.
	b.passcode(b.begin("/"), code).as("429")
	s.reset("alice@example.test", "another right long one")
	flow = b.signIn("alice@example.test", "another right long one", "/").flow()
	b.passcode(flow, code).as("429")
	b.is("")
	b.passcode(flow, app.code()).as("303 /") // half a minute later
}

func TestRecoveryCode(t *testing.T) {
	s, alice, _, recovery := withFactor(t)
	b := s.browser()
	typed := strings.ToUpper(strings.ReplaceAll(recovery[3], "-", " "))
	s.hide(typed, "recovery code")
	b.passcode(b.begin("/a"), typed).as("303 /a")
	s.audited("sign-in success password and passcode recovery")
	again := s.browser()
	flow := again.begin("/")
	again.passcode(flow, recovery[3]).as("401").says("recovery code")
	again.is("")
	for _, mistyped := range []string{recovery[4] + "x", "123456"} {
		again.post(answer.Passcode, "flow", flow, "recovery", "1", "passcode", mistyped).as("401").says("That recovery code is not right")
	}
	again.post(answer.Passcode, "flow", flow, "recovery", "1", "passcode", "").as("401").says("Enter a recovery code")
	person, err := s.people.Show(t.Context(), alice.ID)
	s.must(err)
	if person.RecoveryCodes != 9 {
		t.Errorf("%d recovery codes left, want 9", person.RecoveryCodes)
	}
}

// A store that fails as the code is used up neither lets in nor loses the code.
func TestStoreFaultAtThePasscode(t *testing.T) {
	s, alice, app, _ := withFactor(t)
	b := s.browser()
	flow, code := b.begin("/"), app.code()
	s.breaks(func(op string) error {
		if op == "commit" {
			return errDisk
		}
		return nil
	})
	b.passcode(flow, code).as("503")
	s.breaks(nil)
	if len(s.sessions(alice)) != 0 {
		t.Error("there is a session")
	}
	b.passcode(flow, code).as("303 /")
}

func withoutFactor(t *testing.T) (*site, store.Account, *browser, string) {
	s := newSite(t, audiences{"team": {SecondFactor: "required"}}, nil)
	alice := s.add("alice@example.test", password)
	b := s.browser()
	return s, alice, b, b.begin("/a")
}

func TestWizard(t *testing.T) {
	s, alice, b, flow := withoutFactor(t)
	page := b.get(answer.Enroll + "?flow=" + flow).as("200")
	key := page.key()
	b.is("")

	// Left and resumed: the same key, on the phone already.
	if resumed := b.get(answer.Enroll).as("200").key(); resumed != key {
		t.Error("the key is another one after coming back")
	}
	app := s.app(key)
	page = b.post(answer.Enroll, "flow", flow, "passcode", other(app.code())).as("401")
	if page.key() != key {
		t.Error("the key is another one after a wrong code")
	}
	s.audited(wrongPasscode)
	b.post(answer.Enroll, "flow", flow, "method", "sms", "passcode", app.code()).as("400")
	b.passcode(flow, app.code()).as("303 " + ended) // the step cannot be left out
	b.is("")

	done := b.post(answer.Enroll, "flow", flow, "method", "app", "passcode", app.code()).as("200")
	if n := len(done.codes()); n != 10 {
		t.Fatalf("%d recovery codes, want 10", n)
	}
	if !strings.Contains(done.body, `href="/a"`) {
		t.Error("the page does not lead on")
	}
	s.audited("sign-in success password and new second factor app")
	if s.counted("second-factor.enroll success") != 1 {
		t.Error("the new second factor is not in the audit trail")
	}
	b.is("alice@example.test")

	b.get(answer.Enroll + "?flow=" + flow).as("302 " + signInFor("/a")) // the codes are shown once
	next := s.browser()
	next.passcode(next.begin("/"), app.code()).as("303 /")
	if n := len(s.sessions(alice)); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
}

func TestWizardFinishedTwiceAtOnce(t *testing.T) {
	s, alice, b, flow := withoutFactor(t)
	code := s.app(b.get(answer.Enroll + "?flow=" + flow).key()).code()
	var shown atomic.Int32
	atOnce(20, func(int) {
		if len(b.copy().post(answer.Enroll, "flow", flow, "passcode", code).codes()) > 0 {
			shown.Add(1)
		}
	})
	person, err := s.people.Show(t.Context(), alice.ID)
	s.must(err)
	if shown.Load() != 1 || len(person.Factors) != 1 || len(person.Sessions) != 1 || person.RecoveryCodes != 10 {
		t.Errorf("codes shown %d times, %d factors, %d sessions, %d codes", shown.Load(), len(person.Factors), len(person.Sessions), person.RecoveryCodes)
	}
}

// Two tabs each have a key of their own; only one of them becomes the factor.
func TestWizardInTwoTabs(t *testing.T) {
	s, alice, b, one := withoutFactor(t)
	two := b.begin("/b")
	first, second := s.app(b.get(answer.Enroll+"?flow="+one).key()), s.app(b.get(answer.Enroll+"?flow="+two).key())
	if first.key == second.key {
		t.Error("both have the same key")
	}
	b.post(answer.Enroll, "flow", one, "passcode", first.code()).as("200")
	b.post(answer.Enroll, "flow", two, "passcode", second.code()).as("303 " + ended)
	person, err := s.people.Show(t.Context(), alice.ID)
	s.must(err)
	if len(person.Factors) != 1 {
		t.Errorf("%d factors", len(person.Factors))
	}
}

// The codes are shown even if the way on cannot be made.
func TestWizardAndAPasswordToChange(t *testing.T) {
	s := newSite(t, audiences{"team": {SecondFactor: "required"}, "open": {}}, map[string]string{"/": "team", "/open": "open"})
	alice := s.add("alice@example.test", "8 whiskers")
	b := s.browser()
	flow := b.signIn("alice@example.test", "8 whiskers", "/").flow()
	code := s.app(b.get(answer.Enroll + "?flow=" + flow).key()).code()
	commits := 0
	s.breaks(func(op string) error {
		if op != "commit" {
			return nil
		}
		if commits++; commits > 1 {
			return errDisk
		}
		return nil
	})
	page := b.post(answer.Enroll, "flow", flow, "passcode", code).as("200")
	s.breaks(nil)
	if len(page.codes()) != 10 {
		t.Error("the recovery codes are lost")
	}
	b.is("")
	if s.counted("sign-in success") != 0 || len(s.sessions(alice)) != 0 {
		t.Error("it counts as a sign-in")
	}
}
