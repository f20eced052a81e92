package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// question is what is asked about one session.
type question struct {
	*line
	session store.Session
	row     store.ProviderSession
	tokens  tokens
}

// look asks about a session in use, if it is time, and returns when to look at
// it again.
func (r *Revalidator) look(l *line, s store.Session) time.Time {
	now := r.Clock()
	q := &question{line: l, session: s}
	switch err := r.read(q); {
	case errors.Is(err, store.ErrNotFound): // it has ended
		return now.Add(lookAgain)
	case err != nil:
		return r.storeFails(now, err)
	}
	r.unread.end()
	if q.tokens.RefreshToken == "" {
		return r.lacksToken(q, now)
	}
	if due := l.due(q.row); now.Before(due) && !q.row.CheckedAt.After(now.Add(clockSkew)) {
		return due
	}
	if pause := l.outage.pause(); now.Before(pause) {
		return pause
	}
	switch mine, err := r.claim(q, now); {
	case err != nil:
		return r.storeFails(now, err)
	case !mine:
		return now.Add(lookAgain) // another is asking
	}
	return r.ask(q, now)
}

// storeFails tells of a fault of the store, though not for each session.
func (r *Revalidator) storeFails(now time.Time, err error) time.Time {
	if r.ctx.Err() == nil && r.unread.tell(now) {
		r.Log.Error("sessions cannot be looked up to ask their providers", zap.Error(err))
	}
	return now.Add(lookAgain)
}

// read reads what is known of the session at the provider.
func (r *Revalidator) read(q *question) error {
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	err := r.Store.View(ctx, func(tx store.Tx) (err error) {
		q.row, err = tx.ProviderSession(q.session.ID)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		// The sign-in was before anything of the provider was kept.
		q.row = store.ProviderSession{Session: q.session.ID, CheckedAt: q.session.SignedInAt}
		_, err = tx.Session(q.session.ID)
		return err
	})
	if err != nil {
		return err
	}
	if q.row.Issuer != q.Config().Issuer || q.row.SSO != q.Name() {
		return nil // another provider's tokens are not for this one
	}
	if q.tokens, err = r.open(q.row); err != nil {
		r.Log.Error("what a provider gave cannot be opened; its person signs in again", zap.String("sso", q.Name()), zap.Error(err))
	}
	return nil
}

// lacksToken ends a session for which the provider cannot be asked, once it is
// as old as one may get without.
func (r *Revalidator) lacksToken(q *question, now time.Time) time.Time {
	if over := q.row.CheckedAt.Add(q.every); now.Before(over) {
		return over
	}
	q.lacking.Do(func() {
		r.Log.Warn("revalidate: there is no refresh token to ask the provider with, so people sign in again that often; many give one only with the scope offline_access",
			zap.String("sso", q.Name()), zap.Duration("revalidate", q.every))
	})
	return r.end(q, now, "there is no refresh token to ask the provider with")
}

// claim moves the time of the last question, which one caller can. The tokens are
// those that there are then: another may have asked since they were read, got a
// new one, and learned nothing, which leaves the time as it was.
func (r *Revalidator) claim(q *question, now time.Time) (mine bool, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	claimed := q.row
	err = r.Store.Update(ctx, func(tx store.Tx) (err error) {
		if mine, err = tx.ClaimProviderSession(q.row.Session, q.row.CheckedAt, now); err == nil && mine {
			claimed, err = tx.ProviderSession(q.row.Session)
		}
		return err
	})
	if err != nil || !mine {
		return false, err
	}
	q.row.Secret = claimed.Secret
	q.tokens, err = r.open(q.row)
	return true, err
}

// ask asks, and acts upon what the provider says.
func (r *Revalidator) ask(q *question, now time.Time) time.Time {
	refreshed, err := q.Refresh(r.ctx, sso.Grant{RefreshToken: q.tokens.RefreshToken, Subject: q.row.Subject, Nonce: q.tokens.Nonce})
	if refreshed.RefreshToken != "" {
		q.tokens.RefreshToken = r.bounded(q.Name(), "refresh token", refreshed.RefreshToken)
	}
	if a := refreshed.Assertion; a != nil && a.RawIDToken != "" && q.OffersEndSession() {
		q.tokens.IDToken = r.bounded(q.Name(), "ID token", a.RawIDToken)
	}
	fault := (*sso.Fault)(nil)
	switch {
	case err == nil:
		r.said(q)
		r.Log.Debug("the provider vouches again", zap.String("sso", q.Name()), zap.String("account", q.session.AccountID))
		said := refreshed.Assertion
		if said == nil { // and the grant still holds
			said = &sso.Assertion{Issuer: q.row.Issuer, Subject: q.row.Subject}
		}
		return r.goOn(q, now, said)
	case errors.As(err, &fault) && fault.Denies():
		r.said(q)
		return r.end(q, now, err.Error())
	}
	// It has not been asked, then, and is due still.
	_ = r.keep(q, q.row.CheckedAt, nil) // told already
	if r.ctx.Err() != nil {
		return now // closing is nobody's fault
	}
	now = r.Clock()
	again := now.Add(max(firstPause, min(q.every/8, maxPause)))
	if fault != nil && concernsAll(fault.Kind) {
		again = q.outage.begin(now)
	}
	if q.outage.tell(now) {
		r.Log.Warn("the provider cannot say whether people are still there; their sessions go on and it is asked again later",
			zap.String("sso", q.Name()), zap.Time("later", again), zap.Error(err))
	}
	return again
}

// said notes that the provider is there.
func (r *Revalidator) said(q *question) {
	if q.outage.end() {
		r.Log.Info("the provider says again whether people are still there", zap.String("sso", q.Name()))
	}
}

// keep stores what the next question needs, and does what else belongs to it. A
// session that has ended meanwhile stays ended.
func (r *Revalidator) keep(q *question, checked time.Time, then func(tx store.Tx) error) error {
	row := q.row
	row.CheckedAt = checked
	row.Secret = r.seal(row.Session, q.tokens)
	err := r.surely(q, func(tx store.Tx) error {
		if err := tx.SaveProviderSession(row); err != nil || then == nil {
			return err
		}
		return then(tx)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// surely writes what the provider has said, which it may not say again: it may
// have replaced the refresh token. While the store is at fault it tries again
// until closing.
func (r *Revalidator) surely(q *question, fn func(tx store.Tx) error) error {
	for told := false; ; told = true {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), storeTimeout)
		err := r.Store.Update(ctx, fn)
		cancel()
		refused := (*account.Refusal)(nil)
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.As(err, &refused) {
			return err
		}
		if !told {
			r.Log.Error("what a provider said waits for the store", zap.String("sso", q.Name()), zap.Error(err))
		}
		select {
		case <-r.ctx.Done():
			return err
		case <-time.After(storePause):
		}
	}
}

// goOn takes over what the provider says of the person.
func (r *Revalidator) goOn(q *question, now time.Time, a *sso.Assertion) time.Time {
	var in account.SignedIn
	role := store.Event{Action: "role", Outcome: audit.Success, AccountID: q.session.AccountID, How: q.how()}
	changed := false
	err := r.keep(q, now, func(tx store.Tx) (err error) {
		in, err = r.People.Reassert(tx, q.session.AccountID, account.Assertion{
			Issuer:        a.Issuer,
			Subject:       a.Subject,
			SSO:           q.Name(),
			Email:         a.Email,
			EmailVerified: a.EmailVerified,
			Attributes:    a.Attributes,
			Changes:       a.Changes,
		}, q.rules)
		if err != nil {
			return err
		}
		if changed = in.Attributes.Role != in.RoleBefore; changed {
			role.Detail = fmt.Sprintf("%q to %q", in.RoleBefore, in.Attributes.Role)
			return r.Trail.Within(tx, role)
		}
		return nil
	})
	refused := (*account.Refusal)(nil)
	switch {
	case errors.As(err, &refused):
		return r.end(q, now, err.Error())
	case err != nil:
		return now.Add(lookAgain)
	case changed:
		r.Trail.Announce(role)
	}
	q.row.CheckedAt = now
	return q.due(q.row)
}

// end ends the session, with all that was made from it. This is the one place
// where a no of the provider takes effect. A sign-in that has taken the place of
// the one asked about meanwhile is none of its business.
func (r *Revalidator) end(q *question, now time.Time, why string) time.Time {
	event := store.Event{Action: "sign-out", Outcome: audit.Success, AccountID: q.session.AccountID, How: q.how(), Detail: why}
	ended := false
	err := r.surely(q, func(tx store.Tx) error {
		if _, err := tx.Session(q.row.Session); err != nil {
			return err
		}
		alive, err := tx.EndFamily(q.session.Family)
		if err != nil || !alive {
			return err
		}
		ended = true
		return r.Trail.Within(tx, event)
	})
	if err == nil && ended {
		r.Trail.Announce(event)
	}
	return now.Add(lookAgain)
}

// how is what the audit trail says of how it came about.
func (q *question) how() string { return "revalidate sso " + q.Name() }
