package session

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// FuzzCookieHeader: whatever stands in Cookie, it opens the session it was
// sealed for or none, never one that has ended; and what the app gets of it is
// its own cookies, all of them, and none of ours.
func FuzzCookieHeader(f *testing.F) {
	w := newWorld(f)
	// Tokens that are the same in every process that fuzzes.
	const running, ended = "the token of a running session", "the token of an ended one"
	values := make(map[string]string)
	for _, token := range []string{running, ended, "the token of no session"} {
		value, err := w.cookies.Encode(CookieName, []byte(token), w.clock.Now())
		if err != nil {
			f.Fatal(err)
		}
		values[token] = value
		if token == running || token == ended {
			w.update(f, func(tx store.Tx) error {
				return tx.CreateSession(store.Session{
					ID: secret.TokenID(token), AccountID: w.account.ID, Audience: "team", SignedInAt: w.clock.Now(), SeenAt: w.clock.Now(),
					IdleTimeout: time.Hour, ExpiresAt: w.clock.Now().Add(time.Hour),
				})
			})
		}
		if live, err := w.Find(requestWith(&http.Cookie{Name: "__Host-auth_gateway", Value: value}), true); err != nil || (live != nil) != (token == running || token == ended) {
			f.Fatalf("%s: %v, %v", token, live, err)
		}
	}
	w.update(f, func(tx store.Tx) error { _, err := tx.EndSession(secret.TokenID(ended)); return err })

	for _, value := range values {
		for _, header := range []string{
			"__Host-auth_gateway=" + value, "a=1; __Host-auth_gateway=" + value + "; b=2", "__Host-auth_gateway=" + value + ";__Host-auth_gateway=x",
			"auth_gateway=" + value, "__Host-auth_gateway = " + value, "__Host-auth_gateway=" + value + "=", `__Host-auth_gateway="` + value + `"`,
			"__Host-auth_gateway=" + value + ", a=1", "__Host-auth_gateway_flow_x=" + value, "__host-auth_gateway=" + value,
			"__Host-auth_gateway=" + value + "\n__Host-auth_gateway=" + value, "\u00a0__Host-auth_gateway=" + value + "; \u00a0b=2", "theme=auth_gateway; " + value,
		} {
			f.Add(header)
		}
	}
	f.Fuzz(func(t *testing.T, lines string) {
		if strings.Count(lines, "\n")+strings.Count(lines, ";") > 1000 {
			t.Skip("net/http takes so many cookies for none")
		}
		header := http.Header{"Cookie": strings.Split(lines, "\n")}
		r := &http.Request{Header: header}
		r = r.WithContext(t.Context())
		before := r.Cookies()

		live, err := w.Find(r, true)
		if err != nil {
			t.Fatal(err)
		}
		if live != nil && !bytes.Equal(live.Session.ID, secret.TokenID(running)) {
			t.Fatalf("%q opens session %x", lines, live.Session.ID)
		}
		for _, cookie := range before {
			if live != nil && cookie.Name == "__Host-auth_gateway" && cookie.Value != "" && !cookie.Quoted && cookie.Value != ReadCookie(header, "__Host-auth_gateway") {
				t.Fatalf("%q opens a session although there is another cookie of that name", lines)
			}
		}

		StripCookies(header)
		var want, got []string
		for _, cookie := range before {
			if name := strings.TrimPrefix(cookie.Name, hostPrefix); name != CookieName && !strings.HasPrefix(name, CookieName+"_") {
				want = append(want, cookie.String())
			}
		}
		for _, cookie := range r.Cookies() {
			got = append(got, cookie.String())
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: the app gets %q as %q, want %q", lines, header["Cookie"], got, want)
		}
	})
}
