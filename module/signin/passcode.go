package signin

import (
	"errors"

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
	if _, ok := x.query(); !ok {
		return
	}
	found, err := x.findFlow(stagePasscode)
	if err != nil {
		x.noFlow(err)
		return
	}
	x.show(found.passcodePage())
}

func (f *flow) passcodePage() pages.Passcode {
	return pages.Passcode{
		Flow:      f.id,
		Method:    string(store.MethodApp),
		StartOver: answer.SignInFor(f.ReturnTo),
	}
}

// takePasscode answers POST /passcode.
func (x *exchange) takePasscode() {
	found, err := x.findFlow(stagePasscode)
	if err != nil {
		x.noFlow(err)
		return
	}
	page := found.passcodePage()
	code := x.r.PostForm.Get("passcode")
	if message, ok := unusableCode(code); ok {
		page.Message = message
		x.write(statusUnauthorized, passcodeSelf(found), page)
		return
	}
	page.Recovery = account.LooksLikeRecoveryCode(code)

	o, err := x.opening(found)
	if err != nil {
		x.storeFault(err)
		return
	}
	event := store.Event{Action: "sign-in", Outcome: audit.Success, AccountID: found.AccountID, Address: x.address()}
	var token string
	err = x.People.CheckPasscode(x.detached(), account.Asked{AccountID: found.AccountID, FlowID: found.ID}, code, x.from(), func(tx store.Tx, how string) (err error) {
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
		if token, err = x.beginSession(tx, o, session.GivenFactor{How: store.Method(how), At: x.Clock()}); err != nil {
			return err
		}
		return x.Trail.Within(tx, event)
	})
	if err != nil {
		x.passcodeRefused(err, found, func(status int, message pages.Message) {
			page.Message = message
			x.write(status, passcodeSelf(found), page)
		})
		return
	}
	x.flows.clear(x, found.id)
	if o.mustChange {
		x.askNewPassword(o, event.How)
		return
	}
	x.Trail.Announce(event)
	if x.signedIn(token, found.AccountID, found.door) {
		x.redirect(found.ReturnTo)
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
func (x *exchange) passcodeRefused(err error, found *flow, again func(status int, message pages.Message)) {
	event := store.Event{
		Action: "passcode", Outcome: audit.Failure, AccountID: found.AccountID,
		Address: x.address(), How: "passcode app", Detail: "wrong or used passcode",
	}
	var held *account.Held
	switch {
	case errors.Is(err, account.ErrWrong):
		x.Trail.Add(event)
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

func passcodeSelf(f *flow) string { return answer.Passcode + "?flow=" + f.id }
