package signin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/signin"
)

const wrong = "a wrong long password"

// wrongAudit is what the audit trail says of a password that is not right.
const wrongAudit = "sign-in failure password: wrong e-mail address or password"

func TestSignIn(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	gone := s.add("gone@example.test", password)
	s.must(s.people.Suspend(t.Context(), gone.ID, nil))
	for _, tc := range []struct {
		name, email, password, want, audit string
	}{
		{"right", "alice@example.test", password, "303 /a?b=c", "sign-in success password"},
		{"right, the address in capitals", "ALICE@example.test", password, "303 /a?b=c", "sign-in success password"},
		{"right, the address pasted with what was around it", " alice@example.test\u200b\r\n", password, "303 /a?b=c", "sign-in success password"},
		{"right, the address from a Japanese keyboard", "ａｌｉｃｅ＠ｅｘａｍｐｌｅ。ｔｅｓｔ　", password, "303 /a?b=c", "sign-in success password"},
		{"the password with a blank that is not in it", "alice@example.test", password + " ", "401", wrongAudit},
		{"nothing but blanks for an address", " \u3000", password, "401", ""},
		{"wrong", "alice@example.test", wrong, "401", wrongAudit},
		{"unknown", "nobody@example.test", password, "401", wrongAudit},
		{"suspended", "gone@example.test", password, "401", wrongAudit},
		{"cut off", "alice@example.test", password[:15], "401", wrongAudit},
		{"no address", "", password, "401", ""},
		{"no password", "alice@example.test", "", "401", ""},
		{"a password that is too long", "alice@example.test", password + strings.Repeat(" ", 1024), "401", ""},
		{"an address that is too long", strings.Repeat("a", 300) + "@example.test", password, "401", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := s.browser()
			before := len(s.events())
			r := b.signIn(tc.email, tc.password, "/a?b=c").as(tc.want)
			if tc.audit != "" {
				s.audited(tc.audit)
			} else if len(s.events()) != before {
				t.Error("what was not even tried is in the audit trail")
			}
			if r.status == http.StatusSeeOther {
				b.is("alice@example.test")
				return
			}
			b.is("")
			if !strings.Contains(r.body, `role="alert"`) {
				t.Error("the page does not say what is wrong")
			}
			if tc.password != "" && strings.Contains(r.body, tc.password) {
				t.Error("the password is in the page")
			}
		})
	}
}

func TestUnreadableForms(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	right := "email=alice%40example.test&password=a+right+long+password"
	for _, tc := range []struct {
		name, contentType, body string
		status                  int
	}{
		{"readable", "application/x-www-form-urlencoded; charset=utf-8", right, 303},
		{"an address twice", "", right + "&email=bob%40example.test", 400},
		{"a password twice", "", right + "&password=x", 400},
		{"bytes that are no text", "", right + "&x=%ff", 400},
		{"a NUL", "", right + "&x=%00", 400},
		{"not encoded as a form", "", right + "&x=%zz", 400},
		{"too large", "", right + "&x=" + strings.Repeat("x", 16<<10), 413},
		{"text", "text/plain", right, 415},
		{"JSON", "application/json", "{}", 415},
		{"several parts", "multipart/form-data; boundary=x", right, 415},
		{"of no type", "-", right, 415},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := s.browser()
			header := http.Header{"Origin": {origin}, "Content-Type": {tc.contentType}}
			switch tc.contentType {
			case "":
				header.Set("Content-Type", "application/x-www-form-urlencoded")
			case "-":
				header.Del("Content-Type")
			}
			if r := b.send("POST", answer.SignIn, header, strings.NewReader(tc.body)); r.status != tc.status {
				t.Fatalf("answered %d, want %d: %s", r.status, tc.status, text(r.body))
			}
			if tc.status != 303 {
				b.is("")
			}
		})
	}
}

func TestUnreadableQueries(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	for name, query := range map[string]string{
		"a parameter twice":      "return_to=/a&return_to=/b",
		"bytes that are no text": "return_to=%ff",
		"not encoded":            "return_to=%zz",
		"a semicolon":            "a=b;c=d",
		"too long":               "x=" + strings.Repeat("x", 16<<10),
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{answer.SignIn, answer.Passcode, answer.Enroll, answer.Reset, answer.SignOut} {
				if r := s.browser().get(path + "?" + query); r.status != 400 {
					t.Errorf("%s: answered %d, want 400", path, r.status)
				}
			}
		})
	}
}

var tokens = regexp.MustCompile(`name="flow" value="[^"]*"`)

// Nobody can tell from an answer whether somebody has an account.
func TestKnownAndUnknownLookTheSame(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("known@example.test", password)
	suspended := s.add("suspended@example.test", password)
	s.must(s.people.Suspend(t.Context(), suspended.ID, nil))
	s.add("passwordless@example.test", "")
	emails := []string{"known@example.test", "suspended@example.test", "passwordless@example.test", "unknown@example.test"}
	for i := range 12 {
		var first string
		for _, email := range emails {
			r := s.browser().signIn(email, wrong, "/")
			r.header.Del("Set-Cookie")
			body := tokens.ReplaceAllString(strings.ReplaceAll(r.body, email, "EMAIL"), "")
			r.header.Set("Content-Length", fmt.Sprint(len(r.body)-len(email)))
			got := fmt.Sprintf("%d %v %s", r.status, r.header, body)
			if first == "" {
				first = got
			}
			if got != first {
				t.Fatalf("guess %d: %s is answered\n%s\n%s is answered\n%s", i+1, emails[0], first, email, got)
			}
			want := http.StatusUnauthorized
			if i >= 10 {
				want = http.StatusTooManyRequests
			}
			if r.status != want {
				t.Fatalf("guess %d at %s: answered %d, want %d", i+1, email, r.status, want)
			}
		}
	}
}

func TestGuessesAreHeldOff(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	known := s.browser()
	known.signIn("alice@example.test", password, "/").as("303 /")
	for range 10 {
		s.browser().signIn("alice@example.test", wrong, "/").as("401")
	}
	stranger := s.browser()
	r := stranger.signIn("alice@example.test", password, "/").as("429")
	if got := r.header.Get("Retry-After"); got != "30" {
		t.Errorf("Retry-After: %q, want 30", got)
	}
	s.audited("sign-in refused password: held off")
	stranger.is("")
	known.post(answer.SignOut).as("303 " + answer.SignOut)
	known.signIn("alice@example.test", password, "/").as("303 /") // a known browser has its own budget
	s.browser().signIn("alice@example.test", password, "/").as("429")
	s.pass(30 * time.Second)
	stranger.signIn("alice@example.test", password, "/").as("303 /")
	stranger.is("alice@example.test")
}

// Where people go after signing in is a path of this site, whatever a link says.
func TestReturnTo(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	for _, tc := range []struct{ asked, want string }{
		{"/a?b=c", "/a?b=c"},
		{origin + "/a", "/a"},
		{"https://evil.example/", "/"},
		{"//evil.example", "/"},
		{`/\evil.example`, "/"},
		{"/%2fevil.example", "/"},
		{"/a\r\nSet-Cookie: x=y", "/"},
		{"javascript:alert(1)", "/"},
		{answer.SignOut, "/"},
		{answer.Account, answer.Account},
		{"/" + strings.Repeat("a", 1024), "/"},
	} {
		b := s.browser()
		b.signIn("alice@example.test", password, tc.asked).as("303 " + tc.want)
		if strings.ContainsAny(tc.asked, "\r\n") {
			continue // no address has them
		}
		b.get(signInFor(tc.asked)).as("302 " + tc.want)
	}
}

// A store at fault lets nobody in and breaks nothing.
func TestStoreFaults(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	for _, op := range []string{"view", "update", "commit", "kept"} {
		t.Run(op, func(t *testing.T) {
			b := s.browser()
			s.breaks(func(at string) error {
				if at == op {
					return errors.New("the disk is gone")
				}
				return nil
			})
			r := b.signIn("alice@example.test", password, "/a?b=c").as("503")
			s.breaks(nil)
			if r.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			if !strings.Contains(r.body, `href="/auth-gateway/sign-in?return_to=%2Fa%3Fb%3Dc"`) {
				t.Error("trying again forgets where the person was going")
			}
			b.is("")
		})
	}
}

func TestPasswordIsNotTakenWhereItIsOff(t *testing.T) {
	okta := newProvider(t, "okta")
	s := newSite(t, audiences{"team": {Password: policy.Off, SSO: []string{"okta"}}}, nil, okta)
	s.add("alice@example.test", password)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("403")
	b.is("")
}

// Whose password is too short by now sets another one before anything opens.
func TestPasswordThatHasToBeChanged(t *testing.T) {
	for _, factor := range []bool{false, true} {
		t.Run(fmt.Sprintf("second factor %v", factor), func(t *testing.T) {
			s := newSite(t, audiences{"team": {}}, nil)
			alice := s.add("alice@example.test", "8 whiskers")
			b := s.browser()
			var r *reply
			if factor {
				app, _ := s.enroll(alice, false)
				flow := b.signIn("alice@example.test", "8 whiskers", "/").flow()
				r = b.post(answer.Passcode, "flow", flow, "passcode", app.code())
			} else {
				r = b.signIn("alice@example.test", "8 whiskers", "/")
			}
			if r.status != 303 || !strings.HasPrefix(r.location, answer.Reset+"?token=") {
				t.Fatalf("answered %d %s", r.status, r.location)
			}
			b.is("")
			if s.counted("sign-in success") != 0 || s.counted("sign-in refused") != 1 {
				t.Error("the audit trail takes it for a sign-in")
			}
			page := b.get(r.location).as("200")
			b.post(answer.Reset, "token", page.field("token"), "password", "8 feathers").as("422")
			b.post(answer.Reset, "token", page.field("token"), "password", "sixteen feathers and a bow").as("200")
			b.is("")
			b.signIn("alice@example.test", "8 whiskers", "/").as("401")
		})
	}
}

// Whatever happens to an account after its password was believed and before it
// lets in wins.
func TestChangedInBetween(t *testing.T) {
	const short = "8 whiskers"
	for name, change := range map[string]func(s *site, id string) error{
		"suspended": func(s *site, id string) error { return s.people.Suspend(s.Context(), id, nil) },
		"removed":   func(s *site, id string) error { return s.people.Remove(s.Context(), id, nil) },
		"another password": func(s *site, id string) error {
			return s.people.SetPassword(s.Context(), id, "another right long one", account.Rules{}, nil)
		},
	} {
		for what, typed := range map[string]string{"letting in": password, "a link for a new password": short} {
			t.Run(name+" before "+what, func(t *testing.T) {
				s := newSite(t, audiences{"team": {}}, nil)
				alice := s.add("alice@example.test", typed)
				updates := 0
				s.breaks(func(op string) error {
					if op == "update" {
						updates++
					}
					if updates < 3 { // counted, believed
						return nil
					}
					s.breaks(nil)
					return change(s, alice.ID)
				})
				b := s.browser()
				b.signIn("alice@example.test", typed, "/").as("303 " + answer.SignIn)
				b.is("")
				if updates != 3 {
					t.Errorf("it happened after %d updates", updates)
				}
				if len(s.sessions(alice)) != 0 || s.counted("sign-in success")+s.counted("sign-in refused") != 0 {
					t.Error("it counts as a sign-in")
				}
			})
		}
	}
}

// A visitor who goes away while the password is checked is no fault of the
// store, and is not let in.
func TestVisitorGoesAway(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	form := url.Values{"email": {"alice@example.test"}, "password": {password}}
	r := httptest.NewRequestWithContext(ctx, "POST", answer.SignIn, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.conversation.ServeHTTP(w, r, answer.SignIn, policy.Visit{Origin: origin}, signin.Site{Door: s.door})
	if w.Code != 503 || len(w.Result().Cookies()) != 0 {
		t.Errorf("answered %d %v", w.Code, w.Header())
	}
	if n := s.logs.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 0 {
		t.Errorf("%d errors in the log", n)
	}
}
