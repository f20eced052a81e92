package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// filled makes a store with accounts in it, closed, and returns its path.
func filled(t *testing.T) string {
	t.Helper()
	whole, err := template()
	path := filepath.Join(t.TempDir(), "store.db")
	if err == nil {
		err = os.WriteFile(path, whole, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// template is the file of a store with 300 accounts, made once.
var template = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "store")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "store.db")
	s, err := store.OpenSQLite(background, path)
	if err != nil {
		return nil, err
	}
	err = s.Update(background, func(tx store.Tx) error {
		for range 300 {
			if err := tx.CreateAccount(anyone()); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func anyone() store.Account {
	id := store.NewID()
	return store.Account{ID: id, Attributes: identity.Attributes{Email: id + "@example.test", Role: identity.EndUser}}
}

func accounts(t *testing.T, s store.Store) int {
	t.Helper()
	var n int
	err := s.View(t.Context(), func(tx store.Tx) error {
		list, err := tx.Accounts("", 1000)
		n = len(list)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// contents are the files of a folder but the lock, by name.
func contents(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, ".lock") {
			return err
		}
		b, err := os.ReadFile(path)
		sum := sha256.Sum256(b)
		all.WriteString(entry.Name() + " " + hex.EncodeToString(sum[:]) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// change edits the bytes of a file.
func change(fn func(b []byte) []byte) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, fn(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// query runs SQL on a file behind the store's back.
func query(text string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		db, err := sql.Open("sqlite", path)
		if err == nil {
			_, err = db.Exec(text)
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSQLiteRefuses(t *testing.T) {
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(strings.Replace(name, "{}", path, 1), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		spoil  []func(t *testing.T, path string)
		want   error
		remedy string
	}{
		"overwritten in the middle": {[]func(*testing.T, string){change(func(b []byte) []byte {
			for i := range b {
				if i >= 2*4096 {
					b[i] = 0xa5
				}
			}
			return b
		})}, store.ErrDamaged, "restore a backup"},
		"a table's first page lost": {[]func(*testing.T, string){change(func(b []byte) []byte {
			copy(b[4096:8192], make([]byte, 4096))
			return b
		})}, store.ErrDamaged, "restore a backup"},
		"cut at a page":        {[]func(*testing.T, string){change(func(b []byte) []byte { return b[:4096*(len(b)/4096/2)] })}, store.ErrDamaged, "restore a backup"},
		"cut within a page":    {[]func(*testing.T, string){change(func(b []byte) []byte { return b[:len(b)-100] })}, store.ErrDamaged, "restore a backup"},
		"cut within its head":  {[]func(*testing.T, string){change(func(b []byte) []byte { return b[:50] })}, store.ErrDamaged, "restore a backup"},
		"cut to nothing":       {[]func(*testing.T, string){change(func(b []byte) []byte { return nil })}, store.ErrDamaged, "move it away together with store.db-wal and store.db-shm"},
		"gone but for its log": {[]func(*testing.T, string){remove, write("{}-wal", "the latest part")}, store.ErrDamaged, "store.db-wal"},
		"its head overwritten": {[]func(*testing.T, string){change(func(b []byte) []byte { copy(b, make([]byte, 100)); return b })}, store.ErrForeign, "restore a backup"},
		"a text file":          {[]func(*testing.T, string){write("{}", strings.Repeat("not a database\n", 20))}, store.ErrForeign, "move it away"},
		"a short text file":    {[]func(*testing.T, string){write("{}", "hello")}, store.ErrForeign, "move it away"},
		"another program's file": {[]func(*testing.T, string){remove, query(`CREATE TABLE accounts (id TEXT); INSERT INTO accounts VALUES ('theirs')`)},
			store.ErrForeign, "give another path"},
		"a folder": {[]func(*testing.T, string){remove, func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}}, store.ErrForeign, "give the path of a file"},
		"a link to nowhere": {[]func(*testing.T, string){remove, func(t *testing.T, path string) {
			if err := os.Symlink(path+".away", path); err != nil {
				t.Fatal(err)
			}
		}}, nil, "restore that file"},
		"of a newer version": {[]func(*testing.T, string){query(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)},
			store.ErrNewer, "run that version"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			for _, spoil := range tc.spoil {
				spoil(t, path)
			}
			before := contents(t, filepath.Dir(path))
			s, err := store.OpenSQLite(t.Context(), path)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tc.remedy) {
				t.Errorf("got %q; want %v, the path and %q", err, tc.want, tc.remedy)
			}
			if after := contents(t, filepath.Dir(path)); after != before {
				t.Errorf("files before:\n%safter:\n%s", before, after)
			}
			// Refusing gives the lock back: the remedy helps at once.
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if err := os.RemoveAll(path + suffix); err != nil {
					t.Fatal(err)
				}
			}
			s = open(t, path)
			defer s.Close()
			if n := accounts(t, s); n != 0 {
				t.Errorf("%d accounts in a new store", n)
			}
		})
	}
}

func TestSQLiteCreates(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b c")
	path := filepath.Join(folder, "store ?x=1&y#z%41.db")
	s := open(t, path)
	defer s.Close()
	if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.CreateAccount(anyone()) }); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		filepath.Dir(folder): 0o700 | fs.ModeDir, folder: 0o700 | fs.ModeDir,
		path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".lock": 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 4 {
		t.Errorf("files: %v, %v", entries, err)
	}
}

// A process that died while it made a store leaves parts that do not count.
func TestSQLiteBeginsAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	for _, suffix := range []string{".new", ".new-wal", ".new-shm", ".new-journal", ".lock"} {
		if err := os.WriteFile(path+suffix, bytes.Repeat([]byte("half"), 2000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, path)
	defer s.Close()
	if n := accounts(t, s); n != 0 {
		t.Errorf("%d accounts", n)
	}
	if left, err := filepath.Glob(path + ".new*"); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestSQLiteOneOpensIt(t *testing.T) {
	path := filled(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	s := open(t, link)
	for name, other := range map[string]string{"path": path, "link": link} {
		if _, err := store.OpenSQLite(t.Context(), other); !errors.Is(err, store.ErrInUse) {
			t.Errorf("by its %s: %v", name, err)
		}
	}
	if n := accounts(t, s); n != 300 {
		t.Errorf("%d accounts", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	defer s.Close()
	if n := accounts(t, s); n != 300 {
		t.Errorf("%d accounts after it was opened again", n)
	}
}

func TestSQLiteOpenIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, path := range map[string]string{"new": filepath.Join(t.TempDir(), "new.db"), "existing": filled(t)} {
		if _, err := store.OpenSQLite(ctx, path); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		open(t, path).Close()
	}
}
