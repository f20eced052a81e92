package signin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// flowLifetime is how long a sign-in may take.
	flowLifetime = 10 * time.Minute
	// maxFlows is how many sign-ins a browser, and an account, may have
	// under way; a further one pushes out the oldest. Of as many of those it
	// is known where they were going.
	maxFlows = 8
	// maxPushedOut is how long an address may be, in bytes, that is kept of a
	// flow that was pushed out: requests carry all of them along.
	maxPushedOut = 256
)

// steps are the stages of each step; anyStep has all of them.
var (
	passcodeStep = []store.Stage{store.StagePasscode}
	enrollStep   = []store.Stage{store.StageEnroll, store.StageReplace}
	anyStep      = slices.Concat(passcodeStep, enrollStep)
)

// flowCookies are the cookies of sign-ins under way: one each, named by its
// id, so that several tabs can sign in at once.
type flowCookies struct {
	cookies *secret.Cookies
}

// flowCookie is what one of them holds.
type flowCookie struct {
	// Token finds the row of a flow that began with a password. What such
	// a flow knows is in the store, so an old cookie restores nothing.
	Token string `json:"t,omitempty"`

	// Portal is a flow that waits for a ticket from the portal. Nothing is
	// kept in the store for it either.
	Portal *portalFlow `json:"o,omitempty"`

	// Provider is a flow that waits for a provider. Nothing is kept in the
	// store for it before the provider has been believed.
	Provider *providerFlow `json:"p,omitempty"`

	// Leaving is no sign-in but the end of one; Refused one that ended at once.
	Leaving *leavingFlow `json:"l,omitempty"`
	Refused *refusedFlow `json:"d,omitempty"`

	// ReturnTo is where the person is going, where neither of those says it.
	ReturnTo string `json:"r,omitempty"`

	// PushedOut by newer ones: nothing but ReturnTo is left of it.
	PushedOut bool `json:"x,omitempty"`

	At int64 `json:"a"` // unix milliseconds

	id string
}

// providerFlow is a sign-in that is away at a provider.
type providerFlow struct {
	SSO      string      `json:"s"`
	Pending  sso.Pending `json:"p"`
	ReturnTo string      `json:"r"`
	// Again: the provider is to ask who it is, though the person is signed in.
	Again bool `json:"g,omitempty"`
	// Another: the provider is to ask which account to use.
	Another bool `json:"-"`
	// Link: it is no sign-in, but links the provider to an account.
	Link *linkFlow `json:"l,omitempty"`
	// Family is that of the session that the browser had then, if it had one.
	Family []byte `json:"f,omitempty"`
}

// portalFlow is a sign-in that is away at the portal.
type portalFlow struct {
	// Binding is what the ticket is bound to, by its hash.
	Binding  string `json:"b"`
	ReturnTo string `json:"r"`
}

// flowIDSize is how long the id of a flow is.
const flowIDSize = 16

// newFlowID returns the id of a new flow; it is part of the cookie's name and the
// value of the hidden field "flow".
func newFlowID() string {
	token, _ := secret.NewToken()
	return token[:flowIDSize]
}

// set gives the browser the cookie of a flow, and ends its oldest ones if it has
// too many.
func (f flowCookies) set(x *exchange, id string, c flowCookie) error {
	c.At = x.Clock().UnixMilli()
	if err := f.write(x, id, c); err != nil {
		return err
	}
	alive, over := 1, 0
	for _, other := range f.all(x) {
		switch {
		case other.id == id:
		case !other.PushedOut && alive < maxFlows:
			alive++
		case over == maxFlows:
			f.clear(x, other.id)
		default:
			over++
			f.pushOut(x, other)
		}
	}
	return nil
}

// pushOut leaves of a flow where it was going, so that whoever comes back to it
// can be told what has become of it, and go on.
func (f flowCookies) pushOut(x *exchange, c flowCookie) {
	if c.PushedOut {
		return
	}
	left := flowCookie{PushedOut: true, ReturnTo: c.going(), At: c.At}
	if len(left.ReturnTo) > maxPushedOut || f.write(x, c.id, left) != nil {
		f.clear(x, c.id)
	}
}

// going is where the person of the flow is going.
func (c flowCookie) going() string {
	switch {
	case c.Provider != nil:
		return c.Provider.ReturnTo
	case c.Portal != nil:
		return c.Portal.ReturnTo
	}
	return c.ReturnTo
}

// write gives the browser the cookie of a flow.
func (f flowCookies) write(x *exchange, id string, c flowCookie) error {
	var payload bytes.Buffer
	encoder := json.NewEncoder(&payload)
	encoder.SetEscapeHTML(false) // six bytes for each & make a long address too long for a cookie
	if err := encoder.Encode(c); err != nil {
		return fmt.Errorf("sealing a flow: %w", err)
	}
	name := session.FlowCookiePrefix + id
	text, err := f.cookies.Encode(name, payload.Bytes(), x.Clock())
	if err != nil {
		return fmt.Errorf("sealing a flow: %w", err)
	}
	session.SetCookie(x.w, name, text, x.visit.Secure, flowLifetime)
	return nil
}

func (f flowCookies) clear(x *exchange, id string) {
	session.SetCookie(x.w, session.FlowCookiePrefix+id, "", x.visit.Secure, -1)
}

// get opens the cookie of a flow.
func (f flowCookies) get(x *exchange, id string) (flowCookie, bool) {
	name := session.FlowCookiePrefix + id
	text := session.ReadCookie(x.r.Header, session.FullCookieName(name, x.visit.Secure))
	if text == "" || len(text) > secret.MaxCookieSize {
		return flowCookie{}, false
	}
	payload, err := f.cookies.Decode(name, text, x.Clock())
	if err != nil {
		return flowCookie{}, false
	}
	c := flowCookie{id: id}
	return c, json.Unmarshal(payload, &c) == nil
}

func (f flowCookies) has(x *exchange, id string) bool {
	_, ok := f.get(x, id)
	return ok
}

// all returns the browser's flows, the newest first.
func (f flowCookies) all(x *exchange) []flowCookie {
	prefix := session.FullCookieName(session.FlowCookiePrefix, x.visit.Secure)
	var flows []flowCookie
	for _, name := range session.CookieNames(x.r.Header, prefix) {
		if c, ok := f.get(x, strings.TrimPrefix(name, prefix)); ok {
			flows = append(flows, c)
		}
	}
	slices.SortStableFunc(flows, func(a, b flowCookie) int { return cmp.Compare(b.At, a.At) })
	return flows
}

// opening is what a flow in the store begins with.
type opening struct {
	account  store.Account
	door     *policy.Door
	stage    store.Stage
	replaced store.Method // with StageReplace
	returnTo string
	// mustChange: the password is too short by now and has to be changed.
	mustChange bool
	// given is the passcode that was given, if one was.
	given session.GivenFactor
	// replaces is the session that is stepped up, or the one the browser
	// has had until now, or nil.
	replaces   []byte
	passwordAt time.Time
}

// beginFlow keeps a half-finished sign-in and sends the person to its next step,
// about that method, "" for the first there is. Where that takes a code, it is
// sent if the person has just posted something, and otherwise when they ask.
func (x *exchange) beginFlow(o opening, method store.Method) {
	token, id := secret.NewToken()
	now := x.Clock()
	row := store.Flow{
		ID:         id,
		AccountID:  o.account.ID,
		Epoch:      o.account.Epoch,
		Stage:      o.stage,
		Audience:   o.door.Name(),
		ReturnTo:   o.returnTo,
		Session:    o.replaces,
		PasswordAt: o.passwordAt,
		MustChange: o.mustChange,
		CreatedAt:  now,
		ExpiresAt:  now.Add(flowLifetime),
	}
	if o.stage == store.StageReplace {
		row.Method = o.replaced
	}
	if o.stage != store.StagePasscode {
		sealed, err := x.People.BeginEnrollment(account.FlowRow(id))
		if err != nil {
			x.storeFault(err)
			return
		}
		row.Secret = sealed
	}
	var factors []store.Factor
	err := x.Store.Update(x.r.Context(), func(tx store.Tx) (err error) {
		if factors, err = tx.Factors(o.account.ID); err != nil {
			return err
		}
		return tx.CreateFlow(row, maxFlows)
	})
	if err != nil {
		x.storeFault(fmt.Errorf("beginning a flow: %w", err))
		return
	}
	begun := &flow{
		Flow: row, id: newFlowID(), token: token, account: o.account, door: o.door,
		factors: factors, demand: x.demand(o.door, o.returnTo, o.account),
	}
	if err := x.flows.set(x, begun.id, flowCookie{Token: token, ReturnTo: o.returnTo}); err != nil {
		x.storeFault(err)
		return
	}
	next, among := answer.Passcode, x.askable(begun)
	if o.stage != store.StagePasscode {
		next, among = answer.Enroll, x.enrollable(begun)
	}
	method = shown(begun, among, string(method))
	if x.r.Method == http.MethodPost && (method == store.MethodEmail || method == store.MethodSMS && begun.receives(method) != "") {
		// One that cannot be sent now can be asked for on the page, which
		// says why not.
		if err := x.send(begun, method, ""); err != nil && !mayAskAgain(err) {
			x.storeFault(err)
			return
		}
	}
	x.redirect(stepAddress(next, begun, method))
}

// flow is a half-finished sign-in, found again.
type flow struct {
	store.Flow
	id, token string // as in the cookie's name, and in the cookie
	account   store.Account
	factors   []store.Factor
	door      *policy.Door
	demand    policy.Demand
}

// errNoFlow: there is none, it has ended, or what it began with has changed.
var errNoFlow = errors.New("no such flow")

// findFlow returns the flow that the request names, or the browser's newest,
// if it is in that step. The decision which way in applies is made anew.
func (x *exchange) findFlow(stages []store.Stage) (*flow, error) {
	if id := x.namedFlow(); id != "" {
		c, ok := x.flows.get(x, id)
		if !ok || c.Token == "" {
			return nil, errNoFlow
		}
		return x.openFlow(c, stages)
	}
	for _, c := range x.flows.all(x) {
		if c.Token == "" {
			continue
		}
		if found, err := x.openFlow(c, stages); !errors.Is(err, errNoFlow) {
			return found, err
		}
	}
	return nil, errNoFlow
}

// namedFlow is the flow that the request names, or "".
func (x *exchange) namedFlow() string {
	if x.r.PostForm == nil {
		return x.r.URL.Query().Get("flow")
	}
	return x.r.PostForm.Get("flow")
}

// openFlow returns the flow of a cookie if it is in that step and has not ended.
func (x *exchange) openFlow(c flowCookie, stages []store.Stage) (*flow, error) {
	found := &flow{id: c.id, token: c.Token}
	err := x.Store.View(x.r.Context(), func(tx store.Tx) (err error) {
		if found.Flow, err = tx.Flow(secret.TokenID(c.Token)); err != nil {
			return err
		}
		if found.Flow.Session != nil {
			// A session that was signed out takes its step up along.
			if _, err := tx.Session(found.Flow.Session); err != nil {
				return err
			}
		}
		if found.account, err = tx.Account(found.AccountID); err != nil {
			return err
		}
		found.factors, err = tx.Factors(found.AccountID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoFlow
	}
	if err != nil {
		return nil, fmt.Errorf("looking up a flow: %w", err)
	}
	found.ReturnTo = x.readReturnTo(found.ReturnTo)
	found.door = x.doorTo(found.ReturnTo)
	switch {
	case !slices.Contains(stages, found.Stage),
		!x.Clock().Before(found.ExpiresAt),
		found.account.Suspended,
		found.account.Epoch != found.Epoch,
		found.door.Name() != found.Audience,
		!found.door.OffersPassword(x.visit.Client):
		return nil, errNoFlow
	}
	found.demand = x.demand(found.door, found.ReturnTo, found.account)
	x.going = found.ReturnTo
	return found, nil
}

// endedFlow sends a person whose flow is over back to the beginning, or on to
// where it has led already.
func (x *exchange) endedFlow() {
	if returnTo, ok := x.finishedTo(); ok {
		x.redirect(answer.SignInFor(returnTo))
		return
	}
	for _, c := range x.flows.all(x) {
		if c.Token == "" {
			continue
		}
		if _, err := x.openFlow(c, anyStep); errors.Is(err, errNoFlow) {
			x.flows.clear(x, c.id)
		}
	}
	if c, ok := x.flows.get(x, x.namedFlow()); ok && c.PushedOut {
		x.pushedOut(c)
		return
	}
	x.redirect(answer.SignIn + "?ended=1")
}

// pushedOut answers somebody who comes back to a sign-in that newer ones have
// pushed out: on to where they were going if they are signed in by now, else to
// the sign-in page, which says so. It starts nothing by itself: tabs that do
// would go on pushing each other out.
func (x *exchange) pushedOut(c flowCookie) {
	x.flows.clear(x, c.id)
	x.redirect(answer.SignIn + "?ended=" + endedByOthers + "&return_to=" + url.QueryEscape(c.ReturnTo))
}

// from says where an attempt comes from.
func (x *exchange) from() account.From {
	return account.From{Address: x.visit.Client, Device: x.devices.read(x)}
}

// detached outlives the request: what has been begun is finished even if the
// person has gone.
func (x *exchange) detached() context.Context { return context.WithoutCancel(x.r.Context()) }
