// Package audit keeps the audit trail: who signed in, failed, signed out or
// was changed by whom, from where and how. Every event is a structured log
// line and a row in the store.
package audit

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Outcomes of an event.
const (
	Success = "success"
	// Failure: what was given is wrong.
	Failure = "failure"
	// Refused: what was given may be right, and still it is not allowed.
	Refused = "refused"
)

const (
	// window is how long equal failures are added up before they make
	// another line and row.
	window = 10 * time.Second
	// maxKinds bounds the kinds of failure that are told apart in a window;
	// the rest is added up by action alone.
	maxKinds = 2048
	// writeEvery is how long a failure may wait for its row.
	writeEvery = time.Second
	writeLimit = 5 * time.Second
	// maxQueued bounds the rows that wait while the store is at fault.
	maxQueued = 2 * maxKinds
)

// Trail writes the audit trail of one configuration.
type Trail struct {
	store store.Store
	log   *zap.Logger
	clock func() time.Time

	mu      sync.Mutex
	kinds   map[kind]int  // failures since the line that was written first
	since   time.Time     // when the window began
	queue   []store.Event // rows to be written
	dropped int
	closed  bool

	stop chan struct{}
	done chan struct{}
}

// kind is what makes two failures equal.
type kind struct {
	action, outcome, account, address, how, detail string
}

// New begins a trail. Close ends it.
func New(st store.Store, log *zap.Logger, clock func() time.Time) *Trail {
	t := &Trail{
		store: st,
		log:   log,
		clock: clock,
		kinds: make(map[kind]int),
		since: clock(),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	go t.run()
	return t
}

// Close writes what is still to be written. What requests that are still under
// way add after that is written at once.
func (t *Trail) Close() error {
	close(t.stop)
	<-t.done
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	return t.write(t.collect(true))
}

// Within makes e part of the transaction of what it tells of, so that neither
// is kept without the other. Announce it once that has been kept.
func (t *Trail) Within(tx store.Tx, e store.Event) error {
	return tx.Audit(t.complete(e))
}

// Announce logs an event whose row has been written.
func (t *Trail) Announce(e store.Event) { t.line(t.complete(e)) }

// Add tells of an event that changed nothing, such as a failure. The first of
// its kind is logged at once; a flood of equal ones is added up. Rows are
// written soon after, in one go.
func (t *Trail) Add(e store.Event) {
	e = t.complete(e)
	k := kind{e.Action, e.Outcome, e.AccountID, e.Address, e.How, e.Detail}
	t.mu.Lock()
	count, known := t.kinds[k]
	if !known && len(t.kinds) >= maxKinds {
		k = kind{action: e.Action, outcome: e.Outcome}
		count, known = t.kinds[k]
	}
	if known {
		t.kinds[k] = count + 1
		t.mu.Unlock()
		return
	}
	t.kinds[k] = 0
	t.enqueue(e)
	closed := t.closed
	t.mu.Unlock()
	t.line(e)
	if closed {
		t.writeDue(true)
	}
}

func (t *Trail) run() {
	defer close(t.done)
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-ticker.C:
			t.writeDue(false)
		}
	}
}

func (t *Trail) writeDue(final bool) {
	if err := t.write(t.collect(final)); err != nil {
		t.log.Error("audit rows could not be written and wait for the store", zap.Error(err))
	}
}

// collect takes the rows that are due. At the end of a window the failures
// that were added up make one line and row for each kind.
func (t *Trail) collect(final bool) []store.Event {
	t.mu.Lock()
	var sums []store.Event
	if now := t.clock(); final || now.Sub(t.since) >= window {
		for k, count := range t.kinds {
			if count == 0 {
				continue
			}
			sum := store.Event{
				At: now, Action: k.action, Outcome: k.outcome, AccountID: k.account,
				Address: k.address, How: k.how, Detail: k.detail, Count: count,
			}
			sums = append(sums, sum)
			t.enqueue(sum)
		}
		clear(t.kinds)
		t.since = now
	}
	rows, dropped := t.queue, t.dropped
	t.queue, t.dropped = nil, 0
	t.mu.Unlock()

	for _, sum := range sums {
		t.line(sum)
	}
	if dropped > 0 {
		t.log.Error("audit rows were dropped because the store did not take them in time", zap.Int("count", dropped))
	}
	return rows
}

// write keeps rows, or puts them back if the store does not take them.
func (t *Trail) write(rows []store.Event) error {
	if len(rows) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	err := t.store.Update(ctx, func(tx store.Tx) error {
		for _, e := range rows {
			if err := tx.Audit(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	late := t.queue
	t.queue = nil
	for _, e := range append(rows, late...) {
		t.enqueue(e)
	}
	return errors.Join(errors.New("writing the audit trail"), err)
}

// enqueue is called with the lock held.
func (t *Trail) enqueue(e store.Event) {
	if len(t.queue) >= maxQueued {
		t.dropped++
		return
	}
	t.queue = append(t.queue, e)
}

func (t *Trail) complete(e store.Event) store.Event {
	if e.At.IsZero() {
		e.At = t.clock()
	}
	if e.Count == 0 {
		e.Count = 1
	}
	return e
}

func (t *Trail) line(e store.Event) {
	fields := []zap.Field{
		zap.String("action", e.Action),
		zap.String("outcome", e.Outcome),
	}
	for _, f := range []struct{ key, value string }{
		{"account", e.AccountID},
		{"actor", e.Actor},
		{"client_ip", e.Address},
		{"how", e.How},
		{"detail", e.Detail},
		{"error_id", e.ErrorID},
	} {
		if f.value != "" {
			fields = append(fields, zap.String(f.key, f.value))
		}
	}
	if e.Count > 1 {
		fields = append(fields, zap.Int("count", e.Count))
	}
	t.log.Info(e.Action, fields...)
}
