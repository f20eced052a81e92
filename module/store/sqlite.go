package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrDamaged: the file is not whole.
	ErrDamaged = errors.New("is damaged")

	// ErrForeign: the file is not a store of the gateway.
	ErrForeign = errors.New("is not a store of the gateway")
)

const (
	// sqliteReaders is how many Views run at once; more wait. They only read
	// what is not in memory.
	sqliteReaders = 4

	// sqliteBusy is how long a connection waits for another of this process,
	// or for a backup, in milliseconds.
	sqliteBusy = 10_000

	// sqliteLog is the size in bytes the write-ahead log is cut back to.
	sqliteLog = 64 << 20
)

// OpenSQLite opens the store in the SQLite file at path and brings its tables
// up to date. A path where there is nothing gets an empty store, in a folder
// that only this user can enter; whatever else is there is never replaced.
//
// One process uses the file at a time. Errors are ErrInUse, ErrDamaged,
// ErrForeign, ErrNewer and those of the system; each names the path and what
// to do.
func OpenSQLite(ctx context.Context, path string) (Store, error) {
	d, err := openSQLite(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return d, nil
}

func openSQLite(ctx context.Context, path string) (_ *database, err error) {
	if path, err = resolve(path); err != nil {
		return nil, err
	}
	held, err := lock(path)
	if err != nil {
		return nil, err
	}
	d := &database{name: path, noAccount: sqliteNoAccount, remedy: sqliteRemedy, release: held.Close}
	defer func() {
		if err != nil {
			d.closeSQLite()
		}
	}()

	exists, err := inspect(path)
	if err != nil {
		return nil, err
	}
	if !exists {
		if err := createSQLite(ctx, path); err != nil {
			return nil, fmt.Errorf("creating it: %w", err)
		}
	}
	if d.writer, err = connectSQLite(path, 1, false); err != nil {
		return nil, err
	}
	if exists {
		if err := check(ctx, d.writer, path); err != nil {
			return nil, err
		}
		if err := migrate(ctx, goose.DialectSQLite3, d.writer); err != nil {
			if errors.Is(err, ErrNewer) {
				err = fmt.Errorf("%w: run that version, or %s", err, remedy(path))
			}
			return nil, err
		}
	}
	if d.reader, err = connectSQLite(path, sqliteReaders, true); err != nil {
		return nil, err
	}
	return d, d.prepare(ctx)
}

// closeSQLite gives back what openSQLite took before it failed.
func (d *database) closeSQLite() {
	for _, db := range []*sql.DB{d.reader, d.writer} {
		if db != nil {
			db.Close()
		}
	}
	d.release()
}

// createSQLite makes an empty store under another name and gives it its own
// when it is whole: what is found at path was once complete.
func createSQLite(ctx context.Context, path string) (err error) {
	making := path + ".new"
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(making + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(making, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	db, err := connectSQLite(making, 1, false)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "PRAGMA application_id = "+strconv.Itoa(sqliteApplication))
	if err == nil {
		err = migrate(ctx, goose.DialectSQLite3, db)
	}
	// Closing the last connection moves all from the log to the file.
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(making, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// connectSQLite returns a pool of connections to an existing file.
func connectSQLite(path string, connections int, readOnly bool) (*sql.DB, error) {
	options := url.Values{
		"mode":          {"rw"}, // never make a file that is not there
		"_busy_timeout": {strconv.Itoa(sqliteBusy)},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"}, // a commit is on the disk when it returns
		"_foreign_keys": {"on"},
		"_txlock":       {"immediate"},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		"_error_rc":     {"1"},
		"_pragma": {
			"trusted_schema(off)",
			"temp_store(memory)",
			"secure_delete(fast)",
			"journal_size_limit(" + strconv.Itoa(sqliteLog) + ")",
		},
	}
	if readOnly {
		options.Set("_query_only", "on")
	}
	slashed := filepath.ToSlash(path)
	if slashed[0] != '/' { // C:/…
		slashed = "/" + slashed
	}
	file := url.URL{Path: slashed}
	db, err := sql.Open("sqlite", "file:"+file.EscapedPath()+"?"+options.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// sqliteNoAccount: the only references are those to accounts, and to sessions of
// accounts.
func sqliteNoAccount(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

// sqliteRemedy says what to do about a fault that comes while the store is in
// use. It goes on by itself once that is done.
func sqliteRemedy(err error) string {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return ""
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return ": make room on the disk"
	case sqlite3.SQLITE_IOERR:
		return ": see whether the disk is full or failing"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return ": let the user that runs Caddy write the file and its folder"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ": another program has locked the file, end it"
	}
	return ""
}
