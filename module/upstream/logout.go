package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// atOnce is how many sessions are read at a time.
const atOnce = 100

// Errors that callers tell apart.
var (
	// ErrReplayed: that logout token was used before.
	ErrReplayed = errors.New("jti: the token was used before")

	// ErrEnded: the provider has ended the session, or all of the person's,
	// since the sign-in began.
	ErrEnded = errors.New("the provider has ended the session since the sign-in began")
)

// Logout ends the sessions of which a provider says, in a logout token, that
// they have ended there (OpenID Connect Back-Channel Logout 1.0 section 2.7),
// and with each its whole family. That there are none is no error. A token
// counts once. address is where it came from.
//
// An error that is a *sso.Fault with BadToken, and ErrReplayed, are final; any
// other means that nothing has happened and that it can be tried again.
func (s *Sessions) Logout(ctx context.Context, name, raw, address string) error {
	provider := s.Providers[name]
	if provider == nil {
		return fmt.Errorf("there is no sso %s", name)
	}
	event := store.Event{Action: "sign-out", Outcome: audit.Success, Address: address, How: "back-channel logout " + name}
	token, err := provider.VerifyLogoutToken(ctx, raw)
	if err != nil {
		s.refused(event, err)
		return err
	}
	var ended []store.Event
	err = s.Store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		ended = ended[:0]
		first, err := tx.UseState(mark("token", token.Issuer, provider.Config().ClientID, token.ID), token.Expires)
		if err != nil {
			return err
		}
		if !first {
			return ErrReplayed
		}
		if err := tx.NoteProviderLogout(whatEnded(token), s.Clock()); err != nil {
			return err
		}
		return endAll(tx, token, func(accountID string) error {
			e := event
			e.AccountID = accountID
			ended = append(ended, e)
			return s.Trail.Within(tx, e)
		})
	})
	switch {
	case errors.Is(err, ErrReplayed):
		s.refused(event, err)
		return err
	case err != nil:
		return fmt.Errorf("back-channel logout: %w", err)
	}
	for _, e := range ended {
		s.Trail.Announce(e)
	}
	return nil
}

// refused tells of a token that ended nothing.
func (s *Sessions) refused(event store.Event, err error) {
	event.Outcome, event.Detail = audit.Failure, err.Error()
	s.Trail.Add(event)
}

// endAll ends the families that a token speaks of and calls did for each.
func endAll(tx store.Tx, token *sso.LogoutToken, did func(accountID string) error) error {
	for {
		// Those that end are gone from the next list.
		var found []store.ProviderSession
		var err error
		if token.SID != "" {
			found, err = tx.ProviderSessionsBySID(token.Issuer, token.SID, atOnce)
		} else {
			found, err = tx.ProviderSessionsOf(token.Issuer, token.Subject, atOnce)
		}
		if err != nil {
			return err
		}
		some := false
		for _, p := range found {
			if token.Subject != "" && p.Subject != token.Subject {
				continue
			}
			session, err := tx.Session(p.Session)
			if errors.Is(err, store.ErrNotFound) {
				continue // it ended with another of its family
			}
			if err != nil {
				return err
			}
			if _, err := tx.EndFamily(session.Family); err != nil {
				return err
			}
			if err := did(session.AccountID); err != nil {
				return err
			}
			some = true
		}
		if !some || len(found) < atOnce {
			return nil
		}
	}
}

// Lasting returns ErrEnded if the provider has said, since a sign-in began, that
// the session which it has just vouched for is over. It belongs into the
// transaction that makes ours: a logout token may arrive while somebody is on
// the way back, and would otherwise find nothing to end.
func (s *Sessions) Lasting(tx store.Tx, began time.Time, a *sso.Assertion) error {
	over := [][]byte{mark("subject", a.Issuer, a.Subject)}
	if a.SID != "" {
		over = append(over, mark("session", a.Issuer, a.SID), mark("session", a.Issuer, a.SID, a.Subject))
	}
	for _, id := range over {
		at, err := tx.ProviderLogout(id)
		if err != nil {
			return err
		}
		if !at.IsZero() && !began.After(at) {
			return ErrEnded
		}
	}
	return nil
}

// whatEnded names what a token says is over.
func whatEnded(token *sso.LogoutToken) []byte {
	switch {
	case token.SID == "":
		return mark("subject", token.Issuer, token.Subject)
	case token.Subject == "":
		return mark("session", token.Issuer, token.SID)
	}
	return mark("session", token.Issuer, token.SID, token.Subject)
}

// mark is one hash for several texts; others have another.
func mark(texts ...string) []byte {
	hash := sha256.New()
	for _, text := range texts {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		hash.Write([]byte(text))
	}
	return hash.Sum(nil)
}
