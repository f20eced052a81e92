package signin

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// showReset answers GET /reset: the form for a new password to whoever holds a
// one-time link, which stays unused, since mail scanners follow links.
func (x *exchange) showReset() {
	query, ok := x.query()
	if !ok {
		return
	}
	token := query.Get("token")
	if token == "" {
		x.writeResetAsk(statusOK, "", pages.Message{})
		return
	}
	owner, link, err := x.People.LinkOwner(x.r.Context(), token, x.from())
	if err != nil {
		x.linkRefused(err)
		return
	}
	x.writeReset(token, owner, link, statusOK, pages.Message{})
}

func (x *exchange) writeReset(token string, owner store.Account, link store.OneTimeLink, status int, message pages.Message) {
	x.write(status, answer.Reset+"?token="+url.QueryEscape(token), pages.SetPassword{
		Token:      token,
		Flow:       x.formToken(),
		Email:      owner.Attributes.Email,
		MinLength:  x.minimumLength(owner),
		Invitation: link.Purpose == store.PurposeInvitation,
		Message:    message,
	})
}

// takeNewPassword answers POST /reset.
func (x *exchange) takeNewPassword() {
	form := x.r.PostForm
	token := form.Get("token")
	if token == "" {
		x.askForLink()
		return
	}
	owner, link, err := x.People.LinkOwner(x.r.Context(), token, x.from())
	if err != nil {
		x.linkRefused(err)
		return
	}
	password := form.Get("password")
	if password == "" {
		x.writeReset(token, owner, link, statusUnprocessable, pages.Message{Kind: pages.FieldEmpty, Field: pages.PasswordField})
		return
	}
	event := store.Event{
		Action: "password.set", Outcome: audit.Success, AccountID: owner.ID,
		Address: x.address(), How: "one-time link, " + string(link.Purpose),
	}
	rules := account.Rules{Minimum: x.minimumLength(owner), Words: []string{x.visit.Host, x.Brand}}
	_, err = x.People.SetPasswordByLink(x.detached(), token, password, rules, x.from(),
		func(tx store.Tx, _ store.Account) error { return x.Trail.Within(tx, event) })
	var weak *account.Weak
	if errors.As(err, &weak) {
		x.writeReset(token, owner, link, statusUnprocessable, weakMessage(weak))
		return
	}
	if err != nil {
		x.linkRefused(err)
		return
	}
	x.Trail.Announce(event)
	x.tell(owner, letter.Notice{Kind: pages.LetterPasswordChanged})
	x.write(statusOK, "", pages.PasswordSet{SignIn: answer.SignIn})
}

// tell mails somebody what was done to their account, from here.
func (x *exchange) tell(a store.Account, n letter.Notice) {
	n.Host, n.Language, n.Address = x.visit.Host, x.Pages.Language(x.r), x.address()
	x.Letters.Tell(a, n)
}

func weakMessage(weak *account.Weak) pages.Message {
	switch weak.Reason {
	case account.TooShort:
		return pages.Message{Kind: pages.PasswordTooShort}
	case account.TooLong, account.NotText:
		return pages.Message{Kind: pages.PasswordTooLong}
	case account.OwnWords:
		return pages.Message{Kind: pages.PasswordOwnWords}
	default:
		return pages.Message{Kind: pages.PasswordCommon}
	}
}

// linkRefused answers a one-time link that cannot be used.
func (x *exchange) linkRefused(err error) {
	var held *account.Held
	var busy *account.Busy
	switch {
	case errors.Is(err, account.ErrLink):
		x.Trail.Add(store.Event{
			Action: "password.set", Outcome: audit.Failure, Address: x.address(),
			How: "one-time link", Detail: "unknown, used or expired",
		})
		x.refuse(answer.Refusal{Kind: pages.LinkExpired, Cause: err})
	case errors.As(err, &held):
		x.refuse(answer.Refusal{Kind: pages.Busy, Status: statusHeldOff, Cause: err, RetryAfter: held.RetryAfter})
	case errors.As(err, &busy):
		x.refuse(answer.Refusal{Kind: pages.Busy, Cause: err, RetryAfter: busy.RetryAfter})
	default:
		x.storeFault(err)
	}
}

// askNewPassword sends somebody on whose password is too short by now. They
// have shown that it is theirs, and sign in again with the new one.
func (x *exchange) askNewPassword(o opening, how string) {
	address, err := x.newPasswordAddress(o, how)
	switch {
	case errors.Is(err, session.ErrEpoch), errors.Is(err, account.ErrSuspended), errors.Is(err, store.ErrNotFound):
		x.redirect(answer.SignInFor(o.returnTo))
	case err != nil:
		x.storeFault(err)
	default:
		x.redirect(address)
	}
}

// newPasswordAddress makes a link for a new password, if the account is still
// the one whose password was believed: with one that its owner has changed
// since, nobody gets to set it again.
func (x *exchange) newPasswordAddress(o opening, how string) (string, error) {
	event := store.Event{
		Action: "sign-in", Outcome: audit.Refused, AccountID: o.account.ID,
		Address: x.address(), How: how, Detail: "the password has to be changed first",
	}
	token, _, err := x.People.IssueLink(x.detached(), o.account.ID, store.PurposeReset, func(tx store.Tx, now store.Account) error {
		if now.Epoch != o.account.Epoch {
			return session.ErrEpoch
		}
		return x.Trail.Within(tx, event)
	})
	if err != nil {
		return "", fmt.Errorf("making a link for a new password: %w", err)
	}
	x.Trail.Announce(event)
	return answer.Reset + "?token=" + url.QueryEscape(token), nil
}
