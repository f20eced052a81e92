//go:build integration

package attacks

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Rules 11 and 12: no cookie that anyone can write makes a session, above all
// none that was made from one that has ended.
func TestCookies(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "public /public/*")
	g.AddUser(alice)
	b := g.SignedIn(alice)
	session := b.Session()
	device, other := "", ""
	half := g.Browser()
	half.Get("/auth-gateway/sign-in")
	for _, cookie := range append(b.Cookies(), half.Cookies()...) {
		if strings.HasSuffix(cookie.Name, "_device") {
			device, other = cookie.Value, device
		}
	}
	if device == "" || other == "" {
		t.Fatalf("cookies %v and %v", b.Cookies(), half.Cookies())
	}
	b.SubmitAndFollow(b.Get("/auth-gateway/sign-out").Form(""))
	hostile := inputs(t, "cookies.txt", "SESSIONVALUE", session.Value, "SESSION", session.Name+"="+session.Value, "OTHER", other, "DEVICE", device)
	byGroup(t, g, hostile, func(t *testing.T, in input) {
		for _, path := range []string{"/private", "/auth-gateway/whoami"} {
			began := time.Now()
			var status int
			got := reached(g, func() { status, _ = get(g.Program(), path, in.Text) })
			if status != http.StatusUnauthorized && status != http.StatusBadRequest || len(got) > 0 {
				t.Errorf("%s: %s: status %d, %d requests to the app", in.Name, path, status, len(got))
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: %s: took %v", in.Name, path, took)
			}
		}
		// Where nobody is asked for a session, none of it gets to the app.
		for _, received := range reached(g, func() { get(g.Program(), "/public/x", in.Text) }) {
			for pair := range strings.SplitSeq(strings.Join(received.Header["Cookie"], ";"), ";") {
				if name, _, _ := strings.Cut(strings.TrimSpace(pair), "="); name == session.Name {
					t.Errorf("%s: the app received %v", in.Name, received.Header["Cookie"])
				}
			}
		}
	})
	for name, line := range map[string]string{
		"many flows":         "Cookie: " + strings.Repeat("auth_gateway_flow_%d=x; ", 4000),
		"one that is long":   "Cookie: auth_gateway=" + strings.Repeat("A", 500_000),
		"many of one name":   "Cookie: " + strings.Repeat("auth_gateway=A; ", 20_000),
		"many without names": "Cookie: " + strings.Repeat(";", 500_000),
	} {
		for _, path := range []string{"/private", "/auth-gateway/sign-in", "/auth-gateway/passcode"} {
			began := time.Now()
			status, _ := get(g.Program(), path, line)
			if took := time.Since(began); took > 5*time.Second || status >= 500 {
				t.Errorf("%s: %s: status %d after %v", name, path, status, took)
			}
		}
	}
}

// Rule 12: signing out ends the session in the store, not in the cookie, on
// every connection and after a restart.
func TestReplayAfterSignOut(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	for _, advisory := range []string{
		"CVE-2024-21492 caddy-security, the sign-out page",
		"CVE-2026-34454 oauth2-proxy, the sign-in page afterwards",
	} {
		t.Run(advisory, func(t *testing.T) {
			g.For(t)
			b := g.SignedIn(alice)
			thief := g.Browser()
			thief.SetCookies(b.Cookies()...)
			g.WantIn(thief, alice) // warm in every cache
			if strings.Contains(advisory, "sign-in page") {
				b.Get("/auth-gateway/sign-in").Want(http.StatusFound) // is none to sign out
				g.WantIn(b, alice)
			}
			b.SubmitAndFollow(b.Get("/auth-gateway/sign-out").Form(""))
			g.WantOut(thief)
			g.WantOut(b)
			b.Get("/auth-gateway/sign-in").Want(http.StatusOK)
			g.WantOut(thief)
		})
	}
	t.Run("sessions that go on while another of the same person ends", func(t *testing.T) {
		g.For(t)
		one, two := g.SignedIn(alice), g.SignedIn(alice)
		one.SubmitAndFollow(one.Get("/auth-gateway/sign-out").Form(""))
		g.WantOut(one)
		g.WantIn(two, alice)
	})
	t.Run("signing out in parallel with requests", func(t *testing.T) {
		g.For(t)
		b := g.SignedIn(alice)
		form := b.Get("/auth-gateway/sign-out").Form("")
		kept := b.Cookies()
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			thief := g.Browser()
			thief.SetCookies(kept...)
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						thief.Get("/private")
					}
				}
			})
		}
		b.Submit(form).Want(http.StatusSeeOther)
		// The others may be on their way to the app still.
		after := g.Browser()
		after.SetCookies(kept...)
		if page := after.Get("/private"); page.FromApp() || after.Whoami() != nil {
			t.Errorf("after the answer: %v", page)
		}
		close(stop)
		wg.Wait()
		g.WantOut(after)
	})
}

// Rule 11: a new id at every sign-in, the old one dead, whatever the browser had
// before.
func TestFixation(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	g.AddUser(carol)
	mallory := g.SignedIn(carol)
	planted := mallory.Cookies()

	victim := g.Browser()
	victim.SetCookies(planted...)
	victim.Post("/auth-gateway/sign-in", url.Values{"email": {alice}, "password": {harness.Password}}).Want(http.StatusSeeOther)
	g.WantIn(victim, alice)
	if victim.Session().Value == mallory.Session().Value {
		t.Error("the planted cookie became the victim's")
	}
	for name, thief := range map[string]*harness.Client{"the planter": mallory, "a copy": g.Browser()} {
		if name == "a copy" {
			thief.SetCookies(planted...)
		}
		if page := thief.Get("/private"); page.FromApp() && page.App().Header.Get("Remote-User") == alice {
			t.Errorf("%s is in as the victim", name)
		}
	}
	old := victim.Session()
	victim.Post("/auth-gateway/sign-in", url.Values{"email": {alice}, "password": {harness.Password}}).Want(http.StatusSeeOther)
	thief := g.Browser()
	thief.SetCookies(old)
	g.WantOut(thief)
}

// Rule 11: what is random is long (130 bits at least) and never the same (CVE-2024-21495
// caddy-security guessed it from the time).
func TestRandomness(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, ranged(t)+"\naudience other {\nsso office\n}", "", sites(harness.GatewaySite("{$SITE}", "team", "")),
		global("servers {\ntrusted_proxies static 127.0.0.1/32\ntrusted_proxies_strict\n}"))
	t.Run("CVE-2024-21495 caddy-security", func(t *testing.T) {
		g.For(t)
		seen := map[string]string{}
		for range 20 {
			b := g.Browser(harness.WithHeader("X-Forwarded-For", "203.0.113.7"))
			to := b.Get("/auth-gateway/sso/office/start").Want(http.StatusFound).Location()
			for _, name := range []string{"state", "nonce", "code_challenge"} {
				value := to.Query().Get(name)
				if len(value) < 26 || seen[value] != "" {
					t.Errorf("%s=%q, seen as %q", name, value, seen[value])
				}
				seen[value] = name
			}
			for _, cookie := range b.Cookies() {
				if seen[cookie.Value] != "" {
					t.Errorf("the cookie %s is the same again", cookie.Name)
				}
				seen[cookie.Value] = cookie.Name
			}
		}
	})
	t.Run("CVE-2021-32791 mod_auth_openidc, what is sealed twice is not the same", func(t *testing.T) {
		g.For(t)
		values := map[string]bool{}
		for range 10 {
			b := g.Browser(harness.WithHeader("X-Forwarded-For", "203.0.113.7"))
			b.Get("/auth-gateway/sso/office/start?return_to=/the-same")
			for _, cookie := range b.Cookies() {
				if prefix := cookie.Value[:min(len(cookie.Value), 60)]; values[prefix] {
					t.Errorf("%s begins alike", cookie.Name)
				} else {
					values[prefix] = true
				}
			}
		}
	})
}

// The cookies' attributes, and G1: none of them reaches the app, its own do.
func TestCookiesToTheApp(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "public /public/*")
	g.AddUser(alice)
	b := g.SignedIn(alice)
	session := b.Session()
	for _, path := range []string{"/private", "/public/x"} {
		for name, line := range map[string]string{
			"beside another":      "Cookie: theme=dark; %s; lang=en",
			"twice":               "Cookie: %s; theme=dark; %[1]s; lang=en",
			"two lines":           "Cookie: theme=dark; lang=en\r\nCookie: %s",
			"in quotes":           "Cookie: theme=dark; %s; lang=en; auth_gateway_device=\"x y\"",
			"of another scheme":   "Cookie: theme=dark; __Host-auth_gateway=x; __Host-auth_gateway_flow_1=y; lang=en; %s",
			"other spelling":      "Cookie: theme=dark; %s; lang=en; auth_gateway_flow_z=1;auth_gateway_device=2",
			"without blanks":      "Cookie: theme=dark;%s;lang=en",
			"with blanks before":  "Cookie: theme=dark;  %s; lang=en",
			"named in Connection": "Connection: Cookie\r\nCookie: theme=dark; %s; lang=en\r\nX-Cookies: theme=dark lang=en",
		} {
			line = fmt.Sprintf(line, session.Name+"="+session.Value)
			got := reached(g, func() { get(b, path, line) })
			if len(got) != 1 {
				t.Errorf("%s %s: %d requests to the app", path, name, len(got))
				continue
			}
			cookies := strings.Join(got[0].Header.Values("Cookie"), "; ")
			if strings.Contains(cookies, "auth_gateway") || strings.Contains(got[0].Head, session.Value) {
				t.Errorf("%s %s: the app received\n%s", path, name, got[0].Head)
			}
			if own := cookies + got[0].Header.Get("X-Cookies"); !strings.Contains(own, "theme=dark") || !strings.Contains(own, "lang=en") {
				t.Errorf("%s %s: the app's own cookies are gone: %s", path, name, cookies)
			}
		}
	}
}
