package pages

import (
	"cmp"
	"html/template"
	"time"
)

// step is what the pages have in common that ask for a passcode.
type step struct {
	method string // "app", "email" or "sms"; "": none
	sent   Sent
	kind   MessageKind
	choice bool // a wizard that the person started
	others bool // there is another way
}

func (p Passcode) step() step {
	return step{p.Method, p.Sent.now(p.Method, p.Message), p.Message.Kind, false, true} // a recovery code is another way
}

func (p Enroll) step() step {
	method := cmp.Or(p.Method, "app")
	return step{method, p.Sent.now(method, p.Message), p.Message.Kind, p.ByChoice, len(p.Others) > 0}
}

// now is how far the passcode is that a page asks for: one that was guessed too
// often is none any more.
func (s Sent) now(method string, m Message) Sent {
	if method != "email" && method != "sms" {
		return Sent{}
	}
	s.Once = s.Once && m.Kind != SentCodeOver
	return s
}

// typing reports whether there is a passcode to type.
func (f step) typing() bool { return f.method == "app" || f.sent.Once }

// step returns it for the page, nothing for one that asks for no passcode.
func (s *shown) step() step {
	if page, ok := s.Page.(interface{ step() step }); ok {
		return page.step()
	}
	return step{}
}

// Method is what the page is about.
func (s *shown) Method() string { return s.step().method }

// Sent is how far the passcode is.
func (s *shown) Sent() Sent { return s.step().sent }

// Typing reports whether the page has a field for a passcode.
func (s *shown) Typing() bool { return s.step().typing() }

// Stuck reports whether all that is left is to begin again.
func (s *shown) Stuck() bool { return s.Sent().Enough && !s.Typing() }

// Action is the address to which the page posts.
func (s *shown) Action() string { return "/auth-gateway/" + s.Page.name() }

// Number is the one that the wizard sends passcodes to, or "".
func (s *shown) Number() string {
	if page, ok := s.Page.(Enroll); ok && page.Method == "sms" {
		return page.Phone
	}
	return ""
}

// Over is the link that ends it.
func (s *shown) Over() (template.HTML, error) {
	if s.step().choice {
		return s.T("cancel")
	}
	return s.T("start_over")
}

// EnrollLead says what is being set up, and why, until there is a passcode on its
// way.
func (s *shown) EnrollLead() (template.HTML, error) {
	if s.Sent().Once || s.Stuck() {
		return "", nil
	}
	key := "enroll.lead."
	if s.Page.(Enroll).ByChoice {
		key += "choice."
	}
	return s.T(key+s.Method(), "host", s.Host)
}

// Examples of phone numbers: Japan's and Britain's, the latter one of those that
// are kept for stories.
const (
	phoneOne = "+81 90 1234 5678"
	phoneTwo = "+44 7700 900123"
)

// Hint says what to type, or what is about to be sent, how and where to.
func (s *shown) Hint() (template.HTML, error) {
	f := s.step()
	key := s.Page.name() + ".hint." + f.method
	switch {
	case !f.typing():
		key += ".unsent"
	case f.sent.Undelivered:
		key += ".late"
	}
	to := cmp.Or(s.Number(), f.sent.To)
	return s.T(key, "host", s.Host, "to", s.Whole(to), "one", s.Whole(phoneOne), "two", s.Whole(phoneTwo))
}

// SendWait says how long until another passcode can be sent, or that none can
// be; "" if one can be at once, or the message says so already.
func (s *shown) SendWait() (template.HTML, error) {
	f := s.step()
	switch {
	case f.sent.Enough && f.choice:
		return s.T("sent.enough.choice")
	case f.sent.Enough:
		return s.T("sent.enough")
	case f.sent.Wait <= 0 || f.kind == WaitToSend:
		return "", nil
	}
	unit, n := untilSent(f.sent.Wait)
	return s.T("sent.wait"+unit, "count", n)
}

// untilSent counts seconds while people do.
func untilSent(wait time.Duration) (unit string, n int) {
	if n = roundUp(wait, time.Second); n < 90 {
		return ".seconds", n
	}
	return ".minutes", roundUp(wait, time.Minute)
}

// TrustFor says for how long a browser may be trusted. It promises no longer
// than that.
func (s *shown) TrustFor() (template.HTML, error) {
	d := s.Page.(Passcode).TrustDevice
	const day = 24 * time.Hour
	switch {
	case d >= 7*day || d >= 2*day && d%day == 0 || d == day:
		return s.T("passcode.trust.days", "count", int(d/day))
	case d >= 2*time.Hour || d == time.Hour:
		return s.T("passcode.trust.hours", "count", int(d/time.Hour))
	}
	return s.T("passcode.trust.minutes", "count", max(1, int(d/time.Minute)))
}
