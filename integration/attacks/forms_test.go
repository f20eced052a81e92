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

// post sends a body as it is, as a form of the same site.
func post(b *harness.Client, path, body string, header http.Header) *harness.Page {
	r := b.Request(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, values := range header {
		if r.Header.Del(name); values != nil {
			r.Header[name] = values
		}
	}
	return b.Send(r)
}

// Malformed, doubled and made-up fields let nobody in and crash nothing. Nothing
// of what was typed comes back as markup, or expanded (rule 15).
func TestForms(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	g.AddUser(alice)
	g.AddUser(carol)
	app, codes := g.Enroll(g.Browser(), alice)
	code := app.Code()
	step := g.Browser()
	flow := g.AskedForPasscode(step, alice).Form("passcode").Values.Get("flow")
	token := g.ResetPassword(carol).Query().Get("token")
	dave := g.Browser()
	g.AddUser("dave@example.test")
	wizard := dave.SignIn("/private", "dave@example.test", harness.Password)
	wizardFlow, wizardCode := wizard.Form("passcode").Values.Get("flow"), g.NewAuthenticator(wizard.ID("totp-key")).Current()
	paths := map[string]string{"no sign-in": "sign-in", "no passcode": "passcode", "no new password": "reset"}
	for i, in := range inputs(t, "forms.txt", "PASSWORD", url.QueryEscape(harness.Password), "CODE", code, "FLOW", flow, "TOKEN", token, "LONG", strings.Repeat("x", 100_000)) {
		// What is wrong is counted, by network and by account: that would hold
		// off, and hide the rest.
		b := g.Browser(harness.From(fmt.Sprintf("127.70.%d.1", i)))
		if in.Outcome == "no passcode" {
			b = step
		}
		if i%6 == 5 {
			g.Must("user", "unlock", alice)
		}
		page := post(b, "/auth-gateway/"+paths[in.Outcome], in.Text, nil)
		ended := in.Outcome == "no passcode" && page.Status == http.StatusSeeOther && page.Location().Path == "/auth-gateway/sign-in"
		asks := in.Outcome == "no new password" && page.Status == http.StatusOK && !strings.Contains(in.Text, "token=TOKEN") && !page.HasForm("password")
		if !ended && !asks && (page.Status < 400 || page.Status >= 429 && page.Status != 431) {
			t.Errorf("%s: %v", in.Name, page)
		}
		if b.Session() != nil {
			t.Errorf("%s: a session", in.Name)
		}
		for _, hostile := range []string{"<script>alert", `" autofocus onfocus`, g.Env("HOME"), "root:x:0:0"} {
			if strings.Contains(string(page.Body), hostile) {
				t.Errorf("%s: the page has %s", in.Name, hostile)
			}
		}
	}
	// The wizard asks for the same fields.
	for i, in := range inputs(t, "forms.txt", "CODE", wizardCode, "FLOW", wizardFlow, "LONG", strings.Repeat("x", 100_000)) {
		if in.Outcome == "no passcode" {
			page := post(dave, "/auth-gateway/enroll", in.Text, nil)
			if page.Status != http.StatusSeeOther && (page.Status < 400 || page.Status > 429) || dave.Session() != nil || len(page.RecoveryCodes()) > 0 {
				t.Errorf("the wizard: %s: %v", in.Name, page)
			}
			if i%6 == 5 {
				g.Must("user", "unlock", "dave@example.test")
			}
		}
	}
	// What was not used up by any of it still is what it was.
	g.Must("user", "unlock", alice)
	b := g.Browser()
	last := g.AskedForPasscode(b, alice)
	b.Submit(last.Form("passcode").Set("passcode", codes[0])).Want(http.StatusSeeOther)
	g.WantIn(b, alice)
	set := post(g.Browser(), "/auth-gateway/reset", "token="+token+"&password=quite+another+long+password", nil)
	if set.Status != http.StatusOK {
		t.Errorf("the link was used up: %v", set)
	}
}

// Forms come as forms are encoded, and no longer than they are.
func TestOtherBodies(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	right := url.Values{"email": {alice}, "password": {harness.Password}}.Encode()
	for name, c := range map[string]struct{ kind, body string }{
		"JSON":                              {"application/json", `{"email":"alice@example.test","password":"` + harness.Password + `"}`},
		"text":                              {"text/plain", right},
		"multipart":                         {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\n" + alice + "\r\n--x--\r\n"},
		"XML":                               {"text/xml", "<email>" + alice + "</email>"},
		"CVE-2025-3891, no type":            {"", ""},
		"CVE-2025-3891, a type without end": {"application/x-www-form-urlencoded; =", ""},
		"a list of types":                   {"text/plain, application/x-www-form-urlencoded", right},
		"a body without end":                {"application/x-www-form-urlencoded", right + "&x=" + strings.Repeat("x", 4<<20)},
		"a thousand fields":                 {"application/x-www-form-urlencoded", right + strings.Repeat("&x=y", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			header := http.Header{"Content-Type": {c.kind}}
			if c.kind == "" {
				header = http.Header{"Content-Type": nil}
			}
			if page := post(b, "/auth-gateway/sign-in", c.body, header); page.Status < 400 || page.Status > 429 || b.Session() != nil {
				t.Errorf("%v", page)
			}
		})
	}
	// In the query nothing counts, and nothing of it is logged.
	t.Run("fields in the query", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		if page := post(b, "/auth-gateway/sign-in?"+right, "", nil); page.Status < 400 || b.Session() != nil {
			t.Errorf("%v", page)
		}
		if page := b.Get("/auth-gateway/sign-in?" + right); b.Session() != nil || strings.Contains(string(page.Body), harness.Password) {
			t.Errorf("%v", page)
		}
	})
	// A method is what it is.
	for _, override := range []http.Header{{"X-Http-Method-Override": {"POST"}}, {"X-Method-Override": {"POST"}}} {
		r := g.Browser().Request(http.MethodGet, "/auth-gateway/sign-out?_method=POST", nil)
		b := g.SignedIn(alice)
		for name, values := range override {
			r.Header[name] = values
		}
		b.Send(r)
		g.WantIn(b, alice)
	}
}

// elsewhere is what browsers say of posts from other sites.
var elsewhere = map[string]http.Header{
	"another site":                      {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.test"}},
	"another site, by its origin":       {"Sec-Fetch-Site": nil, "Origin": {"https://evil.test"}},
	"another site that says it is here": {"Sec-Fetch-Site": {"same-origin"}, "Origin": {"https://evil.test"}},
	"a sibling":                         {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://other.localhost"}},
	"no origin to speak of":             {"Sec-Fetch-Site": nil, "Origin": {"null"}},
	"no origin, cross-site":             {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"null"}},
	"another port":                      {"Sec-Fetch-Site": nil, "Origin": {"http://localhost:1"}},
	"this origin with a suffix":         {"Sec-Fetch-Site": nil, "Origin": {"http://localhost.evil.test"}},
	"metadata of no standard":           {"Sec-Fetch-Site": {"nowhere"}},
	"two origins":                       {"Sec-Fetch-Site": nil, "Origin": {"https://evil.test", "http://localhost"}},
	"neither, but cookies and no flow":  {"Sec-Fetch-Site": nil},
}

// Rule 13: every change is a post of this site, signing in and out included.
func TestCrossSitePosts(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	g.AddUser(alice)
	app, _ := g.Enroll(g.Browser(), alice)
	b := g.Browser()
	step := g.AskedForPasscode(b, alice)
	in := g.Browser()
	in.Submit(g.AskedForPasscode(in, alice).Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	scheme := map[string]http.Header{"another scheme": {"Sec-Fetch-Site": nil, "Origin": {strings.Replace(g.URL, "http:", "https:", 1)}}}
	token := g.ResetPassword(alice).Query().Get("token")
	for _, more := range []map[string]http.Header{elsewhere, scheme} {
		for name, header := range more {
			t.Run(name, func(t *testing.T) {
				g.For(t)
				right := url.Values{"email": {alice}, "password": {harness.Password}}.Encode()
				visitor := g.Browser()
				visitor.Get("/auth-gateway/sign-in") // has cookies
				if page := post(visitor, "/auth-gateway/sign-in", right, header); page.Status != http.StatusForbidden {
					t.Errorf("sign-in: %v", page)
				}
				if page := post(in, "/auth-gateway/sign-out", "", header); page.Status != http.StatusForbidden {
					t.Errorf("sign-out: %v", page)
				}
				g.WantIn(in, alice)
				if name != "neither, but cookies and no flow" {
					if page := post(b, "/auth-gateway/passcode", step.Form("passcode").Set("passcode", "000000").Values.Encode(), header); page.Status != http.StatusForbidden {
						t.Errorf("passcode: %v", page)
					}
				}
				if page := post(visitor, "/auth-gateway/reset", "token="+token+"&password=quite+another+long+password", header); page.Status != http.StatusForbidden {
					t.Errorf("reset: %v", page)
				}
			})
		}
	}
	t.Run("a flow of another browser", func(t *testing.T) {
		g.For(t)
		flow := g.Browser().Get("/auth-gateway/sign-in").Form("password").Values.Get("flow")
		page := post(in, "/auth-gateway/sign-out", "flow="+url.QueryEscape(flow), http.Header{"Sec-Fetch-Site": nil})
		if page.Status != http.StatusForbidden {
			t.Errorf("%v", page)
		}
		g.WantIn(in, alice)
	})
	t.Run("by GET", func(t *testing.T) {
		g.For(t)
		for _, target := range []string{"/auth-gateway/sign-out", "/auth-gateway/sign-out?flow=x", "/auth-gateway/sign-out?confirm=yes"} {
			for _, method := range []string{"GET", "HEAD"} {
				in.Do(method, target)
			}
		}
		g.WantIn(in, alice)
	})
}

// Rule 13: the headers of every page, the unhappy ones too. No page holds a
// script, and none can be shown in a frame.
func TestPageHeaders(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "deny role agent")
	g.AddUser(alice)
	g.AddUser(carol, "--role", "agent")
	kept := g.Browser()
	g.Enroll(kept, carol)
	hostile := `"><script>alert(1)</script>{env.HOME}`
	b := g.Browser()
	pages := map[string]*harness.Page{
		"sign-in":                                b.Get("/auth-gateway/sign-in"),
		"sign-out":                               b.Get("/auth-gateway/sign-out"),
		"reset":                                  b.Get("/auth-gateway/reset"),
		"a used link":                            b.Get("/auth-gateway/reset?token=x"),
		"wizard":                                 b.SignIn("/", alice, harness.Password),
		"not allowed":                            kept.Get("/private"),
		"not found":                              b.Get("/auth-gateway/no-such-page"),
		"account":                                kept.Get("/auth-gateway/account"),
		"nothing sent":                           b.Post("/private", nil),
		"cross-site":                             post(b, "/auth-gateway/sign-in", "", elsewhere["another site"]),
		"CVE-2023-52430 caddy-security, paths":   b.Get("/auth-gateway/admin" + url.PathEscape(hostile)),
		"CVE-2023-52430 caddy-security, deeper":  b.Get("/auth-gateway/settings/mfa/delete/" + url.PathEscape(hostile)),
		"CVE-2024-21496 caddy-security, Referer": asProgram(b, "GET", "/auth-gateway/no-such-page", http.Header{"Referer": {"javascript:alert(1)//" + hostile}}),
		"CVE-2019-1010247 mod_auth_openidc":      b.Get("/auth-gateway/sign-out?poll=" + url.QueryEscape(hostile) + "&session=" + url.QueryEscape(hostile)),
		"CVE-2017-6059 mod_auth_openidc":         b.Get("/auth-gateway/sso/x/callback?error=" + url.QueryEscape(hostile) + "&error_description=Call+555-EVIL"),
		"a hostile return_to":                    b.Get("/auth-gateway/sign-in?return_to=" + url.QueryEscape("/"+hostile)),
		"a hostile language":                     b.Get("/auth-gateway/sign-in?lang=" + url.QueryEscape(hostile)),
		"a hostile Accept-Language":              asProgram(b, "GET", "/auth-gateway/sign-in", http.Header{"Accept-Language": {hostile}}),
		"a hostile User-Agent":                   asProgram(b, "GET", "/auth-gateway/account", http.Header{"User-Agent": {hostile}}),
		"a hostile query":                        b.Get("/auth-gateway/sign-in?" + url.QueryEscape(hostile) + "=" + url.QueryEscape(hostile)),
		"a hostile flow":                         b.Get("/auth-gateway/passcode?flow=" + url.QueryEscape(hostile)),
		"a hostile SSO config":                   b.Get("/auth-gateway/sso/" + url.PathEscape(hostile) + "/start"),
	}
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			if page.Status >= 300 && page.Status < 400 {
				return
			}
			csp := page.Header.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action"} {
				if !strings.Contains(csp, part) {
					t.Errorf("CSP without %s: %s", part, csp)
				}
			}
			if strings.Contains(csp, "script-src") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
				t.Errorf("%s", csp)
			}
			for header, want := range map[string]string{
				"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin",
				"Cross-Origin-Opener-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8",
			} {
				if got := page.Header.Get(header); !strings.Contains(got, want) {
					t.Errorf("%s: %q", header, got)
				}
			}
			for _, bad := range []string{"<script", "javascript:", "onerror", g.Env("HOME"), "555-EVIL"} {
				if strings.Contains(strings.ToLower(string(page.Body)), strings.ToLower(bad)) {
					t.Errorf("%s in the page", bad)
				}
			}
			if page.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%v", page.Header)
			}
			if len(page.Body) > 30<<10 {
				t.Errorf("%d bytes", len(page.Body))
			}
		})
	}
}
