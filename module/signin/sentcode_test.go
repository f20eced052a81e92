package signin_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver/delivertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// wide is a code as a Japanese keyboard types it, with a space in the middle.
func wide(code string) string {
	return strings.Map(func(digit rune) rune { return digit - '0' + '０' }, code[:3]) + "\u3000" + code[3:]
}

func (b *browser) sendAgain(flow, method string) *reply {
	b.Helper()
	return b.post(answer.Passcode, "flow", flow, "method", method)
}

func TestPasscodeByMail(t *testing.T) {
	s, alice := withMail(t)
	b := s.browser()
	flow := b.begin("/a")
	code := s.mailed()
	b.get(answer.Passcode + "?flow=" + flow).as("200").says("a***@example.test")
	b.is("")
	b.passcode(flow, other(code)).as("401")
	s.audited("passcode failure passcode email: wrong or used passcode")
	b.passcode(flow, wide(code)).as("303 /a")
	s.audited("sign-in success password and passcode email")
	b.is("alice@example.test")
	if found := s.sessions(alice); len(found) != 1 || found[0].SecondFactor != store.MethodEmail || found[0].Trusted {
		t.Errorf("sessions: %+v", found)
	}

	again := s.browser()
	flow = again.begin("/")
	next := s.mailed()
	again.passcode(flow, code).as("401").says("not right")
	again.passcode(flow, next).as("303 /")
	// Back, and once more.
	again.passcode(flow, next).as("303 " + answer.SignIn)
	again.get(answer.SignIn).as("302 /")
}

func TestPasscodeByTextMessage(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.newSenders()
	s.configure(audiences{"team": {SecondFactor: "required", Passcode: []string{"sms"}}})
	alice := s.add("alice@example.test", password)
	s.receives(alice, store.MethodSMS, phone, true)
	b := s.browser()
	flow := b.begin("/a")
	code, to := s.texted()
	if to != phone {
		t.Errorf("it went to %s", to)
	}
	page := b.get(answer.Passcode + "?flow=" + flow).as("200").says("+81 *** 78")
	if strings.Contains(page.body, phone) {
		t.Error("the page tells the whole number")
	}
	b.passcode(flow, code).as("303 /a")
	s.audited("sign-in success password and passcode sms")
}

// A code counts in the flow and the browser that asked for it, for ten minutes,
// and is guessed at five times.
func TestMailedCodeElsewhere(t *testing.T) {
	s, _ := withMail(t)
	b, thief := s.browser(), s.browser()
	flow := b.begin("/")
	code := s.mailed()
	theirs := thief.begin("/")
	s.mailed()
	thief.passcode(theirs, code).as("401")
	thief.passcode(flow, code).as("303 " + ended)
	thief.is("")

	for i := range 5 {
		r := b.passcode(flow, other(code)).as("401")
		if (i < 4) == strings.Contains(text(r.body), "no longer works") {
			t.Errorf("after %d wrong ones: %s", i+1, text(r.body))
		}
	}
	b.passcode(flow, code).as("401").says("no longer works")
	b.is("")
	s.pass(time.Minute)
	b.sendAgain(flow, "email").as("303 " + answer.Passcode + "?flow=" + flow + "&method=email")
	late := s.mailed()
	s.pass(10 * time.Minute)
	// The flow outlasts the code by the second that sending took.
	if r := b.passcode(flow, late); r.status == http.StatusSeeOther && r.location == "/" {
		t.Error("a code counts after ten minutes")
	}
	b.is("")
}

// Asking for another code is possible, limited, and clears nothing.
func TestSendingAgain(t *testing.T) {
	s, _ := withMail(t)
	b := s.browser()
	flow := b.begin("/")
	first := s.mailed()
	for range 3 {
		b.passcode(flow, other(first)).as("401")
	}
	r := b.sendAgain(flow, "email").as("429").says("seconds")
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.audited("passcode.send refused email: held off")
	s.pass(30 * time.Second)
	b.sendAgain(flow, "email").as("303 " + answer.Passcode + "?flow=" + flow + "&method=email")
	second := s.mailed()
	b.passcode(flow, first).as("401")
	b.passcode(flow, other(second)).as("401").says("no longer works") // five in all
	b.passcode(flow, second).as("401")
	for range 3 {
		s.pass(30 * time.Second)
		b.sendAgain(flow, "email").as("303 " + answer.Passcode + "?flow=" + flow + "&method=email")
		s.mailed()
	}
	s.pass(time.Minute)
	b.sendAgain(flow, "email").as("429").says("No more")
	b.get(answer.Passcode + "?flow=" + flow).as("200").says("No more")

	// A new flow has codes of its own, but wrong guesses add up.
	b = s.browser()
	flow = b.begin("/")
	b.passcode(flow, s.mailed()).as("303 /")
}

// A code that is sent again keeps its flow alive, and the cookie too.
func TestSendingAgainTakesTime(t *testing.T) {
	s, _ := withMail(t)
	b := s.browser()
	flow := b.begin("/")
	s.mailed()
	for range 3 {
		s.pass(9 * time.Minute)
		b.sendAgain(flow, "email").as("303 " + answer.Passcode + "?flow=" + flow + "&method=email")
	}
	s.mailed()
	s.mailed()
	code := s.mailed()
	s.pass(2 * time.Minute)
	b.passcode(flow, code).as("303 /")

	flow = s.browser().begin("/")
	s.pass(10 * time.Minute)
	s.browser().sendAgain(flow, "email").as("303 " + ended)
}

func TestAnotherWay(t *testing.T) {
	s, alice := withMail(t, store.MethodSMS)
	app, recovery := s.enroll(alice, true)
	_ = recovery // none are made while others are left
	b := s.browser()
	flow := b.begin("/a")
	mailed := s.mailed()
	b.get(answer.Passcode + "?flow=" + flow).says("Get a passcode by SMS").says("authenticator app")
	b.sendAgain(flow, "app").as("303 " + answer.Passcode + "?flow=" + flow + "&method=app")
	b.get(answer.Passcode + "?flow=" + flow + "&method=app").says("authenticator app shows")
	b.post(answer.Passcode, "flow", flow, "method", "app", "passcode", "").as("401").says("Enter the passcode")
	b.sendAgain(flow, "sms").as("303 " + answer.Passcode + "?flow=" + flow + "&method=sms")
	code, _ := s.texted()
	b.passcode(flow, mailed).as("401") // the message took its place
	b.passcode(flow, code).as("303 /a")

	flow = s.browser().begin("/a")
	for _, method := range []string{"pigeon", "recovery", ""} {
		if r := b.post(answer.Passcode, "flow", flow, "method", method, "passcode", ""); r.status == http.StatusOK {
			t.Errorf("method %q: %d", method, r.status)
		}
	}
	b = s.browser()
	flow = b.begin("/a")
	b.post(answer.Passcode, "flow", flow, "method", "pigeon").as("400")
	b.passcode(flow, app.code()).as("303 /a")
}

// What cannot be delivered is told, and does not hold the page; another way
// works meanwhile.
func TestCodeCannotBeDelivered(t *testing.T) {
	for _, tc := range []struct {
		name string
		fail func(*senders)
	}{
		{"the server refuses for now", func(s *senders) { s.mail.Fail(delivertest.Recipient, delivertest.Answer(451)) }},
		{"the server refuses", func(s *senders) { s.mail.Fail(delivertest.Data, delivertest.Answer(554)) }},
		{"the server hangs up", func(s *senders) { s.mail.Fail(delivertest.Connect, delivertest.Answer(421)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _ := withMail(t, store.MethodSMS)
			tc.fail(s.senders)
			b := s.browser()
			flow := b.begin("/")
			b.get(answer.Passcode + "?flow=" + flow).as("200").says("could not be delivered")
			b.sendAgain(flow, "sms")
			code, _ := s.texted()
			b.passcode(flow, code).as("303 /")
		})
	}
	t.Run("the server hangs", func(t *testing.T) {
		s, _ := withMail(t)
		s.senders.mail.Fail(delivertest.Hello, s.senders.mail.Hang)
		b := s.browser()
		flow := b.begin("/") // is answered, although nothing has been sent
		b.get(answer.Passcode + "?flow=" + flow).as("200").says("a***@example.test")
	})
	for _, status := range []int64{http.StatusInternalServerError, http.StatusFound, http.StatusUnauthorized} {
		t.Run(http.StatusText(int(status)), func(t *testing.T) {
			s := newSite(t, audiences{"team": {}}, nil)
			s.newSenders().refuse.Store(status)
			s.configure(audiences{"team": {SecondFactor: "required", Passcode: []string{"sms"}}})
			s.receives(s.add("alice@example.test", password), store.MethodSMS, phone, true)
			b := s.browser()
			flow := b.begin("/")
			b.get(answer.Passcode + "?flow=" + flow).as("200").says("could not be delivered")
		})
	}
}

// What could not be delivered at first does not arrive when another code has
// taken its place, or nobody waits for one any more.
func TestLateCodes(t *testing.T) {
	s, _ := withMail(t, store.MethodSMS)
	s.senders.mail.Fail(delivertest.Recipient, delivertest.Answer(451))
	b := s.browser()
	flow := b.begin("/")
	b.get(answer.Passcode + "?flow=" + flow).as("200").says("could not be delivered")
	b.sendAgain(flow, "sms").as("303 " + answer.Passcode + "?flow=" + flow + "&method=sms")
	code, _ := s.texted()
	s.senders.mail.Fail(delivertest.Recipient, nil)
	b.passcode(flow, code).as("303 /")

	// The next letter that arrives is the next flow's.
	again := s.browser()
	flow = again.begin("/")
	mailed := s.mailed()
	again.passcode(flow, mailed).as("303 /")
	if late := s.senders.mail.Letters(); len(late) != 0 {
		t.Errorf("%d letters more", len(late))
	}
}

// Somebody whose only way is gone is told so, and a recovery code lets them in.
func TestSenderGone(t *testing.T) {
	s, alice := withMail(t)
	_, codes := s.enroll(alice, true)
	s.must(s.store.Update(t.Context(), func(tx store.Tx) error {
		factors, err := tx.Factors(alice.ID)
		for _, f := range factors {
			if f.Method == store.MethodApp {
				err = tx.DeleteFactor(alice.ID, f.ID)
			}
		}
		return err
	}))
	s.senders = nil
	s.configure(audiences{"team": {SecondFactor: "required"}})
	b := s.browser()
	flow := b.begin("/")
	b.get(answer.Passcode + "?flow=" + flow).as("200").says("recovery code")
	b.post(answer.Passcode, "flow", flow, "method", "email").as("400")
	b.passcode(flow, codes[0])
	if found := s.sessions(alice); len(found) != 1 || found[0].SecondFactor != store.MethodRecovery {
		t.Errorf("sessions: %+v", found)
	}
}

// One code, tried fifty times at once, lets one in.
func TestOneWinnerOfAMailedCode(t *testing.T) {
	s, alice := withMail(t)
	b := s.browser()
	flow := b.begin("/")
	code := s.mailed()
	var in atomic.Int64
	atOnce(50, func(int) {
		if r := b.copy().passcode(flow, code); r.status == http.StatusSeeOther && r.location == "/" {
			in.Add(1)
		}
	})
	if in.Load() != 1 || len(s.sessions(alice)) != 1 {
		t.Errorf("%d got in, %d sessions", in.Load(), len(s.sessions(alice)))
	}
}

// A GET sends nothing: whoever is to step up asks for the code.
func TestStepUpByMail(t *testing.T) {
	s := newSite(t, audiences{}, map[string]string{"/": "customers", "/vault": "vault"})
	s.newSenders()
	s.configure(audiences{"customers": {}, "vault": {SecondFactor: "required", Passcode: []string{"email"}}})
	alice := s.add("alice@example.test", password)
	s.receives(alice, store.MethodEmail, "", true)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	flow := b.get(signInFor("/vault/1")).flow()
	b.get(answer.Passcode + "?flow=" + flow).as("200").says("Send")
	if s.counted("passcode.send success") != 0 {
		t.Error("a GET had a code sent")
	}
	b.sendAgain(flow, "email").as("303 " + answer.Passcode + "?flow=" + flow + "&method=email")
	b.passcode(flow, s.mailed()).as("303 /vault/1")
}
