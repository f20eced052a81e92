package sso_test

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	callback = "https://app.example.test/auth-gateway/sso/okta/callback"
	state    = "a-state-of-the-caller"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// scene is a gateway's provider and the misbehaving one it talks to.
type scene struct {
	idp   *providertest.Provider
	sso   *sso.Provider
	clock *clock
}

// newScene makes one; the configuration is complete and may be changed.
func newScene(t *testing.T, changes ...func(*sso.Config)) *scene {
	t.Helper()
	s := &scene{idp: providertest.New(t), clock: &clock{now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}}
	key := providertest.NewKey(t, jose.ES256, "key-1") // quicker than RSA
	s.idp.Behave(func(b *providertest.Behaviour) { b.Clock, b.Key = s.clock.Now, key })
	config := sso.Config{Issuer: s.idp.Issuer(), ClientID: providertest.ClientID}
	secret := providertest.ClientSecret
	for _, change := range changes {
		change(&config)
	}
	if config.ClientSecret == "none" {
		secret = ""
	}
	var err error
	s.sso, err = sso.NewProvider("okta", config, secret, sso.Options{Clock: s.clock.Now, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.sso.Close() })
	return s
}

func (s *scene) behave(change func(*providertest.Behaviour)) { s.idp.Behave(change) }

// start begins a sign-in that has to begin, and comes back from the provider.
func (s *scene) start(t *testing.T) (sso.Pending, url.Values) {
	t.Helper()
	address, pending, err := s.sso.Start(t.Context(), callback, state)
	if err != nil {
		t.Fatal(err)
	}
	return pending, s.idp.Authorize(t, address)
}

// signIn walks the whole way.
func (s *scene) signIn(t *testing.T) (*sso.Assertion, error) {
	t.Helper()
	pending, query := s.start(t)
	return s.sso.Finish(t.Context(), pending, callback, query)
}

// tryStart begins a sign-in.
func (s *scene) tryStart(t *testing.T) error {
	t.Helper()
	_, _, err := s.sso.Start(t.Context(), callback, state)
	return err
}

func (s *scene) fetched(path string) int { return len(s.idp.Requests(path)) }

// wantFault fails the test unless err is a fault of that kind whose text, for
// the log, gives the reason.
func wantFault(t *testing.T, err error, kind sso.FaultKind, reason string) *sso.Fault {
	t.Helper()
	var fault *sso.Fault
	if !errors.As(err, &fault) {
		t.Fatalf("error %v (%T), want a fault %q", err, err, kind)
	}
	if fault.Kind != kind {
		t.Errorf("fault %q (%v), want %q", fault.Kind, err, kind)
	}
	if !strings.Contains(err.Error(), reason) {
		t.Errorf("error %q does not give the reason %q", err, reason)
	}
	if !strings.HasPrefix(err.Error(), "sso okta: ") {
		t.Errorf("error %q does not name the SSO config", err)
	}
	return fault
}
