package module

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// manyAccounts are more than anybody has agents.
const manyAccounts = 100_000 / raceFactor

// crowd puts manyAccounts into a store that is not open, a tenth of them
// administrators. All have a second factor, some two. It does so behind the
// store's back, in a second instead of a minute.
func crowd(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	numbers := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `, manyAccounts)
	for _, statement := range []string{
		`INSERT INTO accounts (id, email_key, role, attributes, suspended, epoch, created_at, updated_at, last_sign_in_at) ` + numbers +
			`SELECT printf('a%06d', i), printf('p%06d@example.test', i), CASE i % 10 WHEN 0 THEN 'admin' ELSE 'agent' END,
				printf('{"email":"p%06d@example.test","name":"=Person %d","tags":["a","b"]}', i, i), FALSE, 1, i, i, i FROM n`,
		`INSERT INTO factors (id, account_id, method, address, required, preferred, step, created_at, used_at) ` + numbers +
			`SELECT printf('f%06d', i), printf('a%06d', i), 'app', '', TRUE, FALSE, 0, i, i FROM n`,
		`INSERT INTO factors (id, account_id, method, address, required, preferred, step, created_at, used_at) ` + numbers +
			`SELECT printf('g%06d', i), printf('a%06d', i), 'email', '', FALSE, TRUE, 0, i, i FROM n WHERE i % 4 = 0`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}

// gauge takes what is printed and looks now and then at how much memory is in
// use.
type gauge struct {
	lines, next, every int
	inUse              []uint64 // bytes
}

// Write implements io.Writer.
func (g *gauge) Write(p []byte) (int, error) {
	g.lines += bytes.Count(p, []byte{'\n'})
	if g.lines >= g.next {
		g.next = g.lines + g.every
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		g.inUse = append(g.inUse, m.HeapAlloc)
	}
	return len(p), nil
}

// However long a report is, it takes the memory of a page: where it is read,
// and where it is printed, which are one process here.
func TestReportOfAnyLength(t *testing.T) {
	p := newPlace(t, "", "")
	if _, err := command(t, "", "user", "list", "--config", p.config); err != nil { // makes the store
		t.Fatal(err)
	}
	crowd(t, p.store)
	const most = 4 << 20 // bytes; all of it would be ten times that
	for _, tc := range []struct {
		args  string
		lines int // at least
	}{
		{"--csv", manyAccounts},
		{"--json --role admin", manyAccounts / 10 * 15},
		{"--role admin", manyAccounts / 10},
	} {
		t.Run(tc.args, func(t *testing.T) {
			g := &gauge{every: tc.lines / 10}
			root := &cobra.Command{Use: "caddy", SilenceUsage: true, SilenceErrors: true}
			caddycmd.Commands()["auth-gateway"].CobraFunc(root)
			root.SetOut(g)
			root.SetErr(io.Discard)
			root.SetArgs(append([]string{"report", "second-factor", "--config", p.config}, strings.Fields(tc.args)...))
			if err := root.Execute(); err != nil {
				t.Fatal(err)
			}
			if g.lines < tc.lines || len(g.inUse) < 8 {
				t.Fatalf("%d lines, looked %d times", g.lines, len(g.inUse))
			}
			first, last := g.inUse[1], g.inUse[len(g.inUse)-1]
			t.Logf("in use after a tenth %d kB, at the end %d kB", first>>10, last>>10)
			if last > first+most {
				t.Errorf("memory grew from %d to %d bytes", first, last)
			}
		})
	}
}
