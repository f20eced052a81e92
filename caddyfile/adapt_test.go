package caddyfile

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// dashes stand between a Caddyfile and what must come out of it: the JSON,
// with a line for each warning before it, or the error.
const dashes = "\n----------\n"

// TestAdapt adapts every file of testdata.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, found := strings.Cut(string(content), dashes)
			if !found {
				t.Fatal("no line of dashes")
			}
			input += "\n"
			got := adapt(input) + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(input[:len(input)-1]+dashes+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			isBad := strings.HasPrefix(filepath.Base(file), "bad_")
			if failed := !strings.Contains(got, "{\n"); failed != isBad {
				t.Errorf("an error is expected of bad_* and of no other:\n%s", got)
			}
			if isBad && !strings.Contains(got, ", at Caddyfile:") {
				t.Errorf("file and line are missing:\n%s", got)
			}
		})
	}
}

// adapt returns what comes out of a Caddyfile.
func adapt(input string) string {
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err.Error()
	}
	var out bytes.Buffer
	for _, warning := range warnings {
		fmt.Fprintf(&out, "warning: %s:%d: %s: %s\n", warning.File, warning.Line, warning.Directive, warning.Message)
	}
	if err := json.Indent(&out, config, "", "\t"); err != nil {
		return err.Error()
	}
	return out.String()
}

// TestErrorsNameTheImportedFile: the word that is wrong may be in another file.
func TestErrorsNameTheImportedFile(t *testing.T) {
	dir := t.TempDir()
	snippet := filepath.Join(dir, "okta.conf")
	if err := os.WriteFile(snippet, []byte("sso okta {\n\tissuer ftp://idp.example.com\n\tclient_id x\n\tadmit any\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := adapt("{\n\tauth_gateway {\n\t\timport " + snippet + "\n\t}\n}\n")
	if !strings.Contains(got, "sso okta: issuer: ") || !strings.Contains(got, snippet+":2") {
		t.Errorf("got %s", got)
	}
}

// TestAdaptTwice: nothing is remembered from one adaptation to the next.
func TestAdaptTwice(t *testing.T) {
	const input = "{\n\tauth_gateway {\n\t\tlanguage ja\n\t}\n}\n\n:80 {\n\tauth_gateway\n}\n"
	first := adapt(input)
	if second := adapt(input); first != second || !strings.Contains(first, `"language": "ja"`) {
		t.Errorf("first:\n%s\nsecond:\n%s", first, second)
	}
}
