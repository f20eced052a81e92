package signin

import (
	"fmt"
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
func (x *exchange) askSignOut() {
	if _, ok := x.query(); !ok {
		return
	}
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return
	}
	if live == nil {
		x.show(pages.SignedOut{SignIn: answer.SignIn})
		return
	}
	x.show(pages.SignOut{
		Email: live.Account.Attributes.Email,
		Flow:  x.formToken(),
	})
}

// signOut answers POST /sign-out. The session ends in the store before the
// person is told, so its cookie is worthless wherever else it may be.
func (x *exchange) signOut() {
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return
	}
	flows := x.flows.all(x)
	if err := x.end(live, flows); err != nil {
		x.storeFault(fmt.Errorf("ending a session: %w", err))
		return
	}
	session.SetCookie(x.w, session.CookieName, "", x.visit.Secure, -time.Second)
	for _, flow := range flows {
		x.flows.clear(x, flow.id)
	}
	x.redirect(answer.SignOut)
}

// end ends a session, if there is one, and the sign-ins that the browser has
// under way, so that none of their cookies restores anything.
func (x *exchange) end(live *session.Live, flows []flowCookie) error {
	flows = slices.DeleteFunc(slices.Clone(flows), func(flow flowCookie) bool { return flow.Token == "" })
	if live == nil && len(flows) == 0 {
		return nil
	}
	event := store.Event{Action: "sign-out", Outcome: audit.Success, Address: x.address()}
	var ended bool
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
		event.AccountID = live.Account.ID
		if ended, err = tx.EndSession(live.Session.ID); err != nil || !ended {
			return err
		}
		return x.Trail.Within(tx, event)
	})
	if err == nil && ended {
		x.Trail.Announce(event)
	}
	return err
}
