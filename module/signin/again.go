package signin

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// signInAgainAnyWay asks somebody to show again that it is them, although they
// are signed in: with their password, or to a provider that is linked to their
// account.
func (x *exchange) signInAgainAnyWay(live *session.Live, door *policy.Door, returnTo string) {
	switch {
	case live == nil:
		x.enter(door, returnTo)
	case live.FreshAnyWay(x.Clock()) && x.verdict(door, returnTo, live.Made()) == policy.Opens:
		x.sendOn(live, returnTo)
	default:
		x.showSignIn(door, returnTo, pages.SignIn{Again: true, Email: live.Account.Attributes.Email}, statusOK)
	}
}

// anyWay reports whether a sign-in again may be through a provider, as the form
// or the address says. The page that wants it asks for itself.
func (x *exchange) anyWay() bool {
	if x.r.PostForm != nil {
		return x.r.PostForm.Get("again") == answer.AgainAnyWay
	}
	return x.r.URL.Query().Get("again") == answer.AgainAnyWay
}

// offerAgain puts on the page what somebody has who is signed in: the form if
// they have a password, and the providers that are linked to their account and
// that this door offers to this address. It answers and returns false if that is
// nothing.
func (x *exchange) offerAgain(page *pages.SignIn, door *policy.Door, returnTo string) bool {
	page.AnyWay = true
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return false
	}
	if live == nil {
		return true // signed out meanwhile: the form alone
	}
	var links []store.SSOLink
	err = x.Store.View(x.r.Context(), func(tx store.Tx) (err error) {
		if links, err = tx.SSOLinks(live.Account.ID); err != nil {
			return err
		}
		_, err = tx.Password(live.Account.ID)
		if errors.Is(err, store.ErrNotFound) {
			page.Password, page.Reset, err = false, false, nil
		}
		return err
	})
	if err != nil {
		x.storeFault(fmt.Errorf("looking for how somebody can sign in again: %w", err))
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(x.Providers)) {
		issuer := x.Providers[name].Config().Issuer
		linked := func(l store.SSOLink) bool { return l.Issuer == issuer }
		if !slices.ContainsFunc(links, linked) || !door.Offers(name, x.visit.Client) {
			continue
		}
		button := pages.Button{SSO: name, Label: x.Providers[name].Label, Href: answer.SSO + name + "/start?again=1&return_to=" + url.QueryEscape(returnTo)}
		if button.Label == name {
			button.Label = "" // it has no button of its own
		}
		page.Buttons = append(page.Buttons, button)
	}
	if page.Password || len(page.Buttons) > 0 {
		return true
	}
	x.refuse(answer.Refusal{
		Kind:  pages.WayRefused,
		Cause: fmt.Errorf("account %s can sign in again neither with a password nor through a provider here: %s", live.Account.ID, door.WayIn(x.visit.Client).Reason),
	})
	return false
}

// proved reports whether the provider has asked a moment ago who it is, as it was
// told to.
func (x *exchange) proved(assertion *sso.Assertion) bool {
	return x.Clock().Sub(assertion.AuthTime) <= session.FreshSignIn
}

// notProved answers somebody whom a provider has sent on without asking.
// Whoever sits at a browser that was left open gets no further; nothing changes.
func (x *exchange) notProved(name string, assertion *sso.Assertion) {
	cause := errors.New("the provider was to ask who it is (prompt=login, max_age=0), and the ID token has no auth_time")
	if !assertion.AuthTime.IsZero() {
		cause = fmt.Errorf("the provider was to ask who it is (prompt=login, max_age=0), and auth_time is %s ago", x.Clock().Sub(assertion.AuthTime).Round(time.Second))
	}
	x.Trail.Add(store.Event{
		Action: x.doing(), Outcome: audit.Refused, Address: x.address(), How: "sso " + name, Detail: cause.Error(),
	})
	x.refuse(answer.Refusal{Kind: pages.NotProved, Cause: cause, Detail: pages.Detail{SSO: x.Providers[name].Label}})
}

// provedAt is when the person proved to the provider who they are, as far as it
// tells. Its clock may be ahead.
func provedAt(assertion *sso.Assertion, now time.Time) time.Time {
	if assertion.AuthTime.After(now) {
		return now
	}
	return assertion.AuthTime
}
