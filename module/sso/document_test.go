package sso_test

import (
	"context"
	"fmt"
	"net/http"
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
		expires      time.Duration
		kept         time.Duration
	}{
		{"", 0, time.Hour},
		{"public", 0, time.Hour},
		{"public, max-age=600", 0, 10 * time.Minute},
		{"max-age=31536000", 0, 24 * time.Hour},
		{"max-age=0", 0, time.Minute},
		{"no-store", 0, time.Minute},
		{"max-age=soon", 0, time.Minute},
		{"", 20 * time.Minute, 20 * time.Minute},
		{"", 1000 * time.Hour, 24 * time.Hour},
		{"", -time.Hour, time.Minute},
		{"max-age=600", 20 * time.Minute, 10 * time.Minute},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.cacheControl, " expires ", test.expires), func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) { b.CacheControl, b.Expires = test.cacheControl, test.expires })
			early := test.kept/5*4 - time.Second // it is not renewed ahead of time yet
			for _, step := range []struct {
				pass time.Duration
				want int
			}{{0, 1}, {early, 1}, {test.kept - early, 2}, {early, 2}} {
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

// TestRenewedAhead: in the last part of its time a document is renewed in the
// background, and nobody waits for it, however long it takes.
func TestRenewedAhead(t *testing.T) {
	s := newScene(t)
	if err := s.tryStart(t); err != nil {
		t.Fatal(err)
	}
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	s.behave(func(b *providertest.Behaviour) {
		b.Discovery = func(map[string]any) {
			arrived <- struct{}{}
			<-release
		}
	})
	s.clock.Add(50 * time.Minute) // of an hour
	for range 20 {
		if err := s.tryStart(t); err != nil {
			t.Fatal(err)
		}
	}
	<-arrived
	if err := s.tryStart(t); err != nil {
		t.Error(err)
	}
	close(release)
	// When the hour is over, the newer document is there: nobody asks for
	// another, and nobody waits.
	if s.fetched(providertest.PathDiscovery) != 2 {
		t.Fatalf("fetched %d times", s.fetched(providertest.PathDiscovery))
	}
	s.clock.Add(9 * time.Minute)
	if err := s.tryStart(t); err != nil {
		t.Error(err)
	}
}

// TestRenewedAheadWhileDown: a provider that is down when its document is
// renewed ahead of time is asked again every 30 seconds at most.
func TestRenewedAheadWhileDown(t *testing.T) {
	s := newScene(t)
	if err := s.tryStart(t); err != nil {
		t.Fatal(err)
	}
	s.behave(func(b *providertest.Behaviour) {
		b.Handlers[providertest.PathDiscovery] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	})
	s.clock.Add(50 * time.Minute)
	for range 200 {
		if err := s.tryStart(t); err != nil {
			t.Fatal(err)
		}
		s.clock.Add(time.Second)
	}
	if n := s.fetched(providertest.PathDiscovery) - 1; n > 7 {
		t.Errorf("asked %d times in 200 seconds", n)
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
