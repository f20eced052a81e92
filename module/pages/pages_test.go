package pages

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestHeaders(t *testing.T) {
	p := newPages(t, Brand{}, "")
	w := httptest.NewRecorder()
	w.Header().Set("Retry-After", "60")
	w.Header().Set("Vary", "Accept-Encoding")
	p.Write(w, http.StatusTooManyRequests, View{Host: "app.example.com", Language: "ja"}, SignIn{Password: true})
	if w.Code != http.StatusTooManyRequests {
		t.Errorf("status %d, want 429", w.Code)
	}
	for name, want := range map[string]string{
		"Content-Type":                 "text/html; charset=utf-8",
		"Content-Language":             "ja",
		"Cache-Control":                "no-store",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "strict-origin",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Retry-After":                  "60",
		"Content-Security-Policy":      "default-src 'none'; style-src " + p.styleHash + "; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	} {
		if got := strings.Join(w.Header()[name], " | "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := strings.Join(w.Header().Values("Vary"), ", "); got != "Accept-Encoding, Accept-Language, Cookie" {
		t.Errorf("Vary: %q", got)
	}
}

func TestHead(t *testing.T) {
	p := newPages(t, Brand{}, "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.Write(w, http.StatusForbidden, View{Host: "app.example.com"}, Error{Kind: NotAllowed})
	}))
	defer server.Close()
	answer, err := http.Head(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden || answer.ContentLength < 1000 || answer.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("status %d, length %d, %v", answer.StatusCode, answer.ContentLength, answer.Header)
	}
}

// TestFormTargets lets nothing but origins into the policy.
func TestFormTargets(t *testing.T) {
	p := newPages(t, Brand{Logo: "testdata/logo.svg"}, "")
	for target, want := range map[string]string{
		"https://idp.example.com":                   "'self' https://idp.example.com;",
		"https://idp.example.com:8443/logout?a=b#c": "'self' https://idp.example.com:8443;",
		"http://127.0.0.1:9000":                     "'self' http://127.0.0.1:9000;",
		"https://[::1]:9000":                        "'self' https://[::1]:9000;",
		"https://user:pass@idp.example.com":         "'self' https://idp.example.com;",
		"":                                          "'self';",
		"*":                                         "'self';",
		"https:":                                    "'self';",
		"javascript:alert(1)":                       "'self';",
		"data:text/html,x":                          "'self';",
		"https://a.example; script-src *":           "'self';",
		"https://a.example/ https://b.example":      "'self' https://a.example;",
		"https://*.example":                         "'self';",
		"https://a,b":                               "'self';",
		"https://a'b":                               "'self';",
	} {
		policy := write(t, p, View{Host: "h", FormTargets: []string{target}}, SignOut{}).Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "; form-action "+want) {
			t.Errorf("%q: %q lacks %q", target, policy, want)
		}
		if !strings.Contains(policy, "; img-src 'self';") {
			t.Errorf("%q does not let the logo in", policy)
		}
	}
}

// TestHostileValues puts what a client or a provider may send everywhere.
func TestHostileValues(t *testing.T) {
	p := newPages(t, Brand{Name: evil}, "")
	view := View{Host: evil, Self: "/" + evil}
	for _, page := range []Page{
		SignIn{Email: evil, ReturnTo: evil, Flow: evil, Password: true, Reset: true, Buttons: []Button{{SSO: evil, Href: evil}, {Label: evil, Href: "javascript:alert(1)"}}},
		Passcode{Flow: evil, Method: "email", Sent: Sent{To: evil, Once: true}, StartOver: "javascript:alert(1)"},
		Enroll{Flow: evil, URL: "javascript:alert(1)", Key: evil, Step: 1, Steps: 2, StartOver: evil},
		Enroll{URL: "otpauth://totp/" + evil, Key: evil},
		Enroll{Flow: evil, Method: "sms", Phone: evil, Message: Message{Kind: NoPhone}},
		Enroll{Flow: evil, Method: "sms", Phone: evil, Sent: Sent{To: evil, Once: true}, Others: []string{"email"}, StartOver: "javascript:alert(1)", ByChoice: true},
		RecoveryCodes{Codes: []string{evil}, Email: evil, Continue: "javascript:alert(1)"},
		SignOut{Email: evil, Flow: evil, Stay: "javascript:alert(1)"},
		SignedOut{SignIn: "javascript:alert(1)", StillAt: evil},
		SetPassword{Token: evil, Email: evil},
		PasswordSet{SignIn: "javascript:alert(1)"},
		ResetAsk{SignIn: "javascript:alert(1)"},
		Account{
			Name: evil, Email: evil, Role: "agent", SSO: evil, Flow: evil, Back: "javascript:alert(1)",
			Factors:  []AccountFactor{{Method: "sms", Where: evil}},
			Devices:  []AccountBrowser{{ID: evil, Browser: evil, System: evil, Address: evil}},
			Sessions: []AccountBrowser{{ID: evil, Given: evil, Address: evil}},
			Links:    []AccountLink{{Label: evil, Email: evil}},
		},
		AccountName{Name: evil, Flow: evil},
		AccountPassword{Email: evil, Flow: evil},
		AccountFactors{Factors: []AccountFactor{{ID: evil, Method: "sms", Where: evil}}, Flow: evil},
		AccountLinks{Links: []AccountLink{{ID: evil, Label: evil, Email: evil}}, Add: []AccountProvider{{SSO: evil, Label: evil}}, Notice: NoticeLinked, Linked: AccountLink{Label: evil, Email: evil}, Flow: evil},
		AccountLinking{Label: evil, Email: evil, Href: "javascript:alert(1)"},
		Error{Kind: NotAllowed, Detail: Detail{SSO: evil, Email: evil}, ErrorID: evil, Way: Way{Flow: evil}},
		Error{Kind: ProviderRefused, Detail: Detail{SSO: evil}, Way: Way{Href: "javascript:alert(1)"}},
	} {
		for _, lang := range []string{"en", "ja", evil} {
			view.Language = lang
			answer := write(t, p, view, page)
			root, err := html.Parse(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			for n := range root.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				if n.Data == "script" || n.Data == "img" || n.Data == "b" {
					t.Errorf("%s: <%s> got in", page.name(), n.Data)
				}
				for _, a := range n.Attr {
					if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
						t.Errorf("%s: %s=%q got in", page.name(), a.Key, a.Val)
					}
				}
			}
			for name, values := range answer.Header {
				if strings.Contains(strings.Join(values, ""), "alert") {
					t.Errorf("%s: %s: %q", page.name(), name, values)
				}
			}
		}
	}
}

const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>' onfocus='alert(1)</style></title><b>{host}{{.}}` + "\x00\r\nSet-Cookie: a=b"

func TestNewNamesTheFault(t *testing.T) {
	text := filepath.Join(t.TempDir(), "logo.svg")
	if err := os.WriteFile(text, []byte("this only mentions <svg>"), 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(t.TempDir(), "large.png")
	if err := os.WriteFile(large, append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, maxLogo)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		brand    Brand
		language string
		want     []string
	}{
		{Brand{Accent: "red"}, "", []string{"brand accent", `"red"`, "#rrggbb"}},
		{Brand{Logo: "testdata/none.svg"}, "", []string{"brand logo", "testdata/none.svg"}},
		{Brand{Logo: text}, "", []string{"brand logo", text, "SVG, PNG, JPEG or WebP"}},
		{Brand{Logo: large}, "", []string{"brand logo", large, "512 KiB"}},
		{Brand{Logo: "testdata"}, "", []string{"brand logo", "testdata"}},
		{Brand{}, "de", []string{"language", `"de"`, "en", "ja"}},
		{Brand{}, "not a tag", []string{"language", `"not a tag"`}},
	} {
		_, err := New(test.brand, test.language)
		if err == nil {
			t.Errorf("%+v %q was accepted", test.brand, test.language)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
}

func TestErrorKinds(t *testing.T) {
	for kind, want := range map[ErrorKind]int{
		NotAllowed: 403, UnknownSSO: 404, NothingSent: 401, ProviderUnreachable: 502, InvalidScope: 502,
		StoreUnavailable: 503, OriginUnclear: 403, RangesUndecidable: 503, AmbiguousPath: 400,
		MethodNotAllowed: 405, TooEarly: 425, NoEmail: 403, "no such kind": 500,
	} {
		if got := kind.Status(); got != want {
			t.Errorf("%s: %d, want %d", kind, got, want)
		}
	}
}

// TestWayOn leads where the kind of error suggests, or the caller says.
func TestWayOn(t *testing.T) {
	p := newPages(t, Brand{}, "en")
	for _, test := range []struct {
		name, self    string
		again, signIn string
		page          Error
		want          string
	}{
		{"tries the same page again", "/a?b=c", "", "", Error{Kind: StoreUnavailable}, `<a class="button primary" href="/a?b=c">Try again</a>`},
		{"never posts again by a link", "", "", "", Error{Kind: StoreUnavailable}, `<a class="button primary" href="/auth-gateway/sign-in">Try again</a>`},
		{"leaves the site for nobody", "//evil.example", "", "", Error{Kind: Busy}, `<a class="button primary" href="/auth-gateway/sign-in">Try again</a>`},
		{"goes back to the app", "", "", "", Error{Kind: NotFound}, `<a class="button primary" href="/">Go to app.example.com</a>`},
		{"goes where the caller says", "", "", "", Error{Kind: NotFound, Way: Way{Kind: WaySignIn, Href: "/auth-gateway/sign-in?return_to=%2Fx"}}, `<a class="button primary" href="/auth-gateway/sign-in?return_to=%2Fx">Go to sign-in</a>`},
		{"switches the account by a post", "", "", "", Error{Kind: NotAllowed, Way: Way{Flow: "f1"}}, "<form method=\"post\" action=\"/auth-gateway/sign-out\">\n<input type=\"hidden\" name=\"flow\" value=\"f1\">"},
		{"tries the app's page again", "", "/a?b=c", "/auth-gateway/sign-in?return_to=%2Fx", Error{Kind: StoreUnavailable}, `<a class="button primary" href="/a?b=c">Try again</a>`},
		{"leaves the site for nobody, not even again", "", `/\evil.example`, "", Error{Kind: StoreUnavailable}, `<a class="button primary" href="/auth-gateway/sign-in">Try again</a>`},
		{"remembers where one was going", "", "", "/auth-gateway/sign-in?return_to=%2Fx", Error{Kind: FlowExpired}, `<a class="button primary" href="/auth-gateway/sign-in?return_to=%2Fx">Go to sign-in</a>`},
		{"remembers it when trying again", "", "", "/auth-gateway/sign-in?return_to=%2Fx", Error{Kind: Busy}, `<a class="button primary" href="/auth-gateway/sign-in?return_to=%2Fx">Try again</a>`},
	} {
		view := View{Host: "app.example.com", Self: test.self, Again: test.again, SignIn: test.signIn}
		body, err := io.ReadAll(write(t, p, view, test.page).Body)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(body), test.want) {
			t.Errorf("%s: no %s in\n%s", test.name, test.want, body[strings.Index(string(body), "<main>"):])
		}
	}
}
