// Package upstream is the provider's side of sessions: what is kept of the
// session that somebody has at the identity provider, and how one that ends
// there ends here.
//
// It decides nothing about who gets in, and nothing in here is asked while a
// request to an app is on its way.
package upstream

import (
	"bytes"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Config is what Sessions are made of. Everything is required.
type Config struct {
	Store     store.Store
	Ring      *secret.Ring
	Trail     *audit.Trail
	Providers map[string]*sso.Provider // by the name of the SSO config
	Log       *zap.Logger
	Clock     func() time.Time
}

// Sessions are those that people have at their providers.
type Sessions struct {
	Config
}

// New returns the sessions at the providers of a configuration.
func New(c Config) *Sessions {
	return &Sessions{Config: c}
}

// Keep remembers, within the transaction that makes the session with that id,
// what the provider said when it vouched for the person.
func (s *Sessions) Keep(tx store.Tx, session []byte, name string, a *sso.Assertion) error {
	return tx.SaveProviderSession(store.ProviderSession{
		Session:   session,
		SSO:       name,
		Issuer:    a.Issuer,
		Subject:   a.Subject,
		SID:       knownSID(a.SID),
		CheckedAt: s.Clock(),
		Secret:    s.seal(session, s.worthKeeping(name, a)),
	})
}

// IDToken returns, within the transaction that ends a session, the ID token that
// tells the provider which of its sessions is over; "" if none is kept, or it was
// another provider's that had the SSO config's name then. Behind a portal it is
// kept of the session there, from which the others were made.
func (s *Sessions) IDToken(tx store.Tx, session store.Session) (string, error) {
	p, err := tx.ProviderSession(session.ID)
	if errors.Is(err, store.ErrNotFound) {
		p, err = s.ofFamily(tx, session)
	}
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if provider := s.Providers[p.SSO]; provider == nil || provider.Config().Issuer != p.Issuer {
		return "", nil
	}
	kept, err := s.open(p)
	if err != nil {
		// Without it the provider asks the person.
		s.Log.Error("an ID token that was kept for signing out cannot be opened", zap.String("sso", p.SSO), zap.Error(err))
	}
	return kept.IDToken, nil
}

// ofFamily returns what the provider knows of another session of the family. It
// returns store.ErrNotFound.
func (s *Sessions) ofFamily(tx store.Tx, session store.Session) (store.ProviderSession, error) {
	all, err := tx.Sessions(session.AccountID)
	if err != nil {
		return store.ProviderSession{}, err
	}
	for _, other := range all {
		if !bytes.Equal(other.Family, session.Family) {
			continue
		}
		if p, err := tx.ProviderSession(other.ID); !errors.Is(err, store.ErrNotFound) {
			return p, err
		}
	}
	return store.ProviderSession{}, store.ErrNotFound
}

// knownSID is the provider's session as a logout token can name it, "" for none.
func knownSID(sid string) string {
	if len(sid) > sso.MaxTokenID {
		return ""
	}
	return sid
}
