// Package program lets programs in, which send their credentials along with
// each request and never see a page.
package program

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// remembered is how long a password that was right is believed again
	// without hashing it.
	remembered = time.Minute
	// maxRemembered bounds how many are.
	maxRemembered = 10_000
)

// ErrTooShort: the password is right and shorter than what is required by now,
// so that its owner has to change it on a page first.
var ErrTooShort = errors.New("the password has to be changed first: sign in with a browser")

// Config is what programs are let in with. Everything is required.
type Config struct {
	Ring     *secret.Ring
	People   *account.People
	Sessions *session.Keeper
	Trail    *audit.Trail
	Doors    map[string]*policy.Door // by the name of the audience
	Clock    func() time.Time
}

// Access lets programs in on behalf of one configuration.
type Access struct {
	Config
	key   []byte
	known *otter.Cache[[sha256.Size]byte, believed]
}

// believed is a password that was right a moment ago.
type believed struct {
	live  *session.Live
	until time.Time
}

// New returns the access for programs of a configuration.
func New(c Config) (*Access, error) {
	known, err := otter.New(&otter.Options[[sha256.Size]byte, believed]{MaximumSize: maxRemembered})
	if err != nil {
		return nil, fmt.Errorf("cache of passwords: %w", err)
	}
	return &Access{Config: c, key: c.Ring.Derive("remembered passwords", sha256.Size), known: known}, nil
}

// Basic believes an address and password that were sent with Basic
// authentication (RFC 7617), or returns what account.CheckPassword does, or
// ErrTooShort. What it returns is nobody's session: it stands for the account
// in this request, and door.Opens decides what it opens.
func (a *Access) Basic(ctx context.Context, email, password string, from account.From) (*session.Live, error) {
	sum := a.sum(email, password)
	if b, ok := a.known.GetIfPresent(sum); ok && a.Clock().Before(b.until) && b.live.Current() {
		return b.live, a.Sessions.StoreAnswers(ctx)
	}
	event := store.Event{Action: "sign-in", Outcome: audit.Failure, How: "password, basic"}
	if from.Address.IsValid() {
		event.Address = from.Address.String()
	}
	right, err := a.People.CheckPassword(ctx, email, password, from)
	if err != nil {
		a.note(event, err)
		return nil, err
	}
	event.AccountID = right.Account.ID
	if right.Length < account.MinimumLength(policy.EveryDoorRequires(a.Doors, right.Account.Attributes.Role)) {
		event.Outcome, event.Detail = audit.Refused, "the password has to be changed first"
		a.Trail.Add(event)
		return nil, ErrTooShort
	}
	live, err := a.Sessions.Visitor(ctx, right.Account.ID, right.Account.Epoch)
	if err != nil {
		return nil, err
	}
	if live == nil { // it has changed since
		return nil, account.ErrWrong
	}
	event.Outcome = audit.Success
	a.Trail.Add(event)
	a.known.Set(sum, believed{live, a.Clock().Add(remembered)})
	return live, nil
}

// note puts a password that let nobody in into the audit trail.
func (a *Access) note(event store.Event, err error) {
	var wrong *account.Wrong
	var held *account.Held
	switch {
	case errors.As(err, &held):
		event.AccountID, event.Outcome, event.Detail = held.AccountID, audit.Refused, "held off"
	case errors.As(err, &wrong):
		event.AccountID, event.Detail = wrong.AccountID, "wrong e-mail address or password"
	case errors.Is(err, account.ErrWrong):
		event.Detail = "wrong e-mail address or password"
	default:
		return
	}
	a.Trail.Add(event)
}

// sum is under what a password is remembered: without the key, which is in no
// store, nobody can try passwords against it.
func (a *Access) sum(email, password string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, a.key)
	fmt.Fprintf(mac, "%d:%s:%s", len(email), email, password)
	mac.Sum(sum[:0])
	return sum
}

// Sent reports whether a request brings Basic credentials, and which.
func Sent(r *http.Request) (email, password string, ok bool) {
	if len(r.Header["Authorization"]) != 1 {
		return "", "", false
	}
	return r.BasicAuth()
}
