package upstream

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// every is how often the provider of a world is asked again.
const every = time.Hour

// world is a gateway, as far as sessions go, whose people sign in at okta.
type world struct {
	*testing.T
	idp      *providertest.Provider
	sso      *sso.Provider
	store    store.Store
	trail    *audit.Trail
	people   *account.People
	keeper   *session.Keeper
	sessions *Sessions
	rules    account.Admission
	logs     *observer.ObservedLogs

	mu    sync.Mutex
	now   time.Time
	fault func(op string) error
}

func newWorld(t *testing.T, changes ...func(*sso.Config)) *world {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	w := &world{T: t, idp: providertest.New(t), now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), logs: logs,
		rules: account.Admission{Admit: []string{"any"}, MaxRole: identity.Admin}}
	key := providertest.NewKey(t, jose.ES256, "key-1") // quicker than RSA
	w.idp.Behave(func(b *providertest.Behaviour) { b.Clock, b.Key, b.Refresh = w.Now, key, true })

	config := sso.Config{Issuer: w.idp.Issuer(), ClientID: providertest.ClientID, Claims: map[string]string{"role": "role"}, Revalidate: caddy.Duration(every)}
	for _, change := range changes {
		change(&config)
	}
	var err error
	w.sso, err = sso.NewProvider("okta", config, providertest.ClientSecret, sso.Options{Clock: w.Now})
	w.must(err)
	opened, err := store.OpenSQLite(t.Context(), storetest.Empty(t))
	w.must(err)
	w.store = storetest.Failing(opened, func(op string) error {
		w.mu.Lock()
		fault := w.fault
		w.mu.Unlock()
		if fault == nil {
			return nil
		}
		return fault(op)
	})
	ring, err := secret.NewRing(strings.Repeat("s", 32))
	w.must(err)
	w.trail = audit.New(w.store, zap.NewNop(), w.Now)
	w.people = account.New(account.Config{Store: w.store, Ring: ring, Clock: w.Now, Hasher: account.NewHasher(account.NewGate(1), account.DefaultParameters)})
	registry := session.NewRegistry(w.store, w.Now)
	w.keeper, err = session.NewKeeper(registry, ring, map[string]session.Lifetimes{"team": {Idle: 24 * time.Hour, Absolute: 30 * 24 * time.Hour}}, w.Now)
	w.must(err)
	w.sessions = New(Config{Store: w.store, Ring: ring, Trail: w.trail, Providers: map[string]*sso.Provider{"okta": w.sso}, Log: zap.New(core), Clock: w.Now})
	t.Cleanup(func() {
		w.breaks(nil)
		w.must(errors.Join(w.sso.Close(), w.trail.Close(), registry.Close(), opened.Close()))
	})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// breaks lets the store have faults.
func (w *world) breaks(fault func(op string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

func (w *world) behave(change func(*providertest.Behaviour)) { w.idp.Behave(change) }

// revalidator is one that ends with the test.
func (w *world) revalidator() *Revalidator {
	w.Helper()
	r, err := NewRevalidator(RevalidatorConfig{Sessions: w.sessions, People: w.people, Rules: map[string]account.Admission{"okta": w.rules}})
	w.must(err)
	w.Cleanup(r.Close)
	return r
}

// browser is somebody who is signed in.
type browser struct {
	w      *world
	cookie *http.Cookie
	store.Session
}

// signIn signs in, at the provider, whoever it says it is.
func (w *world) signIn() *browser {
	w.Helper()
	return w.signInPlaceOf(nil)
}

// signInPlaceOf does so in a browser that has been signed in already.
func (w *world) signInPlaceOf(before []byte) *browser {
	w.Helper()
	address, pending, err := w.sso.Start(w.Context(), "https://app.example.test/callback", "state")
	w.must(err)
	said, err := w.sso.Finish(w.Context(), pending, "https://app.example.test/callback", w.idp.Authorize(w.T, address))
	w.must(err)
	var token string
	_, err = w.people.SignInThroughProvider(w.Context(), account.Assertion{
		Issuer: said.Issuer, Subject: said.Subject, SSO: "okta", Email: said.Email, EmailVerified: said.EmailVerified, Attributes: said.Attributes, Changes: said.Changes,
	}, w.rules, func(tx store.Tx, in account.SignedIn) (err error) {
		token, err = w.keeper.Begin(tx, session.Beginning{AccountID: in.ID, Epoch: in.Epoch, SSO: "okta", Audience: "team", SignedInAt: w.Now(), Replaces: before})
		if err != nil {
			return err
		}
		return w.sessions.Keep(tx, secret.TokenID(token), "okta", said)
	})
	w.must(err)
	return w.browser(token)
}

// another makes a session from that of the browser, as a portal does for a site.
func (b *browser) another() *browser {
	w := b.w
	w.Helper()
	var token string
	w.must(w.store.Update(w.Context(), func(tx store.Tx) (err error) {
		token, err = w.keeper.Begin(tx, session.Beginning{AccountID: b.AccountID, Epoch: b.Epoch, SSO: b.SSO, Audience: "team", SignedInAt: b.SignedInAt, Family: b.Family, Until: b.ExpiresAt})
		return err
	}))
	return w.browser(token)
}

func (w *world) browser(token string) *browser {
	w.Helper()
	recorder := httptest.NewRecorder()
	w.must(w.keeper.SetCookie(recorder, token, "team", true))
	b := &browser{w: w, cookie: recorder.Result().Cookies()[0]}
	w.view(func(tx store.Tx) (err error) { b.Session, err = tx.Session(secret.TokenID(token)); return err })
	return b
}

func (w *world) view(fn func(store.Tx) error) {
	w.Helper()
	w.must(w.store.View(w.Context(), fn))
}

// request is what a request of the browser meets: nil if nobody is signed in.
func (b *browser) request() *session.Live {
	b.w.Helper()
	r := httptest.NewRequest("GET", "https://app.example.test/", nil)
	r.AddCookie(b.cookie)
	live, err := b.w.keeper.Find(r, true)
	b.w.must(err)
	return live
}

// row is what is kept of the session at the provider, and its tokens.
func (b *browser) row() (store.ProviderSession, tokens) {
	b.w.Helper()
	var p store.ProviderSession
	b.w.view(func(tx store.Tx) (err error) { p, err = tx.ProviderSession(b.ID); return err })
	kept, err := b.w.sessions.open(p)
	b.w.must(err)
	return p, kept
}

// asked is how often the provider was, with a refresh token.
func (w *world) asked() (n int) {
	for _, request := range w.idp.Requests(providertest.PathToken) {
		if request.Form.Get("grant_type") == "refresh_token" {
			n++
		}
	}
	return n
}

// events are the rows of the audit trail for an account, other than sign-ins.
func (w *world) events(accountID string) (told []string) {
	w.Helper()
	w.view(func(tx store.Tx) error {
		events, err := tx.Events(accountID, 100)
		for _, e := range events {
			if e.Action != "sign-in" {
				told = append(told, strings.Join([]string{e.Action, e.Outcome, e.How, e.Detail}, " | "))
			}
		}
		return err
	})
	return told
}

// eventually waits for what happens in the background.
func (w *world) eventually(what string, happened func() bool) {
	w.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(20 * time.Second)
	for !happened() {
		select {
		case <-ticker.C:
		case <-limit:
			w.Fatalf("in vain: %s", what)
		}
	}
}
