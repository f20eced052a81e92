package pages

import (
	"cmp"
	"html/template"
	"time"
)

// second is what the pages of a second factor have in common.
type second struct {
	method string
	sent   Sent
	kind   MessageKind
	choice bool // of the person's own accord
	others bool // there is another way
}

func (p Passcode) second() second {
	// A recovery code is another way.
	return second{p.Method, p.Sent, p.Message.Kind, false, true}
}

func (p Enroll) second() second {
	return second{p.method(), p.Sent, p.Message.Kind, p.ByChoice, len(p.Others) > 0}
}

// second returns it for the page, or nothing for any other.
func (s *shown) second() second {
	if page, ok := s.Page.(interface{ second() second }); ok {
		return page.second()
	}
	return second{}
}

// typing reports whether there is a passcode to type: an app always has one,
// what is sent has to be sent and not to be used up.
func (f second) typing() bool {
	switch f.method {
	case "":
		return false
	case "app":
		return true
	}
	return f.sent.Once && f.kind != SentCodeOver
}

// Typing reports whether the page has a field for a passcode.
func (s *shown) Typing() bool { return s.second().typing() }

// method is what the wizard sets up.
func (p Enroll) method() string { return cmp.Or(p.Method, "app") }

// Method is what the page is about.
func (s *shown) Method() string { return s.second().method }

// Action is the address to which the page posts.
func (s *shown) Action() string { return "/auth-gateway/" + s.Page.name() }

// SentTo is the number that a page of the wizard has passcodes sent to.
func (s *shown) SentTo() string {
	if page, ok := s.Page.(Enroll); ok && page.Method == "sms" {
		return page.Phone
	}
	return ""
}

// Stuck reports whether all that is left is to begin again.
func (s *shown) Stuck() bool {
	return s.Method() != "" && !s.Typing() && !s.SendAgain()
}

// Over is the link that ends it.
func (s *shown) Over() (template.HTML, error) {
	if s.second().choice {
		return s.T("cancel")
	}
	return s.T("start_over")
}

// EnrollLead says what is being set up, and why.
func (s *shown) EnrollLead() (template.HTML, error) {
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
	f := s.second()
	to := f.sent.To
	if page, ok := s.Page.(Enroll); ok && f.method == "sms" && page.Phone != "" {
		to = page.Phone
	}
	key := s.Page.name() + ".hint." + f.method
	switch {
	case f.method == "app":
	case !f.typing():
		key += ".unsent"
	case f.sent.Undelivered:
		key += ".late"
	}
	return s.T(key, "host", s.Host, "to", s.Whole(to), "one", s.Whole(phoneOne), "two", s.Whole(phoneTwo))
}

// SendAgain reports whether another passcode can be had.
func (s *shown) SendAgain() bool {
	f := s.second()
	return f.method != "app" && !f.sent.Enough
}

// SendWait says how long until another passcode can be sent, or that none can
// be; "" if one can be at once, or the message says so already.
func (s *shown) SendWait() (template.HTML, error) {
	f := s.second()
	switch {
	case f.method == "app":
		return "", nil
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
