//go:build integration

package faults

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// uses is how often one person does something: so many codes are sent to an
// account, and so many recovery codes are made for it.
const uses = 8

// subject is a person who does something at the moment at which Caddy is killed.
type subject struct {
	t        *testing.T
	g        *harness.SendingGate
	email    string
	phone    string
	password string
	codes    []string // recovery codes that were not tried yet
	n        int      // how often
	// observer is a browser that is in, if the person's sessions last.
	observer *harness.Client
}

// subjects are people by what they do.
type subjects struct {
	g    *harness.SendingGate
	by   map[string]*subject
	many int
}

func newSubjects(g *harness.SendingGate) *subjects {
	return &subjects{g: g, by: map[string]*subject{}}
}

// of returns who does that next.
func (s *subjects) of(t *testing.T, what string) *subject {
	t.Helper()
	p := s.by[what]
	if p == nil || p.n == uses {
		s.many++
		p = &subject{t: t, g: s.g, email: fmt.Sprintf("p%d@example.test", s.many), phone: fmt.Sprintf("+4917012%05d", s.many), password: harness.Password}
		s.by[what] = p
		status, err := act(s.g.Gate, http.MethodPost, "users", map[string]string{"email": p.email, "password": p.password}, nil)
		if err != nil || status != http.StatusOK {
			t.Fatalf("adding %s: %d %v", p.email, status, err)
		}
	}
	p.n++
	return p
}

// begin signs in as far as the next step, in a browser of its own. It returns the
// code that was sent, if one was.
func (p *subject) begin() (b *harness.Client, flow, code string) {
	b = p.g.Browser()
	page, flow, err := tryPassword(b, p.email, p.password)
	if err != nil || flow == "" {
		p.t.Fatalf("%s does not get to the second step: %v %v", p.email, page, err)
	}
	return b, flow, p.sent(page)
}

// sent is the code that was sent before the answer to a password.
func (p *subject) sent(page *harness.Page) string {
	switch to := page.Location(); {
	case to.Path != "/auth-gateway/passcode":
		return ""
	case to.Query().Get("method") == "email":
		return p.g.MailedCode(p.email)
	case to.Query().Get("method") == "sms":
		return p.g.TextedCode(p.phone)
	}
	return ""
}

// prove takes the wizard as far as the code that finishes it.
func (p *subject) prove(method string) (*harness.Client, url.Values) {
	b, flow, _ := p.begin()
	form := url.Values{"flow": {flow}, "method": {method}}
	switch method {
	case "app":
		page := b.Get("/auth-gateway/enroll?method=app&flow=" + flow)
		form.Set("passcode", p.g.NewAuthenticator(page.ID("totp-key")).Code())
	case "email":
		b.Step("enroll", flow, "method", method)
		form.Set("passcode", p.g.MailedCode(p.email))
	case "sms":
		b.Step("enroll", flow, "method", method, "phone", p.phone)
		form.Set("passcode", p.g.TextedCode(p.phone))
	}
	return b, form
}

// has sets a method up, unless it is.
func (p *subject) has(method string) {
	if p.observer != nil {
		return
	}
	b, form := p.prove(method)
	p.codes = b.Post("/auth-gateway/enroll", form).Want(http.StatusOK).RecoveryCodes()
	p.observer = b
}

// forgetAll takes the person's second factors away.
func (p *subject) forgetAll() {
	p.administer("reset-second-factor", nil)
	p.observer = nil
}

// administer has something done to the account.
func (p *subject) administer(what string, to any) {
	if status, err := act(p.g.Gate, http.MethodPost, "users/"+p.email+"/"+what, nil, to); err != nil || status != http.StatusOK {
		p.t.Fatalf("%s: %s: %d %v", p.email, what, status, err)
	}
}

// signsIn gets a browser in by mail.
func (p *subject) signsIn(more ...string) *harness.Client {
	b, flow, code := p.begin()
	b.Step("passcode", flow, append(more, "passcode", code)...).Want(http.StatusSeeOther)
	return b
}

// look asks the gate what it knows.
func (p *subject) look() seen {
	p.t.Helper()
	var view struct {
		SecondFactors     []struct{ Method string } `json:"second_factors"`
		RecoveryCodesLeft int                       `json:"recovery_codes_left"`
		Sessions          int
	}
	if status, err := act(p.g.Gate, http.MethodGet, "users/"+p.email, nil, &view); err != nil || status != http.StatusOK {
		p.t.Fatalf("%s: %d %v", p.email, status, err)
	}
	now := seen{Sessions: view.Sessions, CodesLeft: view.RecoveryCodesLeft}
	var methods []string
	for _, factor := range view.SecondFactors {
		methods = append(methods, factor.Method)
	}
	slices.Sort(methods)
	now.Factors = strings.Join(methods, " ")
	if p.observer != nil {
		if page := p.observer.Get("/auth-gateway/account"); page.Status == http.StatusOK {
			now.Trusted = strings.Count(string(page.Body), `name="forget"`)
		}
	}
	return now
}

// opens reports whether that password counts.
func (p *subject) opens(password string) bool {
	p.t.Helper()
	page, _, err := tryPassword(p.g.Browser(), p.email, password)
	if err != nil || page.Status != http.StatusSeeOther && page.Status != http.StatusUnauthorized {
		p.t.Fatalf("%s: %v %v", p.email, page, err)
	}
	if page.Status != http.StatusSeeOther {
		return false
	}
	p.sent(page)
	return true
}

// passcode is the second step of a sign-in.
func (p *subject) passcode(b *harness.Client, flow, code string) *attempt {
	return &attempt{
		who: p, b: b, path: "/auth-gateway/passcode", form: url.Values{"flow": {flow}, "passcode": {code}}, done: "/private", renews: true,
		apply: func(s *seen) { s.Sessions++ },
	}
}

// setsUp is the end of the wizard, which ends all sessions but the new one.
func (p *subject) setsUp(method string) *attempt {
	p.forgetAll()
	b, form := p.prove(method)
	return &attempt{
		who: p, b: b, path: "/auth-gateway/enroll", form: form, renews: true,
		apply: func(s *seen) { s.Sessions, s.CodesLeft, s.Factors = 1, 10, method },
	}
}

// onOwnPage is something done on the page of the person's own account.
func (p *subject) onOwnPage(page, done string, form url.Values, apply func(*seen)) *attempt {
	return &attempt{who: p, b: p.observer, path: "/auth-gateway/account/" + page, form: form, done: "/auth-gateway/account?done=" + done, apply: apply}
}

var idOf = regexp.MustCompile(`name="(end|forget)" value="([0-9a-f]{16,})"`)

// offered is the row of the first button of that name on the person's own page.
func (p *subject) offered(name string) string {
	for _, button := range idOf.FindAllSubmatch(p.observer.Get("/auth-gateway/account").Want(http.StatusOK).Body, -1) {
		if string(button[1]) == name {
			return string(button[2])
		}
	}
	p.t.Fatalf("no button %s for %s", name, p.email)
	return ""
}

// kinds are what people do at that moment.
var kinds = []struct {
	name    string
	prepare func(*subject) *attempt
}{
	{"a mailed code", func(p *subject) *attempt {
		p.has("email")
		return p.passcode(p.begin())
	}},
	{"setting up an app", func(p *subject) *attempt { return p.setsUp("app") }},
	{"a texted code", func(p *subject) *attempt {
		p.has("sms")
		return p.passcode(p.begin())
	}},
	{"a recovery code", func(p *subject) *attempt {
		p.has("email")
		b, flow, _ := p.begin()
		a := p.passcode(b, flow, p.codes[0])
		p.codes = p.codes[1:]
		a.apply = func(s *seen) { s.Sessions++; s.CodesLeft-- }
		return a
	}},
	{"setting up mail", func(p *subject) *attempt { return p.setsUp("email") }},
	{"a code of an app", func(p *subject) *attempt {
		p.forgetAll()
		b, form := p.prove("app")
		app := p.g.NewAuthenticator(b.Get("/auth-gateway/enroll?method=app&flow=" + form.Get("flow")).ID("totp-key"))
		form.Set("passcode", app.Code())
		b.Post("/auth-gateway/enroll", form).Want(http.StatusOK)
		b, flow, _ := p.begin()
		return p.passcode(b, flow, app.Code())
	}},
	{"setting up SMS", func(p *subject) *attempt { return p.setsUp("sms") }},
	{"trusting a browser", func(p *subject) *attempt {
		p.has("email")
		a := p.passcode(p.begin())
		a.form.Set("trust_device", "on")
		a.apply = func(s *seen) { s.Sessions++; s.Trusted++ }
		return a
	}},
	{"forgetting a trusted browser", func(p *subject) *attempt {
		p.has("email")
		p.signsIn("trust_device", "on")
		return p.onOwnPage("devices", "forgotten", url.Values{"forget": {p.offered("forget")}}, func(s *seen) { s.Trusted-- })
	}},
	{"ending a session", func(p *subject) *attempt {
		p.has("email")
		p.signsIn()
		return p.onOwnPage("sessions", "session_ended", url.Values{"end": {p.offered("end")}}, func(s *seen) { s.Sessions-- })
	}},
	{"changing the password", func(p *subject) *attempt {
		p.has("email")
		p.signsIn("trust_device", "on")
		password := fmt.Sprintf("%s, number %d", harness.Password, p.n)
		a := p.onOwnPage("password", "password", url.Values{"password": {password}}, func(s *seen) { s.Sessions, s.Trusted = 1, 0 })
		a.password, a.repeats = password, true
		return a
	}},
	{"using a one-time link", func(p *subject) *attempt {
		p.has("email")
		p.signsIn()
		p.observer = p.g.Browser() // out, as everybody is afterwards
		var link struct {
			LinkPath string `json:"link_path"`
		}
		p.administer("reset-password", &link)
		_, token, _ := strings.Cut(link.LinkPath, "token=")
		password := fmt.Sprintf("%s, by link %d", harness.Password, p.n)
		return &attempt{
			who: p, b: p.g.Browser(), path: "/auth-gateway/reset", form: url.Values{"token": {token}, "password": {password}},
			apply: func(s *seen) { s.Sessions = 0 }, password: password,
		}
	}},
	{"adding an app", func(p *subject) *attempt {
		p.forgetAll()
		p.has("email")
		begun := p.observer.Post("/auth-gateway/enroll", url.Values{"begin": {"1"}, "method": {"app"}}).Want(http.StatusSeeOther)
		key := p.observer.Get(begun.Location().String()).ID("totp-key")
		form := url.Values{"flow": {begun.Location().Query().Get("flow")}, "passcode": {p.g.NewAuthenticator(key).Code()}}
		return &attempt{
			who: p, b: p.observer, path: "/auth-gateway/enroll", form: form, done: "/auth-gateway/account/second-factor", renews: true,
			apply: func(s *seen) { s.Sessions, s.Factors = 1, "app email" },
		}
	}},
}
