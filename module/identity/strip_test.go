package identity

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// arrived says what of a request an app sees, header by header.
type arrived struct{ header, trailer http.Header }

// app reads a request as an app does that believes headers: body first, since
// the trailers come with its end.
func app(h *Headers, seen chan<- arrived) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Strip(r)
		// Caddy hands copies of the request on.
		outer := r
		r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, nil))
		_, err := io.Copy(io.Discard, r.Body)
		trailer := r.Trailer.Clone()
		if trailer == nil {
			trailer = make(http.Header)
		}
		for name, values := range outer.Trailer {
			trailer[name] = values
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
		seen <- arrived{r.Header, trailer}
	})
}

// attacks are headers with which somebody says who they are.
var attacks = []string{
	"Remote-User: admin", "remote-user: admin", "REMOTE-USER: admin", "rEmOtE-uSeR: admin",
	"Remote_User: admin", "remote_user: admin", "Remote.User: admin", "REMOTE_USER: admin", "Remote-User: ", "Remote+User: admin", "Remote~User: admin",
	"Remote-User: a\r\nRemote-User: b", "Remote-User: a\r\nremote_user: b\r\nRemote.User: c",
	"Remote-Id: 1", "Remote-Email: a@b.test", "Remote-Name: x", "Remote-Role: admin", "Remote-Groups: admin",
	"Remote-Organizations: x", "Remote-Organization-Ids: 1", "remote-organization_ids: 1", "Remote-Tags: x", "Remote-Phone: 1",
	"Remote-Locale: ja", "Remote-Picture: x", "Remote-External-Id: 1", "Remote_External.Id: 1",
	"Remote-Field-Team: red", "remote_field_team: red", "Remote.Field.Team: red", "Remote-Field-: red", "Remote-Field-" + strings.Repeat("x", 300) + ": red",
	"X-Forwarded-User: admin", "x_forwarded_user: admin", "X-Forwarded-Email: a@b.test", "X-Forwarded-Preferred-Username: x", "X-Forwarded-Groups: admin",
	"X-Auth-Request-User: admin", "X-Auth-Request-Email: a@b.test", "X-Auth-Request-Preferred-Username: x", "X-Auth-Request-Groups: admin", "X.Auth.Request.Groups: admin",
	"X-Auth-Gateway-Assertion: ey", "x_auth_gateway_assertion: ey",
	"X-Original-URL: /public", "x_original_url: /public", "X-Rewrite-Url: /public",
	"X-Webauth-User: admin", "X_WEBAUTH_USER: admin", "1-Team: red", "1_team: red",
}

// connections are what they put into Connection to have the gateway's headers
// removed behind it.
var connections = []string{
	"Connection: Remote-User", "Connection: close, Remote-User", "connection: remote_user, close", "Connection: REMOTE.ROLE",
	"Connection: close\r\nConnection: X-Webauth-User", "Connection: Remote-Field-Team", "Connection: ,,remote-user,,", "Connection: X-Auth-Gateway-Assertion",
}

var extraHeaders = map[string]string{"X-Webauth-User": "email", "1-Team": "field.team"}

// TestStripHTTP1 speaks HTTP/1.1 by hand to a real server.
func TestStripHTTP1(t *testing.T) {
	for _, preset := range []string{PresetRemote, PresetXForwarded, PresetXAuthRequest, PresetNone} {
		seen := make(chan arrived, 1)
		server := httptest.NewServer(app(newHeaders(t, preset, extraHeaders), seen))
		defer server.Close()

		for _, attack := range slices.Concat(attacks, connections) {
			got := sendRaw(t, server, "GET / HTTP/1.1\r\nHost: a.test\r\n"+attack+"\r\nX-Other: 1\r\n\r\n", seen)
			delete(got.header, "X-Other")
			for _, value := range got.header["Connection"] {
				if value != "close" {
					t.Errorf("%s: %q: Connection is %q", preset, attack, value)
				}
			}
			delete(got.header, "Connection")
			if len(got.header) > 0 {
				t.Errorf("%s: %q: the app sees %v", preset, attack, got.header)
			}
		}

		for _, attack := range attacks {
			name, _, _ := strings.Cut(attack, ":")
			for _, announced := range []string{"", "Trailer: X-Ok\r\n", "Trailer: " + name + "\r\n", "Trailer: X-Ok, " + name + "\r\n", "Trailer: X-Ok\r\nTrailer: " + name + "\r\n"} {
				raw := "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n" + announced + "\r\n3\r\nabc\r\n0\r\nX-Ok: 1\r\n" + attack + "\r\n\r\n"
				got := sendRaw(t, server, raw, seen)
				if strings.Contains(announced, "X-Ok") && got.trailer.Get("X-Ok") != "1" {
					t.Errorf("%s: %q after %q: a trailer of the app's own is lost: %v", preset, attack, announced, got.trailer)
				}
				delete(got.trailer, "X-Ok")
				if len(got.trailer) > 0 || len(got.header) > 0 {
					t.Errorf("%s: %q after %q: the app sees %v and the trailers %v", preset, attack, announced, got.header, got.trailer)
				}
			}
		}
	}
}

// sendRaw sends a request as it is written and returns what the app saw.
func sendRaw(t *testing.T, server *httptest.Server, raw string, seen <-chan arrived) arrived {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%q: the server answers %s", raw, response.Status)
	}
	return <-seen
}

// TestStripHTTP2 has a real client announce and send trailers.
func TestStripHTTP2(t *testing.T) {
	seen := make(chan arrived, 1)
	server := httptest.NewUnstartedServer(app(newHeaders(t, "", nil), seen))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}

	body := struct{ io.Reader }{strings.NewReader("abc")} // of unknown length
	request, err := http.NewRequest(http.MethodPost, server.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Remote-User": {"admin", "root"}, "remote_user": {"admin"}, "X-Other": {"1"}}
	request.Trailer = http.Header{"Remote-User": {"admin"}, "Remote_role": {"admin"}, "X-Ok": {"1"}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	got := <-seen
	if response.ProtoMajor != 2 {
		t.Fatalf("spoken was %s", response.Proto)
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(got.header)), slices.Collect(maps.Keys(got.trailer))) {
		if strings.HasPrefix(strings.ToLower(name), "remote") {
			t.Errorf("the app sees %s", name)
		}
	}
	if got.header.Get("X-Other") != "1" || got.trailer.Get("X-Ok") != "1" {
		t.Errorf("something of the app's own is lost: %v, %v", got.header, got.trailer)
	}
}

func TestStripKeepsTheRest(t *testing.T) {
	h := newHeaders(t, "", extraHeaders)
	header := http.Header{
		"Accept": {"*/*"}, "Remote": {"1"}, "Remote-": {"1"}, "Remote-Users": {"1"}, "Remote-Fieldx": {"1"}, "Remoteuser": {"1"}, "X-Remote-User": {"1"},
		"X-Forwarded-For": {"1.2.3.4"}, "X-Forwarded-Proto": {"https"}, "X-Request-Id": {"1"}, "Authorization": {"Bearer x"}, "": {"1"},
		"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}, "Trailer": {"X-Ok"}, "User-Agent": {"x"},
	}
	r := &http.Request{Header: header.Clone()}
	h.Strip(r)
	for name := range header {
		if !slices.Equal(r.Header[name], header[name]) {
			t.Errorf("%q was %q and is %q", name, header[name], r.Header[name])
		}
	}

	r = &http.Request{Header: http.Header{"Connection": {"keep-alive, Remote-User", "x-other,remote_id"}, "Trailer": {"Remote-User"}}}
	h.Strip(r)
	if got := r.Header["Connection"]; !slices.Equal(got, []string{"keep-alive, x-other"}) {
		t.Errorf("Connection: got %q", got)
	}
	if got, ok := r.Header["Trailer"]; ok {
		t.Errorf("Trailer: got %q", got)
	}
}

// sluggish is a body that fails on the way.
type sluggish struct{ trailer http.Header }

var errSluggish = errors.New("cut off")

func (b *sluggish) Read([]byte) (int, error) {
	b.trailer["Remote-User"] = []string{"admin"}
	return 0, errSluggish
}

func (b *sluggish) Close() error { b.trailer["Remote-Role"] = []string{"admin"}; return errSluggish }

func TestStripTrailersOfABodyThatFails(t *testing.T) {
	h := newHeaders(t, "", nil)
	trailer := http.Header{"X-Ok": nil}
	r := &http.Request{Header: make(http.Header), Trailer: trailer, Body: &sluggish{trailer}}
	h.Strip(r)
	if _, err := r.Body.Read(make([]byte, 1)); !errors.Is(err, errSluggish) || len(trailer) != 1 {
		t.Errorf("got error %v and trailers %v", err, trailer)
	}
	if err := r.Body.Close(); !errors.Is(err, errSluggish) || len(trailer) != 1 {
		t.Errorf("got error %v and trailers %v", err, trailer)
	}
}

// browserRequest is a request as a browser sends it.
func browserRequest() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Cookie", "Referer", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
		"Sec-Fetch-Site", "Sec-Fetch-User", "Upgrade-Insecure-Requests", "User-Agent", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id",
	} {
		r.Header.Set(name, "x")
	}
	r.Header.Set("Connection", "keep-alive")
	return r
}

func TestStripAllocatesNothing(t *testing.T) {
	h, r := newHeaders(t, "", extraHeaders), browserRequest()
	if n := testing.AllocsPerRun(100, func() { h.Strip(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkStrip(b *testing.B) {
	h, r := newHeaders(b, "", extraHeaders), browserRequest()
	b.Run("nothing", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.Strip(r)
		}
	})
	b.Run("attack", func(b *testing.B) {
		value := []string{"admin"}
		b.ReportAllocs()
		for b.Loop() {
			for i := range 10 {
				r.Header[attackNames[i]] = value
			}
			h.Strip(r)
		}
	})
}

var attackNames = func() (names []string) {
	for i := range 10 {
		names = append(names, fmt.Sprintf("Remote-Field-%d", i))
	}
	return names
}()
