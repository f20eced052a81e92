package store

import (
	"errors"
	"time"
)

const (
	selectFailures = `SELECT count, last_at FROM failures WHERE id = $1`
	saveFailures   = `INSERT INTO failures (id, count, last_at) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET count = excluded.count, last_at = excluded.last_at`
	dropLastFailure = `DELETE FROM failures WHERE id = $1 AND count <= 1`
	uncountFailure  = `UPDATE failures SET count = count - 1 WHERE id = $1`
	clearFailures   = `DELETE FROM failures WHERE id = $1`

	insertState = `INSERT INTO used_states (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`
)

// Failures implements GuessRows.
func (t *tx) Failures(key string) (Failures, error) {
	var f Failures
	err := t.one("reading failures", selectFailures, []any{key}, &f.Count, at(&f.Last))
	if errors.Is(err, ErrNotFound) {
		return Failures{}, nil
	}
	return f, err
}

// CountFailure implements GuessRows.
func (t *tx) CountFailure(key string, now time.Time, leak time.Duration) (Failures, error) {
	f, err := t.Failures(key)
	if err != nil {
		return Failures{}, err
	}
	if passed := now.Sub(f.Last); leak > 0 && passed > 0 {
		f.Count = max(0, f.Count-int(passed/leak))
	}
	f.Count++
	if f.Last.Before(now) { // a clock set back must not shorten a wait
		f.Last = moment(stamp(now))
	}
	_, err = t.exec("counting a failure", saveFailures, key, f.Count, stamp(f.Last))
	return f, err
}

// UncountFailure implements GuessRows.
func (t *tx) UncountFailure(key string) error {
	const doing = "uncounting a failure"
	if n, err := t.exec(doing, dropLastFailure, key); err != nil || n > 0 {
		return err
	}
	_, err := t.exec(doing, uncountFailure, key)
	return err
}

// ClearFailures implements GuessRows.
func (t *tx) ClearFailures(key string) error {
	_, err := t.exec("clearing failures", clearFailures, key)
	return err
}

// UseState implements GuessRows.
func (t *tx) UseState(id []byte, expires time.Time) (bool, error) {
	n, err := t.exec("using up a state", insertState, id, stamp(expires))
	return n == 1, err
}
