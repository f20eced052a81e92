package sso_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// TestRecovers: down when first asked for, then up (requirement S13). The
// failure is remembered for a moment, so nobody hammers.
func TestRecovers(t *testing.T) {
	s := newScene(t)
	s.behave(func(b *providertest.Behaviour) { b.Handlers[providertest.PathDiscovery] = down })
	for range 20 {
		wantFault(t, s.tryStart(t), sso.FaultUnreachable, "discovery document")
		s.clock.Add(100 * time.Millisecond)
	}
	if n := s.fetched(providertest.PathDiscovery); n > 2 { // net/http itself may try a GET again
		t.Errorf("%d requests within 2 seconds", n)
	}
	s.behave(func(b *providertest.Behaviour) { delete(b.Handlers, providertest.PathDiscovery) })
	s.clock.Add(3 * time.Second)
	if _, err := s.signIn(t); err != nil {
		t.Error(err)
	}
}

// TestDiscoveryKept: how long a document is kept (rule 18, S13).
func TestDiscoveryKept(t *testing.T) {
	tests := []struct {
		cacheControl string
		kept         time.Duration
	}{
		{"", time.Hour},
		{"public", time.Hour},
		{"public, max-age=600", 10 * time.Minute},
		{"max-age=31536000", 24 * time.Hour},
		{"max-age=0", time.Minute},
		{"no-store", time.Minute},
		{"max-age=soon", time.Minute},
	}
	for _, test := range tests {
		t.Run(test.cacheControl, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) { b.CacheControl = test.cacheControl })
			for _, step := range []struct {
				pass time.Duration
				want int
			}{{0, 1}, {test.kept - time.Second, 1}, {time.Second, 2}, {test.kept - time.Second, 2}} {
				s.clock.Add(step.pass)
				if err := s.tryStart(t); err != nil {
					t.Fatal(err)
				}
				if n := s.fetched(providertest.PathDiscovery); n != step.want {
					t.Fatalf("after %s more: fetched %d times, want %d", step.pass, n, step.want)
				}
			}
		})
	}
}

// TestStale: a document is still used while the provider is down, for a day.
func TestStale(t *testing.T) {
	s := newScene(t)
	if _, err := s.signIn(t); err != nil {
		t.Fatal(err)
	}
	s.behave(func(b *providertest.Behaviour) {
		b.Handlers[providertest.PathDiscovery] = down
		b.Handlers[providertest.PathKeys] = down
	})
	s.clock.Add(24 * time.Hour)
	if _, err := s.signIn(t); err != nil {
		t.Errorf("within a day: %v", err)
	}
	before := s.fetched(providertest.PathDiscovery)
	for range 50 {
		if err := s.tryStart(t); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.fetched(providertest.PathDiscovery) - before; n != 0 {
		t.Errorf("%d more requests in the same second", n)
	}
	s.clock.Add(2 * time.Hour)
	wantFault(t, s.tryStart(t), sso.FaultUnreachable, "discovery document")
	s.behave(func(b *providertest.Behaviour) { clear(b.Handlers) })
	s.clock.Add(time.Minute)
	if _, err := s.signIn(t); err != nil {
		t.Errorf("up again: %v", err)
	}
}

// TestClockSetBack: a clock that was wrong does not keep a provider away.
func TestClockSetBack(t *testing.T) {
	s := newScene(t)
	s.clock.Add(1000 * time.Hour)
	s.behave(func(b *providertest.Behaviour) { b.Handlers[providertest.PathDiscovery] = down })
	wantFault(t, s.tryStart(t), sso.FaultUnreachable, "")
	s.behave(func(b *providertest.Behaviour) { clear(b.Handlers) })
	s.clock.Add(-1000 * time.Hour)
	if err := s.tryStart(t); err != nil {
		t.Error(err)
	}
}

// TestOneFetch: many people at once are one request.
func TestOneFetch(t *testing.T) {
	s := newScene(t)
	arrived := make(chan struct{})
	go_ := make(chan struct{})
	var once sync.Once
	s.behave(func(b *providertest.Behaviour) {
		b.Discovery = func(map[string]any) {
			once.Do(func() { close(arrived) })
			<-go_
		}
	})
	// The first one leaves; the others still get what was fetched for it.
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, _, err := s.sso.Start(ctx, callback, state)
		left <- err
	}()
	<-arrived
	leave()
	wantFault(t, <-left, sso.FaultOther, "canceled")

	var wg sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		wg.Go(func() { _, _, errs[i] = s.sso.Start(t.Context(), callback, state) })
	}
	close(go_)
	wg.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		t.Error(errs[i])
	}
	if n := s.fetched(providertest.PathDiscovery); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}
