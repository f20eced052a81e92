package sso_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// down answers nothing, as a provider that is not there.
func down(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang answers nothing until the caller has given up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// drip begins an answer that never ends.
func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{"))
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// huge answers with more than 1 MiB, without saying so beforehand.
func huge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	padding := strings.Repeat(" ", 64<<10)
	for range 20 {
		_, _ = w.Write([]byte(padding))
		w.(http.Flusher).Flush()
	}
	_, _ = w.Write([]byte("{}"))
}

// huge's sibling says beforehand how much is to come.
func announcedHuge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1048576")
	_, _ = w.Write([]byte(strings.Repeat(" ", 1<<20)))
}

// TestBadCalls: what can go wrong with a call to the provider, for each of
// its documents.
func TestBadCalls(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	tests := []struct {
		name            string
		handler         http.HandlerFunc
		discovery, keys sso.FaultKind
		reason          string
	}{
		{"down", down, sso.FaultUnreachable, sso.FaultUnreachable, "EOF"},
		{"503", status(503), sso.FaultUnreachable, sso.FaultUnreachable, "status 503"},
		{"429", status(429), sso.FaultUnreachable, sso.FaultUnreachable, "status 429"},
		{"404", status(404), sso.FaultDiscovery, sso.FaultKeys, "status 404"},
		{"more than 1 MiB", huge, sso.FaultDiscovery, sso.FaultKeys, "larger than 1 MiB"},
		{"more than 1 MiB, announced", announcedHuge, sso.FaultDiscovery, sso.FaultKeys, "larger than 1 MiB"},
		{"a web page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, sso.FaultDiscovery, sso.FaultKeys, "is not a"},
		{"a redirect to http", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://idp.example.test/", http.StatusFound)
		}, sso.FaultDiscovery, sso.FaultKeys, "is not https"},
		{"a redirect in circles", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, sso.FaultDiscovery, sso.FaultKeys, "redirects (302)"},
	}
	for _, test := range tests {
		t.Run("discovery "+test.name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) { b.Handlers[providertest.PathDiscovery] = test.handler })
			wantFault(t, s.tryStart(t), test.discovery, test.reason)
		})
		t.Run("keys "+test.name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) { b.Handlers[providertest.PathKeys] = test.handler })
			_, err := s.signIn(t)
			wantFault(t, err, test.keys, test.reason)
		})
	}

	t.Run("token endpoint more than 1 MiB", func(t *testing.T) {
		s := newScene(t)
		s.behave(func(b *providertest.Behaviour) { b.Handlers[providertest.PathToken] = huge })
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultToken, "larger than 1 MiB")
	})
}

// TestSlow: each call has its time (rule 18).
func TestSlow(t *testing.T) {
	for _, path := range []string{providertest.PathDiscovery, providertest.PathToken, providertest.PathKeys, providertest.PathUserinfo} {
		for name, handler := range map[string]http.HandlerFunc{"says nothing": hang, "stops halfway": drip} {
			t.Run(path+" "+name, func(t *testing.T) {
				s := newScene(t)
				p, err := sso.NewProvider("okta", sso.Config{Issuer: s.idp.Issuer(), ClientID: providertest.ClientID},
					providertest.ClientSecret, sso.Options{Clock: s.clock.Now, Timeout: 100 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				s.sso = p
				s.behave(func(b *providertest.Behaviour) {
					b.Handlers[path] = handler
					b.InUserinfo = []string{"email"}
				})
				if path == providertest.PathDiscovery {
					wantFault(t, s.tryStart(t), sso.FaultTimeout, "")
					return
				}
				_, err = s.signIn(t)
				wantFault(t, err, sso.FaultTimeout, "")
			})
		}
	}
}
