package profile_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/profile"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is the page with somebody in front of it.
type desk struct {
	*testing.T
	pages  *profile.Pages
	keeper *session.Keeper
	store  store.Store
	fault  error
}

func newDesk(t *testing.T, audiences map[string]policy.Audience) *desk {
	t.Helper()
	d := &desk{T: t}
	opened, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	d.must(err)
	d.store = storetest.Failing(opened, func(op string) error {
		if op == "view" {
			return d.fault
		}
		return nil
	})
	ring, err := secret.NewRing(strings.Repeat("s", 32))
	d.must(err)
	doors, lifetimes := map[string]*policy.Door{}, map[string]session.Lifetimes{}
	for name, audience := range audiences {
		var assigned []policy.Provider
		for _, name := range audience.SSO {
			assigned = append(assigned, policy.Provider{Name: name, Button: name})
		}
		doors[name], err = policy.NewDoor(name, audience, assigned)
		d.must(err)
		lifetimes[name] = session.Lifetimes{Idle: time.Hour, Absolute: time.Hour}
	}
	look, err := pages.New(pages.Brand{}, "en")
	d.must(err)
	registry := session.NewRegistry(d.store, time.Now)
	d.keeper, err = session.NewKeeper(registry, ring, lifetimes, time.Now)
	d.must(err)
	d.pages = profile.New(profile.Config{
		Store: d.store, Sessions: d.keeper, Pages: look, Doors: doors,
		Answers:   &answer.Answers{Pages: look, Log: zap.NewNop()},
		Labels:    map[string]string{"okta": "Our company"},
		FormToken: func(http.ResponseWriter, *http.Request, policy.Visit) string { return "the-form-token" },
	})
	t.Cleanup(func() { d.must(errors.Join(registry.Close(), opened.Close())) })
	return d
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// person is how somebody signed in.
type person struct {
	sso          string
	secondFactor bool   // given
	factor       string // "", "chosen" or "required"
}

func (d *desk) signIn(p person) *http.Cookie {
	d.Helper()
	now := time.Now()
	var token string
	d.must(d.store.Update(d.Context(), func(tx store.Tx) (err error) {
		a := store.Account{ID: store.NewID(), CreatedAt: now, Attributes: identity.Attributes{
			Email: "alice@example.test", Name: "<Alice>", Role: identity.EndUser,
		}}
		if err := tx.CreateAccount(a); err != nil {
			return err
		}
		if p.factor != "" {
			err := tx.CreateFactor(store.Factor{
				ID: store.NewID(), AccountID: a.ID, Method: store.MethodApp, Secret: []byte("sealed"), Required: p.factor == "required", CreatedAt: now,
			})
			if err != nil {
				return err
			}
			if err := tx.ReplaceRecoveryCodes(a.ID, [][]byte{{1}, {2}, {3}}, now); err != nil {
				return err
			}
		}
		b := session.Beginning{AccountID: a.ID, SSO: p.sso, Audience: "team", SignedInAt: now}
		if p.secondFactor {
			b.SecondFactor = session.GivenFactor{How: store.MethodApp, At: now}
		}
		token, err = d.keeper.Begin(tx, b)
		return err
	}))
	w := httptest.NewRecorder()
	d.must(d.keeper.SetCookie(w, token, "team", true))
	return w.Result().Cookies()[0]
}

func (d *desk) ask(method, path string, cookie *http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://app.example.test"+path, nil)
	r.Header.Set("Accept", "text/html")
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	d.pages.ServeHTTP(w, r, path, policy.Visit{Origin: "https://app.example.test", Host: "app.example.test", Secure: true})
	return w
}

// The page opens to what the strictest of the person's audiences takes.
func TestStrictest(t *testing.T) {
	open, vault := policy.Audience{}, policy.Audience{SecondFactor: policy.SecondFactorRequired}
	staff := policy.Audience{SecondFactor: policy.SecondFactorRequired, Roles: []string{"agent"}}
	company := policy.Audience{SSO: []string{"okta"}, Password: policy.Off}
	for _, tc := range []struct {
		name      string
		audiences map[string]policy.Audience
		person    person
		opens     bool
	}{
		{"a password where nothing more is asked", map[string]policy.Audience{"team": open}, person{}, true},
		{"a factor by choice that was not given", map[string]policy.Audience{"team": open}, person{factor: "chosen"}, false},
		{"a factor that only the vault wants, not given", map[string]policy.Audience{"team": open, "vault": vault}, person{factor: "required"}, false},
		{"the same, given", map[string]policy.Audience{"team": open, "vault": vault}, person{factor: "required", secondFactor: true}, true},
		{"no factor yet, and the vault wants one", map[string]policy.Audience{"team": open, "vault": vault}, person{}, false},
		{"an audience of others is none of theirs", map[string]policy.Audience{"team": open, "staff": staff}, person{}, true},
		{"a provider that is assigned", map[string]policy.Audience{"team": company}, person{sso: "okta"}, true},
		{"a provider that is not any more", map[string]policy.Audience{"team": open}, person{sso: "okta"}, false},
		{"a password where only a provider is taken", map[string]policy.Audience{"team": company}, person{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, tc.audiences)
			w := d.ask("GET", answer.Account, d.signIn(tc.person))
			if tc.opens && w.Code != 200 {
				t.Errorf("answered %d, want 200", w.Code)
			}
			if want := "/auth-gateway/sign-in?return_to=%2Fauth-gateway%2Faccount"; !tc.opens && (w.Code != 302 || w.Header().Get("Location") != want) {
				t.Errorf("answered %d %s, want 302 %s", w.Code, w.Header().Get("Location"), want)
			}
			if !tc.opens && strings.Contains(w.Body.String(), "alice") {
				t.Error("the answer tells who it is")
			}
		})
	}
}

func TestPage(t *testing.T) {
	d := newDesk(t, map[string]policy.Audience{"team": {SSO: []string{"okta"}}})
	body := d.ask("GET", answer.Account, d.signIn(person{sso: "okta", factor: "required"})).Body.String()
	for _, want := range []string{"&lt;Alice&gt;", "alice@example.test", "Our company", `value="the-form-token"`, "3"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	if strings.Contains(body, "<Alice>") || strings.Contains(body, "sealed") {
		t.Error("the page has what it must not have")
	}
}

func TestMethods(t *testing.T) {
	d := newDesk(t, map[string]policy.Audience{"team": {}})
	cookie := d.signIn(person{})
	for _, tc := range []struct {
		method, path string
		status       int
	}{
		{"GET", answer.Account, 200},
		{"HEAD", answer.Account, 200},
		{"POST", answer.Account, 405},
		{"DELETE", answer.Account, 405},
		{"GET", answer.Account + "/", 404},
		{"GET", answer.Account + "/tokens", 404},
	} {
		w := d.ask(tc.method, tc.path, cookie)
		if w.Code != tc.status || (tc.status == 405) != (w.Header().Get("Allow") == "GET, HEAD") {
			t.Errorf("%s %s: %d, Allow %q, want %d", tc.method, tc.path, w.Code, w.Header().Get("Allow"), tc.status)
		}
	}
	if w := d.ask("GET", answer.Account, nil); w.Code != 302 {
		t.Errorf("without a session: %d", w.Code)
	}
}

func TestStoreAtFault(t *testing.T) {
	d := newDesk(t, map[string]policy.Audience{"team": {}})
	cookie := d.signIn(person{})
	for range 2 { // the session is in memory the second time
		d.fault = errors.New("the disk is gone")
		w := d.ask("GET", answer.Account, cookie)
		d.fault = nil
		if w.Code != 503 || strings.Contains(w.Body.String(), "alice") {
			t.Errorf("answered %d, want 503", w.Code)
		}
		if w := d.ask("GET", answer.Account, cookie); w.Code != 200 {
			t.Errorf("after the fault: %d", w.Code)
		}
	}
}
