package signin

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// askSignOut answers GET /sign-out: it asks, or says that nobody is signed in.
// Whoever comes back from signing out at their provider sees that as well, and
// goes on if they wanted another account. Whoever has not been at this site yet
// may be signed in at its portal all the same, and is asked there.
func (x *exchange) askSignOut() {
	query, ok := x.query()
	if !ok {
		return
	}
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return
	}
	if live == nil && x.isBehindPortal() && !query.Has("state") {
		x.redirect(x.site.Portal.Origin + answer.SignOut)
		return
	}
	if live == nil {
		x.showSignedOut(query.Get("state"))
		return
	}
	targets, here := x.exits(live.Session.SSO)
	view := x.view(x.r.URL.RequestURI())
	view.FormTargets = append(view.FormTargets, targets...)
	x.Pages.Write(x.w, http.StatusOK, view, pages.SignOut{
		Email: live.Account.Attributes.Email,
		Flow:  x.formToken(),
		Here:  here,
	})
}

// signOut answers POST /sign-out. The session ends in the store before the
// person is told, or sent on to their provider, so its cookie is worthless
// wherever else it may be.
func (x *exchange) signOut() {
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return
	}
	form := x.r.PostForm
	out := departure{here: form.Has("here")}
	if form.Has("switch_to") {
		out.switchTo = x.readReturnTo(form.Get("switch_to"))
	}
	flows := x.flows.all(x)
	if c, ok := x.flows.get(x, form.Get("flow")); ok && c.Refused != nil {
		out.sso, out.idToken = c.Refused.SSO, c.Refused.IDToken
	}
	if err := x.end(live, flows, &out); err != nil {
		x.storeFault(fmt.Errorf("ending a session: %w", err))
		return
	}
	session.SetCookie(x.w, session.CookieName, "", x.visit.Secure, -time.Second)
	for _, flow := range flows {
		x.flows.clear(x, flow.id)
	}
	if live == nil && x.isBehindPortal() && out.switchTo == "" {
		x.redirect(x.site.Portal.Origin + answer.SignOut)
		return
	}
	x.leave(out)
}

// end ends a session, if there is one, and the sign-ins that the browser has
// under way, so that none of their cookies restores anything. It notes which
// provider is to hear of it, unless that is known already.
func (x *exchange) end(live *session.Live, flows []flowCookie, out *departure) error {
	flows = slices.DeleteFunc(slices.Clone(flows), func(flow flowCookie) bool { return flow.Token == "" })
	if live == nil && len(flows) == 0 {
		return nil
	}
	event := store.Event{Action: "sign-out", Outcome: audit.Success, Address: x.address()}
	var ended bool
	var idToken string
	err := x.Store.Update(x.detached(), func(tx store.Tx) (err error) {
		ended = false
		for _, flow := range flows {
			if _, err := tx.EndFlow(secret.TokenID(flow.Token)); err != nil {
				return err
			}
		}
		if live == nil {
			return nil
		}
		if idToken, err = x.Upstream.IDToken(tx, live.Session); err != nil {
			return err
		}
		event.AccountID = live.Account.ID
		if ended, err = tx.EndSession(live.Session.ID); err != nil || !ended {
			return err
		}
		return x.Trail.Within(tx, event)
	})
	if err != nil {
		return err
	}
	if ended {
		x.Trail.Announce(event)
	}
	if live != nil && out.sso == "" {
		out.sso, out.idToken = live.Session.SSO, idToken
	}
	return nil
}
