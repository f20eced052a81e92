package harness

import (
	"database/sql"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the database of a stopped Caddy
)

// Age stops Caddy, has so much time go by for the sessions in its store, which
// then were last used, and last asked about, so much longer ago, and starts it
// again. When they end does not change.
func (c *Caddy) Age(d time.Duration) {
	c.t.Helper()
	c.Stop()
	db, err := sql.Open("sqlite", "file:"+c.Database())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, statement := range []string{
		`UPDATE sessions SET seen_at = seen_at - $1`,
		`UPDATE provider_sessions SET checked_at = checked_at - $1`,
	} {
		if _, err := db.Exec(statement, d.Microseconds()); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		c.t.Fatal(err)
	}
	c.Run()
}

// Eventually waits for what happens in the background.
func Eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(patience)
	for !happened() {
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("in vain: %s", what)
		}
	}
}
