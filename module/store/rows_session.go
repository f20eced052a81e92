package store

import (
	"errors"
	"time"
)

const (
	sessionColumns = `id, account_id, epoch, sso, audience, signed_in_at, second_factor, second_factor_at, trusted,
		created_at, seen_at, idle_timeout, expires_at, address, browser, family, proved_at`

	selectSession  = `SELECT ` + sessionColumns + ` FROM sessions WHERE id = $1`
	selectSessions = `SELECT ` + sessionColumns + ` FROM sessions WHERE account_id = $1 ORDER BY created_at DESC, id`
	insertSession  = `INSERT INTO sessions (` + sessionColumns + `, ends_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`
	selectFamily  = `SELECT family FROM sessions WHERE id = $1`
	countFamily   = `SELECT COUNT(*) FROM sessions WHERE family = $1`
	deleteFamily  = `DELETE FROM sessions WHERE family = $1 RETURNING id`
	deleteSession = `DELETE FROM sessions WHERE id = $1`
	limitIdle     = `UPDATE sessions SET idle_timeout = $1 WHERE family = $2 AND (idle_timeout > $1 OR idle_timeout = 0) RETURNING id`
	limitEnd      = `UPDATE sessions SET expires_at = $1 WHERE family = $2 AND expires_at > $1 RETURNING id`
	sawFamily     = `UPDATE sessions SET seen_at = $1, ends_at = CASE
			WHEN idle_timeout > 0 AND $1 + idle_timeout < expires_at THEN $1 + idle_timeout
			ELSE expires_at END
		WHERE family = $2 AND seen_at < $1`
)

// CreateSession implements SessionRows.
func (t *tx) CreateSession(s Session) error {
	ends := stamp(s.ExpiresAt)
	if idle := s.SeenAt.Add(s.IdleTimeout); s.IdleTimeout > 0 && idle.Before(s.ExpiresAt) {
		ends = stamp(idle)
	}
	family := s.Family
	if len(family) == 0 {
		family = s.ID
	}
	_, err := t.exec("creating a session", insertSession, s.ID, s.AccountID, s.Epoch, s.SSO, s.Audience,
		stamp(s.SignedInAt), string(s.SecondFactor), stamp(s.SecondFactorAt), s.Trusted, stamp(s.CreatedAt), stamp(s.SeenAt), s.IdleTimeout.Microseconds(),
		stamp(s.ExpiresAt), s.Address, s.Browser, family, stamp(s.ProvedAt), ends)
	return err
}

// Session implements SessionRows.
func (t *tx) Session(id []byte) (Session, error) {
	var s Session
	err := t.one("reading a session", selectSession, []any{id}, s.columns()...)
	return s.read(), err
}

// Sessions implements SessionRows.
func (t *tx) Sessions(accountID string) ([]Session, error) {
	scan := func(row scanner) (s Session, err error) {
		err = row.Scan(s.columns()...)
		return s.read(), err
	}
	return list(t, "listing sessions", scan, selectSessions, accountID)
}

// EndSession implements SessionRows.
func (t *tx) EndSession(id []byte) (bool, error) {
	const doing = "ending a session"
	if err := t.mayWrite(doing); err != nil {
		return false, err
	}
	var family []byte
	switch err := t.one(doing, selectFamily, []any{id}, &family); {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	return t.EndFamily(family)
}

// EndFamily implements SessionRows.
func (t *tx) EndFamily(family []byte) (bool, error) {
	ended, err := t.changeFamily("ending the sessions of a family", deleteFamily, family)
	return ended > 0, err
}

// LimitFamily implements SessionRows.
func (t *tx) LimitFamily(family []byte, idle time.Duration, end time.Time) error {
	const doing = "limiting the sessions of a family"
	if _, err := t.changeFamily(doing, limitIdle, idle.Microseconds(), family); err != nil {
		return err
	}
	_, err := t.changeFamily(doing, limitEnd, stamp(end), family)
	return err
}

// changeFamily runs a statement that returns the ids of the sessions that it
// changed, and counts them.
func (t *tx) changeFamily(doing, query string, args ...any) (int, error) {
	if err := t.mayWrite(doing); err != nil {
		return 0, err
	}
	scan := func(row scanner) (id []byte, err error) { return id, row.Scan(&id) }
	changed, err := list(t, doing, scan, query, args...)
	if err != nil {
		return 0, err
	}
	for _, id := range changed {
		t.changes.session(id)
	}
	return len(changed), nil
}

// FamilyAlive implements SessionRows.
func (t *tx) FamilyAlive(family []byte) (bool, error) {
	var members int
	err := t.one("counting the sessions of a family", countFamily, []any{family}, &members)
	return members > 0, err
}

// DropSession implements SessionRows.
func (t *tx) DropSession(id []byte) error {
	n, err := t.exec("replacing a session", deleteSession, id)
	if err == nil && n > 0 {
		t.changes.session(id)
	}
	return err
}

// SawFamily implements SessionRows.
func (t *tx) SawFamily(family []byte, seen time.Time) error {
	_, err := t.exec("noting when a session was last seen", sawFamily, stamp(seen), family)
	return err
}

// columns are where a row is scanned to; read completes it.
func (s *Session) columns() []any {
	return []any{&s.ID, &s.AccountID, &s.Epoch, &s.SSO, &s.Audience, at(&s.SignedInAt), &s.SecondFactor, at(&s.SecondFactorAt),
		&s.Trusted, at(&s.CreatedAt), at(&s.SeenAt), &s.IdleTimeout, at(&s.ExpiresAt), &s.Address, &s.Browser, &s.Family, at(&s.ProvedAt)}
}

func (s Session) read() Session {
	s.IdleTimeout *= time.Microsecond
	return s
}
