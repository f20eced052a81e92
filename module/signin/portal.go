package signin

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// ticketLifetime is how long a ticket is good: the time that a browser takes
	// to follow a redirect.
	ticketLifetime = 30 * time.Second
	// maxTickets is how many a session on the portal may have; a further one
	// ends the oldest. Somebody may open a whole folder of bookmarks at once,
	// each a site of its own.
	maxTickets = 64
)

// Portal is the one host that has the pages of all sites of a configuration.
type Portal struct {
	// Origin of the portal.
	Origin string
	// Here: the site that the request came to is the portal.
	Here bool
	// Door returns the door of the audience to which a path of the site with
	// that origin belongs, or nil if no such site is behind the portal.
	Door func(origin, path string) *policy.Door
}

func (p *Portal) knows(origin string) bool { return p.Door(origin, "/") != nil }

// isPortal reports whether the site is a portal to others.
func (x *exchange) isPortal() bool { return x.site.Portal != nil && x.site.Portal.Here }

// isBehindPortal reports whether the pages of the site are on a portal.
func (x *exchange) isBehindPortal() bool { return x.site.Portal != nil && !x.site.Portal.Here }

// elsewhere is where somebody on the portal is going: an address of a site
// behind it.
type elsewhere struct {
	origin, path string
	// request is what a ticket to that site is to be bound to; zero: they did
	// not come from there.
	request ticketRequest
}

// ticketRequest is what a site says that sends somebody to the portal: in which
// flow of theirs, and the hash of what only the browser knows that has its
// cookie. It goes along as the fragment of the address to return to, which no
// site ever sees.
type ticketRequest struct {
	flow    string
	binding []byte
}

func (e elsewhere) String() string {
	if e.request.flow == "" {
		return e.origin + e.path
	}
	return e.origin + e.path + "#" + e.request.String()
}

func (r ticketRequest) String() string {
	return r.flow + "." + base64.RawURLEncoding.EncodeToString(r.binding)
}

// parseTicketRequest returns the zero value for what is none.
func parseTicketRequest(text string) ticketRequest {
	flow, hash, _ := strings.Cut(text, ".")
	binding, err := base64.RawURLEncoding.Strict().DecodeString(hash)
	if err != nil || len(binding) != len(secret.TokenID("")) || len(flow) != flowIDSize ||
		strings.Trim(flow, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return ticketRequest{}
	}
	return ticketRequest{flow, binding}
}

// elsewhere reads an address to return to that is one of a site behind this
// portal.
func (x *exchange) elsewhere(returnTo string) (to elsewhere, ok bool) {
	if !x.isPortal() {
		return to, false
	}
	origin, path, fragment, ok := policy.ReturnToSite(returnTo, x.site.Portal.knows)
	return elsewhere{origin, path, parseTicketRequest(fragment)}, ok
}

// readReturnTo is where a person is going, if that is plainly a path of this
// site, or an address of a site behind the same portal. It is the same whether
// it comes from a browser or from a flow that began before the configuration
// changed: a site that has gone is nowhere to go.
func (x *exchange) readReturnTo(raw string) string {
	if to, ok := x.elsewhere(raw); ok {
		return to.String()
	}
	return policy.ReturnTo(raw, x.visit.Origin)
}

// doorTo is the door that opens an address that readReturnTo returned.
func (x *exchange) doorTo(returnTo string) *policy.Door {
	if to, ok := x.elsewhere(returnTo); ok {
		return x.site.Portal.Door(to.origin, pathOf(to.path))
	}
	door := x.site.Door(pathOf(returnTo))
	if aboutThemselves(returnTo) {
		// Such pages are no audience's. Whoever came in at another door of
		// this site may have nothing to show at this one.
		if own := x.ownDoor(door); own != nil {
			return own
		}
	}
	return door
}

// onward sends somebody on who has just been let in, or is anyway. To another
// site that asked for it they get a ticket, from the next request on: the one
// that comes with the session's cookie.
func (x *exchange) onward(returnTo string) {
	if to, ok := x.elsewhere(returnTo); ok && to.request.flow != "" {
		returnTo = answer.SignInFor(returnTo)
	}
	x.redirect(returnTo)
}

// linkOnward is where a link leads that may be followed late.
func (x *exchange) linkOnward(returnTo string) string {
	if to, ok := x.elsewhere(returnTo); ok {
		to.request = ticketRequest{}
		return to.String()
	}
	return returnTo
}

// sendOn sends somebody on whose session opens where they are going. What they get
// a ticket for is made of that session.
func (x *exchange) sendOn(live *session.Live, returnTo string) {
	to, ok := x.elsewhere(returnTo)
	if !ok || to.request.flow == "" || x.r.Method == http.MethodHead {
		x.redirect(x.linkOnward(returnTo))
		return
	}
	now := x.Clock()
	ticket, id := secret.NewToken()
	err := x.Store.Update(x.r.Context(), func(tx store.Tx) error {
		return tx.CreateTicket(store.Ticket{
			ID: id, Session: live.Session.ID, Origin: to.origin, Binding: to.request.binding,
			CreatedAt: now, ExpiresAt: now.Add(ticketLifetime),
		}, maxTickets)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		// Signed out a moment ago: the next request has no session.
		x.redirect(answer.SignInFor(returnTo))
	case err != nil:
		x.storeFault(fmt.Errorf("making a ticket: %w", err))
	default:
		query := url.Values{"flow": {to.request.flow}, "ticket": {ticket}}
		x.redirect(to.origin + answer.Ticket + "?" + query.Encode())
	}
}

// tooOldFor reports whether a session that opens a door would be over behind it:
// sessions made with tickets last as long as the audience there has them, from
// the sign-in on.
func (x *exchange) tooOldFor(live *session.Live, door *policy.Door, returnTo string) bool {
	_, away := x.elsewhere(returnTo)
	return away && !x.Clock().Before(live.Session.SignedInAt.Add(door.SessionLifetime()))
}

// serveBehindPortal answers on a site whose pages are on a portal: what ends or
// shows the session of this site, and the ways to the portal and back.
func (x *exchange) serveBehindPortal(path string) {
	switch path {
	case answer.SignIn:
		x.methods(x.goToPortal, nil)
	case answer.Ticket:
		x.methods(x.takeTicket, nil)
	case answer.SignOut:
		x.methods(x.askSignOut, x.signOut)
	case answer.WhoAmI:
		x.methods(x.whoami, nil)
	case answer.Passcode, answer.Enroll, answer.Reset, answer.Account, answer.Admin:
		x.methods(func() { x.showOnPortal(path) }, nil)
	default:
		_, isStart := cutAround(path, answer.SSO, "/start")
		if isStart || strings.HasPrefix(path, answer.Account+"/") || strings.HasPrefix(path, answer.Admin+"/") {
			x.methods(func() { x.showOnPortal(path) }, nil)
			return
		}
		x.refuse(answer.Refusal{Kind: pages.NotFound})
	}
}

// showOnPortal sends a person to the same page on the portal.
func (x *exchange) showOnPortal(path string) {
	query, ok := x.query()
	if !ok {
		return
	}
	if query.Has("return_to") {
		query.Set("return_to", x.fromPortal(policy.ReturnTo(query.Get("return_to"), x.visit.Origin)))
	}
	address := x.site.Portal.Origin + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	x.redirect(address)
}

// fromPortal is a path of this site as the portal calls it. Pages of ours are
// there.
func (x *exchange) fromPortal(returnTo string) string {
	if aboutThemselves(returnTo) {
		return returnTo
	}
	return x.visit.Origin + returnTo
}

// goToPortal answers GET /sign-in on a site behind a portal: on to where the
// person was going if their session opens it, and otherwise to the portal, with
// what a ticket to this site and browser is to be bound to.
func (x *exchange) goToPortal() {
	query, ok := x.query()
	if !ok {
		return
	}
	returnTo := policy.ReturnTo(query.Get("return_to"), x.visit.Origin)
	x.going = returnTo
	signIn := x.site.Portal.Origin + answer.SignIn
	if aboutThemselves(returnTo) {
		if query.Get("again") != "" {
			x.redirect(x.site.Portal.Origin + answer.SignInAgain(returnTo))
			return
		}
		x.redirect(x.site.Portal.Origin + answer.SignInFor(returnTo))
		return
	}
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return
	}
	if live != nil && x.doorTo(returnTo).Opens(live.Made()) == policy.Opens {
		x.redirect(returnTo)
		return
	}
	if !x.site.Portal.knows(x.visit.Origin) {
		x.refuse(answer.Refusal{
			Kind:  pages.SiteUnknown,
			Cause: fmt.Errorf("the portal sends nobody back to %s: that is none of the addresses that are known of its sites", x.visit.Origin),
			Hint:  "add `origin " + x.visit.Origin + "` to the auth_gateway of this site",
		})
		return
	}
	token, binding := secret.NewToken()
	to := elsewhere{x.visit.Origin, returnTo, ticketRequest{newFlowID(), binding}}
	if err := x.flows.set(x, to.request.flow, flowCookie{Portal: &portalFlow{Binding: token, ReturnTo: returnTo}}); err != nil {
		x.storeFault(err)
		return
	}
	signIn += "?return_to=" + url.QueryEscape(to.String())
	if x.asAnother() {
		signIn += "&account=other"
	}
	x.redirect(signIn)
}
