package console_test

import (
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/console"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// emails are the addresses in a report.
func emails(t *testing.T, report string) []string {
	t.Helper()
	text, marked := strings.CutPrefix(report, "\ufeff")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(rows) == 0 || rows[0][0] != "name" || rows[0][1] != "email" {
		t.Fatalf("%v, %.300q", err, report)
	}
	var found []string
	for _, row := range rows[1:] {
		found = append(found, row[1])
	}
	return found
}

// The report opens to whoever is an administrator at that moment, signed in as
// strictly as their audiences ask for.
func TestWhoMayOpenTheReport(t *testing.T) {
	o := newOffice(t)
	admin, agent, customer := o.person("admin", identity.Admin), o.person("agent", identity.Agent), o.person("customer", identity.EndUser)
	former, suspended := o.person("former", identity.Admin), o.person("suspended", identity.Admin)
	signedIn := map[string]*http.Cookie{
		"admin": o.signIn(admin, true), "hurried": o.signIn(admin, false), "agent": o.signIn(agent, true), "customer": o.signIn(customer, true),
		"former": o.signIn(former, true), "suspended": o.signIn(suspended, true),
	}
	former.Attributes.Role = identity.Agent
	o.update(func(tx store.Tx) error {
		return errors.Join(tx.SaveAttributes(former.ID, former.Attributes, o.now), tx.SetSuspended(suspended.ID, true, o.now))
	})
	link := o.link(identity.Agent, identity.Admin)
	for _, tc := range []struct {
		name   string
		status int
	}{
		{"admin", http.StatusOK},
		{"hurried", http.StatusFound},
		{"nobody", http.StatusFound},
		{"suspended", http.StatusFound},
		{"agent", http.StatusForbidden},
		{"customer", http.StatusForbidden},
		{"former", http.StatusForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(o.events())
			w := o.get(link, signedIn[tc.name])
			if w.Code != tc.status {
				t.Fatalf("answered %d %s", w.Code, w.Header().Get("Location"))
			}
			read := len(o.events()) - before
			if tc.status != http.StatusOK {
				if read != 0 || strings.Contains(w.Body.String(), "former@") && tc.name != "former" || w.Header().Get("Content-Disposition") != "" {
					t.Errorf("%d events, %s", read, w.Body)
				}
				if want := answer.SignInFor(link); tc.status == http.StatusFound && w.Header().Get("Location") != want {
					t.Errorf("sent to %s, want %s", w.Header().Get("Location"), want)
				}
				return
			}
			if got := emails(t, w.Body.String()); !slices.Equal(got, []string{"admin@example.test", "agent@example.test", "former@example.test", "suspended@example.test"}) {
				t.Errorf("%q", got)
			}
			for name, want := range map[string]string{
				"Content-Type":           "text/csv; charset=utf-8; header=present",
				"Content-Disposition":    `attachment; filename="second-factors-` + o.now.UTC().Format(time.DateOnly) + `.csv"`,
				"Cache-Control":          "no-store",
				"X-Content-Type-Options": "nosniff",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if e := o.events()[0]; read != 1 || e.Action != "report.read" || e.Outcome != "success" || e.AccountID != admin.ID ||
				e.Address != client.String() || e.How != "link" || e.Detail != "second factors of agent, admin" {
				t.Errorf("%d events, the last one %+v", read, e)
			}
		})
	}

	// A script is told in its own way, and nothing more.
	r := httptest.NewRequest(http.MethodGet, link, nil)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	w := httptest.NewRecorder()
	if o.serve(w, r); w.Code != http.StatusUnauthorized {
		t.Errorf("a script without a session: %d", w.Code)
	}
}

// An administrator without an audience has nowhere to sign in.
func TestAdministratorWithoutAudience(t *testing.T) {
	o := newOffice(t)
	delete(o.Doors, "staff")
	if w := o.get(o.link(identity.Admin), o.signIn(o.person("admin", identity.Admin), true)); w.Code != http.StatusForbidden {
		t.Errorf("answered %d %s", w.Code, w.Header().Get("Location"))
	}
}

// A link is worth nothing unless this gateway made it, for this, lately.
func TestReportLinks(t *testing.T) {
	o := newOffice(t, "n", "o") // a new secret, and an old one
	cookie := o.signIn(o.person("admin", identity.Admin), true)
	o.person("agent", identity.Agent)
	good := o.link(identity.Admin)
	token := func(link string) string {
		u, err := url.Parse(link)
		o.must(err)
		return u.Query().Get("token")
	}
	by := func(secrets ...string) string {
		return newOffice(t, secrets...).link(identity.Admin)
	}
	other := func(purpose, name string) string {
		text, err := o.Ring.Cookies(purpose, time.Hour).Encode(name, []byte("admin"), o.now)
		o.must(err)
		return answer.SecondFactorReport + "?token=" + url.QueryEscape(text)
	}
	made := o.now
	for _, tc := range []struct {
		name   string
		link   string
		after  time.Duration
		status int
	}{
		{"fresh", good, 0, http.StatusOK},
		{"a day old", good, 24 * time.Hour, http.StatusOK},
		{"older", good, 24*time.Hour + time.Millisecond, http.StatusGone},
		{"made before the secret changed", by("o"), 0, http.StatusOK},
		{"made with another secret", by("x"), 0, http.StatusGone},
		{"a link to something else", other("report link", "something else"), 0, http.StatusGone},
		{"a cookie of another kind", other("session cookie", "second-factor"), 0, http.StatusGone},
		{"the session cookie", answer.SecondFactorReport + "?token=" + url.QueryEscape(cookie.Value), 0, http.StatusGone},
		{"of the future", good, -2 * time.Minute, http.StatusGone},
		{"no token", answer.SecondFactorReport, 0, http.StatusGone},
		{"an empty token", answer.SecondFactorReport + "?token=", 0, http.StatusGone},
		{"cut off", good[:len(good)-8], 0, http.StatusGone},
		{"twice", good + token(good), 0, http.StatusGone},
		{"endless", answer.SecondFactorReport + "?token=" + strings.Repeat("A", 100_000), 0, http.StatusGone},
		{"hostile", answer.SecondFactorReport + "?token=%00%ff%22%3E%3Cscript%3E", 0, http.StatusGone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o.set(made.Add(tc.after))
			w := o.get(tc.link, cookie)
			if w.Code != tc.status {
				t.Fatalf("answered %d", w.Code)
			}
			if w.Code != http.StatusOK && (!strings.Contains(w.Body.String(), "no longer works") || strings.Contains(w.Body.String(), "script>")) {
				t.Errorf("%s", w.Body)
			}
		})
	}
	o.set(made)

	// Not one character can be another. The last of base64 may carry bits
	// that say nothing, so it is spared.
	text := token(good)
	for i := range strings.TrimRight(text, "=")[:len(strings.TrimRight(text, "="))-1] {
		changed := []byte(text)
		changed[i] = 'A'
		if text[i] == 'A' {
			changed[i] = 'B'
		}
		if w := o.get(answer.SecondFactorReport+"?token="+url.QueryEscape(string(changed)), cookie); w.Code != http.StatusGone {
			t.Fatalf("with character %d changed: %d", i, w.Code)
		}
	}

	if got := emails(t, o.get(o.link(identity.Agent), cookie).Body.String()); !slices.Equal(got, []string{"agent@example.test"}) {
		t.Errorf("a link to agents leads to %q", got)
	}
	if console.LinkLifetime != 24*time.Hour {
		t.Errorf("links are said to work for a day, and do for %s", console.LinkLifetime)
	}
}

// What else is there below the console's address: nothing.
func TestConsoleAddresses(t *testing.T) {
	o := newOffice(t)
	cookie := o.signIn(o.person("admin", identity.Admin), true)
	link := o.link(identity.Admin)
	for _, tc := range []struct {
		method, target string
		status         int
	}{
		{http.MethodGet, answer.Admin, http.StatusNotFound},
		{http.MethodGet, answer.Admin + "/", http.StatusNotFound},
		{http.MethodGet, answer.Admin + "/report", http.StatusNotFound},
		{http.MethodGet, answer.SecondFactorReport + "/", http.StatusNotFound},
		{http.MethodGet, strings.ToUpper(answer.SecondFactorReport), http.StatusNotFound},
		{http.MethodPost, link, http.StatusMethodNotAllowed},
		{http.MethodHead, link, http.StatusMethodNotAllowed},
		{http.MethodDelete, link, http.StatusMethodNotAllowed},
	} {
		for _, cookie := range []*http.Cookie{nil, cookie} {
			w := o.do(tc.method, tc.target, cookie)
			if w.Code != tc.status {
				t.Errorf("%s %s: %d", tc.method, tc.target, w.Code)
			}
			if tc.status == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "GET" {
				t.Errorf("%s %s: Allow %q", tc.method, tc.target, w.Header().Get("Allow"))
			}
		}
	}
	if events := o.events(); len(events) != 0 {
		t.Errorf("%+v", events)
	}
}

// A report is whole, or seen not to be: before the first line a page says so,
// after it the connection breaks.
func TestReportOfAFailingStore(t *testing.T) {
	o := newOffice(t)
	cookie := o.signIn(o.person("admin", identity.Admin), true)
	o.crowd(1200) // three pages
	link := o.link(identity.Agent, identity.Admin)
	server := httptest.NewServer(http.HandlerFunc(o.serve))
	defer server.Close()
	fetch := func() (status int, body string, err error) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, server.URL+link, nil)
		o.must(err)
		r.AddCookie(cookie)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		answer, err := server.Client().Do(r)
		o.must(err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text), err
	}
	status, body, err := fetch()
	if status != http.StatusOK || err != nil || len(emails(t, body)) != 1201 {
		t.Fatalf("%d, %v, %d accounts", status, err, len(emails(t, body)))
	}

	for _, tc := range []struct {
		name   string
		op     string
		times  int // that it works before
		status int
		broken bool
	}{
		{"when it is recorded", "update", 0, http.StatusServiceUnavailable, false},
		{"when the record is kept", "commit", 0, http.StatusServiceUnavailable, false},
		{"at the first page", "view", 0, http.StatusServiceUnavailable, false},
		{"at the second page", "view", 1, http.StatusOK, true},
		{"at the end", "viewed", 2, http.StatusOK, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			done := 0
			o.breaks(func(op string) error {
				if op != tc.op {
					return nil
				}
				if done++; done <= tc.times {
					return nil
				}
				return errors.New("the disk has gone")
			})
			defer o.breaks(nil)
			status, body, err := fetch()
			if status != tc.status || (err != nil) != tc.broken {
				t.Errorf("%d, %v", status, err)
			}
			if status != http.StatusOK && strings.Contains(body, "p00000@") {
				t.Errorf("%.200s", body)
			}
		})
	}
}
