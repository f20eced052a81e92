//go:build integration

package provider

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// with returns an address with another query.
func with(address *url.URL, change func(url.Values)) string {
	changed, query := *address, address.Query()
	change(query)
	changed.RawQuery = query.Encode()
	return changed.String()
}

// announcing has the provider announce that it sends iss (RFC 9207).
func announcing(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
	b.Discovery = set("authorization_response_iss_parameter_supported", true)
}

// Reasons for which a callback belongs to no sign-in of the browser.
const (
	noSuchState  = "no sign-in of this browser has that state"
	anotherState = "the state is not the one this browser was sent with"
)

// Rule 16: responses that are not the answer to what this browser asked. None
// of them spends the code.
func TestResponses(t *testing.T) {
	t.Parallel()
	var (
		expired = func(reason string) refusal { return refusal{http.StatusBadRequest, "flow_expired", reason} }
		garbled = func(reason string) refusal { return refusal{http.StatusBadRequest, "bad_request", reason} }
	)
	tests := []struct {
		name   string
		behave behaviour
		change func(query url.Values)
		refusal
	}{
		{"state missing", nil, func(q url.Values) { q.Del("state") }, expired(noSuchState)},
		{"state empty", nil, func(q url.Values) { q.Set("state", "") }, expired(noSuchState)},
		{"state of nobody", nil, func(q url.Values) { q.Set("state", strings.Repeat("A", len(q.Get("state")))) }, expired(noSuchState)},
		{"state with another end", nil, func(q url.Values) { q.Set("state", q.Get("state")[:20]+"AAAA") }, expired(anotherState)},
		{"state without its end", nil, func(q url.Values) { q.Set("state", strings.SplitN(q.Get("state"), ".", 2)[0]) }, expired(anotherState)},
		{"state in capitals", nil, func(q url.Values) { q.Set("state", strings.ToUpper(q.Get("state"))) }, expired(noSuchState)},
		{"state as a path", nil, func(q url.Values) { q.Set("state", "../"+q.Get("state")) }, expired(noSuchState)},
		{"state with a line break", nil, func(q url.Values) { q.Set("state", q.Get("state")+"\r\nX: y") }, expired(anotherState)},
		{"state twice", nil, func(q url.Values) { q.Add("state", q.Get("state")) }, garbled(`parameter "state" is given 2 times`)},
		{"state of ten thousand characters", nil, func(q url.Values) { q.Set("state", strings.Repeat("A", 10_000)) }, expired(noSuchState)},

		{"code missing", nil, func(q url.Values) { q.Del("code") }, expired("the response has neither a code nor an error")},
		{"code empty", nil, func(q url.Values) { q.Set("code", "") }, expired("the response has neither a code nor an error")},
		{"code twice", nil, func(q url.Values) { q.Add("code", "another") }, garbled(`parameter "code" is given 2 times`)},
		{"code twice alike", nil, func(q url.Values) { q.Add("code", q.Get("code")) }, garbled(`parameter "code" is given 2 times`)},
		{"code with NUL", nil, func(q url.Values) { q.Set("code", "a\x00b") }, garbled(`parameter "code" is not text`)},
		{"code that is no text", nil, func(q url.Values) { q.Set("code", "\xff\xfe") }, garbled(`parameter "code" is not text`)},
		{"more than can be", nil, func(q url.Values) { q.Set("code", strings.Repeat("A", 20_000)) }, garbled("it is longer than 16384 bytes")},
		{"unknown parameter twice", nil, func(q url.Values) { q["session_state"] = []string{"a", "b"} }, garbled(`parameter "session_state" is given 2 times`)},
		{"nothing", nil, func(q url.Values) { clear(q) }, expired(noSuchState)},

		{"iss of another provider", nil, func(q url.Values) { q.Set("iss", "https://evil.test") }, expired(`the response is another issuer's: iss is "https://evil.test"`)},
		{"iss empty", nil, func(q url.Values) { q.Set("iss", "") }, expired(`the response is another issuer's: iss is ""`)},
		{"iss twice", nil, func(q url.Values) { q["iss"] = []string{"https://evil.test", "https://evil.test"} }, garbled(`parameter "iss" is given 2 times`)},
		{"iss announced and missing", announcing, func(url.Values) {}, expired("the response has no iss, which the provider announces to send")},
		{"iss announced and empty", announcing, func(q url.Values) { q.Set("iss", "") }, expired(`the response is another issuer's`)},
		{"iss announced and of another provider", announcing, func(q url.Values) { q.Set("iss", "https://evil.test") }, expired(`the response is another issuer's`)},
		{"iss announced and missing from an error", announcing, func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") },
			expired("the response has no iss, which the provider announces to send")},

		{"error and code", nil, func(q url.Values) { q.Set("error", "access_denied") },
			refusal{http.StatusForbidden, "access_denied", `the provider says "access_denied"`}},
		{"error of its own", nil, func(q url.Values) { q.Del("code"); q.Set("error", "bad_hair_day") }, believedNot(`the provider says "bad_hair_day"`)},
		{"error empty", nil, func(q url.Values) { q.Set("error", "") }, believedNot("the provider refused")},
		{"error as markup", nil, func(q url.Values) {
			q.Del("code")
			q.Set("error", `"><script>alert(1)</script>`)
			q.Set("error_description", `<img src=x onerror=alert(1)>{env.HOME}`)
			q.Set("error_uri", "javascript:alert(1)")
		}, believedNot(`<img src=x onerror=alert(1)>{env.HOME}`)},
		{"error that repeats the code", nil, func(q url.Values) {
			q.Set("error", "server_error")
			q.Set("error_description", "the code "+q.Get("code")+" and the secret "+providertest.ClientSecret)
		}, refusal{http.StatusBadGateway, "temporarily_unavailable", "the code [removed] and the secret [removed]"}},
		{"error with colours for a terminal", nil, func(q url.Values) { q.Set("error", "\x1b[31mred\nline") }, believedNot("[31mred line")},
		{"tokens in the query", nil, func(q url.Values) { q.Del("code"); q.Set("id_token", "a.b.c"); q.Set("access_token", "x") },
			expired("the response has neither a code nor an error")},
	}
	situations := make([]situation, len(tests))
	for i, test := range tests {
		situations[i] = situation{name: "response " + test.name, behave: test.behave}
	}
	s := newStage(t, "", "", situations...)
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.For(t)
			name := situations[i].name
			b := s.Browser()
			page := arrive(b, with(s.away(b, name), test.change))
			s.wantRefused(t, b, page, test.refusal)
			if test.kind != "bad_request" {
				s.wantAudited(t, name)
			}
			for _, markup := range []string{"<script>alert", "<img src=x", "javascript:", s.Env("HOME")} {
				if strings.Contains(string(page.Body), markup) {
					t.Errorf("the page holds %q", markup)
				}
			}
			if n := len(s.providers[name].Requests(providertest.PathToken)); n != 0 {
				t.Errorf("the code was spent %d times", n)
			}
		})
	}
	if n := s.App.Count(); n != 0 {
		t.Errorf("the app received %d requests", n)
	}
	s.wantNobody(t)
}

// An answer that is posted (response_mode=form_post) is not spoken here, and
// one that something only looks at stays what it is.
func TestResponseMethods(t *testing.T) {
	t.Parallel()
	const name = "methods"
	s := newStage(t, "", "", situation{name: name})
	b := s.Browser()
	back := s.away(b, name)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		body, target := strings.NewReader(""), back.String()
		if method == http.MethodPost {
			body, target = strings.NewReader(back.RawQuery), back.Path
		}
		r := b.Request(method, target, body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", s.providers[name].Issuer())
		if page := b.Send(r); page.Status != http.StatusMethodNotAllowed || b.Session() != nil {
			t.Errorf("%s: %v", method, page)
		}
	}
	if page := b.Do(http.MethodHead, back.String()); page.Status != http.StatusNoContent || b.Session() != nil {
		t.Errorf("HEAD: %v", page)
	}
	if n := len(s.providers[name].Requests(providertest.PathToken)); n != 0 {
		t.Errorf("the code was spent %d times", n)
	}
	b.Follow(arrive(b, back.String())).App()
}
