//go:build integration

package faults

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// state is what a gate is to know of a person.
type state struct {
	Exists    bool
	Password  string // the one that counts; "" while nobody gets in
	Factor    bool
	CodesLeft int
	Sessions  int
	In        []bool // whether each browser is in
	Suspended bool
}

// person is somebody to whom a gate acknowledged things. Everything that was
// acknowledged is in known; then is what one more step, of which no answer came,
// may have made of it.
type person struct {
	gate      *harness.Gate
	email     string
	passwords []string
	browsers  []*harness.Client
	codes     []string
	used      []string // acknowledged
	known     state
	then      *state
	doing     string
}

// step is one thing that a person does, or has done to them. It returns what
// is true once it is acknowledged.
type step struct {
	name string
	do   func(p *person) (apply func(*state), err error)
}

// errAnswer: an answer came, and it is not the one that was due.
var errAnswer = errors.New("unexpected answer")

func unexpected(page *harness.Page) error { return fmt.Errorf("%w: %v", errAnswer, page) }

// life is what happens to everybody, in this order.
var life = []step{
	{"is added", func(p *person) (func(*state), error) {
		p.passwords = []string{harness.Password}
		return p.administer(http.MethodPost, "users", map[string]string{"email": p.email, "password": harness.Password}, func(s *state) {
			s.Exists, s.Password = true, harness.Password
		})
	}},
	{"sets up a second factor", func(p *person) (func(*state), error) {
		b, flow, err := p.signIn(p.passwords[0])
		if err != nil {
			return nil, err
		}
		page, err := b.TrySend(b.Request(http.MethodGet, "/auth-gateway/enroll?flow="+flow, nil))
		if err != nil {
			return nil, err
		}
		key := strings.ReplaceAll(page.ID("totp-key"), " ", "")
		p.gate.SecretAtRest("the key of an authenticator app", key)
		code, err := totp.GenerateCode(key, time.Now())
		if err != nil {
			return nil, unexpected(page)
		}
		apply := p.mayBe(func(s *state) { s.Factor, s.CodesLeft, s.Sessions, s.In = true, 10, 1, append(s.In, true) })
		page, err = trySend(b, "/auth-gateway/enroll", "flow", flow, "passcode", code)
		if err != nil {
			return nil, err
		}
		if p.codes = page.RecoveryCodes(); page.Status != http.StatusOK || len(p.codes) != 10 {
			return nil, unexpected(page)
		}
		return apply, nil
	}},
	{"uses a recovery code", recover},
	{"signs out", func(p *person) (func(*state), error) {
		apply := p.mayBe(func(s *state) { s.In[1] = false; s.Sessions-- })
		page, err := trySend(p.browsers[1], "/auth-gateway/sign-out")
		if err == nil && page.Status != http.StatusSeeOther {
			err = unexpected(page)
		}
		return apply, err
	}},
	{"uses another recovery code", recover},
	{"has all sessions revoked", func(p *person) (func(*state), error) {
		return p.administer(http.MethodDelete, "users/"+p.email+"/sessions", nil, func(s *state) {
			s.Sessions, s.In = 0, make([]bool, len(s.In))
		})
	}},
	{"uses a third recovery code", recover},
	{"sets another password", func(p *person) (func(*state), error) {
		var link struct {
			LinkPath string `json:"link_path"`
		}
		if status, err := act(p.gate, http.MethodPost, "users/"+p.email+"/reset-password", nil, &link); err != nil || status != http.StatusOK {
			return nil, errors.Join(err, fmt.Errorf("a link: status %d", status))
		}
		b := p.gate.Browser()
		target := b.Request(http.MethodGet, link.LinkPath, nil).URL
		p.gate.SecretAtRest("the token of a one-time link", target.Query().Get("token"))
		const other = "another " + harness.Password
		p.passwords = append(p.passwords, other)
		apply := p.mayBe(func(s *state) { s.Password, s.Sessions, s.In = other, 0, make([]bool, len(s.In)) })
		page, err := trySend(b, target.Path, "token", target.Query().Get("token"), "password", other)
		if err == nil && page.Status != http.StatusOK {
			err = unexpected(page)
		}
		return apply, err
	}},
	{"uses a fourth recovery code", recover},
	{"is suspended", func(p *person) (func(*state), error) {
		return p.administer(http.MethodPost, "users/"+p.email+"/suspend", nil, func(s *state) {
			s.Suspended, s.Password, s.Sessions, s.In = true, "", 0, make([]bool, len(s.In))
		})
	}},
}

// recover signs in with the next recovery code, in a browser of its own.
func recover(p *person) (func(*state), error) {
	b, flow, err := p.signIn(p.known.Password)
	if err != nil {
		return nil, err
	}
	code := p.codes[len(p.used)]
	apply := p.mayBe(func(s *state) { s.CodesLeft--; s.Sessions++; s.In = append(s.In, true) })
	page, err := trySend(b, "/auth-gateway/passcode", "flow", flow, "passcode", code)
	if err != nil {
		return nil, err
	}
	if page.Status != http.StatusSeeOther || b.Session() == nil {
		return nil, unexpected(page)
	}
	p.used = append(p.used, code)
	return apply, nil
}

// signIn takes the first step in a new browser, which it keeps.
func (p *person) signIn(password string) (*harness.Client, string, error) {
	b := p.gate.Browser()
	page, flow, err := tryPassword(b, p.email, password)
	if err != nil {
		return nil, "", err
	}
	if page.Status != http.StatusSeeOther || flow == "" {
		return nil, "", unexpected(page)
	}
	p.browsers = append(p.browsers, b)
	return b, flow, nil
}

// mayBe notes what is about to change, and returns the same change.
func (p *person) mayBe(apply func(*state)) func(*state) {
	then := p.known
	then.In = slices.Clone(then.In)
	apply(&then)
	p.then = &then
	return apply
}

func (p *person) administer(method, path string, body any, apply func(*state)) (func(*state), error) {
	p.mayBe(apply)
	status, err := act(p.gate, method, path, body, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%w: status %d", errAnswer, status)
	}
	return apply, err
}

// live does one step after the other and tells of each that was acknowledged,
// until one gets no answer. An answer that was not due is an error.
func (p *person) live(acknowledged func()) error {
	for _, s := range life {
		p.doing = s.name
		apply, err := s.do(p)
		if errors.Is(err, errAnswer) {
			return fmt.Errorf("%s %s: %w", p.email, s.name, err)
		}
		if err != nil {
			return nil
		}
		apply(&p.known)
		p.then = nil
		acknowledged()
	}
	p.doing = "nothing"
	return nil
}

// look asks the gate what it knows.
func (p *person) look(t *testing.T) state {
	t.Helper()
	var view struct {
		Suspended         bool
		SecondFactors     []any `json:"second_factors"`
		RecoveryCodesLeft int   `json:"recovery_codes_left"`
		Sessions          int
	}
	status, err := act(p.gate, http.MethodGet, "users/"+p.email, nil, &view)
	if err != nil {
		t.Fatal(err)
	}
	seen := state{
		Exists: status == http.StatusOK, Suspended: view.Suspended, Factor: len(view.SecondFactors) > 0,
		CodesLeft: view.RecoveryCodesLeft, Sessions: view.Sessions,
	}
	// A browser that never got its session is not in, whatever the store has.
	for _, b := range p.browsers {
		seen.In = append(seen.In, b.Whoami() != nil)
	}
	for _, password := range p.passwords {
		page, _, err := tryPassword(p.gate.Browser(), p.email, password)
		switch {
		case err != nil:
			t.Fatal(err)
		case page.Status == http.StatusSeeOther && seen.Password != "":
			t.Errorf("%s gets in with two passwords", p.email)
		case page.Status == http.StatusSeeOther:
			seen.Password = password
		case page.Status != http.StatusUnauthorized:
			t.Errorf("%s: %v", p.email, page)
		}
	}
	return seen
}

// check holds what the gate knows against what it acknowledged.
func (p *person) check(t *testing.T) {
	t.Helper()
	seen := p.look(t)
	switch {
	case is(seen, p.known, len(p.known.In)):
	case p.then != nil && is(seen, *p.then, len(p.known.In)):
		p.known = *p.then
	default:
		t.Errorf("%s, who when Caddy was killed %s:\nacknowledged %+v\nor perhaps   %+v\nand now it is %+v", p.email, p.doing, p.known, p.then, seen)
		return
	}
	p.known.In, p.then = seen.In, nil
	if p.known.Suspended || len(p.codes) == 0 {
		return
	}
	// Codes that were acknowledged as used count no more, and others do.
	for _, code := range p.used {
		if page, _ := p.useCode(t, code); page.Status != http.StatusUnauthorized {
			t.Errorf("%s uses a code twice: %v", p.email, page)
		}
	}
	last := len(p.codes) - 1
	page, b := p.useCode(t, p.codes[last])
	if page.Status != http.StatusSeeOther || b.Whoami() == nil {
		t.Errorf("%s cannot sign in: %v", p.email, page)
	}
	p.used, p.codes = append(p.used, p.codes[last]), p.codes[:last]
	p.known.CodesLeft--
	p.known.Sessions++
	p.known.In, p.browsers = append(p.known.In, true), append(p.browsers, b)
}

// useCode signs in as far as it goes.
func (p *person) useCode(t *testing.T, code string) (*harness.Page, *harness.Client) {
	t.Helper()
	b := p.gate.Browser()
	_, flow, err := tryPassword(b, p.email, p.known.Password)
	if err != nil {
		t.Fatal(err)
	}
	page, err := trySend(b, "/auth-gateway/passcode", "flow", flow, "passcode", code)
	if err != nil {
		t.Fatal(err)
	}
	return page, b
}

// is compares two states. Of the browsers that come after the sure ones, none
// need have got the session that it was given.
func is(seen, said state, sure int) bool {
	for i, in := range seen.In {
		allowed := i < len(said.In) && said.In[i]
		if in && !allowed || !in && allowed && i < sure {
			return false
		}
	}
	seen.In, said.In = nil, nil
	return fmt.Sprint(seen) == fmt.Sprint(said)
}
