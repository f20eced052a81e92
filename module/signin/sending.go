package signin

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// maxSending bounds of how many codes it is known how their delivery went.
	maxSending = 10_000
	// firstTry is how long the page that follows waits for the first try to
	// deliver: a server that refuses does so at once, and one that hangs
	// must not hang the page.
	firstTry = 500 * time.Millisecond
)

// sending knows how the delivery of codes goes, by the flow that asks for them.
type sending struct {
	underWay *otter.Cache[[sha256.Size]byte, *sentCode]
}

// sentCode is the code that was sent last in a flow.
type sentCode struct {
	delivery atomic.Pointer[deliver.Delivery]
}

func newSending() sending {
	return sending{otter.Must(&otter.Options[[sha256.Size]byte, *sentCode]{MaximumSize: maxSending})}
}

// deliver has a code of a flow delivered. The one before, if it is still under
// way, is of no use any more and must not arrive after it.
func (s sending) deliver(f *flow, start func(wanted func() bool) *deliver.Delivery) {
	id, code := [sha256.Size]byte(f.ID), new(sentCode)
	s.underWay.Set(id, code)
	code.delivery.Store(start(func() bool {
		last, ok := s.underWay.GetIfPresent(id)
		return !ok || last == code
	}))
}

// end says that a flow waits for no code any more.
func (s sending) end(f *flow) { s.underWay.Set([sha256.Size]byte(f.ID), new(sentCode)) }

// failed reports whether the code that a flow waits for could not be delivered
// so far.
func (s sending) failed(ctx context.Context, f *flow) bool {
	code, ok := s.underWay.GetIfPresent([sha256.Size]byte(f.ID))
	if !ok {
		return false
	}
	delivery := code.delivery.Load()
	if delivery == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, firstTry)
	defer cancel()
	return delivery.Wait(ctx).Failed()
}

// send sends the code that a flow asks for from now on. phone is a number that
// is being set up, "" otherwise. Errors are those of account.People.NewCode.
func (x *exchange) send(f *flow, method store.Method, phone string) error {
	code, err := x.People.NewCode(x.detached(), f.ID, method, phone)
	if err != nil {
		return err
	}
	f.Method, f.Phone = method, phone
	what := letter.Code{
		Account: f.account, Code: code.Code, Expires: code.Expires, SettingUp: f.Stage != store.StagePasscode,
		Host: x.visit.Host, Language: x.Pages.Language(x.r),
	}
	x.sending.deliver(f, func(wanted func() bool) *deliver.Delivery {
		what.Wanted = wanted
		if method == store.MethodSMS {
			return x.Letters.Text(what, f.receives(method))
		}
		return x.Letters.Mail(what)
	})
	x.Trail.Add(store.Event{
		Action: "passcode.send", Outcome: audit.Success, AccountID: f.AccountID, Address: x.address(), How: string(method),
	})
	// The flow may last longer now, and its cookie with it.
	return x.flows.set(x, f.id, flowCookie{Token: f.token, ReturnTo: f.ReturnTo})
}

// mayAskAgain reports whether an error of send is one that asking for another
// code, later or in another sign-in, gets around.
func mayAskAgain(err error) bool {
	var held *account.Held
	return errors.As(err, &held) || errors.Is(err, account.ErrTooManySent)
}

// sendAsked sends a code because the person asked for one, and shows the step
// again. page makes the page of the step with a message.
func (x *exchange) sendAsked(f *flow, step string, method store.Method, phone string, again func(status int, message pages.Message)) {
	err := x.send(f, method, phone)
	var held *account.Held
	switch {
	case err == nil:
		x.redirect(stepAddress(step, f, method))
	case errors.As(err, &held):
		x.Trail.Add(store.Event{
			Action: "passcode.send", Outcome: audit.Refused, AccountID: f.AccountID, Address: x.address(), How: string(method), Detail: "held off",
		})
		x.w.Header().Set("Retry-After", answer.Seconds(held.RetryAfter))
		again(statusHeldOff, pages.Message{Kind: pages.WaitToSend, Wait: held.RetryAfter})
	case errors.Is(err, account.ErrTooManySent):
		x.w.Header().Set("Retry-After", answer.Seconds(f.ExpiresAt.Sub(x.Clock())))
		again(statusHeldOff, pages.Message{}) // the page says that these were all
	case errors.Is(err, account.ErrFlowEnded):
		x.endedFlow()
	default:
		x.storeFault(err)
	}
}
