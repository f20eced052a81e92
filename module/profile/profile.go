// Package profile is a person's own page: what is known of them, where they
// are signed in, and how they change how they sign in. It speaks HTTP, has
// package account do what is done, and hands package pages what to show.
package profile

import (
	"net/http"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
)

// Addresses below answer.Account; answer.Factors and answer.Links are others.
const (
	nameAddress     = answer.Account + "/name"
	passwordAddress = answer.Account + "/password"
	sessionsAddress = answer.Account + "/sessions"
	devicesAddress  = answer.Account + "/devices"
	codesAddress    = answer.Account + "/recovery-codes"
)

// Config is what the page needs. Everything but Brand is required.
type Config struct {
	People   *account.People
	Sessions *session.Keeper
	Pages    *pages.Pages
	Answers  *answer.Answers
	Trail    *audit.Trail
	// Letters writes to people, as far as anything can be sent.
	Letters *letter.Writer
	Doors   map[string]*policy.Door // by the name of the audience
	// Labels are what people call the SSO configs, and Issuers those of them,
	// by name.
	Labels, Issuers map[string]string
	// Brand is the operator's name, which no password may contain; "" if
	// there is none.
	Brand string
	Clock func() time.Time
	// FormToken returns the hidden flow of forms that belong to no sign-in
	// under way, and OwnForm whether one is that of the request's browser,
	// see signin.Conversation.
	FormToken func(http.ResponseWriter, *http.Request, policy.Visit) string
	OwnForm   func(r *http.Request, visit policy.Visit, token string) bool
	// Link begins to link a provider to a person's account and returns where
	// they go for that, or answers and returns false, see
	// signin.Conversation.
	Link func(w http.ResponseWriter, r *http.Request, visit policy.Visit, sso string, self account.Self) (address string, ok bool)
}

// Pages answers below answer.Account, on every site of a configuration.
type Pages struct{ Config }

// New returns the page of a configuration.
func New(c Config) *Pages { return &Pages{c} }

// page is one of the addresses. GET shows and changes nothing, POST does.
type page struct {
	get, post func(*exchange)
	// offered reports whether there is such a page for the person; nil: for
	// everybody.
	offered func(*exchange) bool
	// fresh: only for whom has signed in a moment ago, with a password or, with
	// anyWay, through a provider that asked who it is; who has not does so again
	// and returns to again.
	fresh, anyWay bool
	again         string
}

var addresses = map[string]page{
	answer.Account:  {get: (*exchange).showAccount},
	nameAddress:     {get: (*exchange).showName, post: (*exchange).takeName, offered: (*exchange).mayRename},
	sessionsAddress: {post: (*exchange).endSession},
	devicesAddress:  {post: (*exchange).forgetDevice},
	passwordAddress: {
		get: (*exchange).showPassword, post: (*exchange).takePassword,
		offered: (*exchange).mayChangePassword, fresh: true, again: passwordAddress,
	},
	answer.Factors: {
		get: (*exchange).showFactors, post: (*exchange).takeFactors,
		offered: (*exchange).mayManageFactors, fresh: true, again: answer.Factors,
	},
	answer.Links: {
		get: (*exchange).showLinks, post: (*exchange).takeLinks,
		offered: (*exchange).mayManageLinks, fresh: true, anyWay: true, again: answer.Links,
	},
	codesAddress: {
		post:    (*exchange).makeRecoveryCodes,
		offered: (*exchange).mayManageFactors, fresh: true, again: answer.Factors,
	},
}

// ServeHTTP answers a request for the page. It opens only to a session that
// the strictest of the person's audiences would let in.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request, path string, visit policy.Visit) {
	x := &exchange{Pages: p, w: w, r: r, visit: visit, path: path}
	address, ok := addresses[path]
	if !ok {
		x.refuse(answer.Refusal{Kind: pages.NotFound})
		return
	}
	act := address.get
	if r.Method == http.MethodPost {
		act = address.post
	} else if r.Method != http.MethodGet && r.Method != http.MethodHead {
		act = nil
	}
	if act == nil {
		w.Header().Set("Allow", address.allow())
		x.refuse(answer.Refusal{Kind: pages.MethodNotAllowed})
		return
	}
	if !x.read() || !x.enter(address) {
		return
	}
	act(x)
}

func (p page) allow() string {
	switch {
	case p.get == nil:
		return "POST"
	case p.post == nil:
		return "GET, HEAD"
	}
	return "GET, HEAD, POST"
}
