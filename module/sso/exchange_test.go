package sso_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// TestTokenEndpointAnswers are answers without an error code.
func TestTokenEndpointAnswers(t *testing.T) {
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		kind    sso.FaultKind
		reason  string
	}{
		{"401 without a word", answer(401, "text/html", "<h1>no</h1>"), sso.FaultClient, "check client_id and client_secret"},
		{"500", answer(500, "text/html", "<h1>sorry</h1>"), sso.FaultUnavailable, "status 500"},
		{"404", answer(404, "text/html", "nothing"), sso.FaultOther, "status 404"},
		{"a web page", answer(200, "text/html", "<html>"), sso.FaultToken, "cannot parse json"},
		{"no access token", answer(200, "application/json", `{"id_token":"a.b.c","token_type":"Bearer"}`), sso.FaultToken, "missing access_token"},
		{"no ID token", answer(200, "application/json", `{"access_token":"a","token_type":"Bearer"}`), sso.FaultToken, "no ID token"},
		{"ID token is a number", answer(200, "application/json", `{"access_token":"a","token_type":"Bearer","id_token":7}`), sso.FaultToken, "no ID token"},
		{"bound to a key", answer(200, "application/json", `{"access_token":"a","token_type":"DPoP","id_token":"a.b.c"}`), sso.FaultToken, "token type"},
		{"connection cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, sso.FaultUnreachable, "EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) { b.Handlers[providertest.PathToken] = test.handler })
			_, err := s.signIn(t)
			wantFault(t, err, test.kind, test.reason)
			if n := len(s.idp.Requests(providertest.PathToken)); n != 1 {
				t.Errorf("the code was sent %d times", n)
			}
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

// TestNothingSecretIsTold: a provider that repeats everything it was sent does
// not get it into an error (rule 26, S5).
func TestNothingSecretIsTold(t *testing.T) {
	tests := []struct {
		name    string
		handler func(told string) http.HandlerFunc
	}{
		{"in error_description", func(told string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_client", "error_description": told})
			}
		}},
		{"in error", func(told string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(map[string]string{"error": told})
			}
		}},
		{"in a body without a code", func(told string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, told, http.StatusBadRequest) }
		}},
		{"in a body that is not JSON", func(told string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(told))
			}
		}},
		{"in a redirect", func(told string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://evil.test/?"+url.Values{"told": {told}}.Encode(), http.StatusTemporaryRedirect)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			pending, query := s.start(t)
			secrets := []string{providertest.ClientSecret, query.Get("code"), pending.Verifier}
			told := strings.Join(secrets, " ") + " " + url.QueryEscape(providertest.ClientSecret)
			s.behave(func(b *providertest.Behaviour) { b.Handlers[providertest.PathToken] = test.handler(told) })
			_, err := s.sso.Finish(t.Context(), pending, callback, query)
			var fault *sso.Fault
			if !errors.As(err, &fault) {
				t.Fatalf("error %v, want a fault", err)
			}
			text := fmt.Sprintf("%v %+v %#v %s %s", err, err, fault.Err, fault.ProviderError, fault.ProviderDescription)
			for _, secret := range append(secrets, url.QueryEscape(providertest.ClientSecret)) {
				if strings.Contains(text, secret) {
					t.Errorf("the error tells %q: %s", secret, text)
				}
			}
		})
	}
}

// A provider that sends much does not fill the log with it.
func TestFaultsAreShort(t *testing.T) {
	long := strings.Repeat("long ", 100_000)
	for name, behave := range map[string]func(*providertest.Behaviour){
		"issuer of the ID token": func(b *providertest.Behaviour) { b.Claims = func(c map[string]any) { c["iss"] = long } },
		"audience":               func(b *providertest.Behaviour) { b.Claims = func(c map[string]any) { c["aud"] = long } },
		"algorithm": func(b *providertest.Behaviour) {
			b.Sign = func(c map[string]any) string { return providertest.Forge(`{"alg":"`+long+`"}`, c, nil) }
		},
		"error": func(b *providertest.Behaviour) {
			b.Response = func(q url.Values) { q.Set("error", long) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.behave(behave)
			pending, query := s.start(t)
			_, err := s.sso.Finish(t.Context(), pending, callback, query)
			if err == nil || len(err.Error()) > 2000 {
				t.Errorf("%d bytes: %.100v", len(fmt.Sprint(err)), err)
			}
		})
	}
}
