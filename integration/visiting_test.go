//go:build integration

package integration

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// crossroads is a site of six audiences. Each path leads to the audience of its
// name, every other path to the customers.
const (
	crossroads = `audience customers {
	sso home
}
audience staff {
	sign_in redirect work
	sso work
	password off
}
audience agents {
	sign_in redirect work
	sso work tiles
	roles agent admin
	password off
}
audience partners {
	sso partner home
	password off
}
audience safe {
	second_factor required
}
audience office {
	sign_in redirect office
	sso office
	password off
}
`
	crossroadsSite = `{$SITE} {
	log
	auth_gateway customers {
		audience staff    /staff/*
		audience agents   /agents/*
		audience partners /partners/*
		audience safe     /safe/*
		audience office   /office/*
	}
	reverse_proxy {$APP}
}`
)

// ways are the SSO configs of the crossroads. The provider is the same one, so
// whoever is signed in there comes through each of them without being asked.
var ways = []sso{
	{"home", "button Home", harness.RelyingParty{ID: "home", PKCE: true, Trusted: true}},
	{"work", "claims {\nrole app_role\n}\nmax_role agent\nscopes openid email profile attributes", harness.RelyingParty{ID: "work", PKCE: true, Trusted: true}},
	{"tiles", "", harness.RelyingParty{ID: "tiles", PKCE: true, Trusted: true}},
	{"partner", "button Partner", harness.RelyingParty{ID: "partner", PKCE: true, Trusted: true}},
	{"office", "ip_ranges 127.9.0.0/16", harness.RelyingParty{ID: "office", PKCE: true, Trusted: true}},
	{"spare", "button Spare", harness.RelyingParty{ID: "spare", PKCE: true, Trusted: true}},
}

// atCrossroads starts the site and its provider.
func atCrossroads(t *testing.T) (*gate, *harness.Provider) {
	t.Helper()
	g := prepare(t, "", "")
	p := harness.StartProvider(t, g.parties(ways...)...)
	configs, _, _ := strings.Cut(words(p.Issuer, "admit any", "", ways...), "audience team {")
	g.Configure(option(configs+crossroads), crossroadsSite)
	g.Run()
	return g, p
}

// visited are the paths of the audiences, in the order of the columns below.
var visited = []string{"/shop/x?y=1", "/staff/x?y=1", "/agents/x?y=1", "/partners/x?y=1", "/safe/x?y=1", "/office/x?y=1"}

// S1, S2: however somebody is signed in and whichever audience they visit, they
// are let in, asked for what is missing, led to the right way in, or told why
// not: never led in circles. The cells say where it ends:
//
//	in           at the app, as who they were
//	in <email>   at the app, as somebody else
//	password     at the password form alone
//	choice       at a page with buttons, with or without the form
//	passcode     at the passcode, which alone is missing
//	enroll       at the wizard for a second factor
//	at <client>  at the provider's page, as that client's guest
//	switch       at a page that says who is signed in and offers to be another
//	outside      at a page that says there is no way in from this address
func TestVisitingAudiences(t *testing.T) {
	t.Parallel()
	g, p := atCrossroads(t)
	g.AddUser(alice)
	g.AddUser(carol, "--role", "agent")
	withPasscode := g.Browser()
	page := withPasscode.SignIn(visited[4], carol, harness.Password)
	app := g.NewAuthenticator(page.ID("totp-key"))
	withPasscode.Submit(page.Form("passcode").Set("passcode", app.Code())).Want(http.StatusOK)

	// through signs in at the provider as login, on the way to path.
	via := func(config, path, login string, options ...harness.ClientOption) *harness.Client {
		b := g.Browser(options...)
		start := "/auth-gateway/sso/" + config + "/start?return_to=" + path
		if page := through(b, b.Open(start), login); !page.FromApp() {
			t.Fatalf("%s through %s: %v", login, config, page)
		}
		return b
	}
	const ada, bob = "ada@example.test", "bob@example.test"
	for _, row := range []struct {
		name    string
		email   string
		begin   func() *harness.Client
		columns string // shop, staff, agents, partners, safe, office
	}{
		{"nobody", "", func() *harness.Client { return g.Browser() },
			"choice | at work | at work | choice | password | outside"},
		{"nobody, in the office", "", func() *harness.Client { return g.Browser(harness.From(office)) },
			"choice | at work | at work | choice | password | at office"},
		{"with a password", alice, func() *harness.Client { return g.signedIn(t, alice) },
			"in | at work | switch | choice | enroll | outside"},
		{"with a password, by somebody who has a second factor", carol, func() *harness.Client { return g.signedIn(t, carol) },
			"in | at work | at work | choice | passcode | outside"},
		{"with a password and a passcode", carol, func() *harness.Client {
			b := g.Browser()
			b.SetCookies(withPasscode.Cookies()...)
			return b
		}, "in | at work | at work | choice | in | outside"},
		{"through home", bob, func() *harness.Client { return via("home", "/shop/", "bob") },
			"in | in | switch | in | password | outside"},
		{"through work", bob, func() *harness.Client { return via("work", "/staff/", "bob") },
			"choice | in | switch | choice | password | outside"},
		{"through work, an agent", ada, func() *harness.Client { return via("work", "/staff/", "attributed") },
			"choice | in | in | choice | password | outside"},
		{"from a tile without a button, an agent", ada, func() *harness.Client {
			via("work", "/staff/", "attributed") // where the role comes from
			return via("tiles", "/agents/", "attributed")
		}, "choice | in | in | choice | password | outside"},
		{"through partner", bob, func() *harness.Client { return via("partner", "/partners/", "bob") },
			"choice | in | switch | in | password | outside"},
		{"through office, at home by now", bob, func() *harness.Client {
			in := via("office", "/office/", "bob", harness.From(office))
			b := g.Browser()
			b.SetCookies(in.Cookies()...)
			return b
		}, "choice | in | switch | choice | password | in"},
		{"nobody here, bob at the provider", bob, func() *harness.Client {
			in := via("home", "/shop/", "bob")
			b := g.Browser()
			for _, cookie := range in.Cookies() {
				if !strings.HasPrefix(cookie.Name, "auth_gateway") {
					b.SetCookies(cookie)
				}
			}
			return b
		}, "choice | in | switch | choice | password | outside"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g.For(t)
			for i, want := range strings.Split(row.columns, " | ") {
				if end := g.visit(t, row.begin(), p, visited[i], row.email); end != want {
					t.Errorf("%s: %s, want %s", visited[i], end, want)
				}
			}
		})
	}
}

// S1: what is assigned nowhere does not exist, until it is assigned; S2: what is
// assigned is for the audiences that it is assigned to, button or none.
func TestAssignedSSO(t *testing.T) {
	t.Parallel()
	g, p := atCrossroads(t)
	start := func(config, path string) *harness.Page {
		return g.Browser().Get("/auth-gateway/sso/" + config + "/start?return_to=" + path)
	}
	g.wantNoSSO(t, "spare", "unheard-of")
	for _, c := range []struct {
		config, path string
		status       int
	}{
		{"home", "/shop/", http.StatusFound},
		{"home", "/partners/", http.StatusFound}, // one SSO config in two audiences
		{"home", "/staff/", http.StatusForbidden},
		{"tiles", "/agents/", http.StatusFound}, // from a page of tiles: no button, and another is gone straight to
		{"tiles", "/staff/", http.StatusForbidden},
		{"tiles", "/shop/", http.StatusForbidden},
		{"office", "/office/", http.StatusForbidden}, // from elsewhere
		{"work", "/STAFF/", http.StatusFound},
	} {
		page := start(c.config, c.path)
		if page.Status != c.status {
			t.Errorf("%s for %s: %v", c.config, c.path, page)
			continue
		}
		if c.status == http.StatusFound && !strings.HasPrefix(page.Location().String(), p.Issuer) {
			t.Errorf("%s for %s leads to %v", c.config, c.path, page.Location())
		}
		if c.status == http.StatusForbidden && page.ID("error-id") == "" {
			t.Errorf("%s for %s is not explained: %v", c.config, c.path, page)
		}
	}

	// Assigned while Caddy runs, and taken away again while somebody is away
	// at the provider.
	configs, _, _ := strings.Cut(words(p.Issuer, "admit any", "", ways...), "audience team {")
	g.Configure(option(configs+strings.Replace(crossroads, "sso home\n", "sso home spare\n", 1)), crossroadsSite)
	g.Reload()
	b := g.Browser()
	if page := through(b, b.Open(b.Open("/shop/").Link("/sso/spare/start").String()), "bob"); !page.FromApp() {
		t.Fatalf("assigned: %v", page)
	}
	away := g.Browser()
	back := answered(t, away, "/auth-gateway/sso/spare/start?return_to=/shop/")
	g.Configure(option(configs+crossroads), crossroadsSite)
	g.Reload()
	g.wantNoSSO(t, "spare")
	if page := away.Get(back.String()); page.Status != http.StatusNotFound {
		t.Errorf("back from the provider: %v", page)
	}
	g.wantOut(t, away)
	if page := b.Open("/shop/"); !page.HasForm("password") {
		t.Errorf("the session of an SSO config that was taken away: %v", page)
	}
}

// wantNoSSO fails the test unless the addresses of those SSO configs are
// answered with a page that says that there is no such thing.
func (g *gate) wantNoSSO(t *testing.T, configs ...string) {
	t.Helper()
	for _, config := range configs {
		for _, address := range []string{"/start?return_to=/shop/", "/callback?code=x&state=y"} {
			if page := g.Browser().Get("/auth-gateway/sso/" + config + address); page.Status != http.StatusNotFound || page.ID("error-id") == "" {
				t.Errorf("%s%s: %v", config, address, page)
			}
		}
		if page := g.Program().Post("/auth-gateway/sso/"+config+"/backchannel-logout", url.Values{"logout_token": {"x"}}); page.Status != http.StatusNotFound {
			t.Errorf("back channel of %s: %v", config, page)
		}
	}
}

// visit opens a path as somebody and tells in a word or two where that leads.
func (g *gate) visit(t *testing.T, b *harness.Client, p *harness.Provider, path, email string) string {
	t.Helper()
	page, client := b.Get(path), ""
	for hops := 0; page.Status == http.StatusFound || page.Status == http.StatusSeeOther; hops++ {
		if hops == 10 {
			return "in circles"
		}
		to := page.Location()
		if id := to.Query().Get("client_id"); id != "" {
			client = id
		}
		page = b.Get(to.String())
	}
	password, buttons := page.HasForm("password"), strings.Contains(string(page.Body), "/start?return_to=")
	switch {
	case page.FromApp():
		switch got := page.App(); {
		case got.URI != path:
			return "in, but at " + got.URI
		case got.Header.Get("Remote-User") != email:
			return "in " + got.Header.Get("Remote-User")
		}
		return "in"
	case page.Status == http.StatusOK && strings.HasPrefix(page.URL.String(), p.Issuer):
		return "at " + client
	case page.Status == http.StatusOK && buttons:
		return "choice"
	case page.Status == http.StatusOK && password:
		return "password"
	case page.Status == http.StatusOK && (page.URL.Path == "/auth-gateway/enroll" || page.URL.Path == "/auth-gateway/passcode"):
		return strings.TrimPrefix(page.URL.Path, "/auth-gateway/")
	case page.Status == http.StatusForbidden && page.ID("error-id") != "" && email != "" && strings.Contains(page.Text(), email):
		if page.FormTo("/sign-out").Method == http.MethodPost {
			return "switch"
		}
	case page.Status == http.StatusForbidden && strings.Contains(page.Text(), "cannot sign in from"):
		return "outside"
	}
	return page.String()
}
