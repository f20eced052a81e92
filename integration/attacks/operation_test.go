//go:build integration

package attacks

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Rule 26: what people type, hold and are sent stays out of the log, also where
// they type it into the wrong field and where a client hides it. That no log of
// these tests holds a password, a code, a cookie or a query of the gateway's
// addresses is checked when each of them ends.
func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	g.AddUser(alice)
	g.Enroll(g.Browser(), alice)
	for what, value := range map[string]string{
		"a password in the name's field": "typed-into-the-wrong-field", "a wrong password": "quite-the-wrong-words",
		"a wrong passcode": "918273", "a token that is none": "tokentokentokentokentokentokentokentokentok", "a state that is none": "statestatestate",
		"a code that is none": "codecodecodecode", "a session that is none": "MTc5NTMxODE1NXw5Ykl3LWpSWkh3OU1",
	} {
		g.Secret(what, value)
	}
	b := g.Browser()
	b.SignIn("/", "typed-into-the-wrong-field", "quite-the-wrong-words")
	step := g.AskedForPasscode(b, alice)
	b.Submit(step.Form("passcode").Set("passcode", "918273"))
	b.Get("/auth-gateway/reset?token=tokentokentokentokentokentokentokentokentok")
	b.Get("/auth-gateway/sso/x/callback?state=statestatestate&code=codecodecodecode")
	b.Get("/auth-gateway/no-such-page?code=codecodecodecode")
	get(b, "/auth-gateway//reset?token=tokentokentokentokentokentokentokentokentok")
	get(b, "//auth-gateway/reset?token=tokentokentokentokentokentokentokentokentok")
	get(b, "/auth-gateway/%72eset?token=tokentokentokentokentokentokentokentokentok")
	get(b, "http://"+b.Base.Host+"/auth-gateway/reset?token=tokentokentokentokentokentokentokentokentok")
	get(g.Program(), "/private", "Cookie: auth_gateway=MTc5NTMxODE1NXw5Ykl3LWpSWkh3OU1", "Authorization: Bearer tokentokentokentokentokentokentokentokentok")
	for _, query := range []string{"email=typed-into-the-wrong-field&password=quite-the-wrong-words", "passcode=918273"} {
		post(g.Browser(), "/auth-gateway/sign-in?"+query, "", nil)
	}
	// A line of the log is a line, whatever a client puts into it.
	forged := "alice\r\n{\"level\":\"info\",\"logger\":\"auth_gateway.audit\",\"action\":\"forged\"}\n"
	b.Post("/auth-gateway/sign-in", url.Values{"email": {forged}, "password": {"x"}})
	asProgram(b, http.MethodGet, "/auth-gateway/"+url.PathEscape(forged), http.Header{"User-Agent": {"x"}})
	g.Stop()
	for _, entry := range g.Logs() {
		if entry.Text("action") == "forged" {
			t.Errorf("%v", entry)
		}
	}
}

// Rule 26: attacks leave a trace that says who, from where and how, and nothing
// comes of them without one.
func TestAttacksAreTold(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, twoAudiences, "", sites(harness.GatewaySite("{$SITE}", "team", "audience staff /staff/*")))
	g.AddUser(alice)
	b := g.Browser(harness.From(stranger))
	for kind, attack := range map[string]func(){
		"ambiguous_path":     func() { get(b, "/staff/%2e%2e/x") },
		"cross_site":         func() { post(b, "/auth-gateway/sign-in", "", elsewhere["another site"]) },
		"method_not_allowed": func() { b.RawLines("TRACE / HTTP/1.1", "Host: "+b.Base.Host, "Connection: close", "", "") },
		"too_early":          func() { get(b, "/private", "Early-Data: 1") },
		"link_expired":       func() { b.Get("/auth-gateway/reset?token=x") },
		"bad_request":        func() { b.Post("/auth-gateway/sign-in", url.Values{"email": {"a", "b"}}) },
	} {
		attack()
		entry := g.WaitLog(kind, func(e harness.Entry) bool { return e.Text("msg") == "refused: "+kind })
		if entry.Text("error_id") == "" || entry.Text("client_ip") != stranger || entry.Text("error") == "" {
			t.Errorf("%s: %v", kind, entry)
		}
	}
}

// A Caddyfile that ends in the middle is a mistake, not a crash
// (CVE-2024-21493 caddy-security).
func TestCaddyfilesThatEnd(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	t.Run("CVE-2024-21493 caddy-security", func(t *testing.T) {
		g.For(t)
		admin := harness.NewClient(t, "http://"+g.Admin)
		adapt := func(caddyfile string) *harness.Page {
			r := admin.Request(http.MethodPost, "/adapt", strings.NewReader(caddyfile))
			r.Header.Set("Content-Type", "text/caddyfile")
			page, err := admin.TrySend(r)
			if err != nil {
				t.Errorf("%q: %v", caddyfile, err)
				return &harness.Page{}
			}
			return page
		}
		words := []string{"store", "secret", "portal", "language", "mail", "sms", "brand", "organizations", "sso", "audience",
			"sso x {\nissuer", "sso x {\nclient_id", "sso x {\nscopes", "sso x {\nadmit", "sso x {\nip_ranges", "sso x {\nclaims {\nname", "sso x {\nendpoints {\ntoken",
			"audience x {\nsign_in", "audience x {\nsign_in redirect", "audience x {\nsso", "audience x {\npassword", "audience x {\nroles", "audience x {\nidle_timeout"}
		for _, word := range words {
			closing := strings.Repeat("\n}", strings.Count(word, "{"))
			for _, rest := range []string{closing, " \"\"" + closing, " {" + closing, ""} {
				adapt("{\nauth_gateway {\n" + word + rest + "\n}\n}\n")
			}
		}
		for _, word := range []string{"audience", "audience x", "public", "api", "allow", "allow role", "deny", "origin", "headers", "header", "header X-Y", "assertion", "console", "{", "}", "@x", "/x"} {
			adapt(":80 {\nauth_gateway {\n" + word + "\n}\n}\n")
			adapt(":80 {\nauth_gateway " + word)
		}
		if page := adapt(":80 {\nauth_gateway\n}"); page.Status != http.StatusOK {
			t.Errorf("%v", page)
		}
	})
	for _, entry := range g.Logs() {
		if text := entry.String(); strings.Contains(text, "panic") || strings.Contains(text, "goroutine ") {
			t.Error(text)
		}
	}
}

// Rule 27: a web page that somebody on the gateway's own machine looks at does
// not reach the admin endpoint (CVE-2026-27589, Caddy's own).
func TestAdminEndpointFromAPage(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	t.Run("CVE-2026-27589 Caddy", func(t *testing.T) {
		g.For(t)
		for name, header := range map[string]http.Header{
			"another site":          {"Origin": {"https://evil.test"}, "Sec-Fetch-Site": {"cross-site"}},
			"the protected site":    {"Origin": {g.URL}, "Sec-Fetch-Site": {"same-site"}},
			"a sandbox":             {"Origin": {"null"}},
			"a name that was moved": {"Host": {"evil.test:2019"}},
		} {
			for path, body := range map[string]string{
				"/auth-gateway/users": `{"email": "mallory@evil.test", "role": "admin"}`, "/auth-gateway/users/" + alice + "/reset-password": "{}", "/load": "{}",
			} {
				for _, kind := range []string{"text/plain", "application/json", "application/x-www-form-urlencoded"} {
					admin := harness.NewClient(t, "http://"+g.Admin)
					r := admin.Request(http.MethodPost, path, strings.NewReader(body))
					r.Header.Set("Content-Type", kind)
					for key, values := range header {
						if r.Header[key] = values; key == "Host" {
							r.Host = values[0]
						}
					}
					if page := admin.Send(r); page.Status < 400 {
						t.Errorf("%s: %s as %s: %v", name, path, kind, page)
					}
				}
			}
		}
		var people []struct{ Email string }
		g.JSON(&people, "user", "list")
		if len(people) > 0 {
			t.Errorf("%v", people)
		}
	})
}

// Rule 28: those who are not believed leave nothing behind.
func TestNothingIsKeptOfStrangers(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	g.AddUser(alice)
	b := g.Browser()
	for i := range 50 {
		stranger := g.Browser(harness.From(fmt.Sprintf("127.50.%d.1", i)))
		stranger.Get("/auth-gateway/sign-in?return_to=/" + strings.Repeat("x", 500))
		stranger.Get("/auth-gateway/passcode")
		stranger.Get("/auth-gateway/enroll")
		stranger.Post("/auth-gateway/passcode", url.Values{"flow": {"AAAAAAAAAAAAAAAA"}, "passcode": {"000000"}})
	}
	var sessions []map[string]any
	g.JSON(&sessions, "session", "list", alice)
	if len(sessions) > 0 {
		t.Errorf("%v", sessions)
	}
	// A person has at most 8 sign-ins under way: the oldest makes room.
	wizard := func(b *harness.Client) *harness.Page { return b.SignIn("/private", alice, harness.Password) }
	first := wizard(b)
	for range 8 {
		wizard(g.Browser())
	}
	if page := b.Submit(first.Form("passcode").Set("passcode", "000000")); page.Status != http.StatusSeeOther {
		t.Errorf("a ninth sign-in under way: %v", page)
	}
}
