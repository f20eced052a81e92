package signin

import (
	"fmt"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
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
		Flow:  x.devices.tokenOf(x.devices.meet(x)),
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
	if live != nil {
		event := store.Event{
			Action: "sign-out", Outcome: audit.Success, AccountID: live.Account.ID, Address: x.address(),
		}
		err := x.Store.Update(x.detached(), func(tx store.Tx) error {
			if _, err := tx.EndSession(live.Session.ID); err != nil {
				return err
			}
			return x.Trail.Within(tx, event)
		})
		if err != nil {
			x.storeFault(fmt.Errorf("ending a session: %w", err))
			return
		}
		x.Trail.Announce(event)
	}
	session.SetCookie(x.w, session.CookieName, "", x.visit.Secure, -time.Second)
	for _, flow := range x.flows.all(x) {
		x.flows.clear(x, flow.id)
	}
	x.redirect(answer.SignOut)
}
