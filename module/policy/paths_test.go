package policy

import (
	"net/url"
	"testing"
)

func TestReadPath(t *testing.T) {
	for _, tc := range []struct {
		raw       string // decoded as net/url does
		clean     string
		ambiguous bool
	}{
		{"/", "/", false},
		{"/a/b", "/a/b", false},
		{"/a/b/", "/a/b/", false},
		{"/a.b/...", "/a.b/...", false},
		{"/.git/..b", "/.git/..b", false},
		{"/a%20b", "/a b", false},
		{"/caf%C3%A9", "/café", false},
		{"/%E6%97%A5%E6%9C%AC", "/日本", false},
		{"/users/a%40b.test", "/users/a@b.test", false},
		{"/users/a@b.test", "/users/a@b.test", false},
		{"/100%25", "/100%", false},
		{"/100%25x", "/100%x", false},
		{"/a%25", "/a%", false},
		{"/a%3Fb%23c", "/a?b#c", false},
		{"/a+b,c=d&e!'()*:", "/a+b,c=d&e!'()*:", false},
		{"/a%2Bb", "/a+b", false},

		{"/a/../b", "/b", true},
		{"/a/..", "/", true},
		{"/../a", "/a", true},
		{"/a/./b", "/a/b", true},
		{"/a/.", "/a", true},
		{"//a", "/a", true},
		{"/a//b", "/a/b", true},
		{"/a//", "/a/", true},
		{"///", "/", true},
		{"/public/%2e%2e/admin", "/admin", true},
		{"/public/..%20/admin", "/public/.. /admin", true},
		{"/public/..%20%20", "/public/..  ", true},
		{"/public/.%20/admin", "/public/. /admin", true},
		{"/public/..%20a", "/public/.. a", false},
		{"/public/..%23", "/public/..#", true},
		{"/public/..%3Fa", "/public/..?a", true},
		{"/public/.%20%23/admin", "/public/. #/admin", true},
		{"/public/.%2E/admin", "/admin", true},
		{"/public/%2e/admin", "/public/admin", true},
		{"/public%2F..%2Fadmin", "/admin", true},
		{"/public%2fadmin", "/public/admin", true},
		{"/a%2f", "/a/", true},
		{"/public/..%5cadmin", `/public/..\admin`, true},
		{`/public/..\admin`, `/public/..\admin`, true},
		{"/%61dmin", "/admin", true},
		{"/adm%69n", "/admin", true},
		{"/%41dmin", "/Admin", true},
		{"/a%2Db", "/a-b", true},
		{"/%7Ealice", "/~alice", true},
		{"/a%5Fb", "/a_b", true},
		{"/%2561dmin", "/%61dmin", true},
		{"/public/%252e%252e/admin", "/public/%2e%2e/admin", true},
		{"/%25%36%31dmin", "/%61dmin", true},
		{"/admin%00", "/admin\x00", true},
		{"/admin%0a", "/admin\n", true},
		{"/admin%09x", "/admin\tx", true},
		{"/admin%7f", "/admin\x7f", true},
		{"/admin%C2%85", "/admin\u0085", true},
		{"/admin;x=1", "/admin;x=1", true},
		{"/admin%3bx", "/admin;x", true},
		{"/public/..;/admin", "/public/..;/admin", true},
		{"/;/admin", "/;/admin", true},
		{"/public/%c0%ae%c0%ae/admin", "/public/\xc0\xae\xc0\xae/admin", true},
		{"/public%c0%afadmin", "/public\xc0\xafadmin", true},
		{"/%ff", "/\xff", true},
		{"", "/", true},
		{"*", "/*", true},
		{"a/b", "/a/b", true},
		{"../a", "/a", true},
	} {
		decoded, err := url.PathUnescape(tc.raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := ReadPath(tc.raw, decoded); got.Clean != tc.clean || got.Ambiguous != tc.ambiguous {
			t.Errorf("%s: got %+v, want %q, ambiguous: %v", tc.raw, got, tc.clean, tc.ambiguous)
		}
	}
}

func TestReadPathAllocatesNothing(t *testing.T) {
	for _, raw := range []string{"/a/b/c.html", "/caf%C3%A9/%E6%97%A5%E6%9C%AC", "/a%20b", "/users/a%40b.test"} {
		decoded, err := url.PathUnescape(raw)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { ReadPath(raw, decoded) }); n != 0 {
			t.Errorf("%s: %v allocations", raw, n)
		}
	}
}

func BenchmarkReadPath(b *testing.B) {
	for _, raw := range []string{"/api/v1/customers/12345/orders.json", "/%E8%B3%87%E6%96%99/%E4%B8%80%E8%A6%A7", "/a//b/../c"} {
		b.Run(raw, func(b *testing.B) {
			decoded, err := url.PathUnescape(raw)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				ReadPath(raw, decoded)
			}
		})
	}
}
