package signin_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
)

func signInFor(returnTo string) string {
	return answer.SignIn + "?return_to=" + url.QueryEscape(returnTo)
}

func TestPostsFromElsewhere(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	for _, tc := range []struct {
		name    string
		header  http.Header
		cookies bool // the browser has been here
		flow    bool // the form's own hidden field
		in      bool
	}{
		{"from this site", http.Header{"Origin": {origin}, "Sec-Fetch-Site": {"same-origin"}}, true, false, true},
		{"from this site, an older browser", http.Header{"Origin": {origin}}, true, false, true},
		{"typed by the person", http.Header{"Sec-Fetch-Site": {"none"}}, true, false, true},
		{"from another site", http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, true, true, false},
		{"from another site, an older browser", http.Header{"Origin": {"https://evil.example"}}, true, true, false},
		{"from a sibling site", http.Header{"Sec-Fetch-Site": {"same-site"}}, true, true, false},
		{"from another port", http.Header{"Origin": {origin + ":8443"}}, true, true, false},
		{"by plain HTTP", http.Header{"Origin": {"http://app.example.test"}}, true, true, false},
		{"from a sandbox", http.Header{"Origin": {"null"}}, true, true, false},
		{"this origin, said to be of another site", http.Header{"Origin": {origin}, "Sec-Fetch-Site": {"cross-site"}}, true, true, false},
		{"from nowhere, with cookies", nil, true, false, false},
		{"from nowhere, with cookies and the flow", nil, true, true, true},
		{"from nowhere, without cookies", nil, false, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := s.browser()
			form := url.Values{"email": {"alice@example.test"}, "password": {password}}
			if tc.cookies {
				page := b.get(answer.SignIn).as("200")
				if tc.flow {
					form.Set("flow", page.field("flow"))
				}
			}
			header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
			maps.Copy(header, tc.header)
			r := b.send("POST", answer.SignIn, header, strings.NewReader(form.Encode()))
			if !tc.in {
				r.as("403")
				b.is("")
				return
			}
			r.as("303 /")
		})
	}
}

// Another browser's hidden field is worth nothing.
func TestFlowOfAnotherBrowser(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	attackers := s.browser().get(answer.SignIn).field("flow")
	b := s.browser()
	b.get(answer.SignIn)
	b.bare = true
	b.post(answer.SignIn, "email", "alice@example.test", "password", password, "flow", attackers).as("403")
	b.is("")
}

// Every form can be sent by a browser that says nothing of where it comes from.
func TestEveryFormCarriesItsFlow(t *testing.T) {
	s := newSite(t, audiences{"team": {SecondFactor: "required"}}, nil)
	alice := s.add("alice@example.test", "")
	token, _, err := s.people.IssueLink(t.Context(), alice.ID, "invitation", nil)
	s.must(err)
	b := s.browser()
	b.bare = true
	page := b.get(answer.Reset + "?token=" + token).as("200")
	b.post(answer.Reset, "token", token, "password", password).as("403")
	b.post(answer.Reset, "token", token, "password", password, "flow", page.field("flow")).as("200")
	page = b.get(answer.SignIn)
	r := b.post(answer.SignIn, "email", "alice@example.test", "password", password, "flow", page.field("flow"))
	page = b.get(r.location).as("200")
	app := s.app(page.key())
	b.post(answer.Enroll, "passcode", app.code()).as("403")
	b.post(answer.Enroll, "passcode", app.code(), "flow", page.field("flow")).as("200")
	page = b.get(answer.Account).as("200")
	b.post(answer.SignOut).as("403")
	b.is("alice@example.test")
	b.post(answer.SignOut, "flow", page.field("flow")).as("303 " + answer.SignOut)
	b.is("")
}

func TestMethods(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	for _, tc := range []struct{ method, path, allow string }{
		{"PUT", answer.SignIn, "GET, HEAD, POST"},
		{"DELETE", answer.SignOut, "GET, HEAD, POST"},
		{"OPTIONS", answer.Passcode, "GET, HEAD, POST"},
		{"POST", answer.WhoAmI, "GET, HEAD"},
		{"POST", answer.SSO + "okta/start", "GET, HEAD"},
		{"POST", answer.SSO + "okta/callback", "GET, HEAD"},
		{"POST", answer.Account, "GET, HEAD"},
	} {
		r := s.browser().send(tc.method, tc.path, http.Header{"Origin": {origin}}, nil)
		if r.status != 405 || r.header.Get("Allow") != tc.allow {
			t.Errorf("%s %s: %d, Allow %q, want 405, %q", tc.method, tc.path, r.status, r.header.Get("Allow"), tc.allow)
		}
	}
	for _, path := range []string{answer.Root, answer.Root + "/", answer.SSO, answer.SSO + "/start", answer.SSO + "a/b/start", answer.SignIn + "/", answer.Logo} {
		if r := s.browser().get(path); r.status != 404 {
			t.Errorf("GET %s: %d, want 404", path, r.status)
		}
	}
}

// The choice of a language survives each step and is in no app's way.
func TestLanguage(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	b := s.browser()
	if r := b.get(answer.SignIn + "?lang=ja"); r.header.Get("Content-Language") != "ja" {
		t.Errorf("asked for Japanese, got %s", r.header.Get("Content-Language"))
	}
	if r := b.signIn("nobody@example.test", wrong, "/"); r.header.Get("Content-Language") != "ja" {
		t.Errorf("chose Japanese, the answer to a post is in %s", r.header.Get("Content-Language"))
	}
	before := len(b.cookies)
	b.get(answer.SignIn + "?lang=<script>")
	if len(b.cookies) != before || b.cookies["__Host-auth_gateway_lang"] != "ja" {
		t.Errorf("a language that there is not has changed the cookies: %v", b.cookies)
	}
}
