package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// sqliteApplication marks a file as ours: "agwy" in its header.
	sqliteApplication = 0x61677779

	sqliteMagic      = "SQLite format 3\x00"
	sqliteHeaderSize = 100
	sqlitePageOffset = 16
	sqliteIDOffset   = 68
)

// resolve makes the folder of path and returns where the file really is, so
// that two names of one file are locked as one.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, filepath.Base(path)), nil
}

// inspect looks at the file without SQLite, which would take an empty file,
// or a missing one beside a log, for a database to begin. Nothing is changed.
func inspect(path string) (exists bool, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, orphan(path)
	case err != nil:
		return false, err
	case info.Mode()&os.ModeSymlink != 0:
		return false, errors.New("is a link to a file that is not there: restore that file, or remove the link")
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%w: it is not a regular file: give the path of a file", ErrForeign)
	}
	// For writing: SQLite would settle for reading, and fail at the first
	// sign-in.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	header := make([]byte, sqliteHeaderSize)
	n, err := io.ReadFull(f, header)
	switch {
	case errors.Is(err, io.EOF):
		return false, fmt.Errorf("%w: it is empty: %s", ErrDamaged, remedy(path))
	case errors.Is(err, io.ErrUnexpectedEOF) && bytes.HasPrefix(header[:n], []byte(sqliteMagic)):
		return false, fmt.Errorf("%w: it was cut off after %d bytes: %s", ErrDamaged, n, remedy(path))
	case errors.Is(err, io.ErrUnexpectedEOF) || err == nil && !bytes.HasPrefix(header, []byte(sqliteMagic)):
		return false, fmt.Errorf("%w: it does not begin like a SQLite file: %s", ErrForeign, remedy(path))
	case err != nil:
		return false, err
	case binary.BigEndian.Uint32(header[sqliteIDOffset:]) != sqliteApplication:
		return false, fmt.Errorf("%w: it is a SQLite file of another program: give another path", ErrForeign)
	}
	return true, torn(path, info.Size(), header)
}

// torn refuses a file that ends within a page, which SQLite would fill up with
// zeros. With a log beside it a page may well be under way; the log has it.
func torn(path string, size int64, header []byte) error {
	if log, err := os.Lstat(path + "-wal"); err == nil && log.Size() > 0 {
		return nil
	}
	page := int64(binary.BigEndian.Uint16(header[sqlitePageOffset:]))
	if page == 1 { // 65536 does not fit
		page = 1 << 16
	}
	if page == 0 || size%page != 0 {
		return fmt.Errorf("%w: it was cut off within a page: %s", ErrDamaged, remedy(path))
	}
	return nil
}

// orphan refuses a log without its file. SQLite would add what is in it to a
// new file, to which it does not belong.
func orphan(path string) error {
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Lstat(path + suffix); err == nil && info.Size() > 0 {
			return fmt.Errorf("%w: it is gone, but %s, which holds the latest part of it, is there: "+
				"restore the file, or move that one away too to begin anew", ErrDamaged, path+suffix)
		}
	}
	return nil
}

// check has SQLite look through the whole file.
func check(ctx context.Context, db *sql.DB, path string) error {
	var found string
	err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found)
	var e *sqlite.Error
	switch {
	case err == nil && found == "ok":
		return nil
	case err == nil:
		return fmt.Errorf("%w: %s: %s", ErrDamaged, found, remedy(path))
	case errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB):
		return fmt.Errorf("%w: %w: %s", ErrDamaged, err, remedy(path))
	}
	return fmt.Errorf("checking it: %w", err)
}

// remedy is what helps when the file itself is no good. Its log goes with it:
// left beside another file it would be taken for a part of that one.
func remedy(path string) string {
	return fmt.Sprintf("restore a backup, or move it away together with %s-wal and %[1]s-shm to begin anew", filepath.Base(path))
}
