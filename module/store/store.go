// Package store keeps what must outlive the process: accounts, passwords,
// second factors, flows, sessions, counters, used states and the audit trail.
//
// Everything is read and written inside View and Update, so callers put
// together what has to happen at once. The SQL is one set for every database.
package store

import (
	"context"
	"errors"
	"time"
)

// Errors that callers tell apart. Everything else is a fault of the store.
var (
	// ErrNotFound: there is no such row (or not any more).
	ErrNotFound = errors.New("not found")

	// ErrEmailTaken: the e-mail address belongs to another account.
	ErrEmailTaken = errors.New("e-mail address belongs to another account")

	// ErrLinkTaken: that (issuer, subject) belongs to another account.
	ErrLinkTaken = errors.New("identity belongs to another account")
)

// Store is a database. All its methods may be called at once.
type Store interface {
	// View runs fn with a consistent, read-only view. Writing in it is
	// ErrReadOnly.
	View(ctx context.Context, fn func(Tx) error) error

	// Update runs fn in a transaction that is kept only if fn returns nil.
	// When Update returns nil, what fn wrote survives kill -9. fn may run
	// more than once and must have no other effects; it must not call
	// Update. A fault of the database inside fn ends the transaction, even
	// if fn overlooks it. Errors of fn are returned as they are.
	Update(ctx context.Context, fn func(Tx) error) error

	// Subscribe has fn called after every Update of any process on this
	// database that changed or ended sessions or accounts, once per change
	// and, for this process, before Update returns. fn must not block.
	Subscribe(fn func(Change)) (unsubscribe func())

	// Ping asks the database for a sign of life.
	Ping(ctx context.Context) error

	// Prune deletes what has expired: flows, sessions, tickets, one-time links, used
	// states, what providers ended an hour ago, counters idle for 48 hours, and audit rows older than
	// auditBefore. Sessions are kept for ten minutes more, since SeenAt is
	// written late: that a row is there does not mean that it is valid. It
	// also bounds the tables that strangers can make grow.
	Prune(ctx context.Context, now, auditBefore time.Time) error

	// Close releases the database.
	Close() error
}

// Change names what is no longer as it was read before.
type Change struct {
	// Session is the id of a session that ended, or nil.
	Session []byte
	// Account is the id of an account of which anything changed, or "".
	Account string
}

// Tx is what can be done inside View and Update. Methods that find nothing
// return ErrNotFound; the lists are empty then.
type Tx interface {
	AccountRows
	PasswordRows
	FactorRows
	FlowRows
	DeviceRows
	SessionRows
	ProviderSessionRows
	TicketRows
	OneTimeLinkRows
	GuessRows
	AssertionRows
	SealedRows
	AuditRows
	ReportRows
}
