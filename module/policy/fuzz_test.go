package policy

import (
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzReturnTo: whatever comes in, what comes out leads browsers to a path of
// this site; and if it is not the root, to the one they would have gone to.
func FuzzReturnTo(f *testing.F) {
	for _, raw := range hostile(f) {
		f.Add(raw)
	}
	for _, raw := range []string{"/x?a=b", "/日本", "/a b", ownOrigin + "/x", ownOrigin + "?x", "/[|]?{`}'\"", "/auth-gateway/account", "/a//b#c"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := ReturnTo(raw, ownOrigin)
		if len(got) > maxReturnTo || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") {
			t.Fatalf("%q: got %q", raw, got)
		}
		for _, c := range []byte(got) {
			if c <= ' ' || c >= 0x7f || c == '#' || c == '"' || c == '<' || c == '>' {
				t.Fatalf("%q: got %q", raw, got)
			}
		}
		if again := ReturnTo(got, ownOrigin); again != got {
			t.Fatalf("%q: got %q, and from that %q", raw, got, again)
		}
		read := parseWHATWG(got, ownOrigin)
		where, query, _ := strings.Cut(got, "?")
		if read.origin != ownOrigin || read.path != where ||
			strings.TrimPrefix(read.query, "?") != strings.ReplaceAll(query, "'", "%27") {
			t.Fatalf("%q: got %q, which browsers read as %+v", raw, got, read)
		}
		if got == "/" {
			return
		}
		if meant := parseWHATWG(raw, ownOrigin); meant != read {
			t.Fatalf("%q: got %q, where browsers would go to %+v", raw, got, meant)
		}
		decoded, err := url.PathUnescape(where)
		if err != nil {
			t.Fatalf("%q: got %q: %v", raw, got, err)
		}
		clean := strings.ToLower(ReadPath(where, decoded).Clean)
		if strings.HasPrefix(clean, "/auth-gateway/sign-") || clean == "/auth-gateway" {
			t.Fatalf("%q: got %q, round in a circle", raw, got)
		}
	})
}

// needlessly is an encoding of a slash or of what nobody has to encode.
var needlessly = regexp.MustCompile(`(?i)%(2[def]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f|7e)`)

// encoded is a percent-encoding.
var encoded = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// blankDots is a dot segment to those who drop blanks at the end of names, or
// take what follows for a query or a fragment.
var blankDots = regexp.MustCompile(`/\.\.? *([/?#]|$)`)

// FuzzPaths holds ReadPath against a naive reading (regular expressions,
// package path, decoding once more), and the patterns that match what it makes
// of a path against a loop over all of them.
func FuzzPaths(f *testing.F) {
	for _, raw := range []string{
		"/", "/a/b/", "/a/../b", "//a", "/%2e%2e/", "/%2561", "/a;b", `/a\b`, "/a%00", "/caf%C3%A9", "/%c0%af", "", "*", "/a%25b", "/.a/..b/...",
		"/%7e", "/a/.. /b", "/.%20", "/.#", "/..%3Fa", "/. ?", "/a%3f", "/%E6%97%A5", "/a/.", "/a/..", "/./", "/a%20b", "/100%25%", "/\u00a0", "/\u009f",
		"/a", "/A", "/aB", "/a/B/C/d", "/K", "/S", "/日本", "/\xff", "/x/y/z", "/%C5%BF", "/%E2%84%AAx",
	} {
		f.Add(raw)
	}
	values := map[string]string{}
	for _, pattern := range []string{"/", "/a", "/a*", "/a/b*", "/a/b", "/A/b/c*", "/k*", "/ſ", "/日*", "/x/y/z"} {
		values[pattern] = pattern
	}
	folded, err := NewPatterns(values, true)
	if err != nil {
		f.Fatal(err)
	}
	sensible, err := NewPatterns(values, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		decoded, err := url.PathUnescape(raw)
		if err != nil {
			return
		}
		got := ReadPath(raw, decoded)

		clean := path.Clean("/" + decoded)
		if strings.HasSuffix(decoded, "/") && clean != "/" {
			clean += "/"
		}
		if got.Clean != clean {
			t.Errorf("%q: got %q, want %q", raw, got.Clean, clean)
		}
		ambiguous := clean != decoded ||
			needlessly.MatchString(raw) ||
			encoded.MatchString(decoded) ||
			blankDots.MatchString(decoded) ||
			strings.ContainsAny(decoded, `\;`) ||
			strings.ContainsFunc(decoded, unicode.IsControl) ||
			!utf8.ValidString(decoded)
		if got.Ambiguous != ambiguous {
			t.Errorf("%q: got ambiguous: %v, want %v", raw, got.Ambiguous, ambiguous)
		}
		if again := ReadPath(got.Clean, got.Clean); again.Clean != got.Clean {
			t.Errorf("%q: %q is not clean but %q", raw, got.Clean, again.Clean)
		}

		for _, path := range []string{raw, got.Clean} {
			if got, _ := sensible.Match(path); got != naiveMatch(values, path, func(a, b string) bool { return a == b }) {
				t.Errorf("%q with case: got %q", path, got)
			}
			if got, _ := folded.Match(path); got != naiveMatch(values, path, strings.EqualFold) {
				t.Errorf("%q without case: got %q, want %q", path, got, naiveMatch(values, path, strings.EqualFold))
			}
		}
	})
}

// naiveMatch tries every pattern on every beginning of path.
func naiveMatch(values map[string]string, path string, same func(a, b string) bool) (best string) {
	length := -1
	for pattern := range values {
		prefix, open := strings.CutSuffix(pattern, "*")
		matches := same(prefix, path)
		if open {
			for i := range len(path) + 1 {
				matches = matches || same(prefix, path[:i])
			}
		}
		longer := 2*len(prefix) + 1
		if open {
			longer--
		}
		if matches && longer > length {
			best, length = pattern, longer
		}
	}
	return best
}

// FuzzOrigin: whatever Host and X-Forwarded-Proto say, an origin has nothing
// but a scheme, a host and a port; where origins are configured it is one of
// them; what is forwarded decides only if the peer is trusted, and then never
// the host; and plain HTTP is only ever between loopback and loopback.
func FuzzOrigin(f *testing.F) {
	for _, host := range badHosts {
		f.Add(host, "https", "127.0.0.1", true)
	}
	for _, proto := range []string{"", "https", "HTTPS", "http", "https, http", "https,https", ",", " https", "https\x00", "httpſ"} {
		f.Add("App.example.com:443", proto, "203.0.113.9", true)
		f.Add("[2001:db8::1]:8443", proto, "::ffff:127.0.0.1", false)
		f.Add("localhost:8080", proto, "::1", true)
		f.Add("a.localhost", proto, "127.1.2.3", false)
		f.Add("127.0.0.1", proto, "", true)
	}
	listed, err := NewSite([]string{"https://a.test", "https://b.test:8443"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, host, proto, from string, trusted bool) {
		peer, _ := netip.ParseAddr(from) // the zero value stands for a socket
		told := Arrival{Host: host, Peer: peer, PeerIsTrustedProxy: trusted, ForwardedProto: []string{proto}}
		for _, tls := range []bool{true, false} {
			told.TLS = tls
			got, err := listed.Origin(told)
			if s := got.String(); err != nil || s != "https://a.test" && s != "https://b.test:8443" {
				t.Fatalf("%+v: got %v and error %v, which is not listed", told, got, err)
			}
			got, err = new(Site).Origin(told)

			silent := told
			silent.PeerIsTrustedProxy, silent.ForwardedProto = false, nil
			plain, plainErr := new(Site).Origin(silent)
			if (!trusted || tls) && (got != plain || (err == nil) != (plainErr == nil)) {
				t.Fatalf("%+v: got %v and error %v, which is what somebody forwarded; without it %v and %v", told, got, err, plain, plainErr)
			}
			if err != nil {
				if got != (Origin{}) {
					t.Fatalf("%+v: got %v with error %v", told, got, err)
				}
				continue
			}
			if !got.Secure && !(peer.Unmap().IsLoopback() && saysLoopback(got.Host)) {
				t.Fatalf("%+v: got %v", told, got)
			}
			if got.Secure && !tls && !strings.Contains(strings.ToLower(proto), "https") {
				t.Fatalf("%+v: got %v, and nobody says https", told, got)
			}
			read := parseWHATWG(got.String()+"/x", "https://base.test")
			if read.origin != got.String() || read.path != "/x" {
				t.Fatalf("%+v: got %v, which browsers read as %+v", told, got, read)
			}
			if asked := parseWHATWG(got.String()[:strings.Index(got.String(), ":")]+"://"+host, "https://base.test"); asked.origin != got.String() && !strings.HasPrefix(host, "[") {
				t.Fatalf("%+v: got %v, where %v was asked for", told, got, asked.origin)
			}
			if again, err := ParseOrigin(got.String()); err != nil || again != got {
				t.Fatalf("%+v: got %v, which reads as %v with error %v", told, got, again, err)
			}
		}
	})
}

// saysLoopback reads a host of an origin by its text.
func saysLoopback(host string) bool {
	name := host
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		name = host[:colon]
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || strings.HasPrefix(name, "127.") || name == "[::1]"
}
