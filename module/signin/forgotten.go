package signin

import (
	"context"
	"errors"
	"fmt"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func (x *exchange) writeResetAsk(status int, email string, message pages.Message) {
	page := pages.ResetAsk{Mail: x.Letters.Mails(), Email: email, SignIn: answer.SignIn, Message: message}
	if page.Mail {
		page.Flow = x.formToken()
	}
	x.write(status, answer.Reset, page)
}

// askForLink answers POST /reset with an address: a link for a new password is
// mailed to whoever has it. The answer, and the time it takes, are the same
// whether or not anybody does.
func (x *exchange) askForLink() {
	if !x.Letters.Mails() {
		x.writeResetAsk(statusOK, "", pages.Message{})
		return
	}
	email := typedEmail(x.r.PostForm.Get("email"))
	switch {
	case email == "":
		x.writeResetAsk(statusUnprocessable, "", pages.Message{Kind: pages.FieldEmpty, Field: pages.EmailField})
		return
	case len(email) > maxEmail:
		x.writeResetAsk(statusUnprocessable, shorten(email), pages.Message{Kind: pages.FieldTooLong, Field: pages.EmailField})
		return
	}
	var held *account.Held
	err := x.People.CountResetRequest(x.r.Context(), x.from())
	if errors.As(err, &held) {
		x.w.Header().Set("Retry-After", answer.Seconds(held.RetryAfter))
		x.writeResetAsk(statusHeldOff, email, pages.Message{Kind: pages.WaitCredentials, Wait: held.RetryAfter})
		return
	}
	if err != nil {
		x.storeFault(err)
		return
	}
	find := x.Conversation.forgetful(email, x.address())
	x.Letters.Reset(policy.Origin{Secure: x.visit.Secure, Host: x.visit.Host}, x.Pages.Language(x.r), find)
	x.write(statusOK, "", pages.ResetSent{Email: email, SignIn: answer.SignIn})
}

// forgetful finds who has an address and makes their link. It runs when the
// person has long been answered.
func (c *Conversation) forgetful(email, address string) func(context.Context) (*letter.Wanted, error) {
	return func(ctx context.Context) (*letter.Wanted, error) {
		event := store.Event{Action: "password.reset-request", Outcome: audit.Failure, Address: address, How: "page"}
		who, err := c.People.FindForgetful(ctx, email, func(f account.Forgetful) bool {
			return policy.OffersNewPassword(c.Doors, f.Attributes.Role, f.HasPassword, f.SSO)
		})
		if err != nil {
			return nil, err
		}
		if who == nil {
			event.Detail = "nobody with that address may have a new password now"
			c.Trail.Add(event)
			return nil, nil
		}
		event.Outcome, event.AccountID, event.Detail = audit.Success, who.ID, "a link is mailed"
		token, expires, err := c.People.IssueLink(ctx, who.ID, store.PurposeReset, func(tx store.Tx, _ store.Account) error {
			return c.Trail.Within(tx, event)
		})
		if errors.Is(err, account.ErrSuspended) || errors.Is(err, store.ErrNotFound) {
			return nil, nil // it happened since
		}
		if err != nil {
			return nil, fmt.Errorf("making a link for a new password: %w", err)
		}
		c.Trail.Announce(event)
		return &letter.Wanted{Account: who.Account, Token: token, Expires: expires}, nil
	}
}
