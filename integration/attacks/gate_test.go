//go:build integration

package attacks

import (
	"bufio"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// The people of these tests.
const (
	alice = "alice@example.test"
	carol = "carol@example.test"
)

// Two audiences: whoever signs in with a password is in one, and the other asks
// for a passcode as well.
const twoAudiences = "audience team\naudience staff {\nsecond_factor required\n}"

// required asks everybody for a passcode.
const required = "audience team {\nsecond_factor required\n}"

// sites has a gate serve these instead of {$SITE}.
func sites(text ...string) func(*harness.Options) {
	return func(o *harness.Options) { o.Sites = strings.Join(text, "\n") }
}

// global adds global options of Caddy.
func global(text string) func(*harness.Options) {
	return func(o *harness.Options) { o.Global += "\n" + text }
}

// input is one line of a file of hostile inputs.
type input struct {
	// Text is the line with the escapes of a Go string taken away.
	Text string
	// Outcome is what the last line beginning with "= " said must come of it.
	Outcome string
	// Group is the comment above the line, which says what it tries.
	Group string
	// Name tells a failed test which line it was.
	Name string
}

// inputs reads a file of hostile inputs. Lines that begin with "# " are
// comments; one that begins with "= " says what must come of all that follow.
// Names in replace stand for their values.
func inputs(t *testing.T, file string, replace ...string) []input {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []input
	outcome, group, commented := "", "", false
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if expected, ok := strings.CutPrefix(line, "= "); ok {
			outcome = expected
			continue
		}
		comment, isComment := strings.CutPrefix(line, "# ")
		switch {
		case isComment && commented:
			group += " " + comment
		case isComment:
			group = comment
		}
		if commented = isComment; isComment || line == "" {
			continue
		}
		text, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
		if err != nil || outcome == "" {
			t.Fatalf("%s:%d: %v, outcome %q", file, n, err, outcome)
		}
		all = append(all, input{
			Text:    strings.NewReplacer(replace...).Replace(text),
			Outcome: outcome,
			Group:   group,
			Name:    file + ":" + strconv.Itoa(n) + " " + line,
		})
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%s: %d inputs, %v", file, len(all), err)
	}
	return all
}

// byGroup runs a subtest for each group of inputs, named by what it tries.
func byGroup(t *testing.T, g *harness.Gate, all []input, attack func(t *testing.T, in input)) {
	t.Helper()
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Group == all[0].Group {
			n++
		}
		t.Run(all[0].Group, func(t *testing.T) {
			g.For(t)
			for _, in := range all[:n] {
				attack(t, in)
			}
		})
		all = all[n:]
	}
}

// reached returns what the app received while a request was made.
func reached(g *harness.Gate, attack func()) []harness.Received {
	before := g.App.Count()
	attack()
	return g.App.Requests()[before:]
}

// get asks for a target with further header lines, as raw bytes.
func get(b *harness.Client, target string, lines ...string) (status int, answer []byte) {
	request := append([]string{"GET " + target + " HTTP/1.1", "Host: " + b.Base.Host, "Connection: close"}, lines...)
	return b.RawLines(append(request, "", "")...)
}

// asProgram asks as somebody who navigates nowhere, with further headers.
func asProgram(b *harness.Client, method, target string, header http.Header) *harness.Page {
	r := b.Request(method, target, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	return b.Send(r)
}
