package profile

import (
	"net/http"
	"slices"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// mayManageFactors reports whether the person has anything to manage: something
// is set up or can be, beside a password that they sign in with somewhere.
func (x *exchange) mayManageFactors() bool {
	if !x.person.HasPassword || len(x.person.Factors) == 0 && len(x.demand().Offered) == 0 {
		return false
	}
	for _, d := range x.Doors {
		if d.Password() && d.Admits(x.person.Attributes.Role) {
			return true
		}
	}
	return false
}

// idle reports whether the person has second factors that nobody asks for: they
// were set up when one was required. keep: they may have it asked all the same.
func (x *exchange) idle() (idle, keep bool) {
	demand, person := x.demand(), x.person
	chosen := slices.ContainsFunc(person.Factors, func(f store.Factor) bool { return !f.Required })
	idle = len(person.Factors) > 0 && !chosen && !demand.Required
	return idle, idle && len(demand.Offered) > 0
}

// showFactors answers GET /account/second-factor.
func (x *exchange) showFactors() {
	person := x.person
	page := pages.AccountFactors{
		Factors:       x.factors(),
		RecoveryCodes: person.RecoveryCodes,
		Notice: x.notice(pages.NoticeFactorRemoved, pages.NoticeFactorPreferred, pages.NoticeFactorsKept,
			pages.NoticeStillRequired, pages.NoticeGone, pages.NoticeMeanwhile),
	}
	page.Idle, page.Keep = x.idle()
	for _, method := range x.demand().Offered {
		has := func(f store.Factor) bool { return string(f.Method) == method }
		if !slices.ContainsFunc(person.Factors, has) && x.canSend(store.Method(method)) {
			page.Add = append(page.Add, method)
		}
	}
	page.Flow = x.token()
	x.show(http.StatusOK, answer.Factors, page)
}

// canSend reports whether codes of that method can be sent, or need not be.
func (x *exchange) canSend(m store.Method) bool {
	switch m {
	case store.MethodEmail:
		return x.Letters.Mails()
	case store.MethodSMS:
		return x.Letters.Texts()
	}
	return true
}

// takeFactors answers POST /account/second-factor: one is removed or asked
// first, or all are asked at every sign-in.
func (x *exchange) takeFactors() {
	form := x.r.PostForm
	acts := 0
	for _, name := range []string{"remove", "prefer", "keep"} {
		if form.Get(name) != "" {
			acts++
		}
	}
	if acts != 1 {
		x.unreadable("it does not say one thing to do")
		return
	}
	switch {
	case form.Get("remove") != "":
		x.removeFactor(form.Get("remove"))
	case form.Get("prefer") != "":
		x.preferFactor(form.Get("prefer"))
	default:
		x.keepFactors()
	}
}

func (x *exchange) removeFactor(id string) {
	method := x.methodOf(id)
	event, then := x.did("second-factor.remove", method)
	removed, err := x.People.RemoveFactor(x.detached(), x.self(), id, x.enough, then)
	if err != nil {
		x.failed(err, answer.Factors)
		return
	}
	x.Trail.Announce(event)
	x.tell(letter.Notice{Kind: pages.LetterFactorRemoved, Method: removed.Method})
	x.done(answer.Factors, pages.NoticeFactorRemoved)
}

func (x *exchange) preferFactor(id string) {
	event, then := x.did("second-factor.prefer", x.methodOf(id))
	if err := x.People.PreferFactor(x.detached(), x.self(), id, then); err != nil {
		x.failed(err, answer.Factors)
		return
	}
	x.Trail.Announce(event)
	x.done(answer.Factors, pages.NoticeFactorPreferred)
}

func (x *exchange) keepFactors() {
	if _, keep := x.idle(); !keep {
		x.done(answer.Factors, pages.NoticeGone)
		return
	}
	event, then := x.did("second-factor.keep", "")
	if err := x.People.KeepFactors(x.detached(), x.self(), then); err != nil {
		x.failed(err, answer.Factors)
		return
	}
	x.Trail.Announce(event)
	x.done(answer.Factors, pages.NoticeFactorsKept)
}

// makeRecoveryCodes answers POST /account/recovery-codes: ten new ones are
// shown, once.
func (x *exchange) makeRecoveryCodes() {
	event, then := x.did("recovery-codes.make", "")
	codes, err := x.People.NewRecoveryCodes(x.detached(), x.self(), then)
	if err != nil {
		x.failed(err, answer.Factors)
		return
	}
	x.Trail.Announce(event)
	x.tell(letter.Notice{Kind: pages.LetterRecoveryCodes})
	x.show(http.StatusOK, "", pages.RecoveryCodes{
		Codes: codes, Email: x.live.Account.Attributes.Email, Continue: answer.Factors, Account: true,
	})
}

// methodOf is the method of one of the person's second factors, "" for none.
func (x *exchange) methodOf(id string) string {
	for _, f := range x.person.Factors {
		if f.ID == id {
			return string(f.Method)
		}
	}
	return ""
}
