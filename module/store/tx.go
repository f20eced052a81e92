package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrReadOnly: something was written inside View.
var ErrReadOnly = errors.New("nothing can be written inside View: use Update")

// tx implements Tx. Its methods are in the files rows_*.go, by concept, each
// below the SQL it uses. Placeholders are written $1, $2, …, which every
// database here understands, in the order of the arguments.
type tx struct {
	ctx      context.Context // ends the transaction
	run      context.Context // what statements get: see start
	db       *database
	tx       *sql.Tx
	prepared map[string]*sql.Stmt // of the database
	bound    map[string]*sql.Stmt // of those, the ones used in this transaction
	writable bool
	changes  changes

	// failed is the first fault of the database. Some faults undo the whole
	// transaction, so nothing may be written after one, nor kept.
	failed error
}

func newTx(ctx context.Context, db *database, sqlTx *sql.Tx, prepared map[string]*sql.Stmt, writable bool) *tx {
	return &tx{ctx: ctx, run: context.WithoutCancel(ctx), db: db, tx: sqlTx, prepared: prepared, writable: writable}
}

// scanner is a row to be read.
type scanner interface{ Scan(dest ...any) error }

// exec runs a statement that writes and returns how many rows it wrote.
func (t *tx) exec(doing, query string, args ...any) (int64, error) {
	if err := t.mayWrite(doing); err != nil {
		return 0, err
	}
	var result sql.Result
	var err error
	if stmt := t.stmt(query); stmt != nil {
		result, err = stmt.ExecContext(t.run, args...)
	} else {
		result, err = t.tx.ExecContext(t.run, query, args...)
	}
	if err != nil {
		return 0, t.fault(doing, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, t.fault(doing, err)
	}
	return n, nil
}

// one reads the one row of a query. ErrNotFound if there is none.
func (t *tx) one(doing, query string, args []any, dest ...any) error {
	if err := t.start(doing); err != nil {
		return err
	}
	var row *sql.Row
	if stmt := t.stmt(query); stmt != nil {
		row = stmt.QueryRowContext(t.run, args...)
	} else {
		row = t.tx.QueryRowContext(t.run, query, args...)
	}
	switch err := row.Scan(dest...); {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s: %w", doing, ErrNotFound)
	case err != nil:
		return t.fault(doing, err)
	}
	return nil
}

// list reads all rows of a query.
func list[T any](t *tx, doing string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	if err := t.start(doing); err != nil {
		return nil, err
	}
	var rows *sql.Rows
	var err error
	if stmt := t.stmt(query); stmt != nil {
		rows, err = stmt.QueryContext(t.run, args...)
	} else {
		rows, err = t.tx.QueryContext(t.run, query, args...)
	}
	if err != nil {
		return nil, t.fault(doing, err)
	}
	defer rows.Close()
	var found []T
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, t.fault(doing, err)
		}
		found = append(found, item)
	}
	if err := rows.Err(); err != nil {
		return nil, t.fault(doing, err)
	}
	return found, nil
}

// mayWrite is asked before anything is written.
func (t *tx) mayWrite(doing string) error {
	if !t.writable {
		return fmt.Errorf("%s: %w", doing, ErrReadOnly)
	}
	return t.start(doing)
}

// start is asked before every statement. A context that ends takes effect
// between statements, all of which are short: watching it during each costs
// more than the statement.
func (t *tx) start(doing string) error {
	if t.failed != nil {
		return t.failed
	}
	if err := t.ctx.Err(); err != nil {
		return t.fault(doing, err)
	}
	return nil
}

// stmt returns the prepared statement of a hot query, or nil.
func (t *tx) stmt(query string) *sql.Stmt {
	if stmt := t.bound[query]; stmt != nil {
		return stmt
	}
	prepared := t.prepared[query]
	if prepared == nil {
		return nil
	}
	stmt := t.tx.StmtContext(t.run, prepared)
	if t.bound == nil {
		t.bound = make(map[string]*sql.Stmt)
	}
	t.bound[query] = stmt
	return stmt
}

// fault remembers a fault of the database. That an account is gone is found
// out by the reference to it and means ErrNotFound to callers.
func (t *tx) fault(doing string, err error) error {
	switch {
	case t.db.noAccount(err):
		err = fmt.Errorf("%s: account: %w", doing, ErrNotFound)
	case t.ctx.Err() != nil:
		// The driver's words for it are many.
		err = t.db.fault(doing, t.ctx.Err())
	default:
		err = t.db.fault(doing, err)
	}
	if t.failed == nil {
		t.failed = err
	}
	return err
}

// Interface guards.
var _ Tx = (*tx)(nil)
