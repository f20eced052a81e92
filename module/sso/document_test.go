package sso_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// down answers nothing, as a provider that is not there.
func down(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang answers nothing until the caller has given up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

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

func (s *scene) fetched(path string) int { return len(s.idp.Requests(path)) }

// tryStart begins a sign-in.
func (s *scene) tryStart(t *testing.T) error {
	t.Helper()
	_, _, err := s.sso.Start(t.Context(), callback, state)
	return err
}

// TestDiscoveryAttacks are documents that must not be used.
func TestDiscoveryAttacks(t *testing.T) {
	set := func(name string, value any) func(map[string]any) {
		return func(d map[string]any) { d[name] = value }
	}
	tests := []struct {
		name   string
		change func(d map[string]any)
		kind   sso.FaultKind
		reason string
	}{
		{"another issuer", set("issuer", "https://evil.test"), sso.FaultIssuer, `is of issuer "https://evil.test"`},
		{"the issuer with a slash", func(d map[string]any) { d["issuer"] = d["issuer"].(string) + "/" }, sso.FaultIssuer, "a slash at the end included"},
		{"the issuer in capitals", func(d map[string]any) { d["issuer"] = strings.ToUpper(d["issuer"].(string)) }, sso.FaultIssuer, "is of issuer"},
		{"many tenants", set("issuer", "https://login.microsoftonline.com/{tenantid}/v2.0"), sso.FaultIssuer, "many tenants"},
		{"no issuer", func(d map[string]any) { delete(d, "issuer") }, sso.FaultDiscovery, "no issuer"},
		{"issuer under another spelling", func(d map[string]any) { d["Issuer"] = d["issuer"]; delete(d, "issuer") }, sso.FaultDiscovery, "no issuer"},
		{"no authorization endpoint", func(d map[string]any) { delete(d, "authorization_endpoint") }, sso.FaultDiscovery, "authorization_endpoint is missing"},
		{"no token endpoint", func(d map[string]any) { delete(d, "token_endpoint") }, sso.FaultDiscovery, "token_endpoint is missing"},
		{"no keys", func(d map[string]any) { delete(d, "jwks_uri") }, sso.FaultDiscovery, "jwks_uri is missing"},
		{"token endpoint in the clear", set("token_endpoint", "http://idp.example.test/token"), sso.FaultDiscovery, "is not https"},
		{"keys in the clear", set("jwks_uri", "http://idp.example.test/keys"), sso.FaultDiscovery, "is not https"},
		{"userinfo in the clear", set("userinfo_endpoint", "http://idp.example.test/me"), sso.FaultDiscovery, "is not https"},
		{"authorization endpoint is a script", set("authorization_endpoint", "javascript:alert(1)"), sso.FaultDiscovery, "authorization_endpoint"},
		{"authorization endpoint is relative", set("authorization_endpoint", "/authorize"), sso.FaultDiscovery, "authorization_endpoint"},
		{"authorization endpoint with a fragment", set("authorization_endpoint", "https://idp.example.test/#a"), sso.FaultDiscovery, "fragment"},
		{"token endpoint with a password", set("token_endpoint", "https://a:b@idp.example.test/"), sso.FaultDiscovery, "password"},
		{"symmetric signatures only", set("id_token_signing_alg_values_supported", []string{"HS256", "none"}), sso.FaultDiscovery, "HS256"},
		{"endpoint is a number", set("token_endpoint", 7), sso.FaultDiscovery, "not a discovery document"},
		{"no way to send the secret", set("token_endpoint_auth_methods_supported", []string{"private_key_jwt"}), sso.FaultDiscovery, "private_key_jwt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) { b.Discovery = test.change })
			if fault := wantFault(t, s.tryStart(t), test.kind, test.reason); !fault.AtProvider() {
				t.Error("it does not count as the provider's fault")
			}
		})
	}
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
		t.Run(path, func(t *testing.T) {
			s := newScene(t)
			p, err := sso.NewProvider("okta", sso.Config{Issuer: s.idp.Issuer(), ClientID: providertest.ClientID},
				providertest.ClientSecret, sso.Options{Clock: s.clock.Now, Timeout: 100 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			s.sso = p
			s.behave(func(b *providertest.Behaviour) {
				b.Handlers[path] = hang
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

// TestTokenEndpointRedirects: code and secret go nowhere else (rule 18).
func TestTokenEndpointRedirects(t *testing.T) {
	for i := range 10 {
		status, secret := []int{301, 302, 303, 307, 308}[i%5], i < 5
		t.Run(fmt.Sprintf("%d, secret %t", status, secret), func(t *testing.T) {
			reached := false
			elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
			defer elsewhere.Close()
			s := newScene(t, func(c *sso.Config) {
				if !secret {
					c.ClientSecret = "none"
				}
			})
			s.behave(func(b *providertest.Behaviour) {
				b.Handlers[providertest.PathToken] = func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, elsewhere.URL, status)
				}
			})
			_, err := s.signIn(t)
			wantFault(t, err, sso.FaultOther, "which is not followed")
			if reached {
				t.Error("the redirect was followed")
			}
		})
	}
}

// TestDiscoveryRedirect: a document without secrets may have moved.
func TestDiscoveryRedirect(t *testing.T) {
	s := newScene(t)
	s.behave(func(b *providertest.Behaviour) {
		b.Handlers[providertest.PathDiscovery] = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/moved", http.StatusMovedPermanently)
		}
		b.Handlers["/moved"] = func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":%[1]q,"authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token","jwks_uri":"%[1]s/keys"}`, s.idp.Issuer())
		}
	})
	if err := s.tryStart(t); err != nil {
		t.Error(err)
	}
}

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

// TestUnknownKeys: however many unknown key ids arrive, the keys are fetched
// at most every 30 seconds (rule 18).
func TestUnknownKeys(t *testing.T) {
	s := newScene(t)
	stranger := providertest.NewKey(t, jose.ES256, "")
	n := 0
	s.behave(func(b *providertest.Behaviour) {
		b.Sign = func(claims map[string]any) string {
			n++
			return (&providertest.Key{Algorithm: jose.ES256, ID: fmt.Sprint("unknown-", n), Private: stranger.Private}).Sign(claims, nil)
		}
	})
	last := 0
	for i := range 1000 {
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultToken, "does not publish")
		if most := 1 + i/300; s.fetched(providertest.PathKeys) > most {
			t.Fatalf("token %d, %s after the first: keys fetched %d times, at most %d allowed",
				i, time.Duration(i)*100*time.Millisecond, s.fetched(providertest.PathKeys), most)
		}
		last = s.fetched(providertest.PathKeys)
		s.clock.Add(100 * time.Millisecond)
	}
	if last < 3 {
		t.Errorf("keys fetched %d times in 100 seconds: new keys would not be found", last)
	}
	s.behave(func(b *providertest.Behaviour) { b.Sign = nil })
	if _, err := s.signIn(t); err != nil {
		t.Errorf("a good token among the bad: %v", err)
	}
}

// TestKeyRotation: new keys are found by themselves.
func TestKeyRotation(t *testing.T) {
	for _, id := range []string{"key-2", "key-1", ""} {
		t.Run("new key with id "+id, func(t *testing.T) {
			s := newScene(t)
			if _, err := s.signIn(t); err != nil {
				t.Fatal(err)
			}
			next := providertest.NewKey(t, jose.ES256, id)
			s.behave(func(b *providertest.Behaviour) { b.Key = next })
			s.clock.Add(30 * time.Second)
			if _, err := s.signIn(t); err != nil {
				t.Error(err)
			}
		})
	}

	t.Run("a key that was withdrawn", func(t *testing.T) {
		s := newScene(t)
		if _, err := s.signIn(t); err != nil {
			t.Fatal(err)
		}
		next := providertest.NewKey(t, jose.ES256, "key-2")
		s.behave(func(b *providertest.Behaviour) { b.Published = append(b.Published, next.Public()) })
		s.clock.Add(time.Hour)
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultToken, "does not publish")
	})
}

// TestUnreadableKeys: one key that cannot be read does not spoil the others
// (rule 17).
func TestUnreadableKeys(t *testing.T) {
	bad := map[string]string{
		"unknown type":              `{"kty":"lattice","kid":"key-1","use":"sig"}`,
		"no type":                   `{"kid":"x"}`,
		"unknown curve":             `{"kty":"EC","crv":"secp256k1","kid":"x","x":"AA","y":"AA"}`,
		"point not on the curve":    `{"kty":"EC","crv":"P-256","kid":"x","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`,
		"broken base64":             `{"kty":"RSA","kid":"x","n":"***","e":"AQAB"}`,
		"broken certificate":        `{"kty":"RSA","kid":"x","n":"AQAB","e":"AQAB","x5c":["no"]}`,
		"alg is a number":           `{"kty":"EC","alg":7}`,
		"unknown algorithm":         `{"kty":"EC","alg":"ES256K","crv":"secp256k1","x":"AA","y":"AA"}`,
		"other key agreement curve": `{"kty":"OKP","crv":"X25519","kid":"x","x":"AA"}`,
		"not an object":             `7`,
		"symmetric":                 `{"kty":"oct","kid":"key-1","alg":"HS256","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}`,
		"RSA of 512 bits":           `{"kty":"RSA","kid":"x","e":"AQAB","n":"` + strings.Repeat("w", 86) + `"}`,
		"for encryption":            `{"kty":"EC","use":"enc","crv":"P-256","kid":"x","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
	}
	for name, key := range bad {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Published = append(b.Published, []byte(key), b.Key.Public())
			})
			if _, err := s.signIn(t); err != nil {
				t.Error(err)
			}
		})
		t.Run("nothing but "+name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) { b.Published = append(b.Published, []byte(key)) })
			_, err := s.signIn(t)
			wantFault(t, err, sso.FaultKeys, "no key that can check a signature")
		})
	}

	t.Run("a private key that is published is nobody's signature", func(t *testing.T) {
		s := newScene(t)
		key := providertest.NewKey(t, jose.ES256, "key-1")
		s.behave(func(b *providertest.Behaviour) {
			b.Key = key
			raw, err := jose.JSONWebKey{Key: key.Private, KeyID: key.ID}.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			b.Published = append(b.Published, raw)
		})
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultKeys, "no key that can check a signature")
	})

	t.Run("a key for another algorithm", func(t *testing.T) {
		s := newScene(t)
		s.behave(func(b *providertest.Behaviour) {
			other := *b.Key
			other.Algorithm = jose.ES384
			b.Published = append(b.Published, other.Public())
		})
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultToken, "signature is wrong")
	})
}
