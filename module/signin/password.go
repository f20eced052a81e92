package signin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	statusOK            = http.StatusOK
	statusUnauthorized  = http.StatusUnauthorized
	statusUnprocessable = http.StatusUnprocessableEntity
	statusHeldOff       = http.StatusTooManyRequests

	// maxEmail is the longest address there is (RFC 5321, section 4.5.3.1).
	maxEmail = 254
)

// takePassword answers POST /sign-in.
func (x *exchange) takePassword() {
	form := x.r.PostForm
	returnTo, again := x.returnTo(form), form.Get("again") != ""
	x.going = returnTo
	door := x.doorTo(returnTo)
	if !door.OffersPassword(x.visit.Client) {
		x.refuse(answer.Refusal{
			Kind:  pages.WayRefused,
			Cause: fmt.Errorf("a password was posted where none is taken: %s", door.WayIn(x.visit.Client).Reason),
		})
		return
	}
	email, password := typedEmail(form.Get("email")), form.Get("password")
	if message, ok := unusable(email, password); ok {
		x.showSignIn(door, returnTo, pages.SignIn{Email: shorten(email), Again: again, Message: message}, statusUnauthorized)
		return
	}
	believed, err := x.People.CheckPassword(x.r.Context(), email, password, x.from())
	if err != nil {
		x.passwordRefused(err, pages.SignIn{Email: email, Again: again}, door, returnTo)
		return
	}
	made := policy.Made{
		Factors:     believed.Factors,
		ChoseFactor: believed.ChoseFactor,
		Role:        believed.Account.Attributes.Role,
	}
	next := opening{
		account:    believed.Account,
		door:       door,
		returnTo:   returnTo,
		passwordAt: x.Clock(),
		mustChange: believed.Length < x.minimumLength(believed.Account),
	}
	verdict := x.verdict(door, returnTo, made)
	switch {
	case again && verdict == policy.Opens && made.Factors != 0:
		verdict = policy.NeedsPasscode // see session.Live.Fresh
	case !again && verdict == policy.NeedsPasscode:
		if next.given, verdict, err = x.vouched(next.account, door, returnTo, made); err != nil {
			x.storeFault(err)
			return
		}
	}
	switch verdict {
	case policy.Opens:
		x.completePassword(next)
	case policy.NeedsPasscode:
		next.stage = store.StagePasscode
		x.beginFlow(next, "")
	case policy.NeedsEnrollment:
		next.stage = store.StageEnroll
		x.beginFlow(next, "")
	default:
		x.Trail.Add(store.Event{
			Action: "sign-in", Outcome: audit.Refused, AccountID: believed.Account.ID,
			Address: x.address(), How: "password", Detail: "not of audience " + door.Name(),
		})
		x.notMember(believed.Account.Attributes.Email, door)
	}
}

// typedEmail is the address that somebody meant: without what gets in by typing
// and pasting, and with plain characters for the full-width ones of a Japanese
// keyboard, whose full stop is a dot (UTS #46 has browsers read host names so).
func typedEmail(typed string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r):
			return -1
		case r == '\u3002':
			return '.'
		}
		return r
	}, width.Fold.String(typed))
}

// unusable tells what cannot be right without asking anybody, and so is the
// same answer for everyone.
func unusable(email, password string) (pages.Message, bool) {
	switch {
	case email == "":
		return pages.Message{Kind: pages.FieldEmpty, Field: pages.EmailField}, true
	case len(email) > maxEmail:
		return pages.Message{Kind: pages.FieldTooLong, Field: pages.EmailField}, true
	case password == "":
		return pages.Message{Kind: pages.FieldEmpty, Field: pages.PasswordField}, true
	case len(password) > account.MaxPasswordBytes:
		return pages.Message{Kind: pages.FieldTooLong, Field: pages.PasswordField}, true
	}
	return pages.Message{}, false
}

// passwordRefused answers a password that did not let anyone in.
func (x *exchange) passwordRefused(err error, page pages.SignIn, door *policy.Door, returnTo string) {
	status := statusUnauthorized
	event := store.Event{Action: "sign-in", Outcome: audit.Failure, Address: x.address(), How: "password"}
	var wrong *account.Wrong
	var held *account.Held
	var busy *account.Busy
	if errors.As(err, &wrong) {
		event.AccountID = wrong.AccountID
	}
	switch {
	case errors.Is(err, account.ErrWrong):
		page.Message.Kind = pages.WrongCredentials
		event.Detail = "wrong e-mail address or password"
	case errors.As(err, &held):
		x.w.Header().Set("Retry-After", answer.Seconds(held.RetryAfter))
		page.Message = pages.Message{Kind: pages.WaitCredentials, Wait: held.RetryAfter}
		status = statusHeldOff
		event.AccountID = held.AccountID
		event.Outcome, event.Detail = audit.Refused, "held off"
	case errors.As(err, &busy):
		x.refuse(answer.Refusal{Kind: pages.Busy, Cause: err, RetryAfter: busy.RetryAfter})
		return
	default:
		x.storeFault(err)
		return
	}
	x.Trail.Add(event)
	x.showSignIn(door, returnTo, page, status)
}

// completePassword lets somebody in whose password is all that is asked for here
// and now.
func (x *exchange) completePassword(o opening) {
	if o.mustChange {
		x.askNewPassword(o, "password")
		return
	}
	var err error
	if o.replaces, err = x.current(); err != nil {
		x.storeFault(err)
		return
	}
	event := store.Event{Action: "sign-in", Outcome: audit.Success, AccountID: o.account.ID, Address: x.address(), How: "password"}
	if o.given.Trusted {
		event.How = trustedHow
	}
	var token string
	err = x.Store.Update(x.detached(), func(tx store.Tx) (err error) {
		if o.given.Trusted {
			if still, err := x.useTrust(tx, o.account.ID); err != nil {
				return err
			} else if !still {
				return session.ErrEpoch
			}
		}
		if token, err = x.beginSession(tx, o); err != nil {
			return err
		}
		return x.Trail.Within(tx, event)
	})
	if errors.Is(err, session.ErrEpoch) {
		x.redirect(answer.SignInFor(o.returnTo))
		return
	}
	if err != nil {
		x.storeFault(err)
		return
	}
	x.Trail.Announce(event)
	if x.signedIn(token, o.account.ID, o.door) {
		x.onward(o.returnTo)
	}
}

// beginSession makes the session of somebody who signed in with a password.
func (x *exchange) beginSession(tx store.Tx, o opening) (string, error) {
	token, err := x.Sessions.Begin(tx, session.Beginning{
		AccountID:    o.account.ID,
		Epoch:        o.account.Epoch,
		Audience:     o.door.Name(),
		SignedInAt:   o.passwordAt,
		SecondFactor: o.given,
		Address:      x.address(),
		Browser:      x.r.UserAgent(),
		Replaces:     o.replaces,
	})
	if err != nil {
		return "", err
	}
	if err := tx.RecordSignIn(o.account.ID, x.Clock()); err != nil {
		return "", fmt.Errorf("recording a sign-in: %w", err)
	}
	return token, nil
}

// current is the session that this browser has, or nil. A new one takes its
// place, so nobody gets one while it cannot be told.
func (x *exchange) current() ([]byte, error) {
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if live == nil {
		return nil, err
	}
	return live.Session.ID, err
}

// signedIn hands the browser its session, or answers and returns false.
func (x *exchange) signedIn(token, accountID string, door *policy.Door) bool {
	if err := x.Sessions.SetCookie(x.w, token, door.Name(), x.visit.Secure); err != nil {
		x.storeFault(err)
		return false
	}
	x.devices.remember(x, accountID)
	return true
}

// minimumLength is the shortest password that the account may have.
func (x *exchange) minimumLength(a store.Account) int {
	return account.MinimumLength(policy.EveryDoorRequires(x.Doors, a.Attributes.Role))
}

// address is the client's, as the audit trail has it.
func (x *exchange) address() string {
	if !x.visit.Client.IsValid() {
		return ""
	}
	return x.visit.Client.String()
}

// shorten keeps what was typed when it is too long to be shown again whole.
func shorten(typed string) string {
	if len(typed) <= maxEmail {
		return typed
	}
	cut := maxEmail
	for cut > 0 && !utf8.RuneStart(typed[cut]) {
		cut--
	}
	return typed[:cut]
}
