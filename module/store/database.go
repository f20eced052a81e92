package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// database is a Store over database/sql. What a kind of database does in its
// own way is in the fields that its opening function fills.
type database struct {
	name   string // for messages: the path of the file
	writer *sql.DB
	reader *sql.DB

	// noAccount reports whether err says that the account which a row
	// belongs to does not exist.
	noAccount func(err error) bool

	// remedy says what can be done about a fault, ": …", or nothing.
	remedy func(err error) string

	// release gives back what was held beside the connections.
	release func() error

	// writing holds the one Update that runs. It also keeps what is told to
	// subscribers in the order of the commits.
	writing     chan struct{}
	subscribers subscribers

	writes, reads map[string]*sql.Stmt // hot statements, prepared

	closing  sync.Once
	closeErr error
}

// hot are the statements worth preparing once: those of every sign-in and of
// every session that is not in memory.
var hot = struct{ reads, writes []string }{
	reads: []string{
		selectSession, selectAccount, selectAccountByEmail, selectPassword,
		selectFactors, selectFlow, selectFailures,
	},
	writes: []string{
		selectSession, selectAccount, selectAccountByEmail, selectPassword,
		selectFactors, selectFlow, selectFailures,
		saveFailures, insertAudit, sawFamily, insertSession, selectFamily, deleteFamily, deleteSession,
	},
}

// prepare makes ready what is done often.
func (d *database) prepare(ctx context.Context) error {
	d.writing = make(chan struct{}, 1)
	one := func(db *sql.DB, queries []string) (map[string]*sql.Stmt, error) {
		prepared := make(map[string]*sql.Stmt, len(queries))
		for _, query := range queries {
			stmt, err := db.PrepareContext(ctx, query)
			if err != nil {
				return nil, fmt.Errorf("preparing %q: %w", query, err)
			}
			prepared[query] = stmt
		}
		return prepared, nil
	}
	var err error
	if d.reads, err = one(d.reader, hot.reads); err != nil {
		return err
	}
	d.writes, err = one(d.writer, hot.writes)
	return err
}

// View implements Store.
func (d *database) View(ctx context.Context, fn func(Tx) error) error {
	sqlTx, err := d.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return d.fault("beginning to read", err)
	}
	defer sqlTx.Rollback() // ends it; there is nothing to undo
	return fn(newTx(ctx, d, sqlTx, d.reads, false))
}

// Update implements Store. One at a time runs in a process. fn must not call
// Update: it would wait for itself.
func (d *database) Update(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return d.fault("beginning to write", err)
	}
	select {
	case d.writing <- struct{}{}:
	case <-ctx.Done():
		return d.fault("waiting to write", ctx.Err())
	}
	defer func() { <-d.writing }()

	sqlTx, err := d.writer.BeginTx(ctx, nil)
	if err != nil {
		return d.fault("beginning to write", err)
	}
	defer sqlTx.Rollback() // does nothing after Commit
	t := newTx(ctx, d, sqlTx, d.writes, true)
	if err := fn(t); err != nil {
		return err
	}
	if t.failed != nil {
		return t.failed
	}
	err = sqlTx.Commit()
	if err != nil {
		// When ctx has ended, sql may have undone it all before Commit was
		// called, and then calls that "done already" instead of why.
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
			err = ctx.Err()
		}
		err = d.fault("keeping what was written", err)
	}
	// Told even if Commit failed: whoever reads again comes to no harm.
	d.subscribers.publish(t.changes.list)
	return err
}

// Subscribe implements Store.
func (d *database) Subscribe(fn func(Change)) (unsubscribe func()) {
	return d.subscribers.add(fn)
}

// Ping implements Store.
func (d *database) Ping(ctx context.Context) error {
	var one int
	if err := d.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM removed_accounts WHERE id = ''`).Scan(&one); err != nil {
		return d.fault("asking for a sign of life", err)
	}
	return nil
}

// Close implements Store. It waits for the Update that runs.
func (d *database) Close() error {
	d.closing.Do(func() {
		d.writing <- struct{}{}
		defer func() { <-d.writing }()
		d.closeErr = errors.Join(d.reader.Close(), d.writer.Close(), d.release())
	})
	return d.closeErr
}

// fault says of an error in which database it happened, at what, and what to do.
func (d *database) fault(doing string, err error) error {
	return fmt.Errorf("store %s: %s: %w%s", d.name, doing, err, d.remedy(err))
}

// stamp is how a time is stored: microseconds, 0 for the zero time.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is the reverse of stamp, in UTC.
func moment(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// at scans a stored time.
func at(t *time.Time) sql.Scanner { return (*scanTime)(t) }

type scanTime time.Time

// Scan implements sql.Scanner.
func (s *scanTime) Scan(src any) error {
	micros, ok := src.(int64)
	if !ok {
		return fmt.Errorf("time is stored as %T, not as a number", src)
	}
	*s = scanTime(moment(micros))
	return nil
}

// blob stores an empty value as NULL, so that there is one kind of nothing.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return slices.Clone(b)
}

// Interface guards.
var (
	_ Store       = (*database)(nil)
	_ sql.Scanner = (*scanTime)(nil)
)
