//go:build integration

package attacks

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Requests in requests: whatever lengths and codings a client makes up, the app
// sees at most the one that was judged.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "public /public/*")
	g.AddUser(alice)
	in, out := g.SignedIn(alice), g.Program()
	inner := "GET /private HTTP/1.1\r\nHost: localhost\r\nRemote-User: mallory\r\n\r\n"
	for name, c := range map[string]struct{ headers, body string }{
		"length and chunks":                  {"Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n" + inner},
		"chunks and length":                  {"Transfer-Encoding: chunked\r\nContent-Length: 4", "0\r\n\r\n" + inner},
		"chunks and a longer length":         {"Transfer-Encoding: chunked\r\nContent-Length: 200", "0\r\n\r\n" + inner},
		"two lengths":                        {"Content-Length: 0\r\nContent-Length: 90", inner},
		"two lengths in one":                 {"Content-Length: 0, 90", inner},
		"a length with a sign":               {"Content-Length: +0", inner},
		"a negative length":                  {"Content-Length: -1", inner},
		"a hexadecimal length":               {"Content-Length: 0x0", inner},
		"a length with a blank":              {"Content-Length : 0", inner},
		"a length with an underscore":        {"Content_Length: 90\r\nContent-Length: 0", inner},
		"an unknown coding":                  {"Transfer-Encoding: xchunked", "0\r\n\r\n" + inner},
		"two codings":                        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n" + inner},
		"two codings in one":                 {"Transfer-Encoding: identity, chunked", "0\r\n\r\n" + inner},
		"chunked twice":                      {"Transfer-Encoding: chunked, chunked", "0\r\n\r\n" + inner},
		"a coding in quotes":                 {"Transfer-Encoding: \"chunked\"", "0\r\n\r\n" + inner},
		"a coding with a vertical tab":       {"Transfer-Encoding:\x0bchunked", "0\r\n\r\n" + inner},
		"a coding with a blank":              {"Transfer-Encoding : chunked", "0\r\n\r\n" + inner},
		"a coding with an underscore":        {"Transfer_Encoding: chunked", "0\r\n\r\n" + inner},
		"a folded coding":                    {"Transfer-Encoding:\r\n chunked", "0\r\n\r\n" + inner},
		"a coding after a bare newline":      {"X-Other: 1\nTransfer-Encoding: chunked", "0\r\n\r\n" + inner},
		"a chunk size that overflows":        {"Transfer-Encoding: chunked", "10000000000000000\r\n" + inner},
		"a chunk size with a sign":           {"Transfer-Encoding: chunked", "+0\r\n\r\n" + inner},
		"a chunk extension with a newline":   {"Transfer-Encoding: chunked", "1;\nx\r\na\r\n0\r\n\r\n" + inner},
		"a chunk that ends in bare newlines": {"Transfer-Encoding: chunked", "1\na\n0\n\n" + inner},
		"a chunk longer than it says":        {"Transfer-Encoding: chunked", "1\r\nabc\r\n0\r\n\r\n" + inner},
		"no end":                             {"Transfer-Encoding: chunked", "5\r\nab"},
		"another request behind it":          {"Content-Length: 0", inner},
		"an interim answer asked for":        {"Expect: 100-continue\r\nContent-Length: 0", inner},
		"a body of a GET":                    {"Content-Length: 90", inner},
	} {
		for _, path := range []string{"/public/x", "/private"} {
			for _, b := range []*harness.Client{in, out} {
				for _, method := range []string{"POST", "GET"} {
					if method == "GET" && path == "/private" {
						continue
					}
					var answer string
					got := reached(g, func() {
						answer = exchange(t, b, method+" "+path+" HTTP/1.1\r\nHost: "+b.Base.Host+"\r\n"+b.CookieLine()+"\r\n"+c.headers+"\r\n\r\n"+c.body)
					})
					for _, received := range got {
						// A second request on the connection is judged by itself:
						// it has no session, so it never reaches the app.
						if received.URI != path || strings.Contains(received.Head, "mallory") && !strings.Contains(received.Head, "\r\n\r\n") {
							t.Errorf("%s %s %s: the app received\n%s", name, method, path, received.Head)
						}
					}
					if len(got) > 1 || b == out && path == "/private" && len(got) > 0 {
						t.Errorf("%s %s %s: %d requests to the app, %.60q", name, method, path, len(got), answer)
					}
				}
			}
		}
	}
	// Lines that are no request.
	for _, line := range []string{
		"GET /private", "GET  /private HTTP/1.1", "GET /private HTTP/1.1 x", "GET /private HTTP/9.9", "GET /private http/1.1", "GET\t/private\tHTTP/1.1",
		"/private", "GET", " GET /private HTTP/1.1", "GET /pri vate HTTP/1.1", "GET /private\x00 HTTP/1.1", "G\x00T /private HTTP/1.1", "GET(/private HTTP/1.1", "HTTP/1.1 200 OK", "100 CONTINUE",
	} {
		if got := reached(g, func() { exchange(t, out, line+"\r\nHost: "+out.Base.Host+"\r\n\r\n") }); len(got) > 0 {
			t.Errorf("%q: the app received\n%s", line, got[0].Head)
		}
	}
}

// exchange sends bytes and returns what comes back. Some of these requests have
// no end: when nothing comes for a while, it says that no more will follow.
func exchange(t *testing.T, b *harness.Client, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+b.Base.Port())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(request))
	var answer bytes.Buffer
	buf := make([]byte, 4096)
	for patience := 300 * time.Millisecond; ; {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(buf)
		answer.Write(buf[:n])
		switch {
		case err == nil:
			patience = 20 * time.Millisecond
		case errors.Is(err, os.ErrDeadlineExceeded) && answer.Len() == 0 && patience < time.Second:
			patience = 5 * time.Second
			_ = conn.(*net.TCPConn).CloseWrite()
		default:
			return answer.String()
		}
	}
}

// withTLS starts a gate that Caddy terminates TLS for, beside the one on
// loopback.
func withTLS(t *testing.T) (g *harness.Gate, base string, roots *x509.CertPool) {
	t.Helper()
	cert, key, roots := harness.Certificate(t, "app.example.test")
	g = harness.StartGate(t, "", "", func(o *harness.Options) {
		o.Ports = []string{"TLS"}
		o.Env = map[string]string{"CERT": cert, "KEY": key}
		o.Sites += "\nhttps://app.example.test:{$TLS} {\ntls {$CERT} {$KEY}\nlog\nauth_gateway {\npublic /public/*\n}\nreverse_proxy {$APP}\n}"
	})
	return g, "https://app.example.test:" + g.Env("TLS"), roots
}

// The cookies' attributes with and without TLS, and no cookie of the one counts
// on the other.
func TestCookieAttributes(t *testing.T) {
	t.Parallel()
	g, base, roots := withTLS(t)
	g.AddUser(alice)
	secure, plain := g.Browser(harness.At(base), harness.Trust(roots)), g.Browser()
	for name, c := range map[string]struct {
		client *harness.Client
		secure bool
	}{"plain http on loopback": {plain, false}, "https": {secure, true}} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			page := c.client.Open("/private")
			page = c.client.Submit(page.Form("password").Set("email", alice).Set("password", harness.Password)).Want(http.StatusSeeOther)
			response := http.Response{Header: page.Header}
			found := false
			for _, cookie := range response.Cookies() {
				if strings.HasPrefix(cookie.Name, "__Host-") != c.secure || cookie.Secure != c.secure {
					t.Errorf("%s, Secure %v", cookie.Name, cookie.Secure)
				}
				if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
					t.Errorf("%v", cookie.Raw)
				}
				found = found || strings.TrimPrefix(cookie.Name, "__Host-") == "auth_gateway"
			}
			if !found {
				t.Error("no session cookie")
			}
			g.WantIn(c.client, alice)
		})
	}
	// Whoever can set a cookie from a sibling host or over plain HTTP cannot
	// write one with the prefix; one without it counts for nothing here.
	r := g.Program(harness.At(base), harness.Trust(roots)).Request(http.MethodGet, "/private", nil)
	r.Header.Set("Cookie", "auth_gateway="+secure.Session().Value)
	if page := g.Program(harness.At(base), harness.Trust(roots)).Send(r); page.Status != http.StatusUnauthorized {
		t.Errorf("without the prefix: %v", page)
	}
}

// h2 is a connection that says what no client would.
type h2 struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	stream uint32
}

// dialH2 opens a connection over TLS.
func dialH2(t *testing.T, base string, roots *x509.CertPool) *h2 {
	t.Helper()
	address := "127.0.0.1" + base[strings.LastIndexByte(base, ':'):]
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: "app.example.test", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, http2.ClientPreface)
	h := &h2{t: t, conn: conn, framer: http2.NewFramer(conn, conn), stream: 1}
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := h.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return h
}

// ask sends a request's fields, name and value by turns, and returns the status
// of the answer, "" when the stream or connection ended without one.
func (h *h2) ask(fields ...string) string {
	h.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	stream := h.stream
	h.stream += 2
	if err := h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
		return ""
	}
	for {
		frame, err := h.framer.ReadFrame()
		if err != nil {
			return ""
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if frame.StreamID == stream {
				return frame.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == stream {
				return ""
			}
		case *http2.GoAwayFrame:
			return ""
		}
	}
}

// HTTP/2 has its own ways to say what the path, the host and the headers are.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	g, base, roots := withTLS(t)
	g.AddUser(alice)
	in := g.Browser(harness.At(base), harness.Trust(roots))
	if page := in.SignIn("/", alice, harness.Password); !page.FromApp() {
		t.Fatalf("%v", page)
	}
	host := strings.TrimPrefix(base, "https://")
	cookie := strings.TrimPrefix(in.CookieLine(), "Cookie: ")
	request := func(method, scheme, authority, path string, more ...string) []string {
		return append([]string{":method", method, ":scheme", scheme, ":authority", authority, ":path", path}, more...)
	}
	refused := []string{"", "400", "401", "403", "404", "405", "421"}
	for name, fields := range map[string][]string{
		"nobody":                            request("GET", "https", host, "/private"),
		"dot segments":                      request("GET", "https", host, "/public/../private"),
		"encoded dot segments":              request("GET", "https", host, "/public/%2e%2e/private"),
		"doubled slashes":                   request("GET", "https", host, "//public/x"),
		"a path without a slash":            request("GET", "https", host, "public/x"),
		"a whole address as the path":       request("GET", "https", host, "https://app.example.test/public/../private"),
		"another host in the path":          request("GET", "https", host, "http://evil.test/private"),
		"a blank in the path":               request("GET", "https", host, "/public/x /../../private"),
		"a fragment":                        request("GET", "https", host, "/private#/public/x"),
		"a newline in the path":             request("GET", "https", host, "/public/x\r\nX: y"),
		"an empty path":                     request("GET", "https", host, ""),
		"a star":                            request("OPTIONS", "https", host, "*"),
		"two paths":                         request("GET", "https", host, "/public/x", ":path", "/private"),
		"a path after the headers":          {":method", "GET", ":scheme", "https", ":authority", host, "x-other", "1", ":path", "/public/x"},
		"an unknown pseudo-header":          request("GET", "https", host, "/public/x", ":remote-user", "alice"),
		"capitals":                          request("GET", "https", host, "/public/x", "Remote-User", "mallory"),
		"a header of HTTP/1.1":              request("GET", "https", host, "/public/x", "connection", "remote-user"),
		"a coding of HTTP/1.1":              request("GET", "https", host, "/public/x", "transfer-encoding", "chunked"),
		"a newline in a header":             request("GET", "https", host, "/public/x", "x-other", "a\r\nremote-user: mallory"),
		"a newline in a name":               request("GET", "https", host, "/public/x", "x-other\r\nremote-user", "mallory"),
		"a colon in a name":                 request("GET", "https", host, "/public/x", "remote-user:x", "mallory"),
		"a scheme that is none":             request("GET", "javascript", host, "/private"),
		"another scheme":                    request("GET", "http", host, "/private"),
		"another authority":                 request("GET", "https", "evil.test", "/private"),
		"user information in the authority": request("GET", "https", "x@"+host, "/private"),
		"no authority":                      {":method", "GET", ":scheme", "https", ":path", "/private", "host", host},
		"another host beside the authority": request("GET", "https", host, "/private", "host", "evil.test"),
		"a WebSocket":                       request("CONNECT", "https", host, "/public/ws", ":protocol", "websocket", "origin", base, "sec-websocket-version", "13"),
		"a tunnel":                          {":method", "CONNECT", ":authority", host},
		"another protocol":                  request("CONNECT", "https", host, "/public/x", ":protocol", "connect-udp"),
		"signed in, a WebSocket of another": request("CONNECT", "https", host, "/ws", ":protocol", "websocket", "origin", "https://evil.test", "sec-websocket-version", "13", "cookie", cookie),
		"signed in, another protocol":       request("CONNECT", "https", host, "/x", ":protocol", "connect-udp", "cookie", cookie),
	} {
		var status string
		got := reached(g, func() { status = dialH2(t, base, roots).ask(fields...) })
		// Another authority on this connection is another site of Caddy's: none.
		empty := status == "200" && strings.Contains(name, "authority") || status == "200" && name == "a star"
		if !slices.Contains(refused, status) && !empty || len(got) > 0 {
			t.Errorf("%s: status %q, %d requests to the app", name, status, len(got))
		}
	}
	// Cookies may come in crumbs, and headers under any spelling that is left.
	h := dialH2(t, base, roots)
	var crumbs []string
	for pair := range strings.SplitSeq("theme=dark; "+cookie, "; ") {
		crumbs = append(crumbs, "cookie", pair)
	}
	got := reached(g, func() {
		if status := h.ask(request("GET", "https", host, "/private", append(crumbs, "remote-user", "mallory", "remote_user", "mallory", "remote.user", "mallory")...)...); status != "200" {
			t.Errorf("crumbs: status %q", status)
		}
	})
	if len(got) != 1 || got[0].Header.Get("Remote-User") != alice || strings.Contains(got[0].Head, "mallory") || strings.Contains(got[0].Head, "auth_gateway=") {
		t.Errorf("the app received %v", got)
	}
}
