package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func newDatabase(t testing.TB) *database {
	t.Helper()
	d, err := openSQLite(context.Background(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestNewID(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id := NewID()
		if len(id) != 26 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") != "" || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

// What keeps an acknowledged write through a loss of power cannot be tried
// here; that it is switched on can.
func TestSQLiteConnections(t *testing.T) {
	d := newDatabase(t)
	for name, tc := range map[string]struct{ writer, reader string }{
		"synchronous":    {"2", "2"},
		"journal_mode":   {"wal", "wal"},
		"foreign_keys":   {"1", "1"},
		"busy_timeout":   {"10000", "10000"},
		"trusted_schema": {"0", "0"},
		"query_only":     {"0", "1"},
	} {
		var writer, reader string
		err := errors.Join(d.writer.QueryRow("PRAGMA "+name).Scan(&writer), d.reader.QueryRow("PRAGMA "+name).Scan(&reader))
		if err != nil || writer != tc.writer || reader != tc.reader {
			t.Errorf("%s: writer %s, reader %s, %v", name, writer, reader, err)
		}
	}
}

// A full database undoes the whole transaction, and SQLite would keep what
// follows at once: nothing may follow.
func TestFaultEndsUpdate(t *testing.T) {
	d := newDatabase(t)
	if _, err := d.writer.Exec("PRAGMA max_page_count = 60"); err != nil {
		t.Fatal(err)
	}
	var first, after error
	err := d.Update(t.Context(), func(tx Tx) error {
		for i := 0; i < 10_000 && first == nil; i++ {
			_, first = tx.CountFailure(fmt.Sprint("key ", i), noon, 0)
		}
		after = tx.Audit(Event{At: noon, Action: "after the fault"})
		return nil
	})
	var full *sqlite.Error
	if !errors.As(first, &full) || full.Code() != sqlite3.SQLITE_FULL {
		t.Fatalf("the database is not full: %v", first)
	}
	if after == nil || err == nil {
		t.Errorf("after the fault: %v; Update: %v", after, err)
	}
	err = d.View(t.Context(), func(tx Tx) error {
		f, err := tx.Failures("key 0")
		events, err2 := tx.Events("", 1)
		if f.Count > 0 || len(events) > 0 {
			t.Errorf("kept: %+v, %+v", f, events)
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Error(err)
	}
	if err := d.Update(t.Context(), func(tx Tx) error { return tx.Audit(Event{At: noon}) }); err != nil {
		t.Errorf("the next write: %v", err)
	}
}

// What database/sql has undone by itself, since the context ended, was not done
// already: the cause is the context.
func TestCommitTooLate(t *testing.T) {
	d := newDatabase(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := d.Update(ctx, func(begun Tx) error {
		cancel()
		for {
			if _, err := begun.(*tx).tx.ExecContext(context.Background(), `SELECT 1`); errors.Is(err, sql.ErrTxDone) {
				return nil
			}
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPruneBounds(t *testing.T) {
	d := newDatabase(t)
	err := d.Update(t.Context(), func(tx Tx) error {
		for i := range 1200 { // more than one step
			at := noon.Add(time.Duration(i) * time.Millisecond)
			_, err := tx.CountFailure(fmt.Sprint("key ", i), at, 0)
			err = errors.Join(err,
				tx.Audit(Event{At: at, Action: fmt.Sprint("stranger ", i)}),
				tx.Audit(Event{At: at, Action: "known", AccountID: "a"}))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = d.prune(t.Context(), noon, noon, 5, 7)
	}
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`SELECT COUNT(*) FROM failures`:                                                  "5",
		`SELECT id FROM failures ORDER BY last_at LIMIT 1`:                               "key 1195",
		`SELECT COUNT(*) FROM audit WHERE account_id = ''`:                               "7",
		`SELECT action FROM audit WHERE account_id = '' ORDER BY id LIMIT 1`:             "stranger 1193",
		`SELECT COUNT(*) FROM audit WHERE account_id = 'a' AND action = 'known'`:         "1200",
		`SELECT COUNT(*) FROM pragma_foreign_key_check`:                                  "0",
		`SELECT COUNT(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'audit'`: "2",
	} {
		var got string
		if err := d.reader.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", query, got, err, want)
		}
	}
	if err := d.prune(t.Context(), noon, noon, 5, 7); err != nil {
		t.Errorf("with nothing beyond: %v", err)
	}
}

// No search may walk through a whole table that grows with the people.
func TestQueriesUseIndexes(t *testing.T) {
	d := newDatabase(t)
	for _, query := range []string{
		selectAccount, selectAccountByEmail, selectAccountBySSO, selectAccounts, countAdministrators, saveAttributes,
		moveEpoch, deleteAccount, endFlows, endLinks, keepSession, endOtherEpochs, selectSSOLinks, selectPassword,
		selectFactors, useStep, spendRecoveryCode, countRecoveryCodes, selectFlow, dropOldFlows, saveFlow, selectSession,
		selectSessions, sawFamily, limitIdle, limitEnd, selectFamily, countFamily, deleteFamily, deleteSession, selectLink, selectFailures, selectEvents, selectEventsOfAccount,
		pruneFlows, pruneSessions, pruneLinks, pruneStates, pruneFailures, pruneAudit, pruneStrangerEvents,
		failuresBeyond, strangerEventsBeyond, deleteFactor, preferFactor, useFactor, spendCode, missCode, useDevice,
		selectDevices, dropOldTickets, selectTicket, spendTicket, pruneTickets, deleteDevice, forgetDevices, pruneDevices, saveProviderSession, selectProviderSession,
		selectProviderSessionsOf, selectProviderSessionsBySID, claimProviderSession,
		noteProviderLogout, selectProviderLogout, pruneLogouts,
	} {
		args := make([]any, 19)
		for i := range args {
			args[i] = 1
		}
		rows, err := d.writer.Query("EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "USING") {
				t.Errorf("%s\n%s", query, detail)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func benchmarkDatabase(b *testing.B) *database {
	d := newDatabase(b)
	err := d.Update(b.Context(), func(tx Tx) error {
		for i := range 10_000 {
			name := fmt.Sprint(i)
			a := Account{ID: name, Attributes: identity.Attributes{Email: name + "@example.test", Name: name, Role: identity.EndUser}}
			err := errors.Join(tx.CreateAccount(a), tx.CreateSession(Session{
				ID: []byte(name), AccountID: name, SeenAt: noon, ExpiresAt: noon.Add(time.Hour), Browser: "Browser/1.0",
			}))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return d
}

func BenchmarkSession(b *testing.B) {
	d := benchmarkDatabase(b)
	for i := 0; b.Loop(); i++ {
		err := d.View(b.Context(), func(tx Tx) error {
			_, err := tx.Session(fmt.Append(nil, i%10_000))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSessionAndAccount(b *testing.B) {
	d := benchmarkDatabase(b)
	for i := 0; b.Loop(); i++ {
		err := d.View(b.Context(), func(tx Tx) error {
			s, err := tx.Session(fmt.Append(nil, i%10_000))
			if err == nil {
				_, err = tx.Account(s.AccountID)
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	d := benchmarkDatabase(b)
	for i := 0; b.Loop(); i++ {
		err := d.Update(b.Context(), func(tx Tx) error {
			_, err := tx.CountFailure(fmt.Sprint(i%100), noon, 0)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// One operation is 10,000 sessions.
func BenchmarkSawFamilies(b *testing.B) {
	d := benchmarkDatabase(b)
	for i := 0; b.Loop(); i++ {
		seen := noon.Add(time.Duration(i+1) * time.Millisecond)
		err := d.Update(b.Context(), func(tx Tx) error {
			for j := range 10_000 {
				if err := tx.SawFamily(fmt.Append(nil, j), seen); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
