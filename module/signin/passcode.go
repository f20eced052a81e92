package signin

import (
	"errors"
	"slices"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// maxCode is longer than any passcode or recovery code, however it is typed.
const maxCode = 128

// showPasscode answers GET /passcode.
func (x *exchange) showPasscode() {
	query, ok := x.query()
	if !ok {
		return
	}
	found, err := x.findFlow(passcodeStep)
	if err != nil {
		x.noFlow(err)
		return
	}
	x.show(x.passcodePage(found, shown(found, x.askable(found), query.Get("method"))))
}

// passcodePage asks for a passcode of that method.
func (x *exchange) passcodePage(f *flow, method store.Method) pages.Passcode {
	page := pages.Passcode{
		Flow:        f.id,
		Method:      string(method),
		Sent:        x.sent(f, method),
		Others:      others(x.askable(f), method),
		TrustDevice: f.demand.TrustDevice,
		StartOver:   answer.SignInFor(f.ReturnTo),
	}
	if f.MustChange {
		page.TrustDevice = 0 // a new password forgets what is trusted
	}
	if page.Sent.Undelivered {
		page.Message.Kind = pages.NotDelivered
	}
	return page
}

// takePasscode answers POST /passcode: a passcode, or the wish for one of
// another method or for another one of the same.
func (x *exchange) takePasscode() {
	found, err := x.findFlow(passcodeStep)
	if err != nil {
		x.noFlow(err)
		return
	}
	form := x.r.PostForm
	methods := x.askable(found)
	method, named := shown(found, methods, form.Get("method")), form.Get("method")
	again := func(status int, message pages.Message) {
		page := x.passcodePage(found, method)
		page.Message = message
		page.Trust = form.Get("trust_device") != ""
		page.Recovery = x.typedRecoveryCode()
		x.write(status, stepAddress(answer.Passcode, found, method), page)
	}
	code := form.Get("passcode")
	if named != "" && (!form.Has("passcode") || code == "" && !waitsFor(found, method)) {
		switch {
		case !slices.Contains(methods, store.Method(named)):
			x.noSuchMethod(named)
		case method == store.MethodApp:
			x.redirect(stepAddress(answer.Passcode, found, method))
		default:
			x.sendAsked(found, answer.Passcode, method, "", again)
		}
		return
	}
	if message, ok := unusableCode(code); ok {
		again(statusUnauthorized, message)
		return
	}
	x.checkPasscode(found, method, code, again)
}

// typedRecoveryCode reports whether what was posted was meant for a recovery
// code: by its looks, or because it was typed where one belongs.
func (x *exchange) typedRecoveryCode() bool {
	form := x.r.PostForm
	return form.Get("recovery") != "" || account.LooksLikeRecoveryCode(form.Get("passcode"))
}

// waitsFor reports whether there is something to type of that method by now.
func waitsFor(f *flow, method store.Method) bool {
	return method == store.MethodApp || f.Sent > 0 && f.Method == method
}

// checkPasscode lets the person of a flow in whose passcode is right.
func (x *exchange) checkPasscode(found *flow, method store.Method, code string, again func(int, pages.Message)) {
	o, err := x.opening(found)
	if err != nil {
		x.storeFault(err)
		return
	}
	trusts := x.r.PostForm.Get("trust_device") != "" && found.demand.TrustDevice > 0
	event := store.Event{Action: "sign-in", Outcome: audit.Success, AccountID: found.AccountID, Address: x.address()}
	asked := account.Asked{AccountID: found.AccountID, FlowID: found.ID, Methods: found.asks()}
	var token string
	err = x.People.CheckPasscode(x.detached(), asked, code, x.from(), func(tx store.Tx, how string) (err error) {
		if ended, err := tx.EndFlow(found.ID); err != nil {
			return err
		} else if !ended {
			return errNoFlow
		}
		if found.Session != nil {
			// Somebody may have signed out since the flow was opened.
			if _, err := tx.Session(found.Session); errors.Is(err, store.ErrNotFound) {
				return errNoFlow
			} else if err != nil {
				return err
			}
		}
		event.How = "password and passcode " + how
		if o.mustChange {
			return nil
		}
		o.given = session.GivenFactor{How: store.Method(how), At: x.Clock()}
		if token, err = x.beginSession(tx, o); err != nil {
			return err
		}
		if trusts {
			event.Detail = "this browser is trusted from now on"
			if err := x.trust(tx, found.AccountID, o.given.How, found.demand.TrustDevice); err != nil {
				return err
			}
		}
		return x.Trail.Within(tx, event)
	})
	if err != nil {
		x.passcodeRefused(err, found, method, again)
		return
	}
	if o.mustChange {
		x.finish(found)
		x.askNewPassword(o, event.How)
		return
	}
	x.Trail.Announce(event)
	if x.signedIn(token, found.AccountID, found.door) {
		x.finish(found)
		x.onward(found.ReturnTo)
	}
}

func unusableCode(code string) (pages.Message, bool) {
	switch {
	case code == "":
		return pages.Message{Kind: pages.FieldEmpty, Field: pages.PasscodeField}, true
	case len(code) > maxCode:
		return pages.Message{Kind: pages.FieldTooLong, Field: pages.PasscodeField}, true
	}
	return pages.Message{}, false
}

// passcodeRefused answers a code that did not let anyone on. again shows the
// page of the step with a message.
func (x *exchange) passcodeRefused(err error, found *flow, method store.Method, again func(status int, message pages.Message)) {
	event := store.Event{
		Action: "passcode", Outcome: audit.Failure, AccountID: found.AccountID,
		Address: x.address(), How: "passcode " + string(method), Detail: "wrong or used passcode",
	}
	var held *account.Held
	switch {
	case errors.Is(err, account.ErrWrong):
		x.Trail.Add(event)
		if x.sentCodeOver(found, method) {
			again(statusUnauthorized, pages.Message{Kind: pages.SentCodeOver})
			return
		}
		again(statusUnauthorized, pages.Message{Kind: pages.WrongPasscode})
	case errors.As(err, &held):
		event.Outcome, event.Detail = audit.Refused, "held off"
		x.Trail.Add(event)
		x.w.Header().Set("Retry-After", answer.Seconds(held.RetryAfter))
		again(statusHeldOff, pages.Message{Kind: pages.WaitPasscode, Wait: held.RetryAfter})
	case errors.Is(err, errNoFlow), errors.Is(err, session.ErrEpoch), errors.Is(err, account.ErrEnrollmentEnded):
		x.endedFlow()
	default:
		x.storeFault(err)
	}
}

// sentCodeOver reports whether the code that was sent cannot be right any more,
// so that typing on does not help. found is as it was before the guess.
func (x *exchange) sentCodeOver(found *flow, method store.Method) bool {
	if method == store.MethodApp || found.Sent == 0 || x.typedRecoveryCode() {
		return false
	}
	now := found.Flow
	now.Tries++
	return account.SentCodeOver(now, x.Clock())
}

// noFlow answers for a step whose flow cannot be found. Somebody who went
// Back after signing in has none any more, and is simply sent on.
func (x *exchange) noFlow(err error) {
	if !errors.Is(err, errNoFlow) {
		x.storeFault(err)
		return
	}
	x.endedFlow()
}

// opening is what the session of a flow begins with.
func (x *exchange) opening(f *flow) (o opening, err error) {
	o = opening{
		account:    f.account,
		door:       f.door,
		returnTo:   f.ReturnTo,
		replaces:   f.Session,
		passwordAt: f.PasswordAt,
		mustChange: f.MustChange,
	}
	if o.replaces != nil {
		return o, nil
	}
	o.replaces, err = x.current()
	return o, err
}
