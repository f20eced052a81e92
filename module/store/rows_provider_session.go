package store

import (
	"errors"
	"time"
)

const (
	providerSessionColumns = `session, sso, issuer, subject, sid, checked_at, secret`

	saveProviderSession = `INSERT INTO provider_sessions (` + providerSessionColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (session) DO UPDATE SET sso = excluded.sso, issuer = excluded.issuer, subject = excluded.subject,
			sid = excluded.sid, checked_at = excluded.checked_at, secret = excluded.secret`
	selectProviderSession = `SELECT ` + providerSessionColumns + ` FROM provider_sessions
		WHERE session IN (SELECT id FROM sessions WHERE family IN (SELECT family FROM sessions WHERE id = $1))
		ORDER BY checked_at DESC LIMIT 1`
	selectProviderSessionsOf = `SELECT ` + providerSessionColumns + ` FROM provider_sessions
		WHERE issuer = $1 AND subject = $2 ORDER BY session LIMIT $3`
	selectProviderSessionsBySID = `SELECT ` + providerSessionColumns + ` FROM provider_sessions
		WHERE issuer = $1 AND sid = $2 ORDER BY session LIMIT $3`
	noteProviderLogout = `INSERT INTO provider_logouts (id, at) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE provider_logouts.at < excluded.at`
	selectProviderLogout = `SELECT at FROM provider_logouts WHERE id = $1`
	claimProviderSession = `UPDATE provider_sessions SET checked_at = $1 WHERE session = $2 AND checked_at = $3`
)

// SaveProviderSession implements ProviderSessionRows.
func (t *tx) SaveProviderSession(p ProviderSession) error {
	_, err := t.exec("keeping what a provider knows of a session", saveProviderSession,
		p.Session, p.SSO, p.Issuer, p.Subject, p.SID, stamp(p.CheckedAt), blob(p.Secret))
	return err
}

// ProviderSession implements ProviderSessionRows.
func (t *tx) ProviderSession(session []byte) (ProviderSession, error) {
	var p ProviderSession
	err := t.one("reading what a provider knows of a session", selectProviderSession, []any{session}, p.columns()...)
	return p, err
}

// ProviderSessionsOf implements ProviderSessionRows.
func (t *tx) ProviderSessionsOf(issuer, subject string, limit int) ([]ProviderSession, error) {
	return list(t, "listing sessions by the provider's subject", scanProviderSession, selectProviderSessionsOf, issuer, subject, limit)
}

// ProviderSessionsBySID implements ProviderSessionRows.
func (t *tx) ProviderSessionsBySID(issuer, sid string, limit int) ([]ProviderSession, error) {
	if sid == "" {
		return nil, nil // '' in a row stands for a provider that told none
	}
	return list(t, "listing sessions by the provider's session", scanProviderSession, selectProviderSessionsBySID, issuer, sid, limit)
}

// ClaimProviderSession implements ProviderSessionRows.
func (t *tx) ClaimProviderSession(session []byte, was, now time.Time) (bool, error) {
	n, err := t.exec("claiming a session to ask a provider about", claimProviderSession, stamp(now), session, stamp(was))
	return n == 1, err
}

// NoteProviderLogout implements ProviderSessionRows.
func (t *tx) NoteProviderLogout(id []byte, now time.Time) error {
	_, err := t.exec("noting what a provider has ended", noteProviderLogout, id, stamp(now))
	return err
}

// ProviderLogout implements ProviderSessionRows.
func (t *tx) ProviderLogout(id []byte) (last time.Time, err error) {
	err = t.one("looking up what a provider has ended", selectProviderLogout, []any{id}, at(&last))
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	return last, err
}

func scanProviderSession(row scanner) (p ProviderSession, err error) {
	err = row.Scan(p.columns()...)
	return p, err
}

func (p *ProviderSession) columns() []any {
	return []any{&p.Session, &p.SSO, &p.Issuer, &p.Subject, &p.SID, at(&p.CheckedAt), &p.Secret}
}
