package signin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/upstream"
)

// startProvider answers GET /sso/{name}/start.
func (x *exchange) startProvider(name string) {
	query, ok := x.query()
	if !ok {
		return
	}
	returnTo := x.returnTo(query)
	x.going = returnTo
	door := x.doorTo(returnTo)
	if !x.active(name) {
		return
	}
	x.sendToProvider(name, door, providerFlow{ReturnTo: returnTo, Again: query.Get("again") != "", Another: x.asAnother()})
}

// active reports whether the SSO config is assigned to any audience, or
// answers and returns false: what is assigned nowhere does not exist here.
func (x *exchange) active(name string) bool {
	if _, ok := x.Providers[name]; ok {
		for _, door := range x.Doors {
			if door.Assigned(name) {
				return true
			}
		}
	}
	x.refuse(answer.Refusal{
		Kind:   pages.UnknownSSO,
		Cause:  fmt.Errorf("sso %.64q is not configured or assigned to no audience", name),
		Detail: pages.Detail{SSO: name},
	})
	return false
}

// offered reports whether the SSO config may be used for this door by this
// client now, or answers and returns false.
func (x *exchange) offered(name string, door *policy.Door) bool {
	if door.Offers(name, x.visit.Client) {
		return true
	}
	x.refuse(answer.Refusal{
		Kind:   pages.WayRefused,
		Cause:  fmt.Errorf("sso %s is not offered to %s by audience %s", name, x.visit.Client, door.Name()),
		Detail: pages.Detail{SSO: x.Providers[name].Label},
	})
	return false
}

// sendToProvider begins a sign-in at a provider. Nothing is stored: what the
// answer will be held against goes along in a sealed cookie of this browser.
func (x *exchange) sendToProvider(name string, door *policy.Door, flow providerFlow) {
	if !x.offered(name, door) {
		return
	}
	address, ok := x.away(name, flow)
	if !ok {
		return
	}
	h := x.w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("Location", address)
	x.w.WriteHeader(http.StatusFound)
}

// away begins a flow at a provider and returns where the browser goes for it, or
// answers and returns false.
func (x *exchange) away(name string, flow providerFlow) (address string, ok bool) {
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return "", false
	}
	if live != nil {
		flow.Family = live.Session.Family
	}
	id := newFlowID()
	random, _ := secret.NewToken()
	start := x.Providers[name].Start
	switch {
	case flow.Again || flow.Link != nil:
		start = x.Providers[name].Reauthenticate
	case flow.Another:
		start = x.Providers[name].Switch
	}
	address, flow.Pending, err = start(x.r.Context(), x.callback(name), id+"."+random)
	if err != nil {
		x.providerFault(name, err)
		return "", false
	}
	flow.SSO = name
	if err := x.flows.set(x, id, flowCookie{Provider: &flow}); err != nil {
		x.storeFault(err)
		return "", false
	}
	return address, true
}

// callback is the redirect address of an SSO config on this site.
func (x *exchange) callback(name string) string {
	return x.visit.Origin + answer.SSO + name + "/callback"
}

// finishProvider answers GET /sso/{name}/callback, where the provider sends
// the browser back to.
func (x *exchange) finishProvider(name string) {
	query, ok := x.query()
	if !ok || !x.active(name) {
		return
	}
	if x.r.Method == http.MethodHead {
		// Something looks at the address; only the browser uses it up.
		x.w.Header().Set("Cache-Control", "no-store")
		x.w.WriteHeader(http.StatusNoContent)
		return
	}
	state := query.Get("state")
	id, _, _ := strings.Cut(state, ".")
	cookie, ok := x.flows.get(x, id)
	if ok && cookie.PushedOut {
		x.Trail.Add(store.Event{
			Action: "sign-in", Outcome: audit.Failure, Address: x.address(), How: "sso " + name, Detail: "pushed out by newer sign-ins of the browser",
		})
		x.pushedOut(cookie)
		return
	}
	if !ok || cookie.Provider == nil {
		x.flowGone(name, errors.New("no sign-in of this browser has that state: it took too long, began elsewhere, or was pushed out by newer ones"))
		return
	}
	flow := cookie.Provider
	if flow.SSO != name {
		x.flowGone(name, fmt.Errorf("the sign-in began with sso %s and came back to the callback of sso %s", flow.SSO, name))
		return
	}
	flow.ReturnTo = x.readReturnTo(flow.ReturnTo)
	x.going = flow.ReturnTo
	door := x.doorTo(flow.ReturnTo)
	x.linking = flow.Link
	if flow.Link == nil && !x.offered(name, door) {
		return
	}
	if state != flow.Pending.State {
		x.flowGone(name, errors.New("the state is not the one this browser was sent with"))
		return
	}
	if flow.Link != nil && !x.linkStands(name, flow.Link) {
		return
	}
	// The state is used up before the code is spent, so neither can be
	// played back, whatever happens in between.
	used, ended := false, false
	before, err := x.current()
	if err != nil {
		x.storeFault(err)
		return
	}
	err = x.Store.Update(x.detached(), func(tx store.Tx) (err error) {
		used, err = tx.UseState(secret.TokenID(state), x.Clock().Add(2*flowLifetime))
		if err == nil && flow.Family != nil && before == nil {
			alive, asked := tx.FamilyAlive(flow.Family)
			ended, err = !alive, asked
		}
		return err
	})
	if err != nil {
		x.storeFault(fmt.Errorf("marking a state as used: %w", err))
		return
	}
	x.flows.clear(x, id)
	if !used {
		x.flowGone(name, errors.New("that state has been used before"))
		return
	}
	if ended {
		// Signing out, on whatever site, ends what was under way then.
		x.flowGone(name, errors.New("the session in which the sign-in began has been ended since"))
		return
	}
	assertion, err := x.Providers[name].Finish(x.r.Context(), flow.Pending, x.callback(name), query)
	if err != nil {
		x.providerFault(name, err)
		return
	}
	switch {
	case flow.Link != nil:
		x.finishLink(name, flow.Link, assertion)
	case flow.Again && !x.proved(assertion):
		x.notProved(name, assertion)
	default:
		x.letIn(name, door, flow.ReturnTo, time.UnixMilli(cookie.At), assertion)
	}
}

// letIn makes the session of somebody whom a provider vouches for, whose sign-in
// began then.
func (x *exchange) letIn(name string, door *policy.Door, returnTo string, began time.Time, assertion *sso.Assertion) {
	event := store.Event{Action: "sign-in", Outcome: audit.Success, Address: x.address(), How: "sso " + name}
	before, err := x.current()
	if err != nil {
		x.storeFault(err)
		return
	}
	role := store.Event{Action: "role", Outcome: audit.Success, Address: x.address(), How: event.How}
	joined := store.Event{Action: "sso-link.add", Outcome: audit.Success, Address: x.address(), How: "verified_email", Detail: linkDetail(name, assertion)}
	var token string
	var in account.SignedIn
	rules := x.Providers[name].Rules
	rules.Member = func(role identity.Role) bool {
		return x.verdict(door, returnTo, policy.Made{SSO: name, Role: role}) == policy.Opens
	}
	_, err = x.People.SignInThroughProvider(x.detached(), asserted(name, assertion), rules, func(tx store.Tx, a account.SignedIn) (err error) {
		in = a
		event.AccountID, role.AccountID, joined.AccountID = a.ID, a.ID, a.ID
		if a.Attributes.Role != a.RoleBefore {
			role.Detail = fmt.Sprintf("%q to %q", a.RoleBefore, a.Attributes.Role)
			err = x.Trail.Within(tx, role)
		}
		if a.Joined {
			err = errors.Join(err, x.Trail.Within(tx, joined))
		}
		if a.Refused || err != nil {
			return err
		}
		if err := x.Upstream.Lasting(tx, began, assertion); err != nil {
			return err
		}
		now := x.Clock()
		token, err = x.Sessions.Begin(tx, session.Beginning{
			AccountID:  a.ID,
			Epoch:      a.Epoch,
			SSO:        name,
			Audience:   door.Name(),
			SignedInAt: now,
			ProvedAt:   provedAt(assertion, now),
			Address:    x.address(),
			Browser:    x.r.UserAgent(),
			Replaces:   before,
		})
		if err != nil {
			return err
		}
		return errors.Join(x.Upstream.Keep(tx, secret.TokenID(token), name, assertion), x.Trail.Within(tx, event))
	})
	refused := (*account.Refusal)(nil)
	if err == nil || errors.As(err, &refused) && refused.Reason == account.NotMember && in.Refused {
		x.announceTaken(name, in, role)
	}
	if err != nil {
		x.notLetIn(err, name, door, assertion, in.ID)
		return
	}
	if in.Joined {
		x.Trail.Announce(joined)
		x.tellLinked(in.Account, name, assertion)
	}
	x.Trail.Announce(event)
	if x.signedIn(token, in.ID, door) {
		x.onward(returnTo)
	}
}

// asserted is what a provider says of a person, as accounts take it.
func asserted(name string, a *sso.Assertion) account.Assertion {
	return account.Assertion{
		Issuer: a.Issuer, Subject: a.Subject, SSO: name,
		Email: a.Email, EmailVerified: a.EmailVerified, Attributes: a.Attributes, Changes: a.Changes,
	}
}

// announceTaken tells of what the provider has changed.
func (x *exchange) announceTaken(name string, in account.SignedIn, role store.Event) {
	if in.Attributes.Role != in.RoleBefore {
		x.Trail.Announce(role)
	}
	if len(in.LeftOut) > 0 {
		x.Answers.Log.Warn("attributes of a provider are left out: the account has no room for more",
			zap.String("sso", name), zap.String("account", in.ID), zap.Strings("attributes", in.LeftOut))
	}
}

// refusalKinds are the pages for why an account does not let somebody in.
var refusalKinds = map[account.RefusalReason]pages.ErrorKind{
	account.NoEmail:     pages.NoEmail,
	account.Unverified:  pages.EmailUnverified,
	account.NotAdmitted: pages.NotAdmitted,
	account.EmailTaken:  pages.EmailTaken,
	account.Suspended:   pages.Suspended,
	account.TooManyNew:  pages.Busy,
}

func (x *exchange) notLetIn(err error, name string, door *policy.Door, assertion *sso.Assertion, accountID string) {
	refused := (*account.Refusal)(nil)
	isRefused := errors.As(err, &refused)
	switch {
	case isRefused && refused.Reason == account.NotMember:
		x.Trail.Add(store.Event{
			Action: "sign-in", Outcome: audit.Refused, AccountID: accountID,
			Address: x.address(), How: "sso " + name, Detail: "not of audience " + door.Name(),
		})
		x.notMemberFrom(name, door, assertion)
	case isRefused:
		x.Trail.Add(store.Event{
			Action: "sign-in", Outcome: audit.Refused, Address: x.address(),
			How: "sso " + name, Detail: refused.Error(),
		})
		refusal := answer.Refusal{
			Kind:   refusalKinds[refused.Reason],
			Cause:  err,
			Detail: pages.Detail{SSO: x.Providers[name].Label, Email: assertion.Email},
		}
		if isAboutAccount(refused.Reason) {
			flow, ok := x.refusedAt(name, assertion)
			if !ok {
				return
			}
			x.offerSwitch(&refusal, name, flow)
		}
		x.refuse(refusal)
	case errors.Is(err, session.ErrEpoch), errors.Is(err, upstream.ErrEnded):
		x.flowGone(name, err)
	default:
		x.storeFault(err)
	}
}

// isAboutAccount reports whether another account at the same provider may be let
// in where one is refused for that reason. Whose address belongs to somebody
// here signs in as that in another way.
func isAboutAccount(reason account.RefusalReason) bool {
	switch reason {
	case account.NoEmail, account.Unverified, account.NotAdmitted, account.Suspended:
		return true
	}
	return false
}

// flowGone answers a callback that belongs to no sign-in of this browser. It
// starts nothing by itself, so there is no loop.
func (x *exchange) flowGone(name string, cause error) {
	x.Trail.Add(store.Event{
		Action: x.doing(), Outcome: audit.Failure, Address: x.address(), How: "sso " + name, Detail: cause.Error(),
	})
	x.refuse(answer.Refusal{Kind: pages.FlowExpired, Cause: cause, Way: pages.Way{Kind: pages.WayTryAgain}})
}

// faultKinds are the pages for what can go wrong at a provider.
var faultKinds = map[sso.FaultKind]pages.ErrorKind{
	sso.FaultUnreachable:  pages.ProviderUnreachable,
	sso.FaultTimeout:      pages.ProviderUnreachable,
	sso.FaultDiscovery:    pages.ProviderUnreachable,
	sso.FaultIssuer:       pages.UnexpectedIssuer,
	sso.FaultKeys:         pages.UnusableKeys,
	sso.FaultScope:        pages.InvalidScope,
	sso.FaultClient:       pages.InvalidClient,
	sso.FaultUnauthorized: pages.UnauthorizedClient,
	sso.FaultClock:        pages.ClockSkew,
	sso.FaultRedirect:     pages.RedirectMismatch,
	sso.FaultDenied:       pages.AccessDenied,
	sso.FaultInteraction:  pages.LoginRequired,
	sso.FaultUnavailable:  pages.TemporarilyUnavailable,
	sso.FaultNoEmail:      pages.NoEmail,
	sso.FaultGrant:        pages.FlowExpired,
	sso.FaultResponse:     pages.FlowExpired,
}

// providerFault answers when signing in failed at the provider. Its own words
// are in the log.
func (x *exchange) providerFault(name string, err error) {
	kind := pages.ProviderRefused
	var fault *sso.Fault
	if errors.As(err, &fault) {
		if known, ok := faultKinds[fault.Kind]; ok {
			kind = known
		}
	}
	x.Trail.Add(store.Event{
		Action: x.doing(), Outcome: audit.Failure, Address: x.address(), How: "sso " + name, Detail: string(kind),
	})
	x.refuse(answer.Refusal{
		Kind:   kind,
		Cause:  err,
		Detail: pages.Detail{SSO: x.Providers[name].Label},
	})
}
