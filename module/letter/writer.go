// Package letter writes to people, by mail and by text message: it has pages put
// the words together and deliver carry them. Links in letters are built from addresses that are
// configured, never from a request.
package letter

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// noticeFor is how long it is of use to hear of what happened.
const noticeFor = 24 * time.Hour

// Config is what letters are written with.
type Config struct {
	Mailer *deliver.Mailer // nil: no mail can be sent
	Texter *deliver.Texter // nil: no text message can be sent
	Post   *deliver.Post
	Pages  *pages.Pages
	Clock  func() time.Time
}

// Writer writes to people on behalf of one configuration. A nil Writer can send
// nothing.
type Writer struct{ Config }

// Mails reports whether mail can be sent.
func (w *Writer) Mails() bool { return w != nil && w.Mailer != nil }

// Texts reports whether text messages can be sent.
func (w *Writer) Texts() bool { return w != nil && w.Texter != nil }

// New returns the writer of a configuration.
func New(c Config) *Writer { return &Writer{c} }

// Wanted is a one-time link that somebody asked for.
type Wanted struct {
	Account store.Account
	Token   string
	Expires time.Time
}

// Reset mails a link for a new password to whoever find returns, and nothing if
// that is nobody. It returns at once: what find does and whether there is
// anybody takes no time that the person could measure. find runs in the
// background until it returns without an error, and no more after that.
func (w *Writer) Reset(origin policy.Origin, language string, find func(context.Context) (*Wanted, error)) {
	var wanted *Wanted
	found := false
	w.Post.Deliver(deliver.Parcel{
		What:  "a link for a new password",
		Until: w.Clock().Add(time.Hour),
		Send: func(ctx context.Context) (err error) {
			if !found {
				if wanted, err = find(ctx); err != nil {
					return err
				}
				found = true
			}
			if wanted == nil {
				return nil
			}
			return w.link(ctx, pages.LetterReset, *wanted, origin, language)
		},
	})
}

// Invitation mails the link with which a new account's person sets a password.
func (w *Writer) Invitation(wanted Wanted, origin policy.Origin, language string) *deliver.Delivery {
	return w.Post.Deliver(deliver.Parcel{
		What: "an invitation", Account: wanted.Account.ID, Until: wanted.Expires,
		Send: func(ctx context.Context) error { return w.link(ctx, pages.LetterInvitation, wanted, origin, language) },
	})
}

// Report is a link to a report, for an administrator.
type Report struct {
	Account store.Account
	Link    string // path and query
	Expires time.Time
}

// Report mails the link to a report.
func (w *Writer) Report(report Report, origin policy.Origin, language string) *deliver.Delivery {
	return w.Post.Deliver(deliver.Parcel{
		What: "a link to a report", Account: report.Account.ID, Until: report.Expires,
		Send: func(ctx context.Context) error {
			return w.send(ctx, report.Account, pages.LetterTo{
				Kind: pages.LetterReport, Host: origin.Host, Language: language,
				Link: origin.String() + report.Link, Lifetime: report.Expires.Sub(w.Clock()).Round(time.Hour),
			})
		},
	})
}

// Code is a passcode for a person to receive.
type Code struct {
	Account store.Account
	Code    string
	Expires time.Time
	// SettingUp: it is to show that they receive it, not to sign in.
	SettingUp bool
	// Host is the site that asks, Language the person's.
	Host, Language string
	// Wanted reports whether it is still waited for: one that is not is not
	// sent any more. nil: it always is.
	Wanted func() bool
}

// Mail mails a passcode to the account's address.
func (w *Writer) Mail(c Code) *deliver.Delivery {
	kind := pages.LetterPasscode
	if c.SettingUp {
		kind = pages.LetterFactorCode
	}
	return w.Post.Deliver(deliver.Parcel{
		What: "a passcode by mail", Account: c.Account.ID, Until: c.Expires,
		Send: func(ctx context.Context) error {
			if c.Wanted != nil && !c.Wanted() {
				return nil
			}
			return w.send(ctx, c.Account, pages.LetterTo{
				Kind: kind, Host: c.Host, Language: c.Language,
				Code: c.Code, Lifetime: c.Expires.Sub(w.Clock()).Round(time.Minute),
			})
		},
	})
}

// Text sends a passcode to a phone, whose number is as in E.164.
func (w *Writer) Text(c Code, phone string) *deliver.Delivery {
	return w.Post.Deliver(deliver.Parcel{
		By: deliver.ByText, What: "a passcode by text message", Account: c.Account.ID, Until: c.Expires,
		Send: func(ctx context.Context) error {
			if c.Wanted != nil && !c.Wanted() {
				return nil
			}
			text, err := w.Pages.TextMessage(c.Language, c.Host, c.Code)
			if err != nil {
				return fmt.Errorf("writing to account %s: %w", c.Account.ID, err)
			}
			return w.Texter.Send(ctx, deliver.Text{Phone: phone, Code: c.Code, Text: text})
		},
	})
}

// Notice is something that happened to an account, for its owner to hear of.
type Notice struct {
	Kind           pages.LetterKind
	Method         store.Method // the second factor, where it is about one
	SSO, There     string       // the provider, where it is about one, and who the person is there
	Host, Language string       // of the site where it was done
	Address        string       // from where it was done, "" if nobody knows
}

// Tell mails a notice, if mail can be sent.
func (w *Writer) Tell(a store.Account, n Notice) {
	if !w.Mails() {
		return
	}
	now := w.Clock()
	w.Post.Deliver(deliver.Parcel{
		What: "a notice (" + string(n.Kind) + ")", Account: a.ID, Until: now.Add(noticeFor),
		Send: func(ctx context.Context) error {
			return w.send(ctx, a, pages.LetterTo{
				Kind: n.Kind, Method: string(n.Method), SSO: n.SSO, There: n.There, Host: n.Host, Language: n.Language, At: now, Address: n.Address,
			})
		},
	})
}

func (w *Writer) link(ctx context.Context, kind pages.LetterKind, wanted Wanted, origin policy.Origin, language string) error {
	return w.send(ctx, wanted.Account, pages.LetterTo{
		Kind:     kind,
		Host:     origin.Host,
		Language: language,
		Link:     origin.String() + answer.Reset + "?token=" + url.QueryEscape(wanted.Token),
		Lifetime: wanted.Expires.Sub(w.Clock()).Round(time.Hour),
	})
}

func (w *Writer) send(ctx context.Context, a store.Account, to pages.LetterTo) error {
	to.Email = a.Attributes.Email
	written, err := w.Pages.Letter(to)
	if err != nil {
		return fmt.Errorf("writing to account %s: %w", a.ID, err)
	}
	return w.Mailer.Send(ctx, deliver.Mail{To: to.Email, Subject: written.Subject, Text: written.Text, HTML: written.HTML})
}
