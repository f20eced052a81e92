//go:build integration

package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// The people of these tests.
const (
	alice = "alice@example.test"
	carol = "carol@example.test"
)

// required asks everybody for a passcode.
const required = "audience team {\nsecond_factor required\n}"

// ownStore keeps the store where a test finds it.
const ownStore = "store sqlite {$DIR}/people.db"

// trySend posts a form as a page of the site does, where no answer is possible
// too.
func trySend(b *harness.Client, target string, pairs ...string) (*harness.Page, error) {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := b.Request(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	return b.TrySend(r)
}

// tryPassword takes the first step of a sign-in and returns the flow of the
// next one, if there is one.
func tryPassword(b *harness.Client, email, password string) (page *harness.Page, flow string, err error) {
	page, err = trySend(b, "/auth-gateway/sign-in", "email", email, "password", password, "return_to", "/private")
	if err != nil {
		return nil, "", err
	}
	to, err := url.Parse(page.Header.Get("Location"))
	if err != nil {
		return nil, "", err
	}
	return page, to.Query().Get("flow"), nil
}

// act sends an administrative act to Caddy's admin endpoint and reads its
// answer. It returns the status.
func act(g *harness.Gate, method, path string, body, to any) (int, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, "http://"+g.Admin+"/auth-gateway/"+path, content)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil
	}
	if to != nil {
		if err := json.Unmarshal(text, to); err != nil {
			return 0, fmt.Errorf("%s %s: %w: %s", method, path, err, text)
		}
	}
	return resp.StatusCode, nil
}

// said returns everything that Caddy logged.
func said(g *harness.Gate) string {
	var b strings.Builder
	for _, e := range g.Logs() {
		b.WriteString(e.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// wantNoStart fails the test unless Caddy refuses to start, saying so.
func wantNoStart(t *testing.T, g *harness.Gate, say ...string) {
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

// wantShut fails the test unless an answer says that the store is at fault.
func wantShut(t *testing.T, page *harness.Page) {
	t.Helper()
	if page.Status != http.StatusServiceUnavailable || page.Header.Get("Retry-After") == "" || page.ID("error-id") == "" {
		t.Errorf("%v", page)
	}
}
