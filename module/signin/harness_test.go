package signin_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/profile"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/signin"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
	"github.com/auth-gateway/caddy-auth-gateway/module/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	origin   = "https://app.example.test"
	password = "a right long password"
	office   = "192.0.2.7"
	outside  = "203.0.113.9"
)

// site is a protected site with everything behind its sign-in pages.
type site struct {
	*testing.T
	upstream     *upstream.Sessions
	conversation *signin.Conversation
	profile      *profile.Pages
	people       *account.People
	store        store.Store
	doors        map[string]*policy.Door
	providers    map[string]*signin.Provider
	paths        map[string]string // prefix to audience; "/" is the site's own
	logs         *observer.ObservedLogs
	core         zapcore.Core
	ring         *secret.Ring
	registry     *session.Registry
	senders      *senders // nil: nothing can be sent

	mu      sync.Mutex
	now     time.Time
	fault   func(op string) error
	secrets map[string]string // what no log may hold, and what it is
}

// audiences is the configuration of a test.
type audiences map[string]policy.Audience

// newSite makes a site of one audience, "team", or of several: then paths say
// whose they are.
func newSite(t *testing.T, configured audiences, paths map[string]string, providers ...*provider) *site {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	log := zap.New(core)
	s := &site{
		T: t, logs: logs, now: time.Now().Truncate(time.Second), secrets: map[string]string{},
		doors: map[string]*policy.Door{}, providers: map[string]*signin.Provider{}, paths: paths,
		fault: func(string) error { return nil }, core: core,
	}
	if paths == nil {
		s.paths = map[string]string{"/": "team"}
	}
	opened, err := store.OpenSQLite(t.Context(), storetest.Empty(t))
	s.must(err)
	s.store = storetest.Failing(opened, func(op string) error {
		s.mu.Lock()
		fault := s.fault
		s.mu.Unlock()
		return fault(op)
	})
	ring, err := secret.NewRing(strings.Repeat("s", 32))
	s.must(err)
	s.ring = ring
	s.registry = session.NewRegistry(s.store, s.Now)
	for _, p := range providers {
		s.providers[p.name] = p.start(s, log)
	}
	s.configure(configured, providers...)
	t.Cleanup(func() {
		s.breaks(nil)
		s.noSecretIsLogged()
		s.must(errors.Join(s.registry.Close(), opened.Close()))
	})
	return s
}

// configure puts another configuration into effect, as a reload does: whoever is
// signed in, or half-way, stays so as far as the new one goes.
func (s *site) configure(configured audiences, providers ...*provider) {
	s.Helper()
	s.doors = map[string]*policy.Door{}
	lifetimes := map[string]session.Lifetimes{}
	for name, a := range configured {
		var assigned []policy.Provider
		for _, sso := range a.SSO {
			for _, p := range providers {
				if p.name == sso {
					assigned = append(assigned, policy.Provider{Name: sso, Button: p.button, Ranges: p.ranges})
				}
			}
		}
		door, err := policy.NewDoor(name, a, assigned)
		s.must(err)
		s.doors[name] = door
		lifetimes[name] = session.Lifetimes{Idle: door.IdleTimeout(), Absolute: door.SessionLifetime()}
	}
	look, err := pages.New(pages.Brand{}, "")
	s.must(err)
	keeper, err := session.NewKeeper(s.registry, s.ring, lifetimes, s.Now)
	s.must(err)
	s.people = account.New(account.Config{
		Store: s.store, Ring: s.ring, Clock: s.Now,
		Hasher: account.NewHasher(account.NewGate(4), account.Parameters{Memory: 64, Time: 1, Threads: 1}),
	})
	log := zap.New(s.core)
	trail := audit.New(s.store, log.Named("audit"), s.Now)
	s.must(trail.Close()) // what is added to a closed trail is written at once
	answers := &answer.Answers{Pages: look, Log: log}
	parties := map[string]*sso.Provider{}
	for name, p := range s.providers {
		parties[name] = p.Provider
	}
	s.upstream = upstream.New(upstream.Config{Store: s.store, Ring: s.ring, Trail: trail, Providers: parties, Log: log, Clock: s.Now})
	s.conversation = signin.New(signin.Config{
		Store: s.store, Ring: s.ring, People: s.people, Sessions: keeper, Pages: look, Trail: trail,
		Providers: s.providers, Upstream: s.upstream, Doors: s.doors, Answers: answers, Clock: s.Now, Letters: s.letters(look),
	})
	labels, issuers := map[string]string{}, map[string]string{}
	for name, p := range s.providers {
		labels[name], issuers[name] = p.Label, p.Config().Issuer
	}
	s.profile = profile.New(profile.Config{
		People: s.people, Sessions: keeper, Pages: look, Answers: answers, Trail: trail, Doors: s.doors, Clock: s.Now,
		FormToken: s.conversation.FormToken, OwnForm: s.conversation.OwnForm, Link: s.conversation.Link,
		Labels: labels, Issuers: issuers, Letters: s.letters(look),
	})
}

// provider is an SSO config and the identity provider behind it.
type provider struct {
	*providertest.Provider
	name, button string
	admit        []string
	trust, join  bool
	ranges       []netip.Prefix
}

func newProvider(t *testing.T, name string) *provider {
	return &provider{Provider: providertest.New(t), name: name, admit: []string{sso.AdmitAny}}
}

func (p *provider) start(s *site, log *zap.Logger) *signin.Provider {
	s.Helper()
	p.Behave(func(b *providertest.Behaviour) { b.Clock = s.Now })
	s.hide(providertest.ClientSecret, "client secret")
	made, err := sso.NewProvider(p.name, sso.Config{Issuer: p.Issuer(), ClientID: providertest.ClientID},
		providertest.ClientSecret, sso.Options{Clock: s.Now, Log: log})
	s.must(err)
	s.Cleanup(func() { made.Close() })
	return &signin.Provider{Provider: made, Label: p.name, Rules: account.Admission{
		Admit: p.admit, TrustEmail: p.trust, JoinVerified: p.join, MaxRole: identity.Agent,
	}}
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// Now is the time that the test passes.
func (s *site) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// breaks has the store fail.
func (s *site) breaks(fault func(op string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fault == nil {
		fault = func(string) error { return nil }
	}
	s.fault = fault
}

// hide notes what no log may hold.
func (s *site) hide(secret, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(secret) >= 6 {
		s.secrets[secret] = what
	}
}

// noSecretIsLogged looks for everything secret in every line and audit row.
func (s *site) noSecretIsLogged() {
	s.Helper()
	var lines []string
	for _, entry := range s.logs.All() {
		lines = append(lines, entry.Message+fmt.Sprint(entry.ContextMap()))
	}
	for _, event := range s.events() {
		event.At = time.Time{}
		lines = append(lines, fmt.Sprintf("%+v", event))
	}
	for _, line := range lines {
		for secret, what := range s.secrets {
			if strings.Contains(line, secret) {
				s.Errorf("the log holds a %s: %s", what, line)
			}
		}
	}
}

func (s *site) events() (events []store.Event) {
	s.Helper()
	s.must(s.store.View(context.Background(), func(tx store.Tx) (err error) {
		events, err = tx.Events("", 10_000)
		return err
	}))
	return events
}

// audited expects the newest event, "action outcome how: detail", in the log
// and in the store.
func (s *site) audited(want string) {
	s.Helper()
	lines := s.logs.Filter(func(e observer.LoggedEntry) bool { return e.LoggerName == "audit" }).All()
	if len(lines) == 0 {
		s.Fatalf("the audit trail is empty, want %s", want)
	}
	c := lines[len(lines)-1].ContextMap()
	text := func(key string) string { value, _ := c[key].(string); return value }
	if got := told(text("action"), text("outcome"), text("how"), text("detail")); got != want {
		s.Errorf("the audit log ends with %q, want %q", got, want)
	}
	event := s.events()[0]
	if got := told(event.Action, event.Outcome, event.How, event.Detail); got != want {
		s.Errorf("the audit rows end with %q, want %q", got, want)
	}
}

func told(action, outcome, how, detail string) string {
	text := action + " " + outcome
	if how != "" {
		text += " " + how
	}
	if detail != "" {
		text += ": " + detail
	}
	return text
}

// counted returns how many events there are like that, "action outcome".
func (s *site) counted(want string) (n int) {
	s.Helper()
	for _, event := range s.events() {
		if event.Action+" "+event.Outcome == want {
			n++
		}
	}
	return n
}

// add makes an account with a password.
func (s *site) add(email, password string) store.Account {
	s.Helper()
	made, err := s.people.Create(s.Context(), account.NewAccount{
		Email: email, Role: identity.EndUser, Password: password, Rules: account.Rules{Minimum: 8},
	}, nil)
	s.must(err)
	s.hide(password, "password")
	return made
}

// longRules are those of a password without a second factor.
var longRules = account.Rules{Minimum: 15}

func (s *site) find(email string) store.Account {
	s.Helper()
	found, err := s.people.Find(s.Context(), email)
	s.must(err)
	return found
}

// app is an authenticator app.
type app struct {
	s   *site
	key string
}

// enroll sets an app up and returns it with the recovery codes.
func (s *site) enroll(a store.Account, required bool) (made app, codes []string) {
	s.Helper()
	sealed, err := s.people.BeginEnrollment("test/1")
	s.must(err)
	shown, err := s.people.ShowEnrollment(sealed, "test/1", "test", a.Attributes.Email)
	s.must(err)
	made = s.app(shown.Key)
	s.must(s.people.FinishEnrollment(s.Context(), a.ID, sealed, "test/1", made.code(), required, account.From{},
		func(_ store.Tx, made []string) error { codes = made; return nil }))
	for _, code := range codes {
		s.hide(code, "recovery code")
	}
	return made, codes
}

func (s *site) app(key string) app {
	key = strings.ReplaceAll(key, " ", "")
	s.hide(key, "key of an app")
	return app{s, key}
}

// code is what the app shows next: a code counts once.
func (a app) code() string {
	a.s.Helper()
	a.s.pass(30 * time.Second)
	code, err := totp.GenerateCode(a.key, a.s.Now())
	a.s.must(err)
	a.s.hide(code, "passcode")
	return code
}

// sessions returns the account's.
func (s *site) sessions(a store.Account) (sessions []store.Session) {
	s.Helper()
	s.must(s.store.View(s.Context(), func(tx store.Tx) (err error) {
		sessions, err = tx.Sessions(a.ID)
		return err
	}))
	return sessions
}
