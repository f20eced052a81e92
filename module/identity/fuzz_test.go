package identity

import (
	"bufio"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzForbids holds the names of headers that nobody else may send against a
// naive reading, and against what CGI makes of a name.
func FuzzForbids(f *testing.F) {
	h := newHeaders(f, "", extraHeaders)
	for _, attack := range attacks {
		name, _, _ := strings.Cut(attack, ":")
		f.Add(name)
	}
	f.Add("")
	f.Add("Remote-User\xff")
	f.Fuzz(func(t *testing.T, name string) {
		plain := strings.ToLower(strings.Map(func(r rune) rune {
			if r < 0x80 && isAlphanumeric(byte(r)) {
				return r
			}
			return '-'
		}, latin1(name)))
		want := strings.HasPrefix(plain, "remote-field-") || plain == "x-auth-gateway-assertion" || plain == "x-webauth-user" || plain == "1-team" ||
			plain == "x-original-url" || plain == "x-rewrite-url"
		for _, preset := range presets {
			for _, one := range preset {
				want = want || plain == strings.ToLower(one.name)
			}
		}
		if got := h.forbids(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
		// Strip goes by forbids, whatever else the request has.
		r := &http.Request{Header: http.Header{name: {"x"}, "Accept": {"x"}}}
		h.Strip(r)
		if _, there := r.Header[name]; there == want || len(r.Header["Accept"]) != 1 && !want {
			t.Errorf("%q: left on the request: %v", name, r.Header)
		}
	})
}

// latin1 makes a character of every byte.
func latin1(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// FuzzRender: what is sent survives net/http and decodes to what was meant, as
// a value of its own and as a member of a list; a list never has a member more
// than it had values, however an app takes it apart.
func FuzzRender(f *testing.F) {
	for _, value := range []string{
		"", "Alice", "Jürgen", "山田", "=?utf-8?q?x?=", "=?", "a =?utf-8?b?eA==?= b", "a\r\nb", "\x00", "\xff", " a ", "a,b", "=?é?=",
		strings.Repeat("é", 100), strings.Repeat("=?", 60), "\u2028", "a\tb", "\u00a0a", "?= =?", "=?utf-8?q?a?= =?utf-8?q?b?=",
		"=?utf-8?q?a=2Cadmin?=", "=?utf-8?b?YSxhZG1pbg==?=", "，", "a;b", `"a`, "a\u200bb", "=", "?=", "_", "é=?", "=\u00ad?",
	} {
		f.Add(value, "Jürgen")
		f.Add("=?utf-8?q?a", value)
	}
	h := newHeaders(f, "", nil)
	f.Fuzz(func(t *testing.T, one, two string) {
		rendered, _ := h.Render(Identity{Attributes: Attributes{Name: one, Tags: []string{"a", one, two, "b"}}})
		header := make(http.Header)
		h.Set(header, rendered)

		name, ok := single(one)
		if sent := header["Remote-Name"]; (len(sent) == 1) != (ok && name != "") {
			t.Fatalf("%q: sent %q", one, sent)
		}
		if got := decoded(t, received(t, header.Get("Remote-Name"))); ok && got != name {
			t.Fatalf("%q: sent as %q, read as %q", one, header.Get("Remote-Name"), got)
		}

		var want []string
		for _, value := range []string{"a", one, two, "b"} {
			if member, ok := single(value); ok && member != "" && !strings.Contains(member, ",") {
				want = append(want, member)
			}
		}
		list := received(t, header.Get("Remote-Tags"))
		var members []string
		for member := range strings.SplitSeq(list, ",") {
			members = append(members, decoded(t, member))
		}
		if !slices.Equal(members, want) {
			t.Fatalf("%q, %q: sent as %q, read as %q, want %q", one, two, list, members, want)
		}
		// Some apps decode first and take apart then.
		if got := strings.Split(decoded(t, list), ","); len(got) != len(want) {
			t.Fatalf("%q, %q: sent as %q, decoded first it has the members %q, want %q", one, two, list, got, want)
		}
	})
}

// single is what a value says, if it may be said in a header at all.
func single(value string) (string, bool) {
	value = strings.TrimSpace(value)
	return value, utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl)
}

// received is a header's value as it comes out of a request that net/http read.
func received(t *testing.T, value string) string {
	t.Helper()
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' {
			t.Fatalf("sent as %q", value)
		}
	}
	for word := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ' ' || r == ',' }) {
		if strings.HasPrefix(word, "=?") && len(word) > 75 {
			t.Fatalf("an encoded word of %d characters, RFC 2047 allows 75: %s", len(word), word)
		}
	}
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
		"GET / HTTP/1.1\r\nHost: a.test\r\nRemote-Name: " + value + "\r\nRemote-Last: 1\r\n\r\n")))
	if err != nil || request.Header.Get("Remote-Name") != value || len(request.Header) != 2 {
		t.Fatalf("sent as %q, arrived as %v with error %v", value, request, err)
	}
	return request.Header.Get("Remote-Name")
}

// decoded reads encoded words (RFC 2047).
func decoded(t *testing.T, value string) string {
	t.Helper()
	text, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		t.Fatalf("sent as %q: %v", value, err)
	}
	return text
}
