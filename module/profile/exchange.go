package profile

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/form"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// exchange is one request, and who it comes from once that is known.
type exchange struct {
	*Pages
	w     http.ResponseWriter
	r     *http.Request
	visit policy.Visit
	path  string // canonical

	query  url.Values
	now    time.Time
	live   *session.Live
	person *account.Person // as the store has it now
}

// read reads the query and the form, or answers and returns false.
func (x *exchange) read() bool {
	query, refusal := form.Query(x.r)
	if refusal == nil && x.r.Method == http.MethodPost {
		refusal = form.Read(x.w, x.r, x.visit, func(flow string) bool { return x.OwnForm(x.r, x.visit, flow) })
	}
	if refusal != nil {
		x.refuse(*refusal)
		return false
	}
	x.query, x.now = query, x.Clock()
	return true
}

// enter finds out who asks, or answers and returns false.
func (x *exchange) enter(address page) bool {
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return false
	}
	if live == nil || policy.Strictest(x.Doors, live.Made()) != policy.Opens {
		x.challenge()
		return false
	}
	x.live = live
	person, err := x.People.Show(x.r.Context(), live.Account.ID)
	if errors.Is(err, store.ErrNotFound) {
		x.challenge() // removed a moment ago
		return false
	}
	if err != nil {
		x.storeFault(err)
		return false
	}
	x.person = &person
	if address.offered != nil && !address.offered(x) {
		x.refuse(answer.Refusal{Kind: pages.NotFound, Cause: errors.New("this is not offered to account " + person.ID)})
		return false
	}
	switch {
	case !address.fresh, live.Fresh(x.now), address.anyWay && live.FreshAnyWay(x.now):
		return true
	case address.anyWay:
		x.redirect(answer.SignInAgainAnyWay(address.again))
	default:
		x.redirect(answer.SignInAgain(address.again))
	}
	return false
}

// self is who acts, and in which session.
func (x *exchange) self() account.Self {
	return account.Self{AccountID: x.live.Account.ID, Session: x.live.Session.ID, Epoch: x.live.Session.Epoch}
}

// demand is what is asked of the person beside their password.
func (x *exchange) demand() policy.Demand {
	return policy.StrictestDemand(x.Doors, x.person.Attributes.Role)
}

// did records what somebody does to their own account, as part of it.
func (x *exchange) did(action, detail string) (event store.Event, then account.Then) {
	event = store.Event{
		Action: action, Outcome: audit.Success, AccountID: x.live.Account.ID, Address: x.address(),
		How: "account page", Detail: detail,
	}
	return event, func(tx store.Tx, _ store.Account) error { return x.Trail.Within(tx, event) }
}

// failed answers that something was not done. back is the page that says so.
func (x *exchange) failed(err error, back string) {
	var busy *account.Busy
	switch {
	case errors.Is(err, account.ErrSignedOut):
		x.challenge()
	case errors.Is(err, account.ErrMeanwhile):
		x.done(back, pages.NoticeMeanwhile)
	case errors.Is(err, account.ErrNoneSuch):
		x.done(back, pages.NoticeGone)
	case errors.Is(err, account.ErrOnlyWayIn):
		x.done(back, pages.NoticeOnlyWayIn)
	case errors.Is(err, account.ErrStillRequired):
		x.done(back, pages.NoticeStillRequired)
	case errors.Is(err, account.ErrFromProvider), errors.Is(err, account.ErrNoPassword):
		x.refuse(answer.Refusal{Kind: pages.NotFound, Cause: err})
	case errors.As(err, &busy):
		x.refuse(answer.Refusal{Kind: pages.Busy, Cause: err, RetryAfter: busy.RetryAfter})
	default:
		x.storeFault(err)
	}
}

// done sends on to a page of ours that says what was done.
func (x *exchange) done(path string, notice pages.Notice) {
	x.redirect(path + "?done=" + string(notice))
}

// notice is what the page before has done, of the words that there are.
func (x *exchange) notice(known ...pages.Notice) pages.Notice {
	for _, notice := range known {
		if string(notice) == x.query.Get("done") {
			return notice
		}
	}
	return pages.NoNotice
}

// tell mails the person what was done to their account, from here.
func (x *exchange) tell(n letter.Notice) {
	n.Host, n.Language, n.Address = x.visit.Host, x.Pages.Pages.Language(x.r), x.address()
	x.Letters.Tell(x.live.Account, n)
}

// show writes a page. self is where a GET shows it again, "" for nowhere.
func (x *exchange) show(status int, self string, page pages.Page) {
	look := x.Pages.Pages
	look.KeepLanguage(x.w, x.r, x.visit.Secure)
	look.Write(x.w, status, pages.View{Host: x.visit.Host, Language: look.Language(x.r), Self: self}, page)
}

// token is the hidden field of the forms. Call it once, before show.
func (x *exchange) token() string { return x.FormToken(x.w, x.r, x.visit) }

// redirect sends on to a path of this site: after a GET with 302, and after a
// POST with 303, so that reloading does not post again.
func (x *exchange) redirect(path string) {
	status := http.StatusFound
	if x.r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	h := x.w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("Location", path)
	x.w.WriteHeader(status)
}

// challenge asks whoever is not signed in, or not well enough, to be.
func (x *exchange) challenge() {
	x.Answers.Challenge(x.w, x.r, x.visit, answer.Challenged{Original: x.path})
}

func (x *exchange) refuse(refusal answer.Refusal) { x.Answers.Refuse(x.w, x.r, x.visit, refusal) }

// storeFault closes the gate because the store, or what leads to it, failed.
func (x *exchange) storeFault(err error) {
	if errors.Is(err, context.Canceled) && x.r.Context().Err() != nil {
		// Nobody is there to be answered, and the store did nothing wrong.
		x.w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	x.refuse(answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
}

// address is the client's, as the audit trail has it.
func (x *exchange) address() string {
	if !x.visit.Client.IsValid() {
		return ""
	}
	return x.visit.Client.String()
}

// detached outlives the request: what has been begun is finished even if the
// person has gone.
func (x *exchange) detached() context.Context { return context.WithoutCancel(x.r.Context()) }
