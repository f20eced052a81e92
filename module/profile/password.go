package profile

import (
	"errors"
	"net/http"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// mayChangePassword reports whether the person has a password and may change it,
// in an audience that takes passwords.
func (x *exchange) mayChangePassword() bool {
	return x.person.HasPassword && policy.OffersNewPassword(x.Doors, x.person.Attributes.Role, true, nil)
}

// showPassword answers GET /account/password.
func (x *exchange) showPassword() { x.writePassword(http.StatusOK, pages.Message{}) }

func (x *exchange) writePassword(status int, message pages.Message) {
	x.show(status, passwordAddress, pages.AccountPassword{
		Email:     x.live.Account.Attributes.Email,
		MinLength: x.minimumLength(),
		Flow:      x.token(),
		Message:   message,
	})
}

// takePassword answers POST /account/password.
func (x *exchange) takePassword() {
	password := x.r.PostForm.Get("password")
	if password == "" {
		x.writePassword(http.StatusUnprocessableEntity, pages.Message{Kind: pages.FieldEmpty, Field: pages.PasswordField})
		return
	}
	event, then := x.did("password.change", "")
	rules := account.Rules{Minimum: x.minimumLength(), Words: []string{x.visit.Host, x.Brand}}
	err := x.People.ChangePassword(x.detached(), x.self(), password, rules, account.From{Address: x.visit.Client}, then)
	var weak *account.Weak
	if errors.As(err, &weak) {
		x.writePassword(http.StatusUnprocessableEntity, weakMessage(weak))
		return
	}
	if err != nil {
		x.failed(err, answer.Account)
		return
	}
	x.Trail.Announce(event)
	x.tell(letter.Notice{Kind: pages.LetterPasswordChanged})
	x.done(answer.Account, pages.NoticePassword)
}

func (x *exchange) minimumLength() int {
	return account.MinimumLength(policy.EveryDoorRequires(x.Doors, x.person.Attributes.Role))
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
