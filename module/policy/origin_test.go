package policy

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestOrigin(t *testing.T) {
	const peer, loopback = "203.0.113.9", "127.0.0.1"
	https := []string{"https"}
	from := func(addr string) netip.Addr { return netip.MustParseAddr(addr) }

	for _, tc := range []struct {
		name    string
		origins []string
		arrival Arrival
		want    string
		fault   error
		remedy  string
	}{
		{"TLS", nil, Arrival{TLS: true, Host: "app.example.com"}, "https://app.example.com", nil, ""},
		{"TLS with a port", nil, Arrival{TLS: true, Host: "app.example.com:8443"}, "https://app.example.com:8443", nil, ""},
		{"TLS with its own port", nil, Arrival{TLS: true, Host: "app.example.com:443"}, "https://app.example.com", nil, ""},
		{"TLS with the other scheme's port", nil, Arrival{TLS: true, Host: "app.example.com:80"}, "https://app.example.com:80", nil, ""},
		{"upper case", nil, Arrival{TLS: true, Host: "App.Example.COM:8443"}, "https://app.example.com:8443", nil, ""},
		{"upper case with its own port", nil, Arrival{TLS: true, Host: "App.Example.COM:443"}, "https://app.example.com", nil, ""},
		{"punycode", nil, Arrival{TLS: true, Host: "xn--wgv71a.example"}, "https://xn--wgv71a.example", nil, ""},
		{"internal name", nil, Arrival{TLS: true, Host: "app_1"}, "https://app_1", nil, ""},
		{"IPv4", nil, Arrival{TLS: true, Host: "192.0.2.1"}, "https://192.0.2.1", nil, ""},
		{"IPv6", nil, Arrival{TLS: true, Host: "[2001:DB8:0::1]:8443"}, "https://[2001:db8::1]:8443", nil, ""},
		{"IPv6 with its own port", nil, Arrival{TLS: true, Host: "[2001:db8::1]:443"}, "https://[2001:db8::1]", nil, ""},
		{"TLS ignores what an untrusted peer says", nil, Arrival{TLS: true, Host: "a.test", Peer: from(peer), ForwardedProto: []string{"http"}}, "https://a.test", nil, ""},

		{"trusted proxy says https", nil, Arrival{Host: "a.test", Peer: from(peer), PeerIsTrustedProxy: true, ForwardedProto: https}, "https://a.test", nil, ""},
		{"trusted proxy says HTTPS", nil, Arrival{Host: "a.test", Peer: from(peer), PeerIsTrustedProxy: true, ForwardedProto: []string{"HTTPS"}}, "https://a.test", nil, ""},
		{"proxies in a row say https", nil, Arrival{Host: "a.test", Peer: from(peer), PeerIsTrustedProxy: true, ForwardedProto: []string{"https, https", "https"}}, "https://a.test", nil, ""},
		{"trusted unix socket says https", nil, Arrival{Host: "a.test", PeerIsTrustedProxy: true, ForwardedProto: https}, "https://a.test", nil, ""},
		{"untrusted peer says https", nil, Arrival{Host: "a.test", Peer: from(peer), ForwardedProto: https}, "", ErrNoOrigin, "trusted_proxies"},
		{"trusted proxy says http", nil, Arrival{Host: "a.test", Peer: from(peer), PeerIsTrustedProxy: true, ForwardedProto: []string{"http"}}, "", ErrNoOrigin, "X-Forwarded-Proto: https"},
		{"trusted proxy says nothing", nil, Arrival{Host: "a.test", Peer: from(peer), PeerIsTrustedProxy: true}, "", ErrNoOrigin, "X-Forwarded-Proto: https"},
		{"trusted proxy says an empty word", nil, Arrival{Host: "a.test", Peer: from(peer), PeerIsTrustedProxy: true, ForwardedProto: []string{""}}, "", ErrNoOrigin, "origin https://"},
		{"somebody in a row of proxies says http", nil, Arrival{Host: "a.test", Peer: from(peer), PeerIsTrustedProxy: true, ForwardedProto: []string{"https, http"}}, "", ErrNoOrigin, ""},
		{"a client put https in front", nil, Arrival{Host: "a.test", Peer: from(peer), PeerIsTrustedProxy: true, ForwardedProto: []string{"https", "http"}}, "", ErrNoOrigin, ""},
		{"https with a letter that folds to s", nil, Arrival{Host: "a.test", Peer: from(peer), PeerIsTrustedProxy: true, ForwardedProto: []string{"httpſ"}}, "", ErrNoOrigin, ""},
		{"nearly https", nil, Arrival{Host: "a.test", Peer: from(peer), PeerIsTrustedProxy: true, ForwardedProto: []string{"https;"}}, "", ErrNoOrigin, ""},

		{"plain on loopback", nil, Arrival{Host: "localhost:8080", Peer: from(loopback)}, "http://localhost:8080", nil, ""},
		{"plain on loopback with its own port", nil, Arrival{Host: "localhost:80", Peer: from(loopback)}, "http://localhost", nil, ""},
		{"plain on all of 127.0.0.0/8", nil, Arrival{Host: "127.3.2.1:8080", Peer: from("127.9.9.9")}, "http://127.3.2.1:8080", nil, ""},
		{"plain on ::1", nil, Arrival{Host: "[::1]:8080", Peer: from("::1")}, "http://[::1]:8080", nil, ""},
		{"plain under .localhost", nil, Arrival{Host: "app.localhost", Peer: from("::ffff:127.0.0.1")}, "http://app.localhost", nil, ""},
		{"plain from elsewhere to loopback", nil, Arrival{Host: "localhost", Peer: from(peer)}, "", ErrNoOrigin, "serve the site with https"},
		{"plain from loopback to elsewhere", nil, Arrival{Host: "app.example.com", Peer: from(loopback)}, "", ErrNoOrigin, "trusted_proxies"},
		{"plain from a unix socket", nil, Arrival{Host: "localhost"}, "", ErrNoOrigin, "unix socket"},
		{"a name that ends like localhost", nil, Arrival{Host: "evillocalhost", Peer: from(loopback)}, "", ErrNoOrigin, ""},
		{"a name that begins like loopback", nil, Arrival{Host: "127.0.0.1.evil.test", Peer: from(loopback)}, "", ErrNoOrigin, ""},

		{"origin line", []string{"https://app.example.com"}, Arrival{Host: "app.example.com", Peer: from(peer)}, "https://app.example.com", nil, ""},
		{"origin line against a forged host", []string{"https://app.example.com"}, Arrival{TLS: true, Host: "evil.test"}, "https://app.example.com", nil, ""},
		{"origin line against a host that is none", []string{"https://app.example.com"}, Arrival{TLS: true, Host: "app.example.com@evil.test"}, "https://app.example.com", nil, ""},
		{"origin line without a host", []string{"https://app.example.com"}, Arrival{}, "https://app.example.com", nil, ""},
		{"origin lines: the one asked for", []string{"https://a.test", "https://b.test:8443"}, Arrival{Host: "B.test:8443"}, "https://b.test:8443", nil, ""},
		{"origin lines: the one asked for, with its own port", []string{"https://a.test", "https://b.test"}, Arrival{Host: "b.test:443"}, "https://b.test", nil, ""},
		{"origin lines: another port is another host", []string{"https://a.test", "https://b.test:8443"}, Arrival{Host: "b.test"}, "https://a.test", nil, ""},
		{"origin lines: none of them", []string{"https://a.test", "https://b.test"}, Arrival{Host: "c.test"}, "https://a.test", nil, ""},
		{"origin line on loopback", []string{"http://localhost:8080"}, Arrival{Host: "localhost:8080", Peer: from("172.17.0.1")}, "http://localhost:8080", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			site, err := NewSite(tc.origins)
			if err != nil {
				t.Fatal(err)
			}
			got, err := site.Origin(tc.arrival)
			if tc.fault != nil {
				if !errors.Is(err, tc.fault) || !strings.Contains(err.Error(), tc.remedy) {
					t.Errorf("got %v and error %v, want %v with %q", got, err, tc.fault, tc.remedy)
				}
				return
			}
			if err != nil || got.String() != tc.want || got.Secure != strings.HasPrefix(tc.want, "https") {
				t.Errorf("got %v and error %v, want %s", got, err, tc.want)
			}
		})
	}
}

// badHosts are what no browser calls a host, or takes for another one.
var badHosts = []string{
	"", " ", ":443", ".", "..", "a..b", ".a.test", "user@a.test", "user:pw@a.test", "a.test/", "a.test/x", `a.test\x`,
	"a.test?x", "a.test#x", "a test", "a.test ", " a.test", "a.test\t", "a.test\r\nX: y", "a.test\x00", "a.test%2f", "日本.example",
	"a.test:", "a.test:0", "a.test:08", "a.test:65536", "a.test:-1", "a.test:+1", "a.test:x", "a.test:80:80", "a.test:443@evil.test",
	"[::1", "::1", "[::1]x", "[::]A1", "[::1]:", "[]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[127.0.0.1]", "[::ffff:127.0.0.1]", "[a.test]", "x[::1]",
	"127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "127.0.0.1.", "0177.0.0.1", "127.0.0.256", "a.test.1", "a.0x1", "1.2.3.4.5",
	"<script>", "a.test,b.test", "a.test;x", "*.a.test", "{http.request.host}", "a~b.test",
	strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 127) + "ab",
}

func TestOriginRefusesHosts(t *testing.T) {
	site := new(Site)
	for _, host := range badHosts {
		for _, arrival := range []Arrival{
			{TLS: true, Host: host},
			{Host: host, Peer: netip.MustParseAddr("127.0.0.1")},
		} {
			if got, err := site.Origin(arrival); !errors.Is(err, ErrBadHost) {
				t.Errorf("%q: got %v and error %v, want %v", host, got, err, ErrBadHost)
			}
		}
	}
}

func TestParseOrigin(t *testing.T) {
	for _, tc := range []struct{ text, want, wrong string }{
		{text: "https://app.example.com", want: "https://app.example.com"},
		{text: "https://app.example.com/", want: "https://app.example.com"},
		{text: "HTTPS://App.Example.com:443", want: "https://app.example.com"},
		{text: "https://[::1]:8443", want: "https://[::1]:8443"},
		{text: "http://localhost:8080", want: "http://localhost:8080"},
		{text: "http://app.localhost", want: "http://app.localhost"},

		{text: "http://app.example.com", wrong: "use https"},
		{text: "http://127.0.0.1.evil.test", wrong: "use https"},
		{text: "app.example.com", wrong: "write it like https://"},
		{text: "//app.example.com", wrong: "write it like https://"},
		{text: "ftp://app.example.com", wrong: "write it like https://"},
		{text: "", wrong: "write it like https://"},
		{text: "https://", wrong: "not a host"},
		{text: "https://app.example.com/x", wrong: "more than an origin"},
		{text: "https://app.example.com//", wrong: "more than an origin"},
		{text: "https://app.example.com?x", wrong: "more than an origin"},
		{text: "https://user@app.example.com", wrong: "not a host"},
		{text: "https://*.example.com", wrong: "not a host"},
		{text: "https://日本.example", wrong: "punycode"},
	} {
		got, err := ParseOrigin(tc.text)
		switch {
		case tc.wrong != "" && (err == nil || !strings.Contains(err.Error(), tc.wrong)):
			t.Errorf("%s: got %v and error %v, want one that says %q", tc.text, got, err, tc.wrong)
		case tc.wrong == "" && (err != nil || got.String() != tc.want):
			t.Errorf("%s: got %v and error %v, want %s", tc.text, got, err, tc.want)
		}
	}
}

func BenchmarkOrigin(b *testing.B) {
	site := new(Site)
	for name, arrival := range map[string]Arrival{
		"TLS":   {TLS: true, Host: "app.example.com:8443"},
		"proxy": {Host: "app.example.com", Peer: netip.MustParseAddr("10.0.0.1"), PeerIsTrustedProxy: true, ForwardedProto: []string{"https"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := site.Origin(arrival); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
