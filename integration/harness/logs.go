package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Entry is one line of Caddy's log.
type Entry map[string]any

// Text returns a field of the entry as text, "" when it is not there. Dots in
// the name lead into objects: "request.uri".
func (e Entry) Text(name string) string {
	var value any = map[string]any(e)
	for key := range strings.SplitSeq(name, ".") {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

// String returns the entry as JSON.
func (e Entry) String() string {
	line, _ := json.Marshal(e)
	return string(line)
}

func parseEntry(line string) (Entry, bool) {
	var e Entry
	return e, json.Unmarshal([]byte(line), &e) == nil
}

// Logs returns what this Caddy has logged so far, restarts included.
func (c *Caddy) Logs() []Entry {
	var entries []Entry
	for _, line := range c.logLines() {
		if e, ok := parseEntry(line); ok {
			entries = append(entries, e)
		}
	}
	return entries
}

func (c *Caddy) logLines() []string {
	lines := c.earlier
	if c.process != nil {
		now, _ := c.process.snapshot()
		lines = append(lines[:len(lines):len(lines)], now...)
	}
	return lines
}

// WaitLog waits for a log entry of the running process for which match is
// true, those already there included, and returns it.
func (c *Caddy) WaitLog(what string, match func(Entry) bool) Entry {
	c.t.Helper()
	var found Entry
	ok := c.process.await(0, func(line string) bool {
		e, ok := parseEntry(line)
		if ok && match(e) {
			found = e
			return true
		}
		return false
	})
	if !ok {
		c.t.Fatalf("not logged: %s", what)
	}
	return found
}

// secrets collects what must not be readable in a log or a file.
type secrets struct {
	mu     sync.Mutex
	inLog  map[string]string // value to what it is
	atRest map[string]string
}

func (s *secrets) add(to *map[string]string, what, value string) {
	if value == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if *to == nil {
		*to = map[string]string{}
	}
	(*to)[value] = what
}

// Secret says that value must never be in the log.
func (c *Caddy) Secret(what, value string) {
	c.secrets.add(&c.secrets.inLog, what, value)
}

// SecretAtRest says that value must be neither in the log nor readable in any
// file that Caddy wrote.
func (c *Caddy) SecretAtRest(what, value string) {
	c.Secret(what, value)
	c.secrets.add(&c.secrets.atRest, what, value)
}

// checkSecrets fails the test for each secret that can be read.
func (c *Caddy) checkSecrets() {
	c.secrets.mu.Lock()
	defer c.secrets.mu.Unlock()
	lines := c.logLines()
	for value, what := range c.secrets.inLog {
		holds := contains(value)
		for _, line := range lines {
			if holds(line) {
				c.t.Errorf("%s is in the log: %s", what, line)
				break
			}
		}
	}
	for _, line := range lines {
		e, ok := parseEntry(line)
		if !ok {
			continue
		}
		if uri := e.Text("request.uri"); strings.HasPrefix(uri, "/auth-gateway/") && strings.Contains(uri, "?") {
			c.t.Errorf("the query of an address under /auth-gateway is in the log: %s", line)
			break
		}
	}
	err := filepath.WalkDir(c.data(), func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for value, what := range c.secrets.atRest {
			if strings.Contains(string(content), value) {
				c.t.Errorf("%s can be read in %s", what, path)
			}
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		c.t.Error(err)
	}
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// contains returns a test for value in a text. Digits count only where they
// are no part of a longer number, such as a time.
func contains(value string) func(string) bool {
	if digits.MatchString(value) {
		alone := regexp.MustCompile(`(^|[^0-9.])` + value + `($|[^0-9.])`)
		return func(text string) bool { return strings.Contains(text, value) && alone.MatchString(text) }
	}
	return func(text string) bool { return strings.Contains(text, value) }
}

// dump keeps the whole log and writes what matters of its end into the test's
// output.
func (c *Caddy) dump(t testing.TB) {
	lines := c.logLines()
	path := output(t, t.Name()+".log")
	if err := os.WriteFile(path, []byte(c.caddyfile+"\n"+strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Error(err)
	}
	var tail []string
	for _, line := range lines {
		e, ok := parseEntry(line)
		if ok && (e.Text("level") == "debug" || !strings.HasPrefix(e.Text("logger"), "auth_gateway") && e.Text("level") == "info") {
			continue
		}
		tail = append(tail, line[:min(len(line), 600)])
	}
	t.Logf("the whole log and the Caddyfile are in %s\n%s", path, strings.Join(tail[max(0, len(tail)-12):], "\n"))
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// output returns the path of a file to look at after the tests.
func output(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv(EnvOutput)
	if dir == "" {
		dir = "output"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, unfit.ReplaceAllString(name, "_"))
}
