//go:build integration

package attacks

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Rule 10 and F1: what a password alone has opened is no session, wherever its
// cookies are put.
func TestHalfAuthenticated(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "public /public/*")
	g.AddUser(alice)
	app, _ := g.Enroll(g.Browser(), alice)
	b := g.Browser()
	step := g.AskedForPasscode(b, alice)
	half := b.Cookies()
	t.Run("GHSA-3q28-qjrv-qr39 tinyauth, beside the second step", func(t *testing.T) {
		g.For(t)
		g.WantOut(b)
		for _, target := range []string{"/auth-gateway/sign-in?return_to=/private", "/auth-gateway/enroll", "/auth-gateway/sso/x/start", "/auth-gateway/sso/x/callback?code=x&state=y", "/auth-gateway/sign-out", "/auth-gateway/passcode", "/auth-gateway/account/tokens"} {
			if page := b.Get(target); page.FromApp() || page.ID("totp-key") != "" || len(page.RecoveryCodes()) > 0 {
				t.Errorf("%s: %v", target, page)
			}
		}
		g.WantOut(b)
	})
	t.Run("the flow's cookie as a session's", func(t *testing.T) {
		g.For(t)
		thief := g.Program()
		for _, cookie := range half {
			for _, name := range []string{"auth_gateway", "__Host-auth_gateway"} {
				if status, _ := get(thief, "/private", "Cookie: "+name+"="+cookie.Value); status != http.StatusUnauthorized {
					t.Errorf("%s as %s: status %d", cookie.Name, name, status)
				}
			}
		}
	})
	t.Run("a wizard for what is set up", func(t *testing.T) {
		g.For(t)
		form := *step.Form("passcode")
		form.Action, _ = url.Parse(g.URL + "/auth-gateway/enroll")
		form.Values = url.Values{"flow": step.Form("passcode").Values["flow"], "passcode": {"000000"}}
		if page := b.Submit(&form); page.Status != http.StatusSeeOther || page.Location().Path != "/auth-gateway/sign-in" {
			t.Errorf("%v", page)
		}
	})
	// What ended leads to the beginning, whatever cookies come back.
	b = g.Browser()
	step = g.AskedForPasscode(b, alice)
	half = b.Cookies()
	b.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	thief := g.Browser()
	thief.SetCookies(half...)
	if to := thief.Submit(step.Form("passcode").Set("passcode", app.Current())).Want(http.StatusSeeOther).Location(); to.Path != "/auth-gateway/sign-in" {
		t.Errorf("an ended flow leads to %v", to)
	}
	g.WantOut(thief)
	// One browser's flow is none of another's, even with its id.
	b, other := g.Browser(), g.Browser()
	step = g.AskedForPasscode(b, alice)
	if page := other.Submit(step.Form("passcode").Set("passcode", app.Current())); page.Status != http.StatusSeeOther || page.Location().Path != "/auth-gateway/sign-in" {
		t.Errorf("%v", page)
	}
	g.WantOut(other)
}

// Rule 10: a suspension, a new password and a reset of the factor end what is
// under way, and the sessions too.
func TestChangesEndFlows(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	g.AddUser(alice)
	app, codes := g.Enroll(g.Browser(), alice)
	for i, change := range []struct {
		name string
		do   func()
	}{
		{"suspended for a moment", func() { g.Must("user", "suspend", alice); g.Must("user", "resume", alice) }},
		{"another password", func() {
			b := g.Browser()
			b.Submit(b.Open(g.ResetPassword(alice).String()).Form("password").Set("password", "a horse of quite another colour"))
			b.Submit(b.Open(g.ResetPassword(alice).String()).Form("password").Set("password", harness.Password)).Want(http.StatusOK)
		}},
		{"another factor", func() { g.Must("user", "reset-second-factor", alice) }},
	} {
		t.Run(change.name, func(t *testing.T) {
			g.For(t)
			in := g.Browser()
			in.Submit(g.AskedForPasscode(in, alice).Form("passcode").Set("passcode", codes[i])).Want(http.StatusSeeOther)
			g.WantIn(in, alice)
			b := g.Browser()
			step := g.AskedForPasscode(b, alice)
			change.do()
			if page := b.Submit(step.Form("passcode").Set("passcode", app.Current())); page.Status != http.StatusSeeOther || page.Location().Path != "/auth-gateway/sign-in" {
				t.Errorf("%v", page)
			}
			g.WantOut(b)
			g.WantOut(in)
		})
	}
}

// G2: a role counts from the next request on, in the headers and for the rules
// of the site (CVE-2021-41230 Pomerium, GHSA-x883-2vmg-xwf7 Authelia).
func TestRolesChange(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "", sites(harness.GatewaySite("{$SITE}", "", "allow role agent")))
	g.AddUser(alice, "--role", "agent")
	b := g.SignedIn(alice)
	for _, advisory := range []string{"CVE-2021-41230 Pomerium", "GHSA-x883-2vmg-xwf7 Authelia"} {
		t.Run(advisory, func(t *testing.T) {
			g.For(t)
			g.WantIn(b, alice)
			g.Must("user", "set", alice, "--role", "end-user")
			if page := b.Get("/private"); page.FromApp() {
				t.Errorf("still in: %v", page)
			}
			g.Must("user", "set", alice, "--role", "agent")
			if page := b.Get("/private"); !page.FromApp() {
				b = g.SignedIn(alice) // a role that rises may ask for another sign-in
			}
		})
	}
}

// Rules 16, 17 and 20 as far as they can be seen with an honest provider; the
// dishonest one is in module/sso.
func TestProviderSignIns(t *testing.T) {
	t.Parallel()
	g := harness.NewGate(t, "", "")
	p := harness.StartProvider(t, harness.RelyingParty{ID: "idp", PKCE: true, RedirectURI: g.URL + "/auth-gateway/sso/idp/callback"})
	g.Configure(harness.GatewayOption("sso idp {\nissuer "+p.Issuer+"\nclient_id idp\nadmit example.test\n}\naudience team {\nsso idp\n}"), harness.GatewaySite("{$SITE}", "", ""))
	g.Run()
	// answered signs in at the provider and returns the address of the callback.
	answered := func(b *harness.Client, login string) *url.URL {
		page := b.Submit(b.Open("/private").Form("login").Set("login", login).Set("do", "sign-in"))
		for !strings.HasSuffix(page.Location().Path, "/callback") {
			page = b.Get(page.Location().String())
		}
		return page.Location()
	}
	refused := func(t *testing.T, b *harness.Client, page *harness.Page) {
		t.Helper()
		if page.FromApp() || page.Status < 400 {
			t.Errorf("%v", page)
		}
		g.WantOut(b)
	}
	for name, login := range map[string]string{
		"CVE-2026-40574 oauth2-proxy, two @ in the address": "two-ats",
		"another domain":                 "stranger",
		"a domain that ends like it":     "suffix",
		"an address that is not checked": "unverified",
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			refused(t, b, b.Follow(b.Get(answered(b, login).String())))
		})
	}
	t.Run("CVE-2017-1000069 bitly/oauth2_proxy, somebody else's answer", func(t *testing.T) {
		g.For(t)
		back := answered(g.Browser(), "hanako")
		victim := g.Browser()
		victim.Open("/private") // has a flow of its own
		refused(t, victim, victim.Get(back.String()))
	})
	t.Run("CVE-2026-33544 tinyauth, many at once", func(t *testing.T) {
		g.For(t)
		people := map[string]string{"bob": "bob@example.test", "hanako": "hanako@example.test"}
		type answer struct {
			b    *harness.Client
			back *url.URL
			want string
		}
		var answers []answer
		for range 6 {
			for login, email := range people {
				b := g.Browser()
				answers = append(answers, answer{b, answered(b, login), email})
			}
		}
		var wg sync.WaitGroup
		for _, a := range answers {
			wg.Go(func() { a.b.Get(a.back.String()) })
		}
		wg.Wait()
		for _, a := range answers {
			g.WantIn(a.b, a.want)
		}
	})
	t.Run("CVE-2024-39315 Pomerium, tokens on people's own pages", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		if page := b.Follow(b.Get(answered(b, "bob").String())); !page.FromApp() {
			t.Fatalf("%v", page)
		}
		for _, target := range []string{"/auth-gateway/whoami", "/auth-gateway/account", "/auth-gateway/sign-out"} {
			if body := string(b.Get(target).Body); strings.Contains(body, "eyJ") || strings.Contains(body, "token") {
				t.Errorf("%s: %s", target, body)
			}
		}
		if head := b.Get("/private").App().Head; strings.Contains(head, "eyJ") {
			t.Errorf("the app received\n%s", head)
		}
	})
}
