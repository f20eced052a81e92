// Package letter writes to people: it has pages put the words together and
// deliver carry them. Links in letters are built from addresses that are
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

// Config is what letters are written with. Everything is required.
type Config struct {
	Mailer *deliver.Mailer
	Post   *deliver.Post
	Pages  *pages.Pages
	Clock  func() time.Time
}

// Writer writes to people on behalf of one configuration. A nil Writer has no
// mail server.
type Writer struct{ Config }

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

// PasswordChanged tells somebody that their password is another now. address is
// where it was done from, "" if nobody knows.
func (w *Writer) PasswordChanged(a store.Account, host, language, address string) {
	now := w.Clock()
	w.Post.Deliver(deliver.Parcel{
		What: "a notice of a changed password", Account: a.ID, Until: now.Add(noticeFor),
		Send: func(ctx context.Context) error {
			return w.send(ctx, a, pages.LetterTo{
				Kind: pages.LetterPasswordChanged, Host: host, Language: language, At: now, Address: address,
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
