package signin

import (
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// The wizard's steps: the method, the recovery codes.
const (
	enrollSteps  = 2
	enrollMethod = 1
	enrollCodes  = 2
)

// showEnrollment answers GET /enroll.
func (x *exchange) showEnrollment() {
	query, ok := x.query()
	if !ok {
		return
	}
	found, err := x.findFlow(enrollStep)
	if err != nil {
		x.noFlow(err)
		return
	}
	method := shown(found, x.enrollable(found), query.Get("method"))
	if method == "" {
		x.endedFlow()
		return
	}
	x.writeEnrollment(found, method, "", statusOK, pages.Message{})
}

// byChoice reports whether the person of a flow sets up a factor that nothing
// requires of them.
func (f *flow) byChoice() bool {
	return f.Stage == store.StageReplace || !f.demand.Missing(methodsOf(f.factors))
}

// writeEnrollment shows the step for a method. phone is what was typed for one.
func (x *exchange) writeEnrollment(found *flow, method store.Method, phone string, status int, message pages.Message) {
	methods := x.enrollable(found)
	page := pages.Enroll{
		Flow:      found.id,
		Method:    string(method),
		Others:    others(methods, method),
		Sent:      x.sent(found, method),
		ByChoice:  found.byChoice(),
		StartOver: answer.SignInFor(found.ReturnTo),
		Message:   message,
	}
	if page.ByChoice {
		page.StartOver = x.linkOnward(found.ReturnTo)
	}
	if len(found.factors) == 0 { // otherwise there are recovery codes already
		page.Step, page.Steps = enrollMethod, enrollSteps
	}
	if page.Sent.Undelivered && message.Kind == pages.NoMessage {
		page.Message.Kind = pages.NotDelivered
	}
	switch method {
	case store.MethodSMS:
		page.Phone = phone
		if page.Sent.Once {
			page.Phone = found.Phone
		}
	case store.MethodApp:
		enrollment, err := x.People.ShowEnrollment(found.Secret, account.FlowRow(found.ID), x.visit.Host, found.account.Attributes.Email)
		if err != nil {
			x.storeFault(fmt.Errorf("opening the secret of an enrolment: %w", err))
			return
		}
		page.URL, page.Key = enrollment.URL, strings.ReplaceAll(enrollment.Key, " ", "")
	}
	x.write(status, stepAddress(answer.Enroll, found, method), page)
}

// takeEnrollment answers POST /enroll: a code that shows that the method works,
// the wish for another method or for a code to be sent, or the wish to begin.
func (x *exchange) takeEnrollment() {
	form := x.r.PostForm
	if form.Get("begin") != "" {
		x.beginEnrollment(store.StageEnroll, store.Method(form.Get("method")))
		return
	}
	if method := form.Get("replace"); method != "" {
		x.beginEnrollment(store.StageReplace, store.Method(method))
		return
	}
	found, err := x.findFlow(enrollStep)
	if err != nil {
		x.noFlow(err)
		return
	}
	methods, named := x.enrollable(found), form.Get("method")
	if len(methods) == 0 {
		// What was on offer when the flow began is not any more.
		x.endedFlow()
		return
	}
	if named != "" && !slices.Contains(methods, store.Method(named)) {
		x.noSuchMethod(named)
		return
	}
	method, code, phone := shown(found, methods, named), form.Get("passcode"), form.Get("phone")
	again := func(status int, message pages.Message) { x.writeEnrollment(found, method, phone, status, message) }
	switch {
	case named != "" && (!form.Has("passcode") || code == "" && !waitsFor(found, method)):
		x.prepareMethod(found, method, phone, again)
	default:
		if message, ok := unusableCode(code); ok {
			again(statusUnauthorized, message)
			return
		}
		x.finishEnrollment(found, method, code, again)
	}
}

// prepareMethod shows the step of a method, and has the code sent that it takes.
func (x *exchange) prepareMethod(found *flow, method store.Method, phone string, again func(int, pages.Message)) {
	form := x.r.PostForm
	switch {
	case method == store.MethodEmail:
		x.sendAsked(found, answer.Enroll, method, "", again)
	case method == store.MethodSMS && form.Has("phone"):
		number, ok := account.ParsePhone(phone)
		switch {
		case phone == "":
			again(statusUnprocessable, pages.Message{Kind: pages.FieldEmpty, Field: pages.PhoneField})
		case !ok:
			again(statusUnprocessable, pages.Message{Kind: pages.NoPhone, Field: pages.PhoneField})
		default:
			x.sendAsked(found, answer.Enroll, method, number, again)
		}
	case method == store.MethodSMS:
		// Another number than before, or the first one.
		found.Method, found.Sent = "", 0
		x.writeEnrollment(found, method, found.Phone, statusOK, pages.Message{})
	default:
		x.redirect(stepAddress(answer.Enroll, found, method))
	}
}

// beginEnrollment begins to set up a factor by choice, or another one in place of
// one there is, from the page of the person's own account.
func (x *exchange) beginEnrollment(stage store.Stage, method store.Method) {
	x.going = answer.Factors
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return
	}
	if live == nil || !live.Fresh(x.Clock()) {
		x.redirect(answer.SignInAgain(answer.Factors))
		return
	}
	if live.Factors.Has(policy.Method(string(method))) != (stage == store.StageReplace) {
		x.redirect(answer.Factors) // done in another tab
		return
	}
	door := x.doorTo(answer.Factors)
	demand := x.demand(door, answer.Factors, live.Account)
	if !door.OffersPassword(x.visit.Client) || !slices.Contains(demand.Offered, string(method)) || !x.canSend(method) {
		x.noSuchMethod(string(method))
		return
	}
	x.beginFlow(opening{
		account:    live.Account,
		door:       door,
		stage:      stage,
		replaced:   method,
		returnTo:   answer.Factors,
		replaces:   live.Session.ID,
		passwordAt: live.Session.SignedInAt,
	}, method)
}

// finishEnrollment makes the second factor, the recovery codes and the session,
// all or none.
func (x *exchange) finishEnrollment(found *flow, method store.Method, code string, again func(int, pages.Message)) {
	o, err := x.opening(found)
	if err != nil {
		x.storeFault(err)
		return
	}
	event := store.Event{
		Action: "sign-in", Outcome: audit.Success, AccountID: found.AccountID,
		Address: x.address(), How: "password and new second factor " + string(method),
	}
	enrolled := event
	enrolled.Action, enrolled.How = "second-factor.enroll", string(method)

	var token string
	var codes []string
	then := func(tx store.Tx, recoveryCodes []string) (err error) {
		codes = recoveryCodes
		enrolledAccount, err := tx.Account(found.AccountID)
		if err != nil {
			return err
		}
		// The new factor has moved the epoch and ended this flow with all
		// others; what changed before that ends it too.
		if enrolledAccount.Epoch != found.Epoch+1 {
			return errNoFlow
		}
		o.account = enrolledAccount
		if err := x.Trail.Within(tx, enrolled); err != nil || o.mustChange {
			return err
		}
		o.given = session.GivenFactor{How: method, At: x.Clock()}
		if token, err = x.beginSession(tx, o); err != nil {
			return err
		}
		return x.Trail.Within(tx, event)
	}
	required := !found.byChoice()
	if method == store.MethodApp {
		err = x.People.FinishEnrollment(x.detached(), found.AccountID, found.Secret, account.FlowRow(found.ID), code, required, x.from(), then)
	} else {
		err = x.People.FinishSentEnrollment(x.detached(), found.AccountID, found.ID, method, code, required, x.from(), then)
	}
	if err != nil {
		x.passcodeRefused(err, found, method, again)
		return
	}
	x.Trail.Announce(enrolled)
	x.tell(found.account, letter.Notice{Kind: pages.LetterFactorAdded, Method: method})
	onward := found.ReturnTo
	if o.mustChange {
		// Without a link the next sign-in asks again. The codes are shown
		// now or never.
		if onward, err = x.newPasswordAddress(o, event.How); err != nil {
			x.Answers.Log.Error("a password that is too short by now could not be changed", zap.Error(err))
			onward = answer.SignInFor(found.ReturnTo)
		}
	} else {
		x.Trail.Announce(event)
		if !x.signedIn(token, found.AccountID, found.door) {
			return
		}
	}
	x.finish(found)
	if codes == nil { // there are some from an earlier factor
		x.onward(onward)
		return
	}
	x.write(statusOK, "", pages.RecoveryCodes{
		Codes:    codes,
		Email:    found.account.Attributes.Email,
		Continue: x.linkOnward(onward),
		Account:  aboutThemselves(onward),
		Step:     enrollCodes,
		Steps:    enrollSteps,
	})
}
