//go:build integration

package integration

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/websocket"
)

// dial opens a WebSocket with what a client would send along.
func dial(t *testing.T, g *gate, path, origin string, header http.Header) (*websocket.Conn, error) {
	t.Helper()
	config, err := websocket.NewConfig(strings.Replace(g.URL, "http", "ws", 1)+path, origin)
	if err != nil {
		t.Fatal(err)
	}
	config.Header = header
	return websocket.DialConfig(config)
}

// G4 and rule 24: WebSockets pass with a session and an Origin of this site.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	g := start(t, "", "public /public/*")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	session := http.Header{"Cookie": {b.Session().String()}}

	ws, err := dial(t, g, "/ws", g.URL, session)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	message := strings.Repeat("to the app and back ", 5000)
	go func() { _, _ = io.WriteString(ws, message) }()
	answer := make([]byte, len(message))
	if _, err := io.ReadFull(ws, answer); err != nil || string(answer) != message {
		t.Errorf("%d bytes: %v", len(answer), err)
	}
	if got := g.app.Last(t).Header; got.Get("Remote-User") != alice || strings.Contains(got.Get("Cookie"), "auth_gateway") {
		t.Errorf("the app received %v", got)
	}
}

// G4: server-sent events arrive one by one.
func TestEvents(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	resp := b.Stream(b.Request(http.MethodGet, "/events", nil))
	lines := bufio.NewScanner(resp.Body)
	for i, want := range []string{"data: 1", "data: 2", "data: 3"} {
		if i > 0 {
			g.app.Release()
		}
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("%q instead of %q: %v", lines.Text(), want, lines.Err())
		}
		lines.Scan() // the empty line between events
	}
}

// G4: a large upload passes untouched; without a session it does not reach the
// app and is not read to its end.
func TestUpload(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	const size = 64 << 20
	body := func() io.Reader {
		sum := make([]byte, 1<<20)
		for i := range sum {
			sum[i] = byte(i * 7)
		}
		var parts []io.Reader
		for range size >> 20 {
			parts = append(parts, strings.NewReader(string(sum)))
		}
		return io.MultiReader(parts...)
	}
	sum := sha256.New()
	_, _ = io.Copy(sum, body())
	got := b.Send(b.Request(http.MethodPut, "/upload", body())).App()
	if got.Size != size || got.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
		t.Errorf("%d bytes came", got.Size)
	}
	before := g.app.Count()
	p := g.Program()
	if page, err := p.TrySend(p.Request(http.MethodPut, "/upload", body())); err == nil && page.Status != http.StatusUnauthorized {
		t.Errorf("%v", page)
	}
	if g.app.Count() != before {
		t.Error("the app was reached")
	}
}
