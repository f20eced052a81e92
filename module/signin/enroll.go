package signin

import (
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// The wizard's steps: the app, the recovery codes.
const (
	enrollSteps = 2
	enrollApp   = 1
	enrollCodes = 2
)

// enrollHow is how somebody signed in who went through the wizard, as the audit
// trail has it.
const enrollHow = "password and new second factor app"

// showEnrollment answers GET /enroll.
func (x *exchange) showEnrollment() {
	if _, ok := x.query(); !ok {
		return
	}
	found, err := x.findFlow(stageEnroll)
	if err != nil {
		x.noFlow(err)
		return
	}
	x.writeEnrollment(found, statusOK, pages.Message{})
}

func (x *exchange) writeEnrollment(found *flow, status int, message pages.Message) {
	enrollment, err := x.People.ShowEnrollment(found.Secret, account.FlowRow(found.ID), x.visit.Host, found.account.Attributes.Email)
	if err != nil {
		x.storeFault(fmt.Errorf("opening the secret of an enrolment: %w", err))
		return
	}
	x.write(status, answer.Enroll+"?flow="+found.id, pages.Enroll{
		Flow:      found.id,
		URL:       enrollment.URL,
		Key:       strings.ReplaceAll(enrollment.Key, " ", ""),
		Step:      enrollApp,
		Steps:     enrollSteps,
		StartOver: answer.SignInFor(found.ReturnTo),
		Message:   message,
	})
}

// takeEnrollment answers POST /enroll: a right code makes the second factor,
// the recovery codes and the session, all or none.
func (x *exchange) takeEnrollment() {
	found, err := x.findFlow(stageEnroll)
	if err != nil {
		x.noFlow(err)
		return
	}
	form := x.r.PostForm
	if method := form.Get("method"); method != "" && method != string(store.MethodApp) {
		x.refuse(answer.Refusal{Kind: pages.BadRequest, Cause: fmt.Errorf("there is no method %.50q to enrol here", method)})
		return
	}
	code := form.Get("passcode")
	if message, ok := unusableCode(code); ok {
		x.writeEnrollment(found, statusUnauthorized, message)
		return
	}
	o, err := x.opening(found)
	if err != nil {
		x.storeFault(err)
		return
	}
	event := store.Event{
		Action: "sign-in", Outcome: audit.Success, AccountID: found.AccountID,
		Address: x.address(), How: enrollHow,
	}
	enrolled := event
	enrolled.Action, enrolled.How = "second-factor.enroll", "app"

	required := x.verdict(found.door, found.ReturnTo, policy.Made{Role: found.account.Attributes.Role}) == policy.NeedsEnrollment
	var token string
	var codes []string
	err = x.People.FinishEnrollment(x.detached(), found.AccountID, found.Secret, account.FlowRow(found.ID), code, required, x.from(),
		func(tx store.Tx, recoveryCodes []string) (err error) {
			codes = recoveryCodes
			enrolledAccount, err := tx.Account(found.AccountID)
			if err != nil {
				return err
			}
			// The new factor has moved the epoch and ended this flow
			// with all others; what changed before that ends it too.
			if enrolledAccount.Epoch != found.Epoch+1 {
				return errNoFlow
			}
			o.account = enrolledAccount
			if err := x.Trail.Within(tx, enrolled); err != nil || o.mustChange {
				return err
			}
			if token, err = x.beginSession(tx, o, session.GivenFactor{How: store.MethodApp, At: x.Clock()}); err != nil {
				return err
			}
			return x.Trail.Within(tx, event)
		})
	if err != nil {
		x.passcodeRefused(err, found, func(status int, message pages.Message) {
			x.writeEnrollment(found, status, message)
		})
		return
	}
	x.flows.clear(x, found.id)
	x.Trail.Announce(enrolled)
	onward := found.ReturnTo
	if o.mustChange {
		// Without a link the next sign-in asks again. The codes are shown
		// now or never.
		if onward, err = x.newPasswordAddress(o, enrollHow); err != nil {
			x.Answers.Log.Error("a password that is too short by now could not be changed", zap.Error(err))
			onward = answer.SignInFor(found.ReturnTo)
		}
	} else {
		x.Trail.Announce(event)
		if !x.signedIn(token, found.AccountID, found.door) {
			return
		}
	}
	x.write(statusOK, "", pages.RecoveryCodes{
		Codes:    codes,
		Email:    found.account.Attributes.Email,
		Continue: onward,
		Step:     enrollCodes,
		Steps:    enrollSteps,
	})
}
