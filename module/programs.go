package module

import (
	"errors"
	"net/http"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/program"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
)

// errSecondFactor: a second factor applies to the account, so its password
// alone lets no program in.
var errSecondFactor = errors.New("a second factor applies to this account, so its password alone lets no program in: sign in with a browser")

// program lets a program in that sends a password along, where the audience
// takes that. It returns nil for a request that sends none, and an error for
// one that is not believed. The app does not see what was.
func (g *Gateway) program(r *http.Request, a arrival, s *service) (*session.Live, error) {
	if !a.door.APIPassword() {
		return nil, nil
	}
	email, password, sent := program.Sent(r)
	if !sent {
		return nil, nil
	}
	live, err := s.programs.Basic(r.Context(), email, password, account.From{Address: g.visit(r, a).Client})
	if err != nil {
		return nil, err
	}
	switch a.door.Opens(live.Made()) {
	case policy.NeedsPasscode, policy.NeedsEnrollment:
		return nil, errSecondFactor
	}
	r.Header.Del("Authorization")
	return live, nil
}

// refuseProgram answers a program that was not let in. It never gets a page or
// a redirect.
func (g *Gateway) refuseProgram(w http.ResponseWriter, r *http.Request, a arrival, err error) error {
	var held *account.Held
	var busy *account.Busy
	detail := ""
	switch {
	case errors.As(err, &held):
		return g.refuse(w, r, a, answer.Refusal{Kind: pages.Busy, Status: http.StatusTooManyRequests, Cause: err, RetryAfter: held.RetryAfter})
	case errors.As(err, &busy):
		return g.refuse(w, r, a, answer.Refusal{Kind: pages.Busy, Cause: err, RetryAfter: busy.RetryAfter})
	case errors.Is(err, account.ErrWrong):
		detail = "wrong e-mail address or password"
	case errors.Is(err, program.ErrTooShort), errors.Is(err, errSecondFactor):
		detail = err.Error()
	default:
		return g.refuse(w, r, a, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
	}
	setPlaceholders(r, nobody)
	g.app.answers.Challenge(w, r, g.visit(r, a), answer.Challenged{Original: a.original, Program: true, Basic: true, Detail: detail})
	return nil
}
