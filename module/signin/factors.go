package signin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// demand is what is asked for beside the password of people of that role where
// one of them is going.
func (x *exchange) demand(door *policy.Door, returnTo string, a store.Account) policy.Demand {
	if aboutThemselves(returnTo) {
		return policy.StrictestDemand(x.Doors, a.Attributes.Role)
	}
	return door.Demand()
}

// aboutThemselves reports whether an address is one of ours about the person,
// which is no single audience's.
func aboutThemselves(returnTo string) bool { return strings.HasPrefix(returnTo, answer.Root+"/") }

// canSend reports whether codes of that method can be sent, or need not be.
func (x *exchange) canSend(m store.Method) bool {
	switch m {
	case store.MethodEmail:
		return x.Letters.Mails()
	case store.MethodSMS:
		return x.Letters.Texts()
	}
	return m == store.MethodApp
}

// askable are the methods by which the person of a flow can give a passcode:
// those of their factors that count here and work now, the preferred first.
func (x *exchange) askable(f *flow) (methods []store.Method) {
	asked := f.asks()
	for _, factor := range f.factors {
		if !asked.Has(policy.Method(string(factor.Method))) || !x.canSend(factor.Method) {
			continue
		}
		if factor.Preferred {
			methods = slices.Insert(methods, 0, factor.Method)
		} else {
			methods = append(methods, factor.Method)
		}
	}
	return methods
}

// enrollable are the methods that the person of a flow can set up, the one to
// begin with first.
func (x *exchange) enrollable(f *flow) (methods []store.Method) {
	for _, name := range f.demand.Offered {
		method := store.Method(name)
		due := !f.has(method)
		if f.Stage == store.StageReplace {
			due = method == f.Method && !due
		}
		if due && x.canSend(method) {
			methods = append(methods, method)
		}
	}
	return methods
}

// has reports whether the person of a flow has a factor of that method.
func (f *flow) has(m store.Method) bool {
	return slices.ContainsFunc(f.factors, func(factor store.Factor) bool { return factor.Method == m })
}

// asks are the methods from which this flow takes a passcode.
func (f *flow) asks() policy.Methods { return f.demand.Asks(methodsOf(f.factors)) }

func methodsOf(factors []store.Factor) (methods policy.Methods) {
	for _, factor := range factors {
		methods |= policy.Method(string(factor.Method))
	}
	return methods
}

// shown is the method that a step is about: the one the browser names, the one a
// code was sent by, or the first. "" if there is none.
func shown(f *flow, among []store.Method, named string) store.Method {
	switch {
	case len(among) == 0:
		return ""
	case slices.Contains(among, store.Method(named)):
		return store.Method(named)
	case slices.Contains(among, f.Method):
		return f.Method
	}
	return among[0]
}

// others are the names of all methods but one.
func others(methods []store.Method, but store.Method) (names []string) {
	for _, method := range methods {
		if method != but {
			names = append(names, string(method))
		}
	}
	return names
}

// receives is where codes of that method go: the account's address, or the
// number of its factor or of the one that is being set up.
func (f *flow) receives(m store.Method) string {
	if m == store.MethodEmail {
		return f.account.Attributes.Email
	}
	if f.Stage != store.StagePasscode {
		return f.Phone
	}
	for _, factor := range f.factors {
		if factor.Method == m {
			return factor.Address
		}
	}
	return ""
}

// sent says how far the code of that method is, for a page.
func (x *exchange) sent(f *flow, m store.Method) pages.Sent {
	if m != store.MethodEmail && m != store.MethodSMS {
		return pages.Sent{}
	}
	sent := pages.Sent{To: account.MaskEmail(f.receives(m))}
	if m == store.MethodSMS {
		sent.To = account.MaskPhone(f.receives(m))
	}
	again := account.ResendAfter(f.Flow)
	sent.Enough = again.IsZero()
	if f.Sent == 0 || f.Method != m {
		return sent
	}
	sent.Once = true
	sent.Undelivered = x.sending.failed(x.r.Context(), f)
	if wait := again.Sub(x.Clock()); !sent.Enough && wait > 0 {
		sent.Wait = (wait + time.Second - 1).Truncate(time.Second)
	}
	return sent
}

// stepAddress is the address of a flow's step, about one method.
func stepAddress(step string, f *flow, m store.Method) string {
	address := step + "?flow=" + f.id
	if m != "" {
		address += "&method=" + string(m)
	}
	return address
}

// noSuchMethod refuses a method that is not on offer in this step.
func (x *exchange) noSuchMethod(named string) {
	x.refuse(answer.Refusal{Kind: pages.BadRequest, Cause: fmt.Errorf("method %.50q is not offered in this step", named)})
}
