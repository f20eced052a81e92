//go:build integration

package faults

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// race posts the same fifty times at once, in copies of a browser, and returns
// the answers.
func race(t *testing.T, g *harness.SendingGate, b *harness.Client, path string, form url.Values) []*harness.Page {
	t.Helper()
	kept := b.Cookies()
	pages := make([]*harness.Page, 50)
	copies := make([]*harness.Client, len(pages))
	for i := range copies {
		copies[i] = g.Browser()
		copies[i].SetCookies(kept...)
	}
	var pairs []string
	for name := range form {
		pairs = append(pairs, name, form.Get(name))
	}
	atOnce(len(pages), func(i int) {
		var err error
		if pages[i], err = trySend(copies[i], path, pairs...); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return pages
}

// Rules 5 to 7: whatever counts once counts once for fifty at once; all others
// get an answer that says what is the matter, and none at all a second session,
// a second factor or codes that do not count.
func TestOneWinnerOfFifty(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, sending)
	people := newSubjects(g)
	for _, kind := range kinds {
		if strings.Contains(kind.name, "password") || strings.Contains(kind.name, "session") || strings.Contains(kind.name, "forgetting") {
			continue // done again, they do the same again, or say that it is done
		}
		t.Run(kind.name, func(t *testing.T) {
			g.For(t)
			p := people.of(t, kind.name)
			a := kind.prepare(p)
			before := p.look()
			won, codes := 0, 0
			for _, page := range race(t, g, a.b, a.path, a.form) {
				to := page.Header.Get("Location")
				switch {
				case a.done != "" && page.Status == http.StatusSeeOther && to == a.done, a.done == "" && page.Status == http.StatusOK:
					won++
				case page.Status == http.StatusSeeOther && strings.HasPrefix(to, "/auth-gateway/sign-in"): // the flow has ended
				case page.Status == http.StatusUnauthorized && page.Alert() != "":
				case page.Status == http.StatusTooManyRequests && page.Header.Get("Retry-After") != "":
				case page.Status == http.StatusGone, page.Status == http.StatusServiceUnavailable && page.Header.Get("Retry-After") != "":
				default:
					t.Errorf("%v", page)
				}
				codes += len(page.RecoveryCodes())
			}
			after := before
			a.apply(&after)
			if now := p.look(); won != 1 || now != after {
				t.Errorf("%d won\nbefore %+v\nwanted %+v\nnow    %+v", won, before, after, now)
			}
			if codes > 10 {
				t.Errorf("%d recovery codes were shown", codes)
			}
		})
	}
}

// Two tabs of one browser finish the wizard at once, each with its own method:
// one sets its own up, and the recovery codes that it shows count.
func TestTwoWizardsAtOnce(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, sending)
	people := newSubjects(g)
	for round, methods := range [][2]string{{"email", "sms"}, {"app", "email"}, {"app", "app"}} {
		p := people.of(t, fmt.Sprint(round))
		var browsers [2]*harness.Client
		var forms [2]url.Values
		for i, method := range methods {
			browsers[i], forms[i] = p.prove(method)
		}
		var pages [2]*harness.Page
		atOnce(2, func(i int) {
			var err error
			pages[i], err = trySend(browsers[i], "/auth-gateway/enroll", "flow", forms[i].Get("flow"), "method", methods[i], "passcode", forms[i].Get("passcode"))
			if err != nil {
				t.Error(err)
			}
		})
		winner := 0
		if pages[1].Status == http.StatusOK {
			winner = 1
		}
		loser := pages[1-winner]
		codes := pages[winner].Want(http.StatusOK).RecoveryCodes()
		if loser.Status != http.StatusSeeOther || loser.Location().Path != "/auth-gateway/sign-in" {
			t.Errorf("%v: the second: %v", methods, loser)
		}
		if now := p.look(); now != (seen{Sessions: 1, CodesLeft: 10, Factors: methods[winner]}) {
			t.Errorf("%v: %+v", methods, now)
		}
		g.WantIn(browsers[winner], p.email)
		b, flow, _ := p.begin()
		b.Step("passcode", flow, "passcode", codes[9]).Want(http.StatusSeeOther)
		g.WantIn(b, p.email)
	}
}

// Fifty who ask at once for a code to be sent have one sent, and fifty sign-ins
// of one account not more than it may have.
func TestSendingAtOnce(t *testing.T) {
	t.Parallel()
	g := harness.StartSendingGate(t, sending)
	people := newSubjects(g)
	t.Run("one flow", func(t *testing.T) {
		g.For(t)
		p := people.of(t, "one flow")
		b, flow, _ := p.begin()
		sent := 0
		before := g.Phones.Posts()
		for _, page := range race(t, g, b, "/auth-gateway/enroll", url.Values{"flow": {flow}, "method": {"sms"}, "phone": {p.phone}}) {
			switch {
			case page.Status == http.StatusSeeOther:
				sent++
			case page.Status == http.StatusTooManyRequests && page.Header.Get("Retry-After") != "":
			default:
				t.Errorf("%v", page)
			}
		}
		code := g.TextedCode(p.phone)
		b.Step("enroll", flow, "method", "sms", "passcode", code).Want(http.StatusOK)
		if posts := g.Phones.Posts() - before; sent != 1 || posts != 1 {
			t.Errorf("%d were told that one was sent, %d were", sent, posts)
		}
	})
	t.Run("five numbers, one after the other and at once", func(t *testing.T) {
		g.For(t)
		p := people.of(t, "five numbers")
		b, flow, _ := p.begin()
		before := g.Phones.Posts()
		kept := b.Cookies()
		atOnce(50, func(i int) {
			c := g.Browser()
			c.SetCookies(kept...)
			if _, err := trySend(c, "/auth-gateway/enroll", "flow", flow, "method", "sms", "phone", fmt.Sprintf("+4917099%05d", i)); err != nil {
				t.Error(err)
			}
		})
		if b.Step("enroll", flow, "method", "sms", "phone", p.phone).Want(http.StatusTooManyRequests).Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		g.Stop() // delivers what is under way
		// A code is not sent any more once another one has taken its place.
		if posts := g.Phones.Posts() - before; posts < 1 || posts > 5 {
			t.Errorf("%d text messages were sent", posts)
		}
	})
}
