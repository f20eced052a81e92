package module

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const programPassword = "kettle-lamp orchard 9"

// newProgramGate is a gate whose account has a password, with cheap hashes.
func newProgramGate(t *testing.T, audience policy.Audience) *gate {
	t.Helper()
	g := newGate(t, &App{Audiences: map[string]*policy.Audience{"team": &audience}}, &Gateway{Audience: "team"})
	if err := g.app.service.Load().people.SetPassword(t.Context(), g.account.ID, programPassword, account.Rules{}, nil); err != nil {
		t.Fatal(err)
	}
	return g
}

// asProgram is a request with Basic credentials, which curl would send.
func asProgram(path, user, password string) *http.Request {
	r := request("GET", path, nil)
	r.Header.Set("Accept", "*/*")
	r.SetBasicAuth(user, password)
	return r
}

func problemOf(t *testing.T, w *httptest.ResponseRecorder) answer.Problem {
	t.Helper()
	var p answer.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Errorf("no problem but %s: %v", w.Body, err)
	}
	return p
}

func TestBasicAuthentication(t *testing.T) {
	on := policy.Audience{APIPassword: policy.On}
	chosen, required := &store.Factor{Method: store.MethodApp}, &store.Factor{Method: store.MethodApp, Required: true}
	for _, tc := range []struct {
		name           string
		audience       policy.Audience
		factor         *store.Factor
		user, password string
		lets           bool
		detail         string
	}{
		{"right", on, nil, "alice@example.test", programPassword, true, ""},
		{"right, in capitals", on, nil, "ALICE@example.test", programPassword, true, ""},
		{"wrong password", on, nil, "alice@example.test", "kettle-lamp orchard 8", false, "wrong e-mail address or password"},
		{"unknown address", on, nil, "nobody@example.test", programPassword, false, "wrong e-mail address or password"},
		{"empty password", on, nil, "alice@example.test", "", false, "wrong e-mail address or password"},
		{"not configured", policy.Audience{}, nil, "alice@example.test", programPassword, false, "no session"},
		{"off", policy.Audience{APIPassword: policy.Off}, nil, "alice@example.test", programPassword, false, "no session"},
		{"second factor required", policy.Audience{APIPassword: policy.On, SecondFactor: policy.SecondFactorRequired}, nil, "alice@example.test", programPassword, false, "second factor"},
		{"second factor by choice", on, chosen, "alice@example.test", programPassword, false, "second factor"},
		{"second factor by choice where there is none", policy.Audience{APIPassword: policy.On, SecondFactor: policy.Off}, chosen, "alice@example.test", programPassword, false, "second factor"},
		{"a factor that some audience required", on, required, "alice@example.test", programPassword, true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newProgramGate(t, tc.audience)
			if tc.factor != nil {
				g.update(t, func(tx store.Tx) error {
					f := *tc.factor
					f.ID, f.AccountID, f.CreatedAt = store.NewID(), g.account.ID, time.Now()
					return tx.CreateFactor(f)
				})
			}
			w, received := g.serve(t, asProgram("/a", tc.user, tc.password))
			if (received != nil) != tc.lets {
				t.Fatalf("let in: %t, %d %s", received != nil, w.Code, w.Body)
			}
			if tc.lets {
				if received.Get("Remote-User") != "alice@example.test" || received.Get("Authorization") != "" {
					t.Errorf("the app got %v", received)
				}
				return
			}
			if p := problemOf(t, w); w.Code != http.StatusUnauthorized || !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("%d: %s", w.Code, p.Detail)
			}
			basic := slices.ContainsFunc(w.Header().Values("WWW-Authenticate"), func(s string) bool { return strings.HasPrefix(s, "Basic ") })
			if basic != (tc.audience.APIPassword == policy.On) {
				t.Errorf("challenges: %q", w.Header().Values("WWW-Authenticate"))
			}
		})
	}
}

// A password is hashed once a minute, not with each request; and what changes
// about the account counts at once all the same.
func TestBasicIsRemembered(t *testing.T) {
	on := policy.Audience{APIPassword: policy.On}
	for _, tc := range []struct {
		name   string
		change func(g *gate) error
		lets   bool
	}{
		{"nothing", func(*gate) error { return nil }, true},
		{"suspended", func(g *gate) error {
			return g.app.service.Load().people.Suspend(context.Background(), g.account.ID, nil)
		}, false},
		{"removed", func(g *gate) error {
			return g.app.service.Load().people.Remove(context.Background(), g.account.ID, nil)
		}, false},
		{"another password", func(g *gate) error {
			return g.app.service.Load().people.SetPassword(context.Background(), g.account.ID, "teapot-lamp orchard 7", account.Rules{}, nil)
		}, false},
		{"a second factor", func(g *gate) error {
			return g.engine.store.Update(context.Background(), func(tx store.Tx) error {
				return tx.CreateFactor(store.Factor{ID: "f", AccountID: g.account.ID, Method: store.MethodApp, CreatedAt: time.Now()})
			})
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newProgramGate(t, on)
			if w, received := g.serve(t, asProgram("/", "alice@example.test", programPassword)); received == nil {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			hashes := g.engine.hasher.Hashes()
			if _, received := g.serve(t, asProgram("/", "alice@example.test", programPassword)); received == nil {
				t.Fatal("not let in the second time")
			}
			if g.engine.hasher.Hashes() != hashes {
				t.Error("the password was hashed again")
			}
			if err := tc.change(g); err != nil {
				t.Fatal(err)
			}
			if _, received := g.serve(t, asProgram("/", "alice@example.test", programPassword)); (received != nil) != tc.lets {
				t.Errorf("let in afterwards: %t", received != nil)
			}
		})
	}
}

// Guesses are counted on this way in as on the page, and a session goes before
// credentials.
func TestBasicIsCounted(t *testing.T) {
	g := newProgramGate(t, policy.Audience{APIPassword: policy.On})
	for range 10 {
		if w, received := g.serve(t, asProgram("/", "alice@example.test", "wrong")); received != nil || w.Code != 401 {
			t.Fatalf("%d", w.Code)
		}
	}
	w, received := g.serve(t, asProgram("/", "alice@example.test", programPassword))
	if received != nil || w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("after ten wrong ones: %d, %v", w.Code, w.Header())
	}
	r := request("GET", "/", g.signIn(t))
	r.SetBasicAuth("alice@example.test", "wrong")
	if w, received := g.serve(t, r); received == nil || received.Get("Authorization") == "" {
		t.Errorf("with a session and another Authorization: %d, the app got %v", w.Code, received)
	}
}

// A script in a browser never makes it ask the person for a password.
func TestBasicIsNotOfferedToBrowsers(t *testing.T) {
	g := newProgramGate(t, policy.Audience{APIPassword: policy.On})
	r := request("GET", "/", nil)
	r.Header.Set("Sec-Fetch-Mode", "cors")
	w, _ := g.serve(t, r)
	if got := w.Header().Values("WWW-Authenticate"); w.Code != 401 || len(got) != 1 || strings.HasPrefix(got[0], "Basic") {
		t.Errorf("%d, %q", w.Code, got)
	}
}
