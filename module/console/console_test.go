package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/console"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const origin = "https://app.example.com"

var client = netip.MustParseAddr("192.0.2.7")

// office is the console with somebody in front of it.
type office struct {
	*testing.T
	*console.Console
	whole store.Store

	mu    sync.Mutex
	now   time.Time
	fault func(op string) error // asked for each operation of the store
}

// newOffice opens the console of staff, who need a second factor, and of
// customers. The secrets are the ones in use, the first one newest.
func newOffice(t *testing.T, secrets ...string) *office {
	t.Helper()
	o := &office{T: t, now: time.Now().Truncate(time.Second)}
	opened, err := store.OpenSQLite(t.Context(), storetest.Empty(t))
	o.must(err)
	o.whole = opened
	failing := storetest.Failing(opened, func(op string) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.fault == nil {
			return nil
		}
		return o.fault(op)
	})
	clock := func() time.Time {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.now
	}
	doors := map[string]*policy.Door{}
	for name, audience := range map[string]policy.Audience{
		"staff":     {Roles: []string{"agent", "admin"}, SecondFactor: policy.SecondFactorRequired, Passcode: []string{"app"}},
		"customers": {Roles: []string{"end-user"}},
	} {
		doors[name], err = policy.NewDoor(name, audience, nil)
		o.must(err)
	}
	look, err := pages.New(pages.Brand{}, "")
	o.must(err)
	ring := o.ring(secrets...)
	lifetimes := map[string]session.Lifetimes{"staff": {Idle: 100 * time.Hour, Absolute: 100 * time.Hour}}
	registry := session.NewRegistry(failing, clock)
	keeper, err := session.NewKeeper(registry, ring, lifetimes, clock)
	o.must(err)
	trail := audit.New(failing, zap.NewNop(), clock)
	o.Console = console.New(console.Config{
		Store: failing, Ring: ring, Sessions: keeper, Trail: trail, Doors: doors, Clock: clock,
		People:  account.New(account.Config{Store: failing, Ring: ring, Clock: clock}),
		Answers: &answer.Answers{Pages: look, Log: zap.NewNop()},
	})
	t.Cleanup(func() {
		o.must(errors.Join(trail.Close(), registry.Close(), opened.Close()))
	})
	return o
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// set sets the clock.
func (o *office) set(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = now
}

// breaks has the store fail; nil makes it well again.
func (o *office) breaks(fault func(op string) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = fault
}

func (o *office) ring(secrets ...string) *secret.Ring {
	o.Helper()
	if len(secrets) == 0 {
		secrets = []string{"s"}
	}
	for i := range secrets {
		secrets[i] = strings.Repeat(secrets[i], 32)
	}
	ring, err := secret.NewRing(secrets...)
	o.must(err)
	return ring
}

func (o *office) update(fn func(tx store.Tx) error) {
	o.Helper()
	o.must(o.whole.Update(o.Context(), fn))
}

// person makes an account with an authenticator app.
func (o *office) person(name string, role identity.Role) store.Account {
	o.Helper()
	a := store.Account{
		ID: store.NewID(), Attributes: identity.Attributes{Email: name + "@example.test", Name: name, Role: role},
		Epoch: 1, CreatedAt: o.now, UpdatedAt: o.now,
	}
	o.update(func(tx store.Tx) error {
		return errors.Join(tx.CreateAccount(a),
			tx.CreateFactor(store.Factor{ID: "factor of " + a.ID, AccountID: a.ID, Method: store.MethodApp, Required: true, Preferred: true, CreatedAt: o.now}))
	})
	return a
}

// crowd makes that many agents.
func (o *office) crowd(n int) {
	o.Helper()
	o.update(func(tx store.Tx) error {
		for i := range n {
			a := store.Account{ID: store.NewID(), Attributes: identity.Attributes{
				Email: fmt.Sprintf("p%05d@example.test", i), Name: strings.Repeat("long ", 40), Role: identity.Agent,
			}}
			if err := tx.CreateAccount(a); err != nil {
				return err
			}
		}
		return nil
	})
}

// signIn returns the session cookie of somebody who has signed in with a
// password and given a passcode, or not.
func (o *office) signIn(a store.Account, passcode bool) *http.Cookie {
	o.Helper()
	b := session.Beginning{AccountID: a.ID, Epoch: a.Epoch, Audience: "staff", SignedInAt: o.now}
	if passcode {
		b.SecondFactor = session.GivenFactor{How: store.MethodApp, At: o.now}
	}
	var token string
	o.update(func(tx store.Tx) (err error) {
		token, err = o.Sessions.Begin(tx, b)
		return err
	})
	w := httptest.NewRecorder()
	o.must(o.Sessions.SetCookie(w, token, "staff", true))
	return w.Result().Cookies()[0]
}

// link is a fresh one to the report of those roles.
func (o *office) link(roles ...identity.Role) string {
	o.Helper()
	link, expires, err := o.SecondFactorLink(roles)
	if err != nil || !expires.Equal(o.now.Add(24*time.Hour)) {
		o.Fatalf("%s until %s, %v", link, expires, err)
	}
	return link
}

// serve answers a request as the gateway has it answered.
func (o *office) serve(w http.ResponseWriter, r *http.Request) {
	o.ServeHTTP(w, r, r.URL.Path, policy.Visit{
		Client: client, Origin: origin, Host: "app.example.com", Asked: r.URL.RequestURI(), Secure: true,
	}, func(_ *session.Live, refusal *answer.Refusal) { refusal.Way = pages.Way{Kind: pages.WaySwitchAccount} })
}

func (o *office) do(method, target string, cookie *http.Cookie) *httptest.ResponseRecorder {
	o.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	o.serve(w, r)
	return w
}

func (o *office) get(target string, cookie *http.Cookie) *httptest.ResponseRecorder {
	o.Helper()
	return o.do(http.MethodGet, target, cookie)
}

// events are what the audit trail says, the oldest first.
func (o *office) events() (events []store.Event) {
	o.Helper()
	o.must(o.whole.View(context.Background(), func(tx store.Tx) (err error) {
		events, err = tx.Events("", 100)
		return err
	}))
	return events
}
