//go:build integration

package integration

import (
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

const ownStore = "store sqlite {$DIR}/people.db"

// said returns everything that Caddy logged, for a process that has ended.
func said(g *gate) string {
	var b strings.Builder
	for _, e := range g.Logs() {
		b.WriteString(e.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// wantNoStart fails the test unless Caddy refuses to start, saying so.
func wantNoStart(t *testing.T, g *gate, say ...string) {
	t.Helper()
	if g.TryRun() {
		t.Fatal("Caddy started")
	}
	if status := g.Wait(); status == 0 {
		t.Errorf("exit status %d", status)
	}
	for _, word := range say {
		if !strings.Contains(said(g), word) {
			t.Errorf("%q is not said:\n%s", word, said(g))
		}
	}
}

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
			g := start(t, ownStore, "")
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
		"no such folder": "/proc/no/such/folder/people.db",
		"not a folder":   "{$DIR}/Caddyfile/people.db",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantNoStart(t, prepare(t, "store sqlite "+path, ""), "people.db")
		})
	}
}

// Rule 29: one process owns the file; a second is refused with the reason and
// harms nothing.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	g := start(t, ownStore, "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	second := prepare(t, "store sqlite "+filepath.Join(g.Dir, "people.db"), "")
	wantNoStart(t, second, "people.db", "in use")
	g.wantIn(t, b, alice)
	g.wantIn(t, g.signedIn(t, alice), alice)
	g.Kill()
	second.Run() // the lock ends with its process
	second.wantIn(t, second.signedIn(t, alice), alice)
}

// Rule 25: while the store cannot be written, nobody is let in anew and each
// answer says so; who is in stays in; and it recovers by itself.
func TestStoreAtFault(t *testing.T) {
	t.Parallel()
	g := start(t, ownStore, "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	g.wantIn(t, b, alice)

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
	if page.Status != http.StatusServiceUnavailable || page.Header.Get("Retry-After") == "" || page.ID("error-id") == "" {
		t.Errorf("%v", page)
	}
	g.wantOut(t, c)
	g.wantIn(t, b, alice)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	g.wantIn(t, g.signedIn(t, alice), alice)
	g.wantIn(t, b, alice)
}

// Rule 9: a secret that is still needed cannot be dropped; a new one takes over.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const first, second = "the first secret of these tests, long enough", "the second secret of these tests, long enough"
	g := prepare(t, "secret {env.FIRST}"+required, "", func(o *harness.Options) {
		o.Env = map[string]string{"FIRST": first, "SECOND": second}
	})
	g.SecretAtRest("the secret", first)
	g.SecretAtRest("the secret", second)
	g.Run()
	g.AddUser(alice)
	b := g.Browser()
	app, _ := g.enroll(t, b, alice)

	g.Configure(option("secret {env.SECOND}"+required), site(""))
	if r := g.TryReload(); r.Status == 0 {
		t.Error("a secret that is still needed was dropped")
	}
	g.wantIn(t, b, alice)
	g.configure("secret {env.SECOND} {env.FIRST}"+required, "")
	g.wantIn(t, b, alice)
	c := g.Browser()
	step := g.askedForPasscode(t, c, alice)
	c.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	g.wantIn(t, c, alice)
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
