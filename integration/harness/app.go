package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/websocket"
)

// Received is a request as it came to the app.
type Received struct {
	Method  string
	URI     string
	Host    string
	Header  http.Header
	Trailer http.Header
	Body    string // of at most 64 KiB, else empty
	Size    int64
	SHA256  string
	// Head is the request's head as it came over the wire.
	Head string
}

// App is an app behind the gateway. It answers every request with what it
// received, as JSON; WebSockets with what they send; paths that end in /events
// with server-sent events; and remembers all of it.
type App struct {
	// Addr is where it listens.
	Addr string

	release  chan struct{}
	mu       sync.Mutex
	received []Received
}

// Marker stands in every answer of an app and in none of the gateway's.
const Marker = "this came from the app"

type connKey struct{}

// StartApp starts an app.
func StartApp(t testing.TB) *App {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &App{Addr: ln.Addr().String(), release: make(chan struct{})}
	server := &http.Server{
		Handler: a,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
	}
	// One request a connection, so that what came over it is that request.
	server.SetKeepAlivesEnabled(false)
	go server.Serve(tapped{ln})
	t.Cleanup(func() { server.Close() })
	return a
}

// Requests returns what the app has received.
func (a *App) Requests() []Received {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Received(nil), a.received...)
}

// Count returns how many requests the app has received.
func (a *App) Count() int { return len(a.Requests()) }

// Last returns the last request that the app received.
func (a *App) Last(t testing.TB) Received {
	t.Helper()
	all := a.Requests()
	if len(all) == 0 {
		t.Fatal("the app received nothing")
	}
	return all[len(all)-1]
}

// Release lets one stream of events under way send its next event.
func (a *App) Release() { a.release <- struct{}{} }

func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	var body bytes.Buffer
	size, err := io.Copy(io.MultiWriter(sum, &limited{&body}), r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	got := Received{
		Method: r.Method, URI: r.RequestURI, Host: r.Host,
		Header: r.Header.Clone(), Trailer: r.Trailer.Clone(),
		Size: size, SHA256: hex.EncodeToString(sum.Sum(nil)),
		Head: r.Context().Value(connKey{}).(*tap).head(),
	}
	if size <= maxBody {
		got.Body = body.String()
	}
	a.mu.Lock()
	a.received = append(a.received, got)
	a.mu.Unlock()

	w.Header().Set("X-App", Marker)
	switch {
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		websocket.Server{Handler: func(ws *websocket.Conn) { _, _ = io.Copy(ws, ws) }}.ServeHTTP(w, r)
	case strings.HasSuffix(r.URL.Path, "/events"):
		a.events(w, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(struct {
			Marker string
			Received
		}{Marker, got})
	}
}

// events sends three events, the second and third as Release says.
func (a *App) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := 1; i <= 3; i++ {
		if i > 1 {
			select {
			case <-a.release:
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprintf(w, "data: %d\n\n", i)
		w.(http.Flusher).Flush()
	}
}

const maxBody = 64 << 10

// limited keeps the beginning of what is written to it.
type limited struct{ buf *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxBody - l.buf.Len(); room > 0 {
		l.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// tapped is a listener whose connections remember what came first.
type tapped struct{ net.Listener }

func (l tapped) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tap{Conn: conn}, nil
}

type tap struct {
	net.Conn
	mu    sync.Mutex
	first bytes.Buffer
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	(&limited{&t.first}).Write(p[:n])
	return n, err
}

func (t *tap) head() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	head, _, _ := strings.Cut(t.first.String(), "\r\n\r\n")
	return head
}

// Interface guards.
var (
	_ http.Handler = (*App)(nil)
	_ net.Conn     = (*tap)(nil)
	_ io.Writer    = (*limited)(nil)
)
