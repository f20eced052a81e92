package session

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStripCookiesLeavesTheAppItsOwn(t *testing.T) {
	for _, tc := range []struct {
		name string
		sent []string
		want []string
	}{
		{"none", nil, nil},
		{"only the app's", []string{"a=1; b=2"}, []string{"a=1; b=2"}},
		{"only ours", []string{"__Host-auth_gateway=x"}, nil},
		{"ours between the app's", []string{"a=1; __Host-auth_gateway=x; b=2"}, []string{"a=1; b=2"}},
		{"ours twice between the app's", []string{"a=1; b=2; auth_gateway=x; c=3; __Host-auth_gateway_flow_y=z;; d=4 ; "}, []string{"a=1; b=2; c=3; d=4"}},
		{"on plain http", []string{"auth_gateway=x; a=1"}, []string{"a=1"}},
		{"flows and devices", []string{"__Host-auth_gateway_flow_abc=1; __Host-auth_gateway_device=2; auth_gateway_lang=ja; a=1"}, []string{"a=1"}},
		{"in several lines", []string{"__Host-auth_gateway=x", "a=1"}, []string{"a=1"}},
		{"without spaces", []string{"a=1;__Host-auth_gateway=x;b=2"}, []string{"a=1; b=2"}},
		{"with more spaces", []string{"a=1;   __Host-auth_gateway = x ;b=2"}, []string{"a=1; b=2"}},
		{"the app's behind a space that is none", []string{"__Host-auth_gateway=x; \u00a0b=2"}, []string{"\u00a0b=2"}},
		{"ours behind a space that is none", []string{"\u00a0__Host-auth_gateway=x; b=2"}, []string{"b=2"}},
		{"a name that begins alike", []string{"auth_gateways=1; xauth_gateway=2"}, []string{"auth_gateways=1; xauth_gateway=2"}},
		{"our name as a value", []string{"a=auth_gateway"}, []string{"a=auth_gateway"}},
		{"without a value", []string{"__Host-auth_gateway; a"}, []string{"a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			header := http.Header{}
			if tc.sent != nil {
				header["Cookie"] = slices.Clone(tc.sent)
			}
			StripCookies(header)
			if got := header["Cookie"]; !slices.Equal(got, tc.want) {
				t.Errorf("Cookie: %q, want %q", got, tc.want)
			}
		})
	}
}

// A header full of our cookies costs no more than its length.
func TestStripCookiesOfALongHeader(t *testing.T) {
	long := strings.Repeat("a=1; auth_gateway=x; ", 50_000)
	header := http.Header{}
	bytes := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			header["Cookie"] = []string{long}
			StripCookies(header)
		}
	}).AllocedBytesPerOp()
	if bytes > int64(4*len(long)) {
		t.Errorf("%d bytes are copied for a header of %d", bytes, len(long))
	}
	if got, want := header.Get("Cookie"), strings.TrimSuffix(strings.Repeat("a=1; ", 50_000), "; "); got != want {
		t.Errorf("%d bytes are left, want %d", len(got), len(want))
	}
}

func TestReadCookie(t *testing.T) {
	for _, tc := range []struct {
		name, sent, want string
	}{
		{"alone", "__Host-auth_gateway=v", "v"},
		{"among others", "a=1; __Host-auth_gateway=v; b=2", "v"},
		{"twice the same", "__Host-auth_gateway=v; __Host-auth_gateway=v", "v"},
		{"twice, different", "__Host-auth_gateway=v; __Host-auth_gateway=w", ""},
		{"without the prefix on https", "auth_gateway=v", ""},
		{"empty", "__Host-auth_gateway=", ""},
		{"behind a space that is none", "\u00a0__Host-auth_gateway=v", ""},
		{"prefix of a longer name", "__Host-auth_gateway_flow_x=v", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			header := http.Header{"Cookie": {tc.sent}}
			if got := ReadCookie(header, FullCookieName(CookieName, true)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSetCookieAttributes(t *testing.T) {
	for _, tc := range []struct {
		name     string
		secure   bool
		lifetime time.Duration
		want     string
	}{
		{"https", true, time.Hour, "__Host-auth_gateway=v; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
		{"plain http on loopback", false, time.Hour, "auth_gateway=v; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"},
		{"until the browser closes", true, 0, "__Host-auth_gateway=v; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"removed", true, -1, "__Host-auth_gateway=v; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			SetCookie(w, CookieName, "v", tc.secure, tc.lifetime)
			if got := w.Header().Get("Set-Cookie"); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
