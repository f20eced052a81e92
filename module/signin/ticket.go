package signin

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// takeTicket answers GET /ticket, where the portal sends somebody back to who has
// a session there: they get one here, of the same family. A ticket is good for
// the browser that asked for it, on the site where it did, once. Whoever else
// brings it has spoilt it.
func (x *exchange) takeTicket() {
	query, ok := x.query()
	if !ok {
		return
	}
	if x.r.Method == http.MethodHead || isPrefetch(x.r) {
		// Something looks at the address; only the browser uses it up. Browsers
		// keep no prefetched answer of this status.
		x.w.Header().Set("Cache-Control", "no-store")
		x.w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	cookie, _ := x.flows.get(x, query.Get("flow"))
	if cookie.PushedOut {
		// Whoever has a ticket has a session on the portal, so another one
		// takes a moment, and asks nobody anything.
		x.flows.clear(x, cookie.id)
		x.redirect(answer.SignInFor(cookie.ReturnTo))
		return
	}
	flow := cookie.Portal
	if flow != nil {
		x.going = flow.ReturnTo
	}
	id := secret.TokenID(query.Get("ticket"))
	err := x.Store.View(x.r.Context(), func(tx store.Tx) error {
		_, err := tx.Ticket(id, x.Clock()) // strangers write nothing
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		x.ticketRefused("", "", errors.New("there is no such ticket: it is older than 30 seconds, has been used, or its session has ended"))
		return
	}
	if err != nil {
		x.storeFault(fmt.Errorf("looking up a ticket: %w", err))
		return
	}
	before, err := x.current()
	if err != nil {
		x.storeFault(err)
		return
	}
	var made *admission
	var refused error
	err = x.Store.Update(x.detached(), func(tx store.Tx) (err error) {
		made, refused = nil, nil
		ticket, err := tx.SpendTicket(id, x.Clock())
		if err != nil {
			return err
		}
		// From here on the ticket is spent, whatever becomes of it.
		switch {
		case flow == nil:
			refused = errors.New("the browser that brings the ticket has no cookie of a sign-in that asked for it")
		case ticket.Origin != x.visit.Origin:
			refused = fmt.Errorf("the ticket is for %s", ticket.Origin)
		case !bytes.Equal(ticket.Binding, secret.TokenID(flow.Binding)):
			refused = errors.New("the ticket is for another sign-in")
		default:
			made, refused, err = x.admit(tx, ticket, flow.ReturnTo, before)
		}
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		x.ticketRefused("", "", errors.New("the ticket was used a moment ago"))
	case err != nil:
		x.storeFault(fmt.Errorf("using a ticket: %w", err))
	case refused != nil:
		x.ticketRefused(made.account(), cookie.id, refused)
	default:
		x.Trail.Announce(made.event)
		if x.signedIn(made.token, made.event.AccountID, made.door) {
			x.flows.clear(x, cookie.id)
			x.finishedAt(cookie.id, flow.ReturnTo)
			x.redirect(flow.ReturnTo)
		}
	}
}

// admission is a session that was made with a ticket.
type admission struct {
	token string
	door  *policy.Door
	event store.Event
}

func (a *admission) account() string {
	if a == nil {
		return ""
	}
	return a.event.AccountID
}

// admit makes a session of the same family as the one that the ticket is of, made
// in the same way. The door is asked again, so that nobody is sent round in a
// circle who would be sent away behind it.
func (x *exchange) admit(tx store.Tx, ticket store.Ticket, returnTo string, before []byte) (made *admission, refused, err error) {
	live, err := x.Sessions.Look(tx, ticket.Session)
	if err != nil {
		return nil, nil, err
	}
	if live == nil {
		return nil, errors.New("the session that the ticket is of has ended"), nil
	}
	door, s := x.site.Door(pathOf(returnTo)), live.Session
	made = &admission{door: door, event: store.Event{
		Action: "ticket", Outcome: audit.Success, AccountID: live.Account.ID, Address: x.address(), How: "portal", Detail: x.visit.Host,
	}}
	if verdict := door.Opens(live.Made()); verdict != policy.Opens {
		return made, fmt.Errorf("the portal's session does not open audience %s: %s", door.Name(), verdict), nil
	}
	if !x.Clock().Before(s.SignedInAt.Add(door.SessionLifetime())) {
		return made, fmt.Errorf("the portal's session is older than those of audience %s may be", door.Name()), nil
	}
	made.token, err = x.Sessions.Begin(tx, session.Beginning{
		AccountID:    s.AccountID,
		Epoch:        s.Epoch,
		Audience:     door.Name(),
		SSO:          s.SSO,
		SignedInAt:   s.SignedInAt,
		ProvedAt:     s.ProvedAt,
		SecondFactor: session.GivenFactor{How: s.SecondFactor, At: s.SecondFactorAt, Trusted: s.Trusted},
		Address:      x.address(),
		Browser:      x.r.UserAgent(),
		Replaces:     before,
		Family:       s.Family,
		From:         s.ID,
		Until:        s.ExpiresAt,
	})
	if errors.Is(err, session.ErrEpoch) {
		return made, err, nil
	}
	if err == nil {
		err = x.Trail.Within(tx, made.event)
	}
	return made, nil, err
}

// ticketRefused answers a ticket that lets nobody in. Somebody whom it has let in
// already, and who went back, is sent on. Everybody else gets a page that starts
// nothing by itself, so there is no loop. flow is what was waiting for it.
func (x *exchange) ticketRefused(accountID, flow string, cause error) {
	if returnTo, ok := x.finishedTo(); ok && flow == "" {
		x.redirect(answer.SignInFor(returnTo))
		return
	}
	if flow != "" {
		x.flows.clear(x, flow)
	}
	x.Trail.Add(store.Event{
		Action: "ticket", Outcome: audit.Failure, AccountID: accountID, Address: x.address(), How: "portal", Detail: cause.Error(),
	})
	x.refuse(answer.Refusal{
		Kind: pages.TicketEnded, Cause: cause,
		Way: pages.Way{Kind: pages.WayTryAgain, Href: answer.SignInFor(x.going)},
	})
}

// isPrefetch reports whether a browser asks of its own accord, in case a person
// should.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		for _, value := range r.Header.Values(name) {
			if value = strings.ToLower(value); strings.Contains(value, "prefetch") || strings.Contains(value, "preview") || strings.Contains(value, "prerender") {
				return true
			}
		}
	}
	return false
}
