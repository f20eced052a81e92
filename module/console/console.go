// Package console is the administrators' pages. Today that is one: the report
// on second factors, which a mailed link leads to.
package console

import (
	"errors"
	"net/http"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Config is what the console needs. Everything is required.
type Config struct {
	Store    store.Store
	Ring     *secret.Ring
	People   *account.People
	Sessions *session.Keeper
	Trail    *audit.Trail
	Answers  *answer.Answers
	Doors    map[string]*policy.Door // by the name of the audience
	Clock    func() time.Time
}

// Console answers below answer.Admin, on every site of a configuration.
type Console struct {
	Config
	links *secret.Cookies // seals what a link to a report says
}

// New returns the console of a configuration.
func New(c Config) *Console {
	return &Console{Config: c, links: c.Ring.Cookies("report link", LinkLifetime)}
}

// ServeHTTP answers a request for one of the pages. Nothing but that a page is
// not there is told to anybody who is not an administrator; another has the page
// that says so offer to use another account.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request, path string, visit policy.Visit, another func(*session.Live, *answer.Refusal)) {
	if path != answer.SecondFactorReport {
		c.Answers.Refuse(w, r, visit, answer.Refusal{Kind: pages.NotFound})
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		c.Answers.Refuse(w, r, visit, answer.Refusal{Kind: pages.MethodNotAllowed})
		return
	}
	if live := c.administrator(w, r, visit, another); live != nil {
		c.secondFactors(w, r, visit, live)
	}
}

// administrator returns the session of an administrator that the strictest of
// their audiences would let in, or answers the request and returns nil.
func (c *Console) administrator(w http.ResponseWriter, r *http.Request, visit policy.Visit, another func(*session.Live, *answer.Refusal)) *session.Live {
	live, err := c.Sessions.Find(r, visit.Secure)
	if err != nil {
		c.Answers.Refuse(w, r, visit, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
		return nil
	}
	verdict := policy.NeedsSignIn
	if live != nil {
		verdict = policy.Strictest(c.Doors, live.Made())
		if live.Account.Attributes.Role != identity.Admin {
			verdict = policy.NotMember
		}
	}
	switch verdict {
	case policy.Opens:
		return live
	case policy.NotMember:
		refusal := answer.Refusal{
			Kind:     pages.NotAllowed,
			Cause:    errors.New("only administrators who belong to an audience may open the console"),
			Detail:   pages.Detail{Email: live.Account.Attributes.Email},
			ReturnTo: policy.ReturnTo(visit.Asked, visit.Origin),
		}
		another(live, &refusal)
		c.Answers.Refuse(w, r, visit, refusal)
	default:
		c.Answers.Challenge(w, r, visit, answer.Challenged{Original: visit.Asked})
	}
	return nil
}
