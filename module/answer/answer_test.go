package answer_test

import (
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

var visit = policy.Visit{
	Origin: "https://app.example.test", Host: "app.example.test", Secure: true, Client: netip.MustParseAddr("192.0.2.7"),
}

func newAnswers(t *testing.T) (*answer.Answers, *observer.ObservedLogs) {
	t.Helper()
	look, err := pages.New(pages.Brand{}, "")
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	return &answer.Answers{Pages: look, Log: zap.New(core)}, logs
}

func request(method, target string, header http.Header) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Header = header
	return r
}

// Whoever navigates is led to sign in, and nobody else is.
func TestChallenge(t *testing.T) {
	const page, problem = "text/html; charset=utf-8", "application/problem+json"
	html := http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}
	with := func(pairs ...string) http.Header {
		header := html.Clone()
		for i := 0; i < len(pairs); i += 2 {
			header.Set(pairs[i], pairs[i+1])
		}
		return header
	}
	for _, tc := range []struct {
		name, method string
		header       http.Header
		program      bool
		status       int
		contentType  string
	}{
		{"a page", "GET", html, false, 302, ""},
		{"a look at a page", "HEAD", html, false, 302, ""},
		{"a page by its metadata", "GET", http.Header{"Accept": {"*/*"}, "Sec-Fetch-Mode": {"navigate"}}, false, 302, ""},
		{"a page in a frame", "GET", with("Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"), false, 302, ""},
		{"a script that accepts pages", "GET", with("Sec-Fetch-Mode", "cors"), false, 401, problem},
		{"a picture", "GET", with("Sec-Fetch-Mode", "no-cors"), false, 401, problem},
		{"metadata without a mode", "GET", with("Sec-Fetch-Site", "same-origin"), false, 401, problem},
		{"metadata of where it goes alone", "GET", with("Sec-Fetch-Dest", "empty"), false, 401, problem},
		{"a program", "GET", http.Header{"Accept": {"*/*"}}, false, 401, problem},
		{"one that says nothing", "GET", http.Header{}, false, 401, problem},
		{"a page that belongs to programs", "GET", html, true, 401, problem},
		{"a form", "POST", html, false, 401, page},
		{"a form by its metadata", "POST", with("Sec-Fetch-Mode", "navigate"), false, 401, page},
		{"a form to what belongs to programs", "POST", html, true, 401, problem},
		{"a script's post", "POST", with("Sec-Fetch-Mode", "cors"), false, 401, problem},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answers, _ := newAnswers(t)
			w := httptest.NewRecorder()
			answers.Challenge(w, request(tc.method, "/rewritten", tc.header), visit, answer.Challenged{Original: "/a?b=c", Program: tc.program})
			h := w.Header()
			if w.Code != tc.status || h.Get("Content-Type") != tc.contentType {
				t.Fatalf("answered %d, %q, want %d, %q", w.Code, h.Get("Content-Type"), tc.status, tc.contentType)
			}
			location, challenge := "", `Bearer realm="auth_gateway"`
			if tc.status == 302 {
				location, challenge = "/auth-gateway/sign-in?return_to=%2Fa%3Fb%3Dc", ""
			}
			if h.Get("Location") != location || h.Get("WWW-Authenticate") != challenge {
				t.Errorf("Location %q, WWW-Authenticate %q", h.Get("Location"), h.Get("WWW-Authenticate"))
			}
			if h.Get("Cache-Control") != "no-store" || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Cookie") {
				t.Errorf("may be kept and handed to others: %v", h)
			}
			if tc.contentType == problem {
				var p answer.Problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != 401 || p.SignIn != "https://app.example.test/auth-gateway/sign-in" {
					t.Errorf("%v: %s", err, w.Body)
				}
			}
		})
	}
}

// A challenge leads nowhere but to this site, whatever was asked for.
func TestChallengeStaysHere(t *testing.T) {
	answers, _ := newAnswers(t)
	for _, original := range []string{"//evil.example/x", `/\evil.example`, "https://evil.example/", "*", "", "/a\r\nX: y", "/auth-gateway/sign-out"} {
		w := httptest.NewRecorder()
		answers.Challenge(w, request("GET", "/", http.Header{"Accept": {"text/html"}}), visit, answer.Challenged{Original: original})
		if got := w.Header().Get("Location"); got != "/auth-gateway/sign-in" {
			t.Errorf("%q leads to %q", original, got)
		}
	}
}

// The id that a person reads out is in the log with the cause, and the cause
// is nowhere else.
func TestRefuse(t *testing.T) {
	for _, tc := range []struct {
		name   string
		accept string
		find   *regexp.Regexp
	}{
		{"a person", "text/html", regexp.MustCompile(`id="error-id">([A-Z2-7]{8})<`)},
		{"a program", "application/json", regexp.MustCompile(`"error_id":"([A-Z2-7]{8})"`)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answers, logs := newAnswers(t)
			w := httptest.NewRecorder()
			r := request("GET", "/auth-gateway/reset?token=a-secret-token", http.Header{"Accept": {tc.accept}, "Cookie": {"a=secret"}})
			answers.Refuse(w, r, visit, answer.Refusal{
				Kind: pages.StoreUnavailable, Cause: errors.New("the disk is full"), Hint: "make room",
			})
			found := tc.find.FindStringSubmatch(w.Body.String())
			if found == nil {
				t.Fatalf("no error id in %s", w.Body)
			}
			if strings.Contains(w.Body.String(), "disk") {
				t.Error("the cause is in the answer")
			}
			if w.Code != 503 || w.Header().Get("Retry-After") != "1" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			entries := logs.All()
			if len(entries) != 1 || entries[0].Level != zapcore.ErrorLevel {
				t.Fatalf("logged %v", entries)
			}
			c := entries[0].ContextMap()
			for key, want := range map[string]any{
				"error_id": found[1], "error": "the disk is full", "hint": "make room", "status": int64(503),
				"path": "/auth-gateway/reset", "method": "GET", "client_ip": "192.0.2.7",
			} {
				if c[key] != want {
					t.Errorf("%s: logged %v, want %v", key, c[key], want)
				}
			}
			for key, value := range c {
				if text, ok := value.(string); ok && strings.Contains(text, "secret") {
					t.Errorf("%s holds a secret: %s", key, text)
				}
			}
		})
	}
}

func TestRefuseSaysWhenToComeBack(t *testing.T) {
	for _, tc := range []struct {
		refusal answer.Refusal
		status  int
		want    string
	}{
		{answer.Refusal{Kind: pages.Busy, RetryAfter: 1500 * time.Millisecond}, 503, "2"},
		{answer.Refusal{Kind: pages.Busy}, 503, "1"},
		{answer.Refusal{Kind: pages.Busy, RetryAfter: time.Minute, Status: 429}, 429, "60"},
		{answer.Refusal{Kind: pages.NotFound}, 404, ""},
		{answer.Refusal{Kind: "a kind that there is not"}, 500, ""},
	} {
		answers, _ := newAnswers(t)
		w := httptest.NewRecorder()
		answers.Refuse(w, request("GET", "/", http.Header{}), policy.Visit{}, tc.refusal)
		if w.Code != tc.status || w.Header().Get("Retry-After") != tc.want {
			t.Errorf("%+v: %d, Retry-After %q, want %d, %q", tc.refusal, w.Code, w.Header().Get("Retry-After"), tc.status, tc.want)
		}
	}
}

// "Try again" leads to what was asked for, wherever that can be asked for
// again, and signing in leads on to where the person was going.
func TestRefuseLeadsBack(t *testing.T) {
	for _, tc := range []struct {
		name, method, asked string
		refusal             answer.Refusal
		href                string
		languages           bool // offers the page in another language
	}{
		{"the app's page", "GET", "/a?b=c", answer.Refusal{Kind: pages.StoreUnavailable}, "/a?b=c", false},
		{"the app's first page", "GET", "/", answer.Refusal{Kind: pages.StoreUnavailable}, "/", false},
		{"a page of the gateway", "GET", "/auth-gateway/sign-in?return_to=%2Fx", answer.Refusal{Kind: pages.StoreUnavailable}, "/auth-gateway/sign-in?return_to=%2Fx", true},
		{"a page about the person", "GET", "/auth-gateway/account/second-factor?done=x", answer.Refusal{Kind: pages.StoreUnavailable}, "/auth-gateway/account/second-factor?done=x", true},
		{"a form about the person", "POST", "/auth-gateway/account/second-factor", answer.Refusal{Kind: pages.StoreUnavailable}, "/auth-gateway/sign-in", false},
		{"the way to a provider", "GET", "/auth-gateway/sso/okta/start?return_to=%2Fx", answer.Refusal{Kind: pages.ProviderUnreachable, ReturnTo: "/x"}, "/auth-gateway/sso/okta/start?return_to=%2Fx", true},
		{"a provider's answer, which can be given once", "GET", "/auth-gateway/sso/okta/callback?code=a&state=b", answer.Refusal{Kind: pages.ProviderUnreachable, ReturnTo: "/x?y=z"}, "/auth-gateway/sign-in?return_to=%2Fx%3Fy%3Dz", false},
		{"a provider's answer without a sign-in", "GET", "/auth-gateway/sso/okta/callback?code=a", answer.Refusal{Kind: pages.FlowExpired}, "/auth-gateway/sign-in", false},
		{"a form of the app", "POST", "/a?b=c", answer.Refusal{Kind: pages.StoreUnavailable}, "/auth-gateway/sign-in", false},
		{"a password", "POST", "/auth-gateway/sign-in", answer.Refusal{Kind: pages.Busy, ReturnTo: "/x"}, "/auth-gateway/sign-in?return_to=%2Fx", false},
		{"another site", "GET", "//evil.example/x", answer.Refusal{Kind: pages.StoreUnavailable}, "/auth-gateway/sign-in", false},
		{"another site, as browsers read it", "GET", `/\evil.example/x`, answer.Refusal{Kind: pages.StoreUnavailable}, "/auth-gateway/sign-in", false},
		{"a whole address of another site", "GET", "https://evil.example/x", answer.Refusal{Kind: pages.StoreUnavailable}, "/auth-gateway/sign-in", false},
		{"no page", "GET", "*", answer.Refusal{Kind: pages.StoreUnavailable}, "/auth-gateway/sign-in", false},
		{"what one is sent to instead", "GET", "/a", answer.Refusal{Kind: pages.NotFound}, "/", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answers, _ := newAnswers(t)
			w := httptest.NewRecorder()
			asked := visit
			asked.Asked = tc.asked
			answers.Refuse(w, request(tc.method, "/rewritten", http.Header{"Accept": {"text/html"}}), asked, tc.refusal)
			found := regexp.MustCompile(`class="button primary" href="([^"]*)"`).FindStringSubmatch(w.Body.String())
			if found == nil || html.UnescapeString(found[1]) != tc.href {
				t.Errorf("leads to %q, want %q", found, tc.href)
			}
			if got := strings.Contains(w.Body.String(), `hreflang="ja"`); got != tc.languages {
				t.Errorf("other languages offered: %t", got)
			}
			if strings.Contains(w.Body.String(), "code=a") {
				t.Error("the provider's code is in the page")
			}
		})
	}
}
