//go:build integration

package attacks

import (
	"bufio"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// otherNames are what others call return_to.
var otherNames = []string{"rd", "redirect", "redirect_uri", "redirect_url", "post_logout_redirect_uri", "target_link_uri", "logout", "url", "next", "state", "pomerium_redirect_uri"}

// Rule 14: nothing that a client writes leads away from this site, when signed
// in already, when signing in, and when signing out.
func TestReturnTo(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	b := g.SignedIn(alice)
	byGroup(t, g, inputs(t, "return_to.txt", "ORIGIN", g.URL), func(t *testing.T, in input) {
		want := "/"
		if in.Outcome == "itself" {
			want = in.Text
		}
		if got := wayOn(b, in.Text); got != want {
			t.Errorf("%s leads to %q", in.Name, got)
		}
	})
	for _, shape := range shapes(t, g.URL) {
		if got := wayOn(b, shape); got != "/" {
			t.Errorf("%q leads to %q", shape, got)
		}
	}
	for _, shape := range []string{"/" + strings.Repeat("x", 2000), strings.Repeat("/x", 5000)} {
		if got := wayOn(b, shape); got != "/" {
			t.Errorf("%d bytes lead to %.50q", len(shape), got)
		}
	}
}

// wayOn is where somebody who is signed in is sent on to: "/" also where the
// whole request is refused, since it is not text or too long.
func wayOn(b *harness.Client, returnTo string) string {
	page := b.Get("/auth-gateway/sign-in?return_to=" + url.QueryEscape(returnTo))
	if page.Status == http.StatusBadRequest {
		return "/"
	}
	if page.Status != http.StatusFound {
		return page.String()
	}
	return page.Header.Get("Location")
}

// shapes are the addresses that the room of rules has to refuse, of this site.
func shapes(t *testing.T, origin string) []string {
	t.Helper()
	f, err := os.Open("../../module/policy/testdata/return_to.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "# ") {
			text, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, strings.ReplaceAll(text, "https://app.example.com", origin))
		}
	}
	if len(all) < 100 {
		t.Fatalf("%d shapes", len(all))
	}
	return all
}

// The same on the other ways by which an address could become a redirect: one
// shape of each advisory.
func TestReturnToElsewhere(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	const evil = "https://evil.test/"
	leadsHere := func(t *testing.T, page *harness.Page) {
		t.Helper()
		if location := page.Header.Get("Location"); location != "" && (!strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//")) || strings.Contains(location, `\`) {
			t.Errorf("leads to %q", location)
		}
		if strings.Contains(string(page.Body), evil) {
			t.Errorf("the page leads on to it: %v", page)
		}
	}
	t.Run("posted", func(t *testing.T) {
		g.For(t)
		for _, shape := range []string{evil, "//evil.test", `/\evil.test`, "/\t/evil.test"} {
			b := g.Browser()
			page := b.Post("/auth-gateway/sign-in", url.Values{"email": {alice}, "password": {harness.Password}, "return_to": {shape}})
			if page.Status != http.StatusSeeOther || page.Header.Get("Location") != "/" {
				t.Errorf("%q: %d, Location %q", shape, page.Status, page.Header.Get("Location"))
			}
		}
	})
	t.Run("CVE-2021-29456 Authelia, the sign-out page", func(t *testing.T) {
		g.For(t)
		query := url.Values{"return_to": {evil}}
		for _, name := range otherNames {
			query.Set(name, evil)
		}
		b := g.SignedIn(alice)
		leadsHere(t, b.Get("/auth-gateway/sign-out?"+query.Encode()))
		query.Set("flow", b.Get("/auth-gateway/sign-out").Form("").Values.Get("flow"))
		out := b.Post("/auth-gateway/sign-out?"+query.Encode(), query)
		leadsHere(t, out.Want(http.StatusSeeOther))
		leadsHere(t, b.Follow(out))
		g.WantOut(b)
	})
	t.Run("under another's name for it", func(t *testing.T) {
		g.For(t)
		b := g.SignedIn(alice)
		for _, name := range otherNames {
			page := b.Get("/auth-gateway/sign-in?" + name + "=" + url.QueryEscape(evil))
			if page.Status != http.StatusFound || page.Header.Get("Location") != "/" {
				t.Errorf("%s: %v", name, page)
			}
		}
	})
	t.Run("the address asked for first", func(t *testing.T) {
		g.For(t)
		for _, target := range []string{"//evil.test/", "///evil.test", `/\evil.test`, "/x?//evil.test", "http://localhost:" + g.Env("PORT") + "//evil.test", "/%09/evil.test", "/;@evil.test"} {
			_, answer := get(g.Browser(), target, "Accept: text/html")
			for line := range strings.SplitSeq(string(answer), "\r\n") {
				location, ok := strings.CutPrefix(line, "Location: ")
				if ok && !strings.HasPrefix(location, "/auth-gateway/sign-in") {
					t.Errorf("%s leads to %q", target, location)
				}
			}
		}
	})
	t.Run("CVE-2024-21499 caddy-security, X-Forwarded-Proto", func(t *testing.T) {
		g.For(t)
		for _, header := range []http.Header{
			{"X-Forwarded-Proto": {"https://evil.test/?"}}, {"X-Forwarded-Proto": {"javascript"}},
			{"X-Forwarded-Host": {"evil.test"}}, {"Forwarded": {"host=evil.test;proto=https"}},
			{"X-Host": {"evil.test"}, "X-Forwarded-Server": {"evil.test"}, "X-Original-Url": {evil}, "Referer": {evil}},
		} {
			b := g.Browser()
			r := b.Request(http.MethodGet, "/private", nil)
			for name, values := range header {
				r.Header[name] = values
			}
			leadsHere(t, b.Send(r))
		}
	})
}
