package signin

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// endedByOthers is the word in the address of the sign-in page that says that a
// sign-in was pushed out by newer ones.
const endedByOthers = "others"

// showWayIn answers GET /sign-in: on to where the person was going if their
// session opens it, to the step that is missing, straight to a provider, or
// the page with what is offered.
func (x *exchange) showWayIn() {
	query, ok := x.query()
	if !ok {
		return
	}
	returnTo := x.returnTo(query)
	x.going = returnTo
	door := x.doorTo(returnTo)

	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return
	}
	switch query.Get("again") {
	case "":
	case answer.AgainAnyWay:
		x.signInAgainAnyWay(live, door, returnTo)
		return
	default:
		x.signInAgain(live, door, returnTo)
		return
	}
	if live != nil && x.goOn(live, door, returnTo) {
		return
	}
	if way := door.WayIn(x.visit.Client); !way.Refused {
		switch ended := query.Get("ended"); {
		case ended == endedByOthers:
			x.showSignIn(door, returnTo, pages.SignIn{Message: pages.Message{Kind: pages.FlowPushedOut}}, statusOK)
			return
		case ended != "" && way.Password:
			x.showSignIn(door, returnTo, pages.SignIn{Message: pages.Message{Kind: pages.FlowEnded}}, statusOK)
			return
		}
	}
	x.enter(door, returnTo)
}

// goOn serves somebody who has a session. It is false if they have to sign in
// in another way, or again.
func (x *exchange) goOn(live *session.Live, door *policy.Door, returnTo string) bool {
	switch x.verdict(door, returnTo, live.Made()) {
	case policy.Opens:
		if x.tooOldFor(live, door, returnTo) {
			return false
		}
		x.sendOn(live, returnTo)
	case policy.NeedsPasscode:
		x.stepUp(live, door, returnTo, store.StagePasscode)
	case policy.NeedsEnrollment:
		// Whoever finds an open browser would make their own phone the key
		// to what the password alone does not open.
		if !live.Fresh(x.Clock()) {
			return false
		}
		x.stepUp(live, door, returnTo, store.StageEnroll)
	case policy.NotMember:
		x.notMember(live.Account.Attributes.Email, door)
	default:
		return false
	}
	return true
}

// stepUp asks a password session for the passcode that it lacks.
func (x *exchange) stepUp(live *session.Live, door *policy.Door, returnTo string, stage store.Stage) {
	if !door.OffersPassword(x.visit.Client) {
		x.enter(door, returnTo)
		return
	}
	next := opening{
		account:    live.Account,
		door:       door,
		stage:      stage,
		returnTo:   returnTo,
		replaces:   live.Session.ID,
		passwordAt: live.Session.SignedInAt,
	}
	if stage == store.StagePasscode {
		given, verdict, err := x.vouched(live.Account, door, returnTo, live.Made())
		if err != nil {
			x.storeFault(err)
			return
		}
		if verdict == policy.Opens {
			next.given = given
			x.completePassword(next)
			return
		}
	}
	x.beginFlow(next, "")
}

// signInAgain asks somebody for their password, and for a passcode if they have
// a second factor, although they are signed in.
func (x *exchange) signInAgain(live *session.Live, door *policy.Door, returnTo string) {
	if live != nil && live.Fresh(x.Clock()) && x.verdict(door, returnTo, live.Made()) == policy.Opens {
		x.sendOn(live, returnTo)
		return
	}
	if !door.OffersPassword(x.visit.Client) {
		x.refuse(answer.Refusal{
			Kind:  pages.WayRefused,
			Cause: fmt.Errorf("signing in again takes a password, and none is taken here: %s", door.WayIn(x.visit.Client).Reason),
		})
		return
	}
	page := pages.SignIn{Again: true}
	if live != nil {
		page.Email = live.Account.Attributes.Email
	}
	x.showSignIn(door, returnTo, page, statusOK)
}

// enter begins at the beginning: with what this door offers to this address.
func (x *exchange) enter(door *policy.Door, returnTo string) {
	way := door.WayIn(x.visit.Client)
	switch {
	case way.Refused:
		x.refuse(answer.Refusal{Kind: pages.PasswordOff, Cause: errors.New(way.Reason)})
	case way.Straight != "":
		x.sendToProvider(way.Straight, door, providerFlow{ReturnTo: returnTo, Another: x.asAnother()})
	default:
		x.showSignIn(door, returnTo, pages.SignIn{}, statusOK)
	}
}

// showSignIn writes the sign-in page with what this door offers to this
// address. page holds what was typed and what there is to say about it.
func (x *exchange) showSignIn(door *policy.Door, returnTo string, page pages.SignIn, status int) {
	way := door.WayIn(x.visit.Client)
	page.ReturnTo = returnTo
	page.Password = way.Password
	page.Reset = way.Password && door.PasswordChange()
	page.Flow = x.formToken()
	if way.Straight != "" {
		// There is something to say first, which nobody would see there.
		way.Buttons = []policy.Button{{SSO: way.Straight}}
		if label := x.Providers[way.Straight].Label; label != way.Straight {
			way.Buttons[0].Label = label
		}
	}
	if page.Again {
		way.Buttons = nil // whatever a provider says, it is about the password
		if x.anyWay() && !x.offerAgain(&page, door, returnTo) {
			return
		}
	}
	another := ""
	if x.asAnother() {
		another = "&account=other"
	}
	for _, button := range way.Buttons {
		page.Buttons = append(page.Buttons, pages.Button{
			SSO:   button.SSO,
			Label: button.Label,
			Href:  answer.SSO + button.SSO + "/start?return_to=" + url.QueryEscape(returnTo) + another,
		})
	}
	self := answer.SignInFor(returnTo)
	switch {
	case another != "":
		self = answer.SignInAsAnother(returnTo)
	case page.AnyWay:
		self = answer.SignInAgainAnyWay(returnTo)
	case page.Again:
		self = answer.SignInAgain(returnTo)
	}
	x.write(status, self, page)
}

// asAnother reports whether the person wants to use another account than the one
// that a provider has them signed in with, as the address says.
func (x *exchange) asAnother() bool { return x.r.URL.Query().Get("account") == "other" }

// verdict decides whether a session made so opens where the person is going: a
// path of the site, by its audience, or a page of ours about the person.
func (x *exchange) verdict(door *policy.Door, returnTo string, made policy.Made) policy.Verdict {
	if aboutThemselves(returnTo) {
		return policy.Strictest(x.Doors, made)
	}
	return door.Opens(made)
}

// ownDoor is the door by which the person came in who is there, if they could
// again and not at that other door; nil also if nobody is there or it would not
// take their session any more.
func (x *exchange) ownDoor(other *policy.Door) *policy.Door {
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil || live == nil {
		return nil
	}
	offers := func(door *policy.Door) bool {
		if live.Session.SSO == "" {
			return door.OffersPassword(x.visit.Client)
		}
		return door.Offers(live.Session.SSO, x.visit.Client)
	}
	door := x.Doors[live.Session.Audience]
	if door == nil || offers(other) || !offers(door) {
		return nil
	}
	switch door.Opens(live.Made()) {
	case policy.NeedsSignIn, policy.NotMember:
		return nil
	}
	return door
}

// returnTo is where the person says that they are going, see readReturnTo.
func (x *exchange) returnTo(values url.Values) string { return x.readReturnTo(values.Get("return_to")) }

// pathOf is the canonical path of a path that policy.ReturnTo returned.
func pathOf(returnTo string) string {
	raw, _, _ := strings.Cut(returnTo, "?")
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return "/"
	}
	path := policy.ReadPath(raw, decoded)
	if path.Ambiguous {
		return "/"
	}
	return path.Clean
}
