//go:build integration

package attacks

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// sending asks everybody for a passcode of any method, and lets browsers be
// trusted.
const sending = "audience team {\nsecond_factor required\npasscode app email sms\ntrust_device 30d\n}"

// Further people, and phones.
const (
	bob   = "bob@example.test"
	dave  = "dave@example.test"
	phone = "+4917012345678"
)

// ended reports whether an answer leads back to the beginning.
func ended(page *harness.Page) bool {
	return page.Status == http.StatusSeeOther && strings.HasPrefix(page.Header.Get("Location"), "/auth-gateway/sign-in")
}

// Rule 4: codes that are sent are guessed at as often as any passcode, whichever
// way they come, and neither another message, another sign-in, another browser
// nor another network has the count begin anew. Strangers do not hold the owner.
func TestGuessingSentCodes(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, sending)
	nets := 0
	stranger := func() *harness.Client {
		nets++
		return g.Browser(harness.From(fmt.Sprintf("127.80.%d.1", nets)))
	}
	for _, way := range []struct {
		name, email, step string
		enrolled          string // the phone of the factor, "-" for mail, "" for none
		ask               []string
		code              func(email string) string
	}{
		{"a mailed code", alice, "passcode", "-", []string{"method", "email"}, func(email string) string { return g.MailedCode(email) }},
		{"a texted code", bob, "passcode", phone, []string{"method", "sms"}, func(string) string { return g.TextedCode(phone) }},
		{"setting up mail", carol, "enroll", "", []string{"method", "email"}, func(email string) string { return g.MailedCode(email) }},
		{"setting up a phone", dave, "enroll", "", []string{"method", "sms", "phone", "+4917011111111"}, func(string) string { return g.TextedCode("+4917011111111") }},
	} {
		t.Run(way.name, func(t *testing.T) {
			g.For(t)
			g.AddUser(way.email)
			known := g.Browser()
			switch way.enrolled {
			case "":
			case "-":
				g.EnrollBy(known, way.email, "")
			default:
				g.EnrollBy(known, way.email, way.enrolled)
			}
			// begin signs in somewhere else, and returns the code that came.
			begin := func() (b *harness.Client, flow, code string) {
				b = stranger()
				flow = g.Begin(b, way.email)
				if way.step == "enroll" {
					b.Step(way.step, flow, way.ask...).Want(http.StatusSeeOther)
				}
				return b, flow, way.code(way.email)
			}
			guesses, held := 0, false
			var b *harness.Client
			var flow, code string
			for !held && guesses < 13 {
				if b, flow, code = begin(); guesses > 0 {
					// Asking again clears nothing, nor does it send before its time.
					b.Step(way.step, flow, way.ask...).Want(http.StatusTooManyRequests)
				}
				for range 3 {
					page := b.Step(way.step, flow, append(way.ask[:2:2], "passcode", harness.OtherCode(code))...)
					if held = page.Status == http.StatusTooManyRequests; held {
						if page.Header.Get("Retry-After") == "" {
							t.Error("no Retry-After")
						}
						break
					}
					page.Want(http.StatusUnauthorized)
					guesses++
				}
			}
			if guesses != 10 {
				t.Errorf("held off after %d guesses", guesses)
			}
			// The right one waits like any other.
			b.Step(way.step, flow, append(way.ask[:2:2], "passcode", code)...).Want(http.StatusTooManyRequests)
			g.WantOut(b)
			if way.step == "passcode" {
				known = device(g, known)
				flow = g.Begin(known, way.email)
				known.Step(way.step, flow, "passcode", way.code(way.email)).Want(http.StatusSeeOther)
				g.WantIn(known, way.email)
			}
			g.Must("user", "unlock", way.email)
			b, flow, code = begin()
			if page := b.Step(way.step, flow, append(way.ask[:2:2], "passcode", code)...); page.Status >= 400 {
				t.Errorf("%v", page)
			}
			g.WantIn(b, way.email)
		})
	}
}

// Rule 6: a code is guessed at five times, and ends with that, for its owner too.
func TestFiveTries(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, sending)
	g.AddUser(alice)
	g.EnrollBy(g.Browser(), alice, "")
	b := g.Browser()
	flow := g.Begin(b, alice)
	code := g.MailedCode(alice)
	for range 5 {
		b.Step("passcode", flow, "passcode", harness.OtherCode(code)).Want(http.StatusUnauthorized)
	}
	b.Step("passcode", flow, "passcode", code).Want(http.StatusUnauthorized)
	g.WantOut(b)
	g.Stop()
	// Rule 26: the trail tells of all that, and never the code.
	db, err := sql.Open("sqlite", "file:"+g.Database()+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var failures, telling int
	err = db.QueryRow(`SELECT SUM(action = 'passcode' AND outcome = 'failure'), SUM(instr(action || how || detail || actor || address, $1) > 0) FROM audit`, code).Scan(&failures, &telling)
	if err != nil || failures == 0 || telling != 0 {
		t.Errorf("%d failures in the trail, the code in %d rows, %v", failures, telling, err)
	}
}

// Rules 6 and 10: a code counts in the flow, the browser, the step and for the
// person that it was sent for, and only until another takes its place.
func TestSentCodesElsewhere(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, sending)
	for _, email := range []string{alice, bob, carol} {
		g.AddUser(email)
	}
	owner := g.Browser()
	g.EnrollBy(owner, alice, "")
	g.EnrollBy(g.Browser(), bob, "")
	unlock := func() { g.Must("user", "unlock", alice); g.Must("user", "unlock", carol) }

	t.Run("another tab", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		first := g.Begin(b, alice)
		code := g.MailedCode(alice)
		second := g.Begin(b, alice)
		g.MailedCode(alice)
		b.Step("passcode", second, "passcode", code).Want(http.StatusUnauthorized)
		g.WantOut(b)
		b.Step("passcode", first, "passcode", code).Want(http.StatusSeeOther)
		g.WantIn(b, alice)
	})
	t.Run("another browser", func(t *testing.T) {
		g.For(t)
		flow := g.Begin(g.Browser(), alice)
		code := g.MailedCode(alice)
		thief := g.Browser()
		if page := thief.Step("passcode", flow, "passcode", code); !ended(page) {
			t.Errorf("%v", page)
		}
		mine := g.Begin(thief, alice)
		g.MailedCode(alice)
		thief.Step("passcode", mine, "passcode", code).Want(http.StatusUnauthorized)
		g.WantOut(thief)
	})
	t.Run("another person", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		flow := g.Begin(b, alice)
		g.MailedCode(alice)
		g.Begin(g.Browser(), bob)
		b.Step("passcode", flow, "passcode", g.MailedCode(bob)).Want(http.StatusUnauthorized)
		g.WantOut(b)
	})
	unlock()
	t.Run("another step", func(t *testing.T) {
		g.For(t)
		// The code for a phone that is being set up is none to sign in with.
		begun := owner.Post("/auth-gateway/enroll", url.Values{"begin": {"1"}, "method": {"sms"}}).Want(http.StatusSeeOther)
		enrolling := begun.Location().Query().Get("flow")
		owner.Step("enroll", enrolling, "method", "sms", "phone", "+4917099999999").Want(http.StatusSeeOther)
		code := g.TextedCode("+4917099999999")
		b := g.Browser()
		flow := g.Begin(b, alice)
		mailed := g.MailedCode(alice)
		b.Step("passcode", flow, "passcode", code).Want(http.StatusUnauthorized)
		if page := owner.Step("passcode", enrolling, "passcode", code); !ended(page) {
			t.Errorf("an enrolment in the second step: %v", page)
		}
		// Nor does the code to sign in with set anything up.
		if page := b.Step("enroll", flow, "method", "sms", "passcode", mailed); !ended(page) {
			t.Errorf("a second step in the wizard: %v", page)
		}
		owner.Step("enroll", enrolling, "method", "sms", "passcode", mailed).Want(http.StatusUnauthorized)
		g.WantOut(b)
		b.Step("passcode", flow, "passcode", mailed).Want(http.StatusSeeOther)
	})
	unlock()
	t.Run("another number", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		flow := g.Begin(b, carol)
		b.Step("enroll", flow, "method", "sms", "phone", "+4917022222222").Want(http.StatusSeeOther)
		mine := g.TextedCode("+4917022222222")
		b.Step("enroll", flow, "method", "sms", "phone", "+4917033333333").Want(http.StatusSeeOther)
		// What came to one's own phone does not prove somebody else's.
		b.Step("enroll", flow, "method", "sms", "phone", "+4917022222222", "passcode", mine).Want(http.StatusUnauthorized)
		b.Step("enroll", flow, "method", "email").Want(http.StatusSeeOther)
		mailed := g.MailedCode(carol)
		b.Step("enroll", flow, "method", "sms", "passcode", mailed).Want(http.StatusUnauthorized)
		b.Step("enroll", flow, "method", "app", "passcode", mailed).Want(http.StatusUnauthorized)
		g.WantOut(b)
	})
	unlock()
	for name, change := range map[string]func(){
		"a new password":  func() { setPassword(g.Gate, alice) },
		"a reset factor":  func() { g.Must("user", "reset-second-factor", alice) },
		"a short absence": func() { g.Must("user", "suspend", alice); g.Must("user", "resume", alice) },
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			if name == "a reset factor" {
				defer func() { g.EnrollBy(g.Browser(), alice, "") }()
			}
			b := g.Browser()
			flow := g.Begin(b, alice)
			code, kept := g.MailedCode(alice), b.Cookies()
			change()
			b.SetCookies(kept...)
			if page := b.Step("passcode", flow, "passcode", code); !ended(page) {
				t.Errorf("%v", page)
			}
			g.WantOut(b)
		})
	}
	t.Run("a flow that is over, restored", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		flow := g.Begin(b, alice)
		code, kept := g.MailedCode(alice), b.Cookies()
		b.Step("passcode", flow, "passcode", code).Want(http.StatusSeeOther)
		thief := g.Browser()
		thief.SetCookies(kept...)
		if page := thief.Step("passcode", flow, "passcode", code); !ended(page) {
			t.Errorf("%v", page)
		}
		if page := thief.Step("passcode", flow, "method", "email"); !ended(page) {
			t.Errorf("%v", page)
		}
		g.WantOut(thief)
	})
}

// setPassword gives somebody the same password again, by a link.
func setPassword(g *harness.Gate, email string) {
	link := g.ResetPassword(email)
	b := g.Browser()
	b.Submit(b.Open(link.String()).Form("password").Set("password", "quite another long password")).Want(http.StatusOK)
	b.Submit(b.Open(g.ResetPassword(email).String()).Form("password").Set("password", harness.Password)).Want(http.StatusOK)
}
