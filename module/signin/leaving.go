package signin

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
)

// maxCookieHint is how long an ID token may be that goes into a cookie.
const maxCookieHint = 2000

// departure is a sign-out, once the session here has ended.
type departure struct {
	// sso is the SSO config whose provider the person is signed in at, "" for
	// none, and idToken what that gave them, if it is kept.
	sso, idToken string
	// switchTo is where somebody goes on to as somebody else; "" for those who
	// just sign out.
	switchTo string
	// here: the page has not named the provider to the browser, which would
	// therefore not follow there.
	here bool
}

// leavingFlow is a sign-out that is away at the provider, or has not been there.
type leavingFlow struct {
	State string `json:"s"`
	// SwitchTo is where the person goes on to as somebody else, or "".
	SwitchTo string `json:"w,omitempty"`
	// StillAt is the SSO config at whose provider the person may still be
	// signed in, or "".
	StillAt string `json:"a,omitempty"`
}

// refusedFlow is a sign-in through a provider that has come to nothing here,
// while the person is signed in there.
type refusedFlow struct {
	SSO     string `json:"s"`
	IDToken string `json:"i,omitempty"`
}

// leave sends somebody who has signed out here to their provider to sign out
// there (OpenID Connect RP-Initiated Logout 1.0), if it offers that, and
// otherwise to the page that says so. Only the provider of this session is told:
// nobody leaves this site who signed in with a password.
func (x *exchange) leave(out departure) {
	id := newFlowID()
	random, _ := secret.NewToken()
	flow := leavingFlow{State: id + "." + random, SwitchTo: out.switchTo}
	address, ok := "", false
	if provider := x.Providers[out.sso]; provider != nil {
		var err error
		if !out.here {
			address, ok, err = provider.EndSession(x.r.Context(), out.idToken, x.signedOutAddress(), flow.State)
		}
		if err != nil {
			// Here it is done; there it ends by itself some time.
			x.Answers.Log.Warn("somebody who signed out could not be sent on to sign out at their provider", zap.String("sso", out.sso), zap.Error(err))
		}
		if !ok {
			flow.StillAt = out.sso
		}
	}
	switch {
	case flow.StillAt == "" && !ok && out.switchTo != "":
		x.redirect(answer.SignInAsAnother(out.switchTo))
		return
	case flow.StillAt == "" && !ok && x.isBehindPortal():
		x.redirect(answer.SignOut + "?state=") // done: nothing to ask the portal about
		return
	case flow.StillAt == "" && !ok:
		x.redirect(answer.SignOut)
		return
	case !x.isBehindPortal() || !ok: // the portal would not see the cookie
		if err := x.flows.write(x, id, flowCookie{Leaving: &flow, At: x.Clock().UnixMilli()}); err != nil {
			x.storeFault(err)
			return
		}
	}
	if !ok {
		address = answer.SignOut + "?state=" + flow.State
	}
	x.redirect(address)
}

// signedOutAddress is where a provider sends people back to who have signed out
// there: one address that can be registered with it.
func (x *exchange) signedOutAddress() string {
	if x.isBehindPortal() {
		return x.site.Portal.Origin + answer.SignOut
	}
	return x.visit.Origin + answer.SignOut
}

// showSignedOut answers GET /sign-out when nobody is signed in. A state that this
// browser did not get makes no difference.
func (x *exchange) showSignedOut(state string) {
	page := pages.SignedOut{SignIn: answer.SignIn}
	id, _, _ := strings.Cut(state, ".")
	if c, ok := x.flows.get(x, id); ok && c.Leaving != nil && subtle.ConstantTimeCompare([]byte(c.Leaving.State), []byte(state)) == 1 {
		to := x.readReturnTo(c.Leaving.SwitchTo)
		switch still := x.Providers[c.Leaving.StillAt]; {
		case still != nil:
			page.StillAt = still.Label
			if c.Leaving.SwitchTo != "" {
				// They would be sent again as who they are there.
				page.SignIn = answer.SignInAsAnother(to)
			}
		case c.Leaving.SwitchTo != "" && x.r.Method == http.MethodGet:
			// Perhaps they have said there that they would rather stay.
			x.flows.clear(x, id)
			x.redirect(answer.SignInAsAnother(to))
			return
		}
	}
	x.show(page)
}

// exits returns the origins beside this site at which a form may end up that
// signs somebody out who signed in with that SSO config. here: that cannot be
// told at the moment.
func (x *exchange) exits(name string) (targets []string, here bool) {
	if x.isBehindPortal() {
		targets = append(targets, x.site.Portal.Origin)
	}
	provider := x.Providers[name]
	if provider == nil {
		return targets, false
	}
	origin, err := provider.EndSessionOrigin(x.r.Context())
	if origin != "" {
		targets = append(targets, origin)
	}
	return targets, err != nil
}

// entrances returns those at which a form may end up that leads to signing in,
// by redirects alone: where somebody goes straight to a provider.
func (x *exchange) entrances() []string {
	door := x.doorTo(x.going)
	provider := x.Providers[door.WayIn(x.visit.Client).Straight]
	if provider == nil {
		return nil
	}
	origin, _ := provider.StartOrigin(x.r.Context()) // otherwise nobody is sent there
	if origin == "" {
		return nil
	}
	return []string{origin}
}

// notMember tells somebody who is signed in, or could be, that they do not belong
// here.
func (x *exchange) notMember(email string, door *policy.Door) {
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return
	}
	name := ""
	if live != nil {
		name = live.Session.SSO
	}
	x.keepOut(email, door, name, x.formToken())
}

// notMemberFrom tells the same to somebody for whom there is no session, since
// they do not belong here.
func (x *exchange) notMemberFrom(name string, door *policy.Door, assertion *sso.Assertion) {
	if flow, ok := x.refusedAt(name, assertion); ok {
		x.keepOut(assertion.Email, door, name, flow)
	}
}

// refusedAt notes that somebody is refused whom a provider vouches for, and
// returns the flow of the form that signs them out there: the provider would
// send them again at once as who they are, if they want to be somebody else. It
// answers and returns false if that cannot be.
func (x *exchange) refusedAt(name string, assertion *sso.Assertion) (flow string, ok bool) {
	id := newFlowID()
	refused := &refusedFlow{SSO: name}
	if len(assertion.RawIDToken) <= maxCookieHint {
		refused.IDToken = assertion.RawIDToken
	}
	if err := x.flows.set(x, id, flowCookie{Refused: refused}); err != nil {
		x.storeFault(err)
		return "", false
	}
	return id, true
}

func (x *exchange) keepOut(email string, door *policy.Door, name, flow string) {
	refusal := answer.Refusal{
		Kind:   pages.NotAllowed,
		Cause:  errors.New("the account's role does not belong to audience " + door.Name()),
		Detail: pages.Detail{Email: email},
	}
	x.offerSwitch(&refusal, name, flow)
	x.refuse(refusal)
}

// offerSwitch has the page of a refusal offer to sign out, at the provider too,
// and in again as somebody else.
func (x *exchange) offerSwitch(refusal *answer.Refusal, name, flow string) {
	refusal.Way = pages.Way{Kind: pages.WaySwitchAccount, Flow: flow, ReturnTo: x.going}
	refusal.FormTargets, refusal.Way.Here = x.exits(name)
	for _, origin := range x.entrances() {
		if !slices.Contains(refusal.FormTargets, origin) {
			refusal.FormTargets = append(refusal.FormTargets, origin)
		}
	}
}

// SwitchAccount has the page of a refusal offer somebody who is signed in, and
// may not go where they asked to, to use another account.
func (c *Conversation) SwitchAccount(w http.ResponseWriter, r *http.Request, visit policy.Visit, site Site, live *session.Live, refusal *answer.Refusal) {
	x := &exchange{Conversation: c, w: w, r: r, visit: visit, site: site}
	x.going = policy.ReturnTo(visit.Asked, visit.Origin)
	x.offerSwitch(refusal, live.Session.SSO, x.formToken())
}
