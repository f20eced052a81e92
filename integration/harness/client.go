package harness

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Client sends requests and keeps cookies, as one browser does. It follows no
// redirect by itself.
type Client struct {
	// Base is what paths are relative to.
	Base *url.URL
	// Header are sent with every request.
	Header http.Header
	// Jar holds the cookies.
	Jar http.CookieJar

	t    testing.TB
	http *http.Client
	// secret is told of cookies and codes.
	secret func(what, value string)

	// Persistent clients send a request again when its connection ended
	// before any answer. That happens to connections that wait at a listener
	// of Caddy's, or have only just been taken from it, while Caddy puts
	// another in its place.
	Persistent bool
}

// ClientOption changes how a client connects.
type ClientOption func(*Client, *net.Dialer, *http.Transport)

// From has the client connect from an address of 127.0.0.0/8 or ::1.
func From(address string) ClientOption {
	return func(_ *Client, d *net.Dialer, _ *http.Transport) {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(address)}
	}
}

// Trust has the client believe certificates of roots.
func Trust(roots *x509.CertPool) ClientOption {
	return func(_ *Client, _ *net.Dialer, tr *http.Transport) {
		tr.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
}

// At has the client's paths be relative to another address than {$SITE}.
func At(base string) ClientOption {
	return func(c *Client, _ *net.Dialer, _ *http.Transport) {
		u, err := url.Parse(base)
		if err != nil {
			c.t.Fatal(err)
		}
		c.Base = u
	}
}

// WithHeader sends a header with every request.
func WithHeader(name, value string) ClientOption {
	return func(c *Client, _ *net.Dialer, _ *http.Transport) { c.Header.Set(name, value) }
}

// Browser returns a client that says of itself what a browser says.
func (c *Caddy) Browser(options ...ClientOption) *Client {
	c.t.Helper()
	options = append([]ClientOption{
		WithHeader("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
		WithHeader("Accept-Language", "en"),
		WithHeader("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) harness"),
		WithHeader("Sec-Fetch-Mode", "navigate"),
		WithHeader("Sec-Fetch-Dest", "document"),
		WithHeader("Sec-Fetch-Site", "none"),
	}, options...)
	return c.Program(options...)
}

// Program returns a client that says nothing of itself.
func (c *Caddy) Program(options ...ClientOption) *Client {
	c.t.Helper()
	client := NewClient(c.t, c.URL, options...)
	client.secret = c.Secret
	return client
}

// NewClient returns a client of any server on this machine: every host name
// leads to 127.0.0.1.
func NewClient(t testing.TB, base string, options ...ClientOption) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{t: t, Header: http.Header{}, Jar: jar, secret: func(string, string) {}}
	dialer := &net.Dialer{Timeout: patience}
	transport := &http.Transport{MaxIdleConnsPerHost: 4, DisableCompression: true}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if net.ParseIP(host) == nil {
			host = "127.0.0.1"
		}
		return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
	}
	At(base)(c, dialer, transport)
	for _, option := range options {
		option(c, dialer, transport)
	}
	c.http = &http.Client{
		Transport:     transport,
		Jar:           jar,
		Timeout:       2 * patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// Request makes a request for a path or address.
func (c *Client) Request(method, target string, body io.Reader) *http.Request {
	c.t.Helper()
	u, err := c.Base.Parse(target)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequest(method, u.String(), body)
	if err != nil {
		c.t.Fatal(err)
	}
	maps.Copy(r.Header, c.Header.Clone())
	return r
}

// Send sends a request and reads the answer.
func (c *Client) Send(r *http.Request) *Page {
	c.t.Helper()
	page, err := c.TrySend(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return page
}

// TrySend likewise, where no answer is possible too.
func (c *Client) TrySend(r *http.Request) (*Page, error) {
	resp, err := c.http.Do(r)
	for range 3 {
		if !c.Persistent || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			break
		}
		if r.GetBody != nil {
			r.Body, _ = r.GetBody() // of a string: never an error
		}
		resp, err = c.http.Do(r)
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	for _, cookie := range resp.Cookies() {
		if len(cookie.Value) >= 16 {
			c.secret("the cookie "+cookie.Name, cookie.Value)
		}
	}
	if location, err := resp.Location(); err == nil {
		if code := location.Query().Get("code"); len(code) >= 16 {
			c.secret("an authorization code", code)
		}
	}
	return &Page{Status: resp.StatusCode, Header: resp.Header, Body: body, URL: r.URL, t: c.t}, nil
}

// Do sends a request without a body.
func (c *Client) Do(method, target string) *Page {
	c.t.Helper()
	return c.Send(c.Request(method, target, nil))
}

// Get asks for a path or address.
func (c *Client) Get(target string) *Page {
	c.t.Helper()
	return c.Do(http.MethodGet, target)
}

// Open likewise, and goes where it is sent.
func (c *Client) Open(target string) *Page {
	c.t.Helper()
	return c.Follow(c.Get(target))
}

// Follow goes where an answer sends it, over at most 20 redirects. What comes
// after another site was visited is cross-site, as it is for browsers.
func (c *Client) Follow(p *Page) *Page {
	c.t.Helper()
	crossed := false
	for range 20 {
		if p.Status < 300 || p.Status > 399 || p.Header.Get("Location") == "" {
			return p
		}
		target := p.Location()
		crossed = crossed || target.Host != p.URL.Host
		r := c.Request(http.MethodGet, target.String(), nil)
		if crossed && r.Header.Get("Sec-Fetch-Site") != "" {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		p = c.Send(r)
	}
	c.t.Fatalf("redirects without end: %v", p)
	return nil
}

// Post sends a form's values as a page of the same site does.
func (c *Client) Post(target string, values url.Values) *Page {
	c.t.Helper()
	r := c.Request(http.MethodPost, target, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if r.Header.Get("Sec-Fetch-Site") != "" {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	return c.Send(r)
}

// Submit sends a form.
func (c *Client) Submit(f *Form) *Page {
	c.t.Helper()
	if f.Method == http.MethodGet {
		u := *f.Action
		u.RawQuery = f.Values.Encode()
		return c.Get(u.String())
	}
	return c.Post(f.Action.String(), f.Values)
}

// SubmitAndFollow sends a form and goes where it is sent.
func (c *Client) SubmitAndFollow(f *Form) *Page {
	c.t.Helper()
	return c.Follow(c.Submit(f))
}

// SignIn asks for a path, signs in with a password and goes where it is sent:
// the app, or the next step.
func (c *Client) SignIn(path, email, password string) *Page {
	c.t.Helper()
	page := c.Open(path)
	if !page.HasForm("password") {
		c.t.Fatalf("no password form: %v", page)
	}
	return c.SubmitAndFollow(page.Form("password").Set("email", email).Set("password", password))
}

// Whoami returns the identity that the gateway gives this client, nil without
// a session.
func (c *Client) Whoami() map[string]any {
	c.t.Helper()
	r := c.Request(http.MethodGet, "/auth-gateway/whoami", nil)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	page := c.Send(r)
	if page.Status == http.StatusUnauthorized {
		return nil
	}
	page.Want(http.StatusOK)
	var identity map[string]any
	page.JSON(&identity)
	return identity
}

// Cookies returns the cookies that the client would send to its site.
func (c *Client) Cookies() []*http.Cookie { return c.Jar.Cookies(c.Base) }

// Session returns the session cookie, nil without one.
func (c *Client) Session() *http.Cookie {
	for _, cookie := range c.Cookies() {
		if strings.TrimPrefix(cookie.Name, "__Host-") == "auth_gateway" {
			return cookie
		}
	}
	return nil
}

// SetCookies puts cookies into the client's jar.
func (c *Client) SetCookies(cookies ...*http.Cookie) {
	for _, cookie := range cookies {
		set := *cookie
		set.Path = "/"
		c.Jar.SetCookies(c.Base, []*http.Cookie{&set})
	}
}

// Stream sends a request and returns the answer unread, for streams.
func (c *Client) Stream(r *http.Request) *http.Response {
	c.t.Helper()
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// Raw sends bytes over a connection of its own and returns all that comes
// back. The connection is closed by the server, so say "Connection: close".
func (c *Client) Raw(request string) []byte {
	c.t.Helper()
	conn, err := c.http.Transport.(*http.Transport).DialContext(c.t.Context(), "tcp", c.Base.Host)
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.Copy(conn, bytes.NewReader([]byte(request))); err != nil {
		c.t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 {
		c.t.Fatal(err)
	}
	return answer
}
