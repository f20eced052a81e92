//go:build integration && linux

package faults

import (
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// A store that cannot be read is never replaced by an empty one.
func TestCorruptStore(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, path string){
		"overwritten": func(t *testing.T, path string) {
			write(t, path, []byte(strings.Repeat("this is no database\n", 1000)))
		},
		"header": func(t *testing.T, path string) {
			content := read(t, path)
			copy(content, "no SQLite format")
			write(t, path, content)
		},
		"middle": func(t *testing.T, path string) {
			content := read(t, path)
			for i := len(content) / 8; i < len(content)*7/8; i++ {
				content[i] ^= 0x5a
			}
			write(t, path, content)
		},
		"cut": func(t *testing.T, path string) {
			if err := os.Truncate(path, 5000); err != nil {
				t.Fatal(err)
			}
		},
		"a folder": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := harness.StartGate(t, ownStore, "")
			g.AddUser(alice)
			g.Stop()
			path := filepath.Join(g.Dir, "people.db")
			for _, side := range []string{"-wal", "-shm"} {
				_ = os.Remove(path + side)
			}
			spoil(t, path)
			before := size(t, path)
			wantNoStart(t, g, "people.db")
			if after := size(t, path); after != before {
				t.Errorf("%d bytes before, %d after", before, after)
			}
		})
	}
}

func TestStoreThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"no such folder":               "/proc/no/such/folder/people.db",
		"not a folder":                 "{$DIR}/Caddyfile/people.db",
		"a folder that takes no files": "/proc/people.db",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantNoStart(t, harness.NewGate(t, "store sqlite "+path, ""), "people.db")
		})
	}
}

// Rule 29: one process owns the file; a second is refused with the reason and
// harms nothing.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, ownStore, "")
	g.AddUser(alice)
	b := g.SignedIn(alice)
	second := harness.NewGate(t, "store sqlite "+filepath.Join(g.Dir, "people.db"), "")
	wantNoStart(t, second, "people.db", "in use")
	g.WantIn(b, alice)
	g.WantIn(g.SignedIn(alice), alice)
	g.Kill()
	second.Run() // the lock ends with its process
	second.WantIn(second.SignedIn(alice), alice)
}

// Rule 25: while the store cannot be written, nobody is let in anew and each
// answer says so; who is in stays in; and it recovers by itself.
func TestStoreAtFault(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, ownStore, "")
	g.AddUser(alice)
	b := g.SignedIn(alice)
	g.WantIn(b, alice)

	db, err := sql.Open("sqlite", "file:"+filepath.Join(g.Dir, "people.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := g.Browser()
	page := c.SignIn("/private", alice, harness.Password)
	wantShut(t, page)
	g.WantOut(c)
	g.WantIn(b, alice)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	g.WantIn(g.SignedIn(alice), alice)
	g.WantIn(b, alice)
}

// A full disk: what cannot be kept is not acknowledged, and says so; who is in
// stays in; and with room again all goes on by itself.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, ownStore, "")
	g.AddUser(alice)
	b, c := g.SignedIn(alice), g.SignedIn(alice)
	g.WantIn(b, alice)
	g.WantIn(c, alice)

	room := limitFiles(t, g, 4096)
	wantShut(t, g.Browser().SignIn("/private", alice, harness.Password))
	wantShut(t, c.Post("/auth-gateway/sign-out", nil))
	for _, act := range [][]string{{"user", "suspend", alice}, {"user", "add", carol}} {
		if r := g.Command(act...); r.Status == 0 || !strings.Contains(r.Stderr, "people.db") {
			t.Errorf("%v: exit status %d, %s", act, r.Status, r.Stderr)
		}
	}
	g.WantOut(g.Browser())
	g.WantIn(b, alice)
	g.WantIn(c, alice)
	if log := said(g); !strings.Contains(log, "people.db") || !strings.Contains(log, "see whether the disk is full") {
		t.Error("the log does not say what is wrong and what to do")
	}

	room()
	g.WantIn(g.SignedIn(alice), alice)
	g.WantIn(b, alice)
	signOut := c.Get("/auth-gateway/sign-out").Want(http.StatusOK).Form("")
	c.Submit(signOut).Want(http.StatusSeeOther)
	g.WantOut(c)
	g.AddUser(carol)
	g.Restart()
	g.WantIn(b, alice)
	g.WantOut(c)
	g.WantIn(g.SignedIn(carol), carol)
}

// limitFiles lets no file of Caddy's grow beyond so many bytes, as if the disk
// were full, until room is called.
func limitFiles(t *testing.T, g *harness.Gate, bytes uint64) (room func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Prlimit(g.PID(), unix.RLIMIT_FSIZE, nil, &before); err != nil {
		t.Fatal(err)
	}
	set := func(limit unix.Rlimit) {
		if err := unix.Prlimit(g.PID(), unix.RLIMIT_FSIZE, &limit, nil); err != nil {
			t.Fatal(err)
		}
	}
	set(unix.Rlimit{Cur: bytes, Max: before.Max})
	return func() { set(before) }
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.IsDir() {
		return 0
	}
	return info.Size()
}
