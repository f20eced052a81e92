// Package profile is a person's own page.
package profile

import (
	"net/http"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Config is what the page needs. Everything is required.
type Config struct {
	Store    store.Store
	Sessions *session.Keeper
	Pages    *pages.Pages
	Answers  *answer.Answers
	Doors    map[string]*policy.Door // by the name of the audience
	// Labels are what people call the SSO configs, by name.
	Labels map[string]string
	// FormToken returns the hidden flow of forms that belong to no sign-in
	// under way, see signin.Conversation.
	FormToken func(http.ResponseWriter, *http.Request, policy.Visit) string
}

// Pages answers below answer.Account, on every site of a configuration.
type Pages struct{ Config }

// New returns the page of a configuration.
func New(c Config) *Pages { return &Pages{c} }

// ServeHTTP answers a request for the page. It opens only to a session that
// the strictest of the person's audiences would let in.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request, path string, visit policy.Visit) {
	if path != answer.Account {
		p.Answers.Refuse(w, r, visit, answer.Refusal{Kind: pages.NotFound})
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		p.Answers.Refuse(w, r, visit, answer.Refusal{Kind: pages.MethodNotAllowed})
		return
	}
	live, err := p.Sessions.Find(r, visit.Secure)
	if err != nil {
		p.Answers.Refuse(w, r, visit, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
		return
	}
	if live == nil || policy.Strictest(p.Doors, live.Made()) != policy.Opens {
		p.Answers.Challenge(w, r, visit, answer.Challenged{Original: answer.Account})
		return
	}
	page, err := p.describe(r, live)
	if err != nil {
		p.Answers.Refuse(w, r, visit, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
		return
	}
	page.Flow = p.FormToken(w, r, visit)
	p.Pages.KeepLanguage(w, r, visit.Secure)
	p.Pages.Write(w, http.StatusOK, pages.View{
		Host:     visit.Host,
		Language: p.Pages.Language(r),
		Self:     r.URL.RequestURI(),
	}, page)
}

// describe gathers what the page shows.
func (p *Pages) describe(r *http.Request, live *session.Live) (pages.Account, error) {
	page := pages.Account{
		Name:       live.Account.Attributes.Name,
		Email:      live.Account.Attributes.Email,
		Role:       string(live.Account.Attributes.Role),
		SSO:        live.Session.SSO,
		SignedInAt: live.Session.SignedInAt,
	}
	if label := p.Labels[page.SSO]; label != "" {
		page.SSO = label
	}
	err := p.Store.View(r.Context(), func(tx store.Tx) error {
		factors, err := tx.Factors(live.Account.ID)
		if err != nil || len(factors) == 0 {
			return err
		}
		page.Factor = string(factors[0].Method)
		page.FactorSince = factors[0].CreatedAt
		page.RecoveryCodes, err = tx.RecoveryCodesLeft(live.Account.ID)
		return err
	})
	return page, err
}
