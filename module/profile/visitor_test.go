package profile_test

import (
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// how somebody signed in.
type how struct {
	sso          string
	secondFactor bool // a passcode was given
	trusted      bool // at an earlier sign-in
	audience     string
	proved       bool // to the provider, just now
}

// browser is one that somebody is signed in with.
type browser struct {
	*desk
	cookie *http.Cookie
	id     string // of its session, as forms have it
	header http.Header
}

func (d *desk) signIn(a store.Account, h how) *browser {
	d.Helper()
	if h.audience == "" {
		h.audience = "team"
	}
	var text string
	d.change(func(tx store.Tx) error {
		now, err := tx.Account(a.ID)
		if err != nil {
			return err
		}
		b := session.Beginning{
			AccountID: a.ID, Epoch: now.Epoch, SSO: h.sso, Audience: h.audience, SignedInAt: d.Now(), Address: "203.0.113.7", Browser: firefox,
		}
		if h.proved {
			b.ProvedAt = d.Now()
		}
		if h.secondFactor {
			b.SecondFactor = session.GivenFactor{How: store.MethodApp, At: d.Now(), Trusted: h.trusted}
		}
		text, err = d.keeper.Begin(tx, b)
		return err
	})
	w := httptest.NewRecorder()
	d.must(d.keeper.SetCookie(w, text, h.audience, true))
	return &browser{desk: d, cookie: w.Result().Cookies()[0], id: hex.EncodeToString(secret.TokenID(text)), header: http.Header{"Accept": {"text/html"}, "Accept-Language": {"en"}}}
}

// reply is an answer.
type reply struct {
	*testing.T
	status         int
	location, body string
	header         http.Header
}

func (b *browser) get(target string) *reply {
	b.Helper()
	return b.send("GET", target, nil, "")
}

// post sends a form from the site itself, names and values in turn.
func (b *browser) post(target string, pairs ...string) *reply {
	b.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.send("POST", target, http.Header{"Origin": {origin}}, form.Encode())
}

func (b *browser) send(method, target string, header http.Header, body string) *reply {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, origin+target, strings.NewReader(body))
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range []http.Header{b.header, header} {
		for name, values := range h {
			r.Header[name] = values
		}
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	b.pages.ServeHTTP(w, r, r.URL.Path, policy.Visit{
		Origin: origin, Host: "app.example.test", Secure: true, Client: netip.MustParseAddr("192.0.2.7"), Asked: target,
	})
	if w.Header().Get("Cache-Control") != "no-store" {
		b.Errorf("%s %s may be kept: %v", method, target, w.Header())
	}
	return &reply{b.T, w.Code, w.Header().Get("Location"), w.Body.String(), w.Header()}
}

// as expects the status and where it leads, "303 /".
func (r *reply) as(want string) *reply {
	r.Helper()
	got := fmt.Sprint(r.status)
	if r.location != "" {
		got += " " + r.location
	}
	if got != want {
		r.Fatalf("answered %s, want %s\n%s", got, want, text(r.body))
	}
	return r
}

// says expects words on the page, and not expects none of them.
func (r *reply) says(words ...string) *reply {
	r.Helper()
	for _, word := range words {
		if !strings.Contains(text(r.body), word) {
			r.Errorf("the page does not say %q:\n%s", word, text(r.body))
		}
	}
	return r
}

func (r *reply) not(words ...string) *reply {
	r.Helper()
	for _, word := range words {
		if strings.Contains(text(r.body), word) {
			r.Errorf("the page says %q:\n%s", word, text(r.body))
		}
	}
	return r
}

// has expects something in the markup.
func (r *reply) has(markup ...string) *reply {
	r.Helper()
	for _, part := range markup {
		if !strings.Contains(r.body, part) {
			r.Errorf("the page does not have %s:\n%s", part, r.body[max(0, strings.Index(r.body, "<main>")):])
		}
	}
	return r
}

// lacks is the contrary.
func (r *reply) lacks(markup ...string) *reply {
	r.Helper()
	for _, part := range markup {
		if strings.Contains(r.body, part) {
			r.Errorf("the page has %s:\n%s", part, r.body[max(0, strings.Index(r.body, "<main>")):])
		}
	}
	return r
}

var tags = regexp.MustCompile(`(?s)<style.*?</style>|<[^>]*>|\n\s*\n`)

func text(body string) string { return html.UnescapeString(tags.ReplaceAllString(body, "")) }

// again is where one signs in again before going on to there.
func again(path string) string { return answer.SignInAgain(path) }

// done is where one is told what was done.
func done(path string, notice pages.Notice) string { return "303 " + path + "?done=" + string(notice) }
