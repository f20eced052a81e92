// Package signin is the conversation with a person who wants in: the way in,
// each step, signing out, setting a password. It speaks HTTP, asks package
// account whom to believe, and hands package pages what to show.
package signin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/upstream"
)

// Provider is an SSO config as the conversation needs it.
type Provider struct {
	*sso.Provider
	// Label is how people know it: the button's, or the SSO config's name.
	Label string
	// Rules say whom to let in through it.
	Rules account.Admission
}

// Config is what a conversation is made of. Everything but Brand is required.
type Config struct {
	Store     store.Store
	Ring      *secret.Ring
	People    *account.People
	Sessions  *session.Keeper
	Pages     *pages.Pages
	Trail     *audit.Trail
	Providers map[string]*Provider    // by the name of the SSO config
	Upstream  *upstream.Sessions      // of the same SSO configs
	Doors     map[string]*policy.Door // by the name of the audience
	Answers   *answer.Answers
	// Letters writes to people, as far as anything can be sent.
	Letters *letter.Writer
	// Brand is the operator's name, which no password may contain; "" if
	// there is none.
	Brand string
	Clock func() time.Time
}

// Conversation answers at the gateway's own addresses, on every site of a
// configuration.
type Conversation struct {
	Config
	flows    flowCookies
	devices  deviceCookies
	sending  sending
	finished finished
	logo     http.Handler
}

// Site is one protected site, as its gateway configures it.
type Site struct {
	// Door returns the door of the audience to which a path belongs.
	Door func(path string) *policy.Door

	// Ranged: the way in to some of its audiences depends on the client's
	// address.
	Ranged bool

	// Portal has the pages of this site, or is this site. nil: each site has
	// its own.
	Portal *Portal
}

// New returns the conversation of a configuration.
func New(c Config) *Conversation {
	return &Conversation{
		Config:   c,
		flows:    flowCookies{c.Ring.Cookies("flow cookie", flowLifetime)},
		devices:  newDeviceCookies(c.Ring),
		sending:  newSending(),
		finished: newFinished(),
		logo:     c.Pages.Logo(),
	}
}

// exchange is one request of the conversation.
type exchange struct {
	*Conversation
	w     http.ResponseWriter
	r     *http.Request
	visit policy.Visit
	site  Site
	// linking is the account that a provider is to be linked to; nil: the person
	// signs in.
	linking *linkFlow
	// going is where the person is going, once that is known.
	going string
	// device is the browser, once it has been met.
	device *account.Device
}

// ServeHTTP answers a request below answer.Root. path is the canonical path.
func (c *Conversation) ServeHTTP(w http.ResponseWriter, r *http.Request, path string, visit policy.Visit, site Site) {
	x := &exchange{Conversation: c, w: w, r: r, visit: visit, site: site}
	if path == answer.Logo {
		// The one answer that may be kept, so it sets no cookie.
		c.logo.ServeHTTP(w, r)
		return
	}
	if name, ok := cutAround(path, answer.SSO, answer.BackchannelLogout); ok {
		x.backchannelLogout(name)
		return
	}
	c.Pages.KeepLanguage(w, r, visit.Secure)
	if x.isBehindPortal() {
		x.serveBehindPortal(path)
		return
	}
	if visit.Forgeable && site.Ranged && decidesByAddress(path) {
		x.refuse(answer.Refusal{
			Kind:  pages.RangesUndecidable,
			Cause: errors.New("ip_ranges cannot decide: trusted_proxies without trusted_proxies_strict believes an address that the client may have written itself"),
			Hint:  "add trusted_proxies_strict to the servers option in the Caddyfile",
		})
		return
	}
	switch path {
	case answer.SignIn:
		x.methods(x.showWayIn, x.takePassword)
	case answer.Passcode:
		x.methods(x.showPasscode, x.takePasscode)
	case answer.Enroll:
		x.methods(x.showEnrollment, x.takeEnrollment)
	case answer.SignOut:
		x.methods(x.askSignOut, x.signOut)
	case answer.Reset:
		x.methods(x.showReset, x.takeNewPassword)
	case answer.WhoAmI:
		x.methods(x.whoami, nil)
	default:
		if name, ok := cutAround(path, answer.SSO, "/start"); ok {
			x.methods(func() { x.startProvider(name) }, nil)
			return
		}
		if name, ok := cutAround(path, answer.SSO, "/callback"); ok {
			x.methods(func() { x.finishProvider(name) }, nil)
			return
		}
		x.refuse(answer.Refusal{Kind: pages.NotFound})
	}
}

// decidesByAddress reports whether the way in is decided at that address.
func decidesByAddress(path string) bool {
	switch path {
	case answer.SignIn, answer.Passcode, answer.Enroll:
		return true
	}
	return strings.HasPrefix(path, answer.SSO)
}

// methods calls the one for the request's method: GET and HEAD show and change
// nothing, POST does. A POST from another site is refused.
func (x *exchange) methods(get, post func()) {
	switch {
	case x.r.Method == http.MethodGet || x.r.Method == http.MethodHead:
		get()
	case x.r.Method == http.MethodPost && post != nil:
		if x.readForm() {
			post()
		}
	default:
		allow := "GET, HEAD"
		if post != nil {
			allow += ", POST"
		}
		x.w.Header().Set("Allow", allow)
		x.refuse(answer.Refusal{Kind: pages.MethodNotAllowed})
	}
}

// show writes a page that a GET of the same address shows again.
func (x *exchange) show(page pages.Page) { x.write(http.StatusOK, x.r.URL.RequestURI(), page) }

func (x *exchange) write(status int, self string, page pages.Page) {
	x.Pages.Write(x.w, status, x.view(self), page)
}

func (x *exchange) view(self string) pages.View {
	view := pages.View{Host: x.visit.Host, Language: x.Pages.Language(x.r), Self: self}
	if to, ok := x.elsewhere(x.going); ok {
		// A form may end up there, by the redirects that follow it.
		_, view.Host, _ = strings.Cut(to.origin, "://")
		view.FormTargets = []string{to.origin}
	}
	if x.visit.Portal != "" {
		view.FormTargets = append(view.FormTargets, x.visit.Portal)
	}
	return view
}

// redirect sends a person on to a path of this site, or to an address that is
// known to be of one behind the same portal, or of the portal: after a GET with 302, and
// after a POST with 303, so that reloading does not post again.
func (x *exchange) redirect(path string) {
	status := http.StatusFound
	if x.r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	h := x.w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("Location", path)
	x.w.WriteHeader(status)
}

// cutAround returns what stands between before and after, if it is one segment.
func cutAround(path, before, after string) (string, bool) {
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	name, ok := strings.CutSuffix(rest, after)
	return name, ok && name != "" && !strings.Contains(name, "/")
}

func (x *exchange) refuse(refusal answer.Refusal) {
	refusal.ReturnTo = x.going
	x.Answers.Refuse(x.w, x.r, x.visit, refusal)
}

// storeFault closes the gate because the store, or what leads to it, failed.
func (x *exchange) storeFault(err error) {
	if errors.Is(err, context.Canceled) && x.r.Context().Err() != nil {
		// Nobody is there to be answered, and the store did nothing wrong.
		x.w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	x.refuse(answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
}
