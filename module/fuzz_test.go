package module

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

func init() { caddy.RegisterModule(new(arrivalProbe)) }

// arrivalProbe stands around a gateway and notes what that makes of a request.
type arrivalProbe struct {
	GatewayRaw json.RawMessage `json:"gateway"`
	gateway    *Gateway
}

// noticed is what an arrivalProbe noted.
type noticed struct {
	visit   policy.Visit
	public  bool
	own     bool
	refused bool
	reached bool // the app
	arrived bool // Caddy itself did not refuse it
}

type noticedKey struct{}

func (*arrivalProbe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.arrival_probe", New: func() caddy.Module { return new(arrivalProbe) }}
}

func (p *arrivalProbe) Provision(ctx caddy.Context) error {
	loaded, err := ctx.LoadModuleByID("http.handlers.auth_gateway", p.GatewayRaw)
	if err != nil {
		return err
	}
	p.gateway = loaded.(*Gateway)
	return nil
}

func (p *arrivalProbe) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	n := r.Context().Value(noticedKey{}).(*noticed)
	a, refusal := p.gateway.arrive(r)
	n.visit, n.public, n.own, n.refused, n.arrived = p.gateway.visit(r, a), a.public, a.own, refusal != nil, true
	return p.gateway.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		n.reached = true
		return nil
	}))
}

// The rules of the site that FuzzArrival knocks at, and who is trusted there.
var (
	fuzzPublic  = []string{"/public/*", "/assets*", "/assets/private/readme", "/favicon.ico", "/日本/*"}
	fuzzTheirs  = []string{"/shop/*", "/assets/private/*", "/public/Internal"}
	fuzzTrusted = netip.MustParsePrefix("10.0.0.0/8")
)

// fuzzServers starts a Caddy with two sites, of one audience and of two, and
// returns their servers.
func fuzzServers(f *testing.F) map[string]*caddyhttp.Server {
	f.Helper()
	theirs := make(map[string]string)
	for _, pattern := range fuzzTheirs {
		theirs[pattern] = "customers"
	}
	server := func(gateway *Gateway) map[string]any {
		return map[string]any{
			"listen": []string{"unix/" + filepath.Join(f.TempDir(), "s")}, "automatic_https": map[string]any{"disable": true},
			"trusted_proxies": map[string]any{"source": "static", "ranges": []string{fuzzTrusted.String()}}, "trusted_proxies_strict": 1,
			"routes": []any{map[string]any{"handle": []any{map[string]any{"handler": "arrival_probe", "gateway": gateway}}}},
		}
	}
	config, err := json.Marshal(map[string]any{
		"admin":   map[string]any{"disabled": true},
		"logging": map[string]any{"logs": map[string]any{"default": map[string]any{"level": "PANIC"}}},
		"storage": map[string]any{"module": "file_system", "root": f.TempDir()},
		"apps": map[string]any{
			"auth_gateway": map[string]any{
				"store":     map[string]any{"path": filepath.Join(f.TempDir(), "test.db")},
				"audiences": map[string]any{"team": map[string]any{}, "customers": map[string]any{}},
			},
			"http": map[string]any{"servers": map[string]any{
				"one": server(&Gateway{Audience: "team", Public: fuzzPublic}),
				"two": server(&Gateway{Audience: "team", Public: fuzzPublic, AudiencePaths: theirs}),
			}},
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = caddy.Stop() })
	loaded, err := caddy.ActiveContext().App("http")
	if err != nil {
		f.Fatal(err)
	}
	return loaded.(*caddyhttp.App).Servers
}

// knock sends a request as it comes over the wire from an address, with one
// more header, and returns what was noted of it, nil if net/http or Caddy
// refuses it.
func knock(t *testing.T, server *caddyhttp.Server, from, target, header string) *noticed {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: app.example.test\r\n" + header + "\r\n")))
	if err != nil {
		return nil
	}
	n := new(noticed)
	r.RemoteAddr = from
	r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: "app.example.test"}
	r = r.WithContext(context.WithValue(t.Context(), noticedKey{}, n))
	server.ServeHTTP(httptest.NewRecorder(), r)
	if !n.arrived {
		return nil
	}
	return n
}

// FuzzArrival: nobody who is not signed in reaches the app but on a path that
// is public however an app reads it; and what stands in any header decides
// neither that nor whose address it is, unless a trusted proxy sends it.
func FuzzArrival(f *testing.F) {
	servers := fuzzServers(f)
	for _, target := range []string{
		"/", "/public/", "/public/a", "/public", "/assets", "/assets/private/x", "/assets/private/readme", "/assets/PRIVATE/x", "/favicon.ico",
		"/public/../x", "/public/%2e%2e/x", "/public/..%2fx", "/public/..%5cx", "/public/..;/x", "/public/%252e%252e/x", "/public//x", "//public/x",
		"/public%2fx", "/public/%00", "/publi%63/x", "/%E6%97%A5%E6%9C%AC/x", "/public/Internal", "/public/internal", "/public/%49nternal",
		"http://other.test/public/x", "/public/x?/../y", "/public/x#/y", "/public/..#", "/public/..%3F", "/public/internal%23", "/public/internal%3F", "*", "/auth-gateway/sign-in", "/public/a%20b", "/PUBLIC/x", "/public/.\\x",
		"/public%2f`", "/public/%2e%2e%2f^", "/public/%61\"",
	} {
		f.Add(target, "X-Forwarded-For", "203.0.113.7")
	}
	for _, header := range []string{
		"X-Forwarded-For: 203.0.113.7, 10.0.0.2", "X-Forwarded-For: 10.1.1.1", "X-Real-Ip: 203.0.113.7", "Forwarded: for=203.0.113.7;proto=http;host=evil.test",
		"X-Forwarded-Host: evil.test", "X-Forwarded-Proto: http", "True-Client-Ip: 203.0.113.7", "Cf-Connecting-Ip: ::1", "X-Original-Url: /public/x",
		"X-Rewrite-Url: /public/x", "X-Forwarded-Prefix: /public", "X-Forwarded-For: ::ffff:203.0.113.7", "X-Forwarded-For: [2001:db8::1]:80, garbage",
		"X-Http-Method-Override: TRACE", "Host: evil.test", "Via: 1.1 x", "X-Forwarded-For: 203.0.113.7%eth0", "Upgrade: websocket", "Early-Data: 1",
	} {
		name, value, _ := strings.Cut(header, ": ")
		f.Add("/private", name, value)
		f.Add("/public/x", name, value)
	}
	f.Fuzz(func(t *testing.T, target, name, value string) {
		if strings.ContainsAny(target, " \r\n") {
			t.Skip("ends the request line")
		}
		header := fmt.Sprintf("%s: %s\r\n", name, value)
		for site, server := range servers {
			bare := knock(t, server, "198.51.100.7:4000", target, "")
			if bare == nil {
				return
			}
			if bare.reached != bare.public || bare.own && bare.reached {
				t.Fatalf("%s, %s: %+v", site, target, bare)
			}
			if bare.reached && !isPublicToAll(target, site == "two") {
				t.Fatalf("%s: %s reached the app", site, target)
			}
			if untold := knock(t, server, "198.51.100.7:4000", target, header); untold != nil {
				if untold.visit != bare.visit || untold.reached && !bare.reached {
					t.Fatalf("%s, %s: %s changes %+v to %+v", site, target, header, bare, untold)
				}
			}
			if told := knock(t, server, "10.0.0.1:4000", target, header); told != nil {
				client := told.visit.Client
				told.visit.Client, told.visit.Forgeable = bare.visit.Client, bare.visit.Forgeable
				if told.visit != bare.visit || told.reached && !bare.reached {
					t.Fatalf("%s, %s: %s of a trusted proxy changes %+v to %+v", site, target, header, bare, told)
				}
				if client != netip.MustParseAddr("10.0.0.1") && !mayBeClient(client, header) {
					t.Fatalf("%s of a trusted proxy makes the client %s", header, client)
				}
			}
		}
	})
}

// mayBeClient reports whether an address stands in X-Forwarded-For as a whole
// word with nobody but trusted proxies, and what is no address, behind it.
func mayBeClient(client netip.Addr, header string) bool {
	var words []string
	for line := range strings.SplitSeq(header, "\n") {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "X-Forwarded-For") {
			words = append(words, strings.Split(value, ",")...)
		}
	}
	for i := len(words) - 1; i >= 0; i-- {
		word := strings.TrimSpace(words[i])
		if port := regexp.MustCompile(`:[^:\]]*$`).FindString(word); strings.HasPrefix(word, "[") || strings.Count(word, ":") == 1 {
			word = strings.Trim(strings.TrimSuffix(word, port), "[]")
		}
		word, _, _ = strings.Cut(word, "%")
		address, err := netip.ParseAddr(strings.TrimSpace(word))
		switch {
		case err != nil:
		case address.Unmap() == client:
			return true
		case !fuzzTrusted.Contains(address):
			return false
		}
	}
	return false
}

// isPublicToAll reports whether a path is public in every way in which an app,
// a proxy or a browser may read it.
func isPublicToAll(target string, theirs bool) bool {
	where, _, _ := strings.Cut(target, "?")
	if u, err := url.Parse(target); err == nil && u.Scheme != "" {
		where = u.EscapedPath()
	}
	readings := map[string]bool{}
	var read func(p string, depth int)
	read = func(p string, depth int) {
		if readings[p] || depth > 6 {
			return
		}
		readings[p] = true
		if decoded, err := url.PathUnescape(p); err == nil {
			read(decoded, depth+1)
		}
		read(path.Clean("/"+p), depth+1)
		read(strings.ReplaceAll(p, `\`, "/"), depth+1)
		read(regexp.MustCompile(`;[^/]*`).ReplaceAllString(p, ""), depth+1)
		before, _, _ := strings.Cut(p, "\x00")
		read(before, depth+1)
		if end := strings.IndexAny(p, "?#"); end >= 0 {
			read(p[:end], depth+1)
		}
	}
	read(where, 0)
	for reading := range readings {
		if !naivelyPublic(reading, theirs) {
			return false
		}
	}
	return true
}

// encodedLetters are what is not ASCII, percent-encoded.
var encodedLetters = regexp.MustCompile(`(%[89A-Fa-f][0-9A-Fa-f])+`)

// naivelyPublic tries all patterns; the longest decides.
func naivelyPublic(p string, theirs bool) bool {
	// An app that decodes nothing has names of its own alphabet encoded.
	p = encodedLetters.ReplaceAllStringFunc(p, func(letters string) string {
		decoded, _ := url.PathUnescape(letters)
		return decoded
	})
	longest := func(patterns []string, p string) int {
		length := -1
		for _, pattern := range patterns {
			prefix, open := strings.CutSuffix(pattern, "*")
			if open && strings.HasPrefix(p, prefix) {
				length = max(length, 2*len(prefix))
			} else if !open && p == prefix {
				length = max(length, 2*len(prefix)+1)
			}
		}
		return length
	}
	public := longest(fuzzPublic, p)
	// A slash at the end may be there or not, as far as others go.
	if public < 0 {
		public = longest(fuzzPublic, p+"/")
	}
	if public < 0 || !theirs {
		return public >= 0
	}
	var lower []string
	for _, pattern := range fuzzTheirs {
		lower = append(lower, strings.ToLower(pattern))
	}
	return public > longest(lower, strings.ToLower(p))
}
