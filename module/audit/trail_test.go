package audit

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a trail on a store, with its log at hand.
type desk struct {
	*Trail
	store *reluctant
	logs  *observer.ObservedLogs
	now   atomic.Int64
}

// reluctant is a store that writes only when it is told to.
type reluctant struct {
	store.Store
	full atomic.Bool
}

func (r *reluctant) Update(ctx context.Context, fn func(store.Tx) error) error {
	if r.full.Load() {
		return errors.New("no space left on device")
	}
	return r.Store.Update(ctx, fn)
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	opened, err := store.OpenSQLite(t.Context(), storetest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	core, logs := observer.New(zapcore.DebugLevel)
	d := &desk{store: &reluctant{Store: opened}, logs: logs}
	d.now.Store(time.Now().UnixNano())
	d.Trail = New(d.store, zap.New(core), func() time.Time { return time.Unix(0, d.now.Load()) })
	return d
}

func (d *desk) rows(t *testing.T) []store.Event {
	t.Helper()
	var events []store.Event
	err := d.store.View(t.Context(), func(tx store.Tx) (err error) {
		events, err = tx.Events("", 1000)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func failure(account string) store.Event {
	return store.Event{Action: "sign-in", Outcome: Failure, AccountID: account, Address: "192.0.2.1", How: "password"}
}

func TestFloodsAreAddedUp(t *testing.T) {
	d := newDesk(t)
	for range 500 {
		d.Add(failure("a"))
	}
	d.Add(failure("b"))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	rows := d.rows(t)
	for _, row := range rows {
		counts[row.AccountID] += row.Count
	}
	if counts["a"] != 500 || counts["b"] != 1 {
		t.Errorf("failures in the rows: %v, want a 500 and b 1", counts)
	}
	if len(rows) != 3 {
		t.Errorf("%d rows, want 3: two for the first of each kind and one that sums up", len(rows))
	}
	if n := d.logs.FilterMessage("sign-in").Len(); n != 3 {
		t.Errorf("%d log lines, want 3", n)
	}
}

func TestManyKindsStayBounded(t *testing.T) {
	d := newDesk(t)
	for i := range 3 * maxKinds {
		e := failure("")
		e.Address = fmt.Sprint(i)
		d.Add(e)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := d.logs.Len(); n > maxKinds+2 {
		t.Errorf("%d log lines for a flood from everywhere, want at most %d", n, maxKinds+2)
	}
}

func TestAWindowEnds(t *testing.T) {
	d := newDesk(t)
	d.Add(failure("a"))
	d.now.Add(int64(window))
	d.writeDue(false)
	d.Add(failure("a"))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := d.logs.Len(); n != 2 {
		t.Errorf("%d log lines, want one in each window", n)
	}
}

func TestRowsWaitForTheStore(t *testing.T) {
	d := newDesk(t)
	d.store.full.Store(true)
	d.Add(failure("a"))
	d.writeDue(false)
	d.store.full.Store(false)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if rows := d.rows(t); len(rows) != 1 {
		t.Errorf("%d rows, want the one that had to wait", len(rows))
	}
}

func TestAfterCloseRowsAreWrittenAtOnce(t *testing.T) {
	d := newDesk(t)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d.Add(failure("late"))
	if rows := d.rows(t); len(rows) != 1 {
		t.Errorf("%d rows, want the late one", len(rows))
	}
}

func TestAnEventGoesWithItsAct(t *testing.T) {
	d := newDesk(t)
	undone := errors.New("undone")
	err := d.store.Update(t.Context(), func(tx store.Tx) error {
		if err := d.Within(tx, failure("a")); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	if rows := d.rows(t); len(rows) != 0 {
		t.Errorf("the act was undone, its row was kept: %v", rows)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
