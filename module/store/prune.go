package store

import (
	"context"
	"errors"
	"time"
)

const (
	// idleFailures is how long a counter is kept after its last failure,
	// unless its key is a KeptKey.
	idleFailures = 48 * time.Hour

	// lateSeen is how much longer the row of a session is kept than its
	// lifetime: when it was last seen is written late.
	lateSeen = 10 * time.Minute

	// keptLogouts is how long it is remembered that a provider has ended
	// something: longer than any sign-in takes.
	keptLogouts = time.Hour

	// maxFailures and maxStrangerEvents bound, as a last resort, the tables
	// that people who never signed in can make grow; the oldest rows go.
	// Whoever writes them bounds them already, by fixed buckets and by
	// adding up. Used states end with their ten minutes.
	maxFailures       = 250_000
	maxStrangerEvents = 250_000

	// pruneStep is how many rows are deleted at a time, so that nobody
	// waits long to write.
	pruneStep = 1000
)

const (
	pruneFlows = `DELETE FROM flows WHERE id IN
		(SELECT id FROM flows WHERE expires_at <= $1 LIMIT $2)`
	// A session stays as long as one of its family does: what a provider knows
	// of the family hangs on the first, whose lifetimes may be shorter.
	pruneSessions = `DELETE FROM sessions WHERE id IN
		(SELECT id FROM sessions WHERE ends_at <= $1 AND NOT EXISTS
			(SELECT 1 FROM sessions AS others WHERE others.family = sessions.family AND others.ends_at > $1)
		LIMIT $2)`
	pruneDevices = `DELETE FROM trusted_devices WHERE id IN
		(SELECT id FROM trusted_devices WHERE expires_at <= $1 LIMIT $2)`
	pruneLinks = `DELETE FROM one_time_links WHERE id IN
		(SELECT id FROM one_time_links WHERE expires_at <= $1 LIMIT $2)`
	pruneTickets = `DELETE FROM tickets WHERE id IN
		(SELECT id FROM tickets WHERE expires_at <= $1 LIMIT $2)`
	pruneStates = `DELETE FROM used_states WHERE id IN
		(SELECT id FROM used_states WHERE expires_at <= $1 LIMIT $2)`
	pruneLogouts = `DELETE FROM provider_logouts WHERE id IN
		(SELECT id FROM provider_logouts WHERE at <= $1 LIMIT $2)`
	pruneFailures = `DELETE FROM failures WHERE id IN
		(SELECT id FROM failures WHERE last_at <= $1 AND id NOT LIKE '` + KeptKey + `%' LIMIT $2)`
	pruneAudit = `DELETE FROM audit WHERE id IN
		(SELECT id FROM audit WHERE id < $1 LIMIT $2)`
	pruneStrangerEvents = `DELETE FROM audit WHERE id IN
		(SELECT id FROM audit WHERE account_id = '' AND id <= $1 LIMIT $2)`

	failuresBeyond       = `SELECT last_at FROM failures WHERE id NOT LIKE '` + KeptKey + `%' ORDER BY last_at DESC LIMIT 1 OFFSET $1`
	strangerEventsBeyond = `SELECT id FROM audit WHERE account_id = '' ORDER BY id DESC LIMIT 1 OFFSET $1`
)

// Prune implements Store.
func (d *database) Prune(ctx context.Context, now, before time.Time) error {
	return d.prune(ctx, now, before, maxFailures, maxStrangerEvents)
}

func (d *database) prune(ctx context.Context, now, before time.Time, failures, strangerEvents int) error {
	for _, old := range []struct {
		query string
		limit any
	}{
		{pruneFlows, stamp(now)},
		{pruneSessions, stamp(now.Add(-lateSeen))},
		{pruneTickets, stamp(now)},
		{pruneLinks, stamp(now)},
		{pruneDevices, stamp(now)},
		{pruneStates, stamp(now)},
		{pruneLogouts, stamp(now.Add(-keptLogouts))},
		{pruneFailures, stamp(now.Add(-idleFailures))},
		{pruneAudit, auditBefore(before)},
	} {
		if err := d.pruneAll(ctx, old.query, old.limit); err != nil {
			return err
		}
	}

	var last int64
	if found, err := d.beyond(ctx, failuresBeyond, failures, &last); err != nil {
		return err
	} else if found {
		if err := d.pruneAll(ctx, pruneFailures, last); err != nil {
			return err
		}
	}
	var id []byte
	if found, err := d.beyond(ctx, strangerEventsBeyond, strangerEvents, &id); err != nil {
		return err
	} else if found {
		return d.pruneAll(ctx, pruneStrangerEvents, id)
	}
	return nil
}

// pruneAll deletes in steps, each an Update of its own.
func (d *database) pruneAll(ctx context.Context, query string, limit any) error {
	for {
		var n int64
		err := d.Update(ctx, func(t Tx) (err error) {
			n, err = t.(*tx).exec("pruning", query, limit, pruneStep)
			return err
		})
		if err != nil || n < pruneStep {
			return err
		}
	}
}

// beyond reads from the first row beyond so many, if there is one.
func (d *database) beyond(ctx context.Context, query string, rows int, dest any) (found bool, err error) {
	err = d.View(ctx, func(t Tx) error {
		return t.(*tx).one("pruning", query, []any{rows}, dest)
	})
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
