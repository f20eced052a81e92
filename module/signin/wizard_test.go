package signin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// wizard is a site that requires a second factor of those methods, and somebody
// without one at its first step.
func wizard(t *testing.T, methods ...string) (s *site, alice store.Account, b *browser, flow string) {
	t.Helper()
	s = newSite(t, audiences{"team": {}}, nil)
	s.newSenders()
	s.configure(audiences{"team": {SecondFactor: "required", Passcode: methods}})
	alice = s.add("alice@example.test", password)
	b = s.browser()
	return s, alice, b, b.begin("/a")
}

func (s *site) factors(a store.Account) []store.Factor {
	s.Helper()
	person, err := s.people.Show(s.Context(), a.ID)
	s.must(err)
	return person.Factors
}

func (b *browser) enroll(pairs ...string) *reply {
	b.Helper()
	return b.post(answer.Enroll, pairs...)
}

func TestWizardByMail(t *testing.T) {
	s, alice, b, flow := wizard(t, "app", "email", "sms")
	// It begins with the first method that the operator names.
	b.get(answer.Enroll + "?flow=" + flow).as("200").key()
	address := answer.Enroll + "?flow=" + flow + "&method=email"
	b.enroll("flow", flow, "method", "email").as("303 " + address)
	code := s.mailed()
	b.get(address).as("200").says("a***@example.test")
	b.enroll("flow", flow, "method", "email", "passcode", "").as("401").says("Enter the passcode")
	b.enroll("flow", flow, "method", "email", "passcode", other(code)).as("401")
	b.is("")
	page := b.enroll("flow", flow, "method", "email", "passcode", wide(code)).as("200")
	if n := len(page.codes()); n != 10 {
		t.Errorf("%d recovery codes", n)
	}
	b.is("alice@example.test")
	s.audited("sign-in success password and new second factor email")
	if found := s.factors(alice); len(found) != 1 || found[0].Method != store.MethodEmail || !found[0].Required || !found[0].Preferred {
		t.Errorf("%+v", found)
	}
	// It is told by mail, and the next sign-in asks for it.
	if told := s.senders.mail.Next(t, "alice@example.test"); !strings.Contains(told.Text, "e-mail") || sixDigits.MatchString(told.Text) {
		t.Errorf("%s\n%s", told.Subject, told.Text)
	}
	again := s.browser()
	again.passcode(again.begin("/"), s.mailed()).as("303 /")
}

func TestWizardByTextMessage(t *testing.T) {
	s, alice, b, flow := wizard(t, "sms")
	b.get(answer.Enroll + "?flow=" + flow).as("200").says("Phone number")
	for _, typed := range []string{"090-1234-5678", "call me", "+0123456789", "+49 170 1234567 99 99 99"} {
		page := b.enroll("flow", flow, "method", "sms", "phone", typed).as("422").says("not a phone number")
		if page.field("phone") != typed {
			t.Errorf("%q is not kept: %q", typed, page.field("phone"))
		}
	}
	b.enroll("flow", flow, "method", "sms", "phone", "").as("422")
	b.enroll("flow", flow, "method", "sms", "phone", "＋８１　９０-1234-5678").as("303 " + answer.Enroll + "?flow=" + flow + "&method=sms")
	first, to := s.texted()
	if to != phone {
		t.Errorf("it went to %s", to)
	}
	// The number was wrong: another one takes its place, and its code.
	b.enroll("flow", flow, "method", "sms").as("200").says("Phone number")
	b.enroll("flow", flow, "method", "sms", "phone", "+44 7700 900123").as("303 " + answer.Enroll + "?flow=" + flow + "&method=sms")
	second, to := s.texted()
	if to != "+447700900123" {
		t.Errorf("it went to %s", to)
	}
	if first != second {
		b.enroll("flow", flow, "method", "sms", "passcode", first).as("401")
	}
	b.enroll("flow", flow, "method", "sms", "passcode", second).as("200")
	if found := s.factors(alice); len(found) != 1 || found[0].Address != "+447700900123" {
		t.Errorf("%+v", found)
	}
}

// A wizard that is left is gone on with, as long as its flow lives.
func TestWizardLeft(t *testing.T) {
	s, alice, b, flow := wizard(t, "app", "email")
	key := b.get(answer.Enroll + "?flow=" + flow).key()
	b.enroll("flow", flow, "method", "email").as("303 " + answer.Enroll + "?flow=" + flow + "&method=email")
	s.mailed()
	b.is("") // and nothing is set up
	if len(s.factors(alice)) != 0 {
		t.Error("half an enrolment")
	}
	s.pass(5 * time.Minute)
	if again := b.get(answer.Enroll + "?flow=" + flow + "&method=app").key(); again != key {
		t.Error("another key than the one that may be in the app by now")
	}
	b.enroll("flow", flow, "method", "app", "passcode", s.app(key).code()).as("200")
	if found := s.factors(alice); len(found) != 1 || found[0].Method != store.MethodApp {
		t.Errorf("%+v", found)
	}
}

// What is not offered cannot be set up, and a code sets up what it was sent for.
func TestWizardMethods(t *testing.T) {
	s, alice, b, flow := wizard(t, "app", "email")
	b.enroll("flow", flow, "method", "sms", "phone", phone).as("400")
	b.enroll("flow", flow, "method", "sms", "passcode", "123456").as("400")
	b.enroll("flow", flow, "method", "recovery").as("400")
	b.enroll("flow", flow, "method", "email")
	code := s.mailed()
	b.enroll("flow", flow, "method", "app", "passcode", code).as("401")
	// A mailed code is no way to get through the passcode step either.
	b.passcode(flow, code).as("303 " + ended)
	if len(s.factors(alice)) != 0 {
		t.Error("set up")
	}
}

// F3, F5: adding one by choice, from the person's own page.
func TestAddByChoice(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.newSenders()
	s.configure(audiences{"team": {Passcode: []string{"app", "email"}}})
	alice := s.add("alice@example.test", password)
	b := s.browser()
	b.enroll("begin", "1", "method", "email").as("303 " + answer.SignInAgain(answer.Factors))
	b.signIn("alice@example.test", password, "/").as("303 /")
	b.enroll("begin", "1", "method", "sms").as("400")
	b.enroll("begin", "1", "method", "").as("400")
	flow := b.enroll("begin", "1", "method", "email").flow()
	page := b.get(answer.Enroll + "?flow=" + flow).as("200").says("Cancel")
	_ = page
	b.enroll("flow", flow, "method", "email", "passcode", s.mailed()).as("200")
	if found := s.factors(alice); len(found) != 1 || found[0].Required {
		t.Errorf("%+v", found)
	}
	// A second one makes no new codes, since the first ones are still good.
	b.enroll("begin", "1", "method", "email").as("303 " + answer.Factors)
	flow = b.enroll("begin", "1", "method", "app").flow()
	key := b.get(answer.Enroll + "?flow=" + flow).key()
	b.enroll("flow", flow, "method", "app", "passcode", s.app(key).code()).as("303 " + answer.Factors)
	if found := s.factors(alice); len(found) != 2 || !found[0].Preferred || found[1].Preferred {
		t.Errorf("%+v", found)
	}
	b.is("alice@example.test")

	// Later, password and passcode are asked for again first.
	s.pass(6 * time.Minute)
	b.enroll("begin", "1", "method", "app").as("303 " + answer.SignInAgain(answer.Factors))
	// And in any case where second factors are off.
	s.configure(audiences{"team": {SecondFactor: policy.Off}})
	bob := s.add("bob@example.test", password)
	b = s.browser()
	b.signIn("bob@example.test", password, "/").as("303 /")
	b.enroll("begin", "1", "method", "app").as("400")
	if len(s.factors(bob)) != 0 {
		t.Error("set up where it is off")
	}
}

// Somebody whose only method does not count any more shows it first, and then
// sets up one that does: the password alone is never enough for that.
func TestMethodThatCountsNoMore(t *testing.T) {
	s, alice := withMail(t)
	s.configure(audiences{"team": {SecondFactor: "required", Passcode: []string{"app"}}})
	b := s.browser()
	flow := b.begin("/a")
	b.passcode(flow, s.mailed()).as("303 /a")
	r := b.get(signInFor("/a"))
	if !strings.HasPrefix(r.location, answer.Enroll) {
		t.Fatalf("led to %d %s", r.status, r.location)
	}
	key := b.get(r.location).key()
	b.enroll("flow", r.flow(), "method", "app", "passcode", s.app(key).code()).as("200")
	b.get(signInFor("/a")).as("302 /a")
	if found := s.factors(alice); len(found) != 2 || !found[1].Required {
		t.Errorf("%+v", found)
	}
	// From now on only the app is asked for.
	again := s.browser()
	flow = again.begin("/")
	again.post(answer.Passcode, "flow", flow, "method", "email").as("400")
}

// A new phone: the app on it takes the place of the one before, which shows no
// valid code from then on.
func TestReplace(t *testing.T) {
	s := newSite(t, audiences{"team": {SecondFactor: "required"}}, nil)
	alice := s.add("alice@example.test", password)
	old, codes := s.enroll(alice, true)
	b := s.browser()
	b.passcode(b.begin("/"), old.code()).as("303 /")
	other := s.browser()
	other.passcode(other.begin("/"), old.code()).as("303 /")

	b.enroll("replace", "sms").as("303 " + answer.Factors)
	b.enroll("replace", "recovery").as("303 " + answer.Factors)
	flow := b.enroll("replace", "app").flow()
	key := b.get(answer.Enroll + "?flow=" + flow).as("200").says("Cancel").key()
	next := s.app(key)
	b.enroll("flow", flow, "method", "app", "passcode", old.code()).as("401")
	b.enroll("flow", flow, "method", "app", "passcode", next.code()).as("303 " + answer.Factors)
	b.is("alice@example.test")
	other.is("")
	if found := s.factors(alice); len(found) != 1 || !found[0].Required || !found[0].Preferred {
		t.Errorf("%+v", found)
	}
	again := s.browser()
	flow = again.begin("/")
	again.passcode(flow, old.code()).as("401")
	again.passcode(flow, next.code()).as("303 /")
	// The recovery codes are as good as before.
	again = s.browser()
	again.passcode(again.begin("/"), codes[0]).as("303 /")

	s.pass(6 * time.Minute)
	b.enroll("replace", "app").as("303 " + answer.SignInAgain(answer.Factors))
	s.browser().enroll("replace", "app").as("303 " + answer.SignInAgain(answer.Factors))
}

// Another number takes the place of the one before.
func TestReplaceNumber(t *testing.T) {
	s, alice := withMail(t, store.MethodSMS)
	b := s.browser()
	b.passcode(b.begin("/"), s.mailed()).as("303 /")
	flow := b.enroll("replace", "sms").flow()
	b.enroll("flow", flow, "method", "email").as("400")
	b.enroll("flow", flow, "method", "sms", "phone", "+44 7700 900123").as("303 " + answer.Enroll + "?flow=" + flow + "&method=sms")
	code, to := s.texted()
	b.enroll("flow", flow, "method", "sms", "passcode", code)
	found := s.factors(alice)
	if to != "+447700900123" || len(found) != 2 {
		t.Fatalf("%s: %+v", to, found)
	}
	for _, f := range found {
		if f.Method == store.MethodSMS && (f.Address != to || f.Preferred) {
			t.Errorf("%s: %+v", to, f)
		}
	}
}
