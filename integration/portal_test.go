//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// portalled is a gate with a portal and two sites behind it, on host names of
// their own.
type portalled struct {
	*gate
	portal, app, wiki string
}

// portalSites is the rest of the Caddyfile: the portal, and two sites.
func portalSites(portal, app, wiki string) string {
	return harness.GatewaySite("http://login.localhost:{$PORT}", "", portal) + "\n" +
		harness.GatewaySite("http://app.localhost:{$PORT}", "", app) + "\n" +
		harness.GatewaySite("http://wiki.localhost:{$PORT}", "", wiki)
}

// preparePortal makes the gate without starting it. global are words of the
// auth_gateway option beside portal.
func preparePortal(t *testing.T, global, block string, options ...func(*harness.Options)) *portalled {
	t.Helper()
	options = append(options, func(o *harness.Options) {
		o.Global = option("portal http://login.localhost:{$PORT}\n" + global)
		o.Sites = portalSites("", block, "")
	})
	g := &portalled{gate: prepare(t, "", "", options...)}
	at := func(name string) string { return "http://" + name + ".localhost:" + g.Env("PORT") }
	g.portal, g.app, g.wiki = at("login"), at("app"), at("wiki")
	return g
}

// browser returns a browser.
func (g *portalled) browser() *harness.Client { return g.Browser(harness.At(g.app)) }

// in fails the test unless the site shows the app to that person.
func (g *portalled) in(t *testing.T, b *harness.Client, site, email string) {
	t.Helper()
	page := b.Open(site + "/private?x=1")
	if !page.FromApp() || page.App().Header.Get("Remote-User") != email || page.App().URI != "/private?x=1" {
		t.Fatalf("%s at %s: %v", email, site, page)
	}
}

// asked fails the test unless the site leads to the portal's sign-in page.
func (g *portalled) asked(t *testing.T, b *harness.Client, site string) *harness.Page {
	t.Helper()
	page := b.Open(site + "/private?x=1")
	if !page.HasForm("password") || !strings.HasPrefix(page.URL.String(), g.portal+"/auth-gateway/sign-in?") {
		t.Fatalf("%s: %v", site, page)
	}
	return page
}

// signIn signs in on the portal on the way to the site.
func (g *portalled) signIn(t *testing.T, b *harness.Client, site, email string) {
	t.Helper()
	form := g.asked(t, b, site).Form("password").Set("email", email).Set("password", harness.Password)
	if page := b.SubmitAndFollow(form); !page.FromApp() || page.App().URI != "/private?x=1" || !strings.HasPrefix(page.URL.String(), site) {
		t.Fatalf("%s to %s: %v", email, site, page)
	}
}

func address(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// signOutAt signs out on a site.
func signOutAt(t *testing.T, b *harness.Client, site string) *harness.Page {
	t.Helper()
	return b.SubmitAndFollow(b.Get(site + "/auth-gateway/sign-out").Want(http.StatusOK).Form(""))
}

// ticketFor goes from a site to the portal, where the browser has a session, and
// returns the address that it is sent back to.
func (g *portalled) ticketFor(t *testing.T, b *harness.Client, site string) *url.URL {
	t.Helper()
	page := b.Get(site + "/auth-gateway/sign-in?return_to=/private?x=1")
	for range 3 {
		to := page.Want(http.StatusFound).Location()
		if to.Path == "/auth-gateway/ticket" {
			g.Secret("a ticket", to.Query().Get("ticket"))
			return to
		}
		page = b.Get(to.String())
	}
	t.Fatalf("no ticket: %v", page)
	return nil
}

// Behind a portal people sign in and out once for all sites, each of which has a
// session of its own.
func TestPortal(t *testing.T) {
	t.Parallel()
	g := preparePortal(t, "", "allow email "+alice+"\naudience strict /strict/*")
	g.Configure(option("portal http://login.localhost:{$PORT}\naudience team\naudience strict {\nsecond_factor required\n}\naudience agents {\nroles agent admin\n}"),
		harness.GatewaySite("http://login.localhost:{$PORT}", "team", "")+"\n"+
			harness.GatewaySite("http://app.localhost:{$PORT}", "team", "audience strict /strict/*\naudience agents /agents/*")+"\n"+
			harness.GatewaySite("http://wiki.localhost:{$PORT}", "team", "deny email "+carol))
	g.Run()
	g.AddUser(alice)
	g.AddUser(carol)

	t.Run("sign in once, both open", func(t *testing.T) {
		g.For(t)
		b := g.browser()
		g.signIn(t, b, g.app, alice)
		g.in(t, b, g.app, alice)
		g.in(t, b, g.wiki, alice)
		var sessions []struct{ ID string }
		if g.JSON(&sessions, "session", "list", alice); len(sessions) != 1 {
			t.Errorf("sessions: %v", sessions)
		}
	})
	t.Run("sign out once, all closed", func(t *testing.T) {
		g.For(t)
		for _, at := range []string{g.app, g.portal, g.wiki} {
			b, other := g.browser(), g.browser()
			g.signIn(t, b, g.app, alice)
			g.in(t, b, g.wiki, alice)
			g.signIn(t, other, g.app, alice)
			says(t, signOutAt(t, b, at), "signed out")
			for _, site := range []string{g.app, g.wiki, g.portal} {
				g.asked(t, b, site)
			}
			g.in(t, other, g.app, alice)
			signOutAt(t, other, g.portal)
		}
	})
	t.Run("nine tabs", func(t *testing.T) {
		g.For(t)
		b := g.browser()
		asked := make([]*harness.Page, 9)
		for i := range asked {
			asked[i] = b.Open(fmt.Sprintf("%s/tab/%d?x=%d", g.app, i, i))
		}
		for i, page := range asked { // the first of them has been pushed out
			form := page.Form("password").Set("email", alice).Set("password", harness.Password)
			if got := b.SubmitAndFollow(form).App(); got.URI != fmt.Sprintf("/tab/%d?x=%d", i, i) {
				t.Errorf("tab %d landed at %s", i, got.URI)
			}
		}
	})
	t.Run("revoking closes all", func(t *testing.T) {
		g.For(t)
		b := g.browser()
		g.signIn(t, b, g.app, alice)
		g.in(t, b, g.wiki, alice)
		g.Must("session", "revoke", alice)
		g.asked(t, b, g.app)
		g.asked(t, b, g.wiki)
	})
	t.Run("the pages are the portal's", func(t *testing.T) {
		g.For(t)
		b := g.browser()
		for path, to := range map[string]string{
			"/account":          "/account",
			"/account/password": "/account/password",
			"/admin/users?a=b":  "/admin/users?a=b",
			"/passcode":         "/passcode",
			"/enroll":           "/enroll",
			"/reset?token=x":    "/reset?token=x",
			"/sign-in?return_to=/auth-gateway/account": "/sign-in?return_to=%2Fauth-gateway%2Faccount",
			"/sso/none/start?return_to=/x":             "/sso/none/start?return_to=" + url.QueryEscape(g.app+"/x"),
		} {
			page := b.Get(g.app + "/auth-gateway" + path).Want(http.StatusFound)
			if got := page.Location().String(); got != g.portal+"/auth-gateway"+to {
				t.Errorf("%s: %s", path, got)
			}
		}
		for path, status := range map[string]int{"/sso/none/callback": 404, "/other": 404, "/whoami": 401} {
			if page := b.Get(g.app + "/auth-gateway" + path); page.Status != status {
				t.Errorf("%s: %v", path, page)
			}
		}
		for _, path := range []string{"/sign-in", "/passcode", "/enroll", "/reset", "/account/password", "/ticket"} {
			if page := b.Post(g.app+"/auth-gateway"+path, url.Values{"email": {alice}, "password": {harness.Password}}); page.Status != http.StatusMethodNotAllowed {
				t.Errorf("posting to %s: %v", path, page)
			}
		}
		if b.Session() != nil {
			t.Error("a session from nothing")
		}
	})
	t.Run("tickets", func(t *testing.T) {
		g.For(t)
		ended := func(t *testing.T, page *harness.Page) {
			t.Helper()
			if page.Status != http.StatusBadRequest || page.ID("error-id") == "" || page.FromApp() {
				t.Errorf("%v", page)
			}
			for _, cookie := range (&http.Response{Header: page.Header}).Cookies() {
				if cookie.Name == "auth_gateway" {
					t.Error("a session was set")
				}
			}
		}
		b := g.browser()
		g.signIn(t, b, g.app, alice)
		t.Run("stolen by another browser", func(t *testing.T) {
			g.For(t)
			ticket, thief := g.ticketFor(t, b, g.wiki), g.browser()
			ended(t, thief.Get(ticket.String()))
			g.asked(t, thief, g.wiki)
			ended(t, b.Get(ticket.String())) // it is spoilt
			g.in(t, b, g.wiki, alice)        // starting again does it
		})
		t.Run("stolen with a sign-in of the thief's own", func(t *testing.T) {
			g.For(t)
			thief := g.browser()
			own := thief.Get(g.wiki + "/auth-gateway/sign-in?return_to=/").Want(http.StatusFound).Location()
			// The victim is made to follow the thief's way to the portal.
			to := b.Get(own.String()).Want(http.StatusFound).Location()
			ended(t, b.Get(to.String()))
			ended(t, thief.Get(to.String()))
		})
		t.Run("on another site", func(t *testing.T) {
			g.For(t)
			c := g.browser()
			g.signIn(t, c, g.app, alice)
			ticket := g.ticketFor(t, c, g.wiki)
			moved := strings.Replace(ticket.String(), g.wiki, g.app, 1)
			ended(t, c.Get(moved))
			ended(t, c.Get(ticket.String()))
		})
		t.Run("looked at by something else first", func(t *testing.T) {
			g.For(t)
			c := g.browser()
			g.signIn(t, c, g.app, alice)
			ticket := g.ticketFor(t, c, g.wiki).String()
			c.Do(http.MethodHead, ticket).Want(http.StatusServiceUnavailable)
			r := c.Request(http.MethodGet, ticket, nil)
			r.Header.Set("Sec-Purpose", "prefetch;prerender")
			c.Send(r).Want(http.StatusServiceUnavailable)
			if page := c.Open(ticket); !page.FromApp() {
				t.Errorf("%v", page)
			}
		})
		t.Run("twice", func(t *testing.T) {
			g.For(t)
			c := g.browser()
			g.signIn(t, c, g.app, alice)
			ticket := g.ticketFor(t, c, g.wiki).String()
			kept := c.Jar.Cookies(address(t, g.wiki))
			if page := c.Open(ticket); !page.FromApp() {
				t.Fatalf("%v", page)
			}
			// Going back sends people on where they are already.
			if page := c.Open(ticket); !page.FromApp() || page.App().URI != "/private?x=1" {
				t.Errorf("again: %v", page)
			}
			thief := g.browser()
			thief.Jar.SetCookies(address(t, g.wiki), kept)
			ended(t, thief.Get(ticket))
		})
		t.Run("after signing out", func(t *testing.T) {
			g.For(t)
			c := g.browser()
			g.signIn(t, c, g.app, alice)
			ticket := g.ticketFor(t, c, g.wiki)
			signOutAt(t, c, g.app)
			ended(t, c.Get(ticket.String()))
		})
	})
	t.Run("only sites of this Caddy are returned to", func(t *testing.T) {
		g.For(t)
		b := g.browser()
		g.signIn(t, b, g.app, alice)
		for _, address := range []string{
			"https://evil.test/", "http://evil.localhost:" + g.Env("PORT") + "/", "http://app.localhost/", g.app + ".evil.test/",
			strings.Replace(g.app, "app", "APP", 1) + "/", strings.Replace(g.app, "http", "https", 1) + "/",
			strings.Replace(g.app, "//", "//user@", 1) + "/", g.app + "/../x", g.app + "//x", g.app + "/auth-gateway/sign-out", "http://x." + g.app[7:] + "/",
		} {
			page := b.Get(g.portal + "/auth-gateway/sign-in?return_to=" + url.QueryEscape(address)).Want(http.StatusFound)
			if got := page.Header.Get("Location"); got != "/" {
				t.Errorf("%s: sent to %s", address, got)
			}
		}
	})
	t.Run("steps up on the portal", func(t *testing.T) {
		g.For(t)
		b := g.browser()
		g.signIn(t, b, g.app, alice)
		page := b.Open(g.app + "/strict/x")
		if !strings.HasPrefix(page.URL.String(), g.portal+"/auth-gateway/enroll") {
			t.Fatalf("%v", page)
		}
		if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' "+g.app+";") {
			t.Errorf("forms may end up at: %s", csp)
		}
		app := g.NewAuthenticator(page.ID("totp-key"))
		done := b.Submit(page.Form("passcode").Set("passcode", app.Code())).Want(http.StatusOK)
		for _, code := range done.RecoveryCodes() {
			g.SecretAtRest("a recovery code", code)
		}
		if page := b.Open(done.Link(g.app + "/strict/x").String()); !page.FromApp() || page.App().URI != "/strict/x" {
			t.Fatalf("%v", page)
		}
		g.in(t, b, g.wiki, alice)

		c := g.browser()
		form := c.Open(g.app+"/strict/x").Form("password").Set("email", alice).Set("password", harness.Password)
		asked := c.SubmitAndFollow(form)
		page = c.SubmitAndFollow(asked.Form("passcode").Set("passcode", app.Code()))
		if !page.FromApp() || page.App().URI != "/strict/x" {
			t.Errorf("with the passcode: %v", page)
		}
	})
	t.Run("kept out, and switching accounts", func(t *testing.T) {
		g.For(t)
		b := g.browser()
		g.signIn(t, b, g.app, carol)
		if page := b.Open(g.app + "/agents/x"); page.Status != http.StatusForbidden || page.ID("error-id") == "" {
			t.Errorf("not of the audience: %v", page)
		}
		page := b.Open(g.wiki + "/")
		if page.Status != http.StatusForbidden {
			t.Fatalf("denied: %v", page)
		}
		b.SubmitAndFollow(page.Form(""))
		g.asked(t, b, g.app)
	})
}

// What the portal needs and cannot find out is told when the configuration is
// loaded, or on a page.
func TestPortalConfiguration(t *testing.T) {
	t.Parallel()
	g := preparePortal(t, "", "")
	portal := harness.GatewaySite("http://login.localhost:{$PORT}", "", "") + "\n"
	g.Configure(option("portal http://login.localhost:{$PORT}"), portal+
		harness.GatewaySite("http://*.localhost:{$PORT}, {$SITE}", "", "origin http://app.localhost:{$PORT} {$SITE}"))
	g.Run()
	g.AddUser(alice)
	t.Run("an origin line", func(t *testing.T) {
		g.For(t)
		b := g.browser()
		g.signIn(t, b, g.URL, alice)
		g.in(t, b, g.app, alice)
		page := b.Open(g.app + "/auth-gateway/account").Want(http.StatusOK)
		if n := strings.Count(page.Text(), "From 127.0.0.1"); n != 1 || !strings.HasPrefix(page.URL.String(), g.portal) {
			t.Errorf("three hosts are %d browsers: %v", n, page)
		}
	})
	for name, tc := range map[string]struct{ sites, says string }{
		"nobody serves it": {harness.GatewaySite("http://app.localhost:{$PORT}", "", ""), "no site with auth_gateway is served at http://login.localhost"},
		"a nameless site": {portal +
			"http://*.localhost:{$PORT} {\nhandle /x/* {\nauth_gateway\nrespond x\n}\n}", "exact names only"},
		"one host, two audiences": {portal +
			"http://app.localhost:{$PORT} {\nhandle /x/* {\nauth_gateway {\naudience default /x/y/*\n}\nrespond x\n}\nhandle {\nauth_gateway\nrespond y\n}\n}", "cannot be told which one"},
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			g.Configure(option("portal http://login.localhost:{$PORT}"), tc.sites)
			r := g.TryReload()
			if r.Status == 0 || !strings.Contains(r.Stderr, tc.says) {
				t.Errorf("status %d\n%s", r.Status, r.Stderr)
			}
		})
	}
	t.Run("a site that is known by other names only", func(t *testing.T) {
		g.For(t)
		g.Configure(option("portal http://login.localhost:{$PORT}"), portal+
			"http://app.localhost:{$PORT}, http://*.site.localhost:{$PORT} {\nauth_gateway\nrespond x\n}")
		g.Reload()
		page := g.browser().Open("http://a.site.localhost:" + g.Env("PORT") + "/")
		if page.Status != http.StatusForbidden {
			t.Errorf("%v", page)
		}
		says(t, page, "origin")
	})
}

// One redirect address at the provider serves any number of sites, and signing
// out ends a sign-in that is still away there.
func TestPortalSSO(t *testing.T) {
	t.Parallel()
	g := preparePortal(t, "", "", withSecret)
	g.portal = g.URL // the provider takes plain http from localhost alone
	config := modes[0]
	config.party.RedirectURI = g.portal + "/auth-gateway/sso/" + config.name + "/callback"
	config.party.SignOutURI = g.portal + "/auth-gateway/sign-out"
	p := harness.StartProvider(t, config.party)
	global := words(p.Issuer, "admit any", "password off", config) + "audience customers\n"
	g.Configure(option("portal {$SITE}\n"+global),
		harness.GatewaySite("{$SITE}", "team", "")+"\n"+
			harness.GatewaySite("http://app.localhost:{$PORT}", "team", "audience customers /shop/*")+"\n"+
			harness.GatewaySite("http://wiki.localhost:{$PORT}", "team", ""))
	g.Run()
	g.AddUser(alice)

	b := g.browser()
	page := b.Open(g.app + "/private?x=1")
	if !page.HasForm("login") {
		t.Fatalf("not at the provider: %v", page)
	}
	if page = through(b, page, "bob"); !page.FromApp() || page.App().URI != "/private?x=1" || !strings.HasPrefix(page.URL.String(), g.app) {
		t.Fatalf("%v", page)
	}
	g.in(t, b, g.wiki, "bob@example.test")
	// Signing out anywhere tells the provider, which sends people to the portal.
	ask := b.Get(g.wiki + "/auth-gateway/sign-out").Want(http.StatusOK)
	if csp := ask.Header.Get("Content-Security-Policy"); !strings.Contains(csp, " "+p.Issuer) || !strings.Contains(csp, " "+g.portal) {
		t.Errorf("the form may not end up where it does: %s", csp)
	}
	out := b.Submit(ask.Form("")).Want(http.StatusSeeOther).Location()
	if query := out.Query(); !strings.HasPrefix(out.String(), p.Issuer) || query.Get("id_token_hint") == "" ||
		query.Get("post_logout_redirect_uri") != g.portal+"/auth-gateway/sign-out" {
		t.Errorf("signing out leads to %s", out)
	}
	if page := b.Get(g.app + "/private"); page.FromApp() {
		t.Errorf("in after signing out: %v", page)
	}

	t.Run("signed out while away at the provider", func(t *testing.T) {
		g.For(t)
		b := g.browser()
		form := b.Open(g.app+"/shop/x").Form("password").Set("email", alice).Set("password", harness.Password)
		if page := b.SubmitAndFollow(form); !page.FromApp() {
			t.Fatalf("%v", page)
		}
		// The customers' session does not open what is the team's.
		away := b.Open(g.app + "/private")
		if !away.HasForm("login") {
			t.Fatalf("not at the provider: %v", away)
		}
		signOutAt(t, b, g.app)
		page := through(b, away, "bob")
		if page.FromApp() || page.ID("error-id") == "" || page.Status != http.StatusBadRequest {
			t.Errorf("%v", page)
		}
		if page := b.Get(g.app + "/private"); page.FromApp() {
			t.Errorf("in all the same: %v", page)
		}
	})
}
