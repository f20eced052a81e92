//go:build integration

package attacks

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// tunnels is an app that switches to whatever protocol it is asked for, as those
// do that speak HTTP/2 without TLS, and tells what it then hears.
func tunnels(t *testing.T) (address string, heard <-chan string) {
	t.Helper()
	said := make(chan string, 100)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol := r.Header.Get("Upgrade")
		if protocol == "" {
			w.Header().Set("X-App", harness.Marker)
			return
		}
		conn, stream, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
		line, _ := stream.ReadString('\n')
		said <- protocol + ": " + line
		_, _ = io.WriteString(conn, "heard\n")
	}))
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://"), said
}

// Rules 21 and 24: a connection that switches to another protocol than a
// WebSocket's is a tunnel to the app, around the gateway. Whatever is said in it,
// paths and identity headers of further requests for one, nobody has judged.
func TestUpgradesToOtherProtocols(t *testing.T) {
	t.Parallel()
	address, heard := tunnels(t)
	g := harness.StartGate(t, "", "public /public/*", func(o *harness.Options) {
		o.Env = map[string]string{"TUNNELS": address}
		o.Sites = strings.Replace(o.Sites, "{$APP}", "{$TUNNELS}", 1)
	})
	g.AddUser(alice)
	in := g.SignedIn(alice)
	here := "Origin: " + g.URL
	for name, c := range map[string]struct {
		client *harness.Client
		path   string
		lines  []string
		opens  bool
	}{
		"nobody, public path":                    {g.Program(), "/public/x", []string{"Upgrade: h2c"}, false},
		"nobody, private path":                   {g.Program(), "/private", []string{"Upgrade: h2c"}, false},
		"nobody, in capitals":                    {g.Program(), "/public/x", []string{"Upgrade: H2C"}, false},
		"nobody, in two lines":                   {g.Program(), "/public/x", []string{"Upgrade: h2c", "Upgrade: foo"}, false},
		"nobody, another protocol":               {g.Program(), "/public/x", []string{"Upgrade: tls/1.3"}, false},
		"nobody, a protocol of nobody's":         {g.Program(), "/public/x", []string{"Upgrade: x"}, false},
		"signed in":                              {in, "/private", []string{"Upgrade: h2c"}, false},
		"signed in, public path":                 {in, "/public/x", []string{"Upgrade: h2c"}, false},
		"signed in, in front of a WebSocket":     {in, "/private", []string{"Upgrade: h2c, websocket", here}, true},
		"signed in, behind a WebSocket":          {in, "/private", []string{"Upgrade: websocket, h2c", here}, true},
		"signed in, before a WebSocket's line":   {in, "/private", []string{"Upgrade: h2c", "Upgrade: websocket", here}, true},
		"signed in, after a WebSocket's line":    {in, "/private", []string{"Upgrade: websocket", "Upgrade: h2c", here}, true},
		"signed in, named like a WebSocket":      {in, "/private", []string{"Upgrade: websocket-of-mine", here}, false},
		"signed in, a WebSocket's version":       {in, "/private", []string{"Upgrade: websocket/13", here}, true},
		"a WebSocket, as nothing else would say": {in, "/private", []string{"Upgrade: websocket", here}, true},
		"a WebSocket, in capitals":               {in, "/private", []string{"Upgrade: WebSocket", here}, true},
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			conn, err := net.Dial("tcp", "127.0.0.1:"+c.client.Base.Port())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			lines := append([]string{"GET " + c.path + " HTTP/1.1", "Host: " + c.client.Base.Host, "Connection: Upgrade", c.client.CookieLine()}, c.lines...)
			_, _ = io.WriteString(conn, strings.Join(append(lines, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""), "\r\n"))
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if opens := answer.StatusCode == http.StatusSwitchingProtocols; opens != c.opens {
				t.Errorf("status %d", answer.StatusCode)
			}
			if answer.StatusCode != http.StatusSwitchingProtocols {
				return
			}
			_, _ = io.WriteString(conn, "GET /secret HTTP/1.1, Remote-User: mallory\n")
			// Of several protocols it is a WebSocket, or nothing.
			if said := <-heard; !strings.HasPrefix(said, "websocket: ") {
				t.Errorf("the app heard %s", said)
			}
		})
	}
}
