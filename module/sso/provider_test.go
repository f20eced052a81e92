package sso_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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

func TestSignIn(t *testing.T) {
	s := newScene(t)
	s.behave(func(b *providertest.Behaviour) {
		b.Person["name"] = " Alice\nExample "
		b.Claims = func(claims map[string]any) {
			claims["sid"] = "session-at-the-provider"
			claims["auth_time"] = s.clock.Now().Add(-time.Minute).Unix()
			claims["azp"] = providertest.ClientID
			claims["aud"] = []string{providertest.ClientID}
		}
	})
	got, err := s.signIn(t)
	if err != nil {
		t.Fatal(err)
	}
	if got.Issuer != s.idp.Issuer() || got.Subject != "248289761001" || got.SID != "session-at-the-provider" {
		t.Errorf("who it is: %q %q %q", got.Issuer, got.Subject, got.SID)
	}
	if got.Email != "alice@example.test" || !got.EmailVerified || got.Attributes.Email != got.Email {
		t.Errorf("address: %q, verified %t, attribute %q", got.Email, got.EmailVerified, got.Attributes.Email)
	}
	if strings.TrimSpace(got.Attributes.Name) != got.Attributes.Name || strings.ContainsAny(got.Attributes.Name, "\n\t") {
		t.Errorf("name: %q", got.Attributes.Name)
	}
	if got.Attributes.Role != "" {
		t.Errorf("role: %q, but no claim gives one", got.Attributes.Role)
	}
	if !got.AuthTime.Equal(s.clock.Now().Add(-time.Minute)) {
		t.Errorf("auth time: %v", got.AuthTime)
	}
	if strings.Count(got.RawIDToken, ".") != 2 {
		t.Errorf("raw ID token: %q", got.RawIDToken)
	}
	if n := len(s.idp.Requests(providertest.PathUserinfo)); n != 0 {
		t.Errorf("%d userinfo requests although the ID token has everything", n)
	}
}

// TestModes looks at what is sent in each mode (requirement S4, rules 16, 18).
func TestModes(t *testing.T) {
	tests := []struct {
		name           string
		config         func(*sso.Config)
		behaviour      func(*providertest.Behaviour)
		pkce           bool
		basic, inBody  bool
		scopes, method string
	}{
		{
			name:   "pkce with a secret",
			config: func(c *sso.Config) {},
			pkce:   true, basic: true,
		},
		{
			name:      "pkce as a public client",
			config:    func(c *sso.Config) { c.ClientSecret = "none" },
			behaviour: func(b *providertest.Behaviour) { b.Public = true },
			pkce:      true,
		},
		{
			name:   "code",
			config: func(c *sso.Config) { c.Mode = sso.ModeCode },
			basic:  true,
		},
		{
			name:   "code, the provider only takes the secret in the body",
			config: func(c *sso.Config) { c.Mode = sso.ModeCode },
			behaviour: func(b *providertest.Behaviour) {
				b.Post = true
				b.Discovery = func(d map[string]any) {
					d["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt", "client_secret_post"}
				}
			},
			inBody: true,
		},
		{
			name:   "the provider takes the secret either way",
			config: func(c *sso.Config) {},
			behaviour: func(b *providertest.Behaviour) {
				b.Discovery = func(d map[string]any) {
					d["token_endpoint_auth_methods_supported"] = []string{"client_secret_post", "client_secret_basic"}
				}
			},
			pkce: true, basic: true,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, test.config)
			if test.behaviour != nil {
				s.behave(test.behaviour)
			}
			if _, err := s.signIn(t); err != nil {
				t.Fatal(err)
			}
			authorization := s.idp.Requests(providertest.PathAuthorization)[0].Query
			for name, want := range map[string]string{
				"response_type": "code", "client_id": providertest.ClientID, "redirect_uri": callback,
				"state": state, "scope": "openid email profile",
			} {
				if got := authorization.Get(name); got != want {
					t.Errorf("authorization request: %s is %q, want %q", name, got, want)
				}
			}
			if len(authorization.Get("nonce")) < 22 {
				t.Errorf("authorization request: nonce is %q, too short for 128 bits", authorization.Get("nonce"))
			}
			if authorization.Has("response_mode") {
				t.Error("authorization request: asks for a response mode")
			}
			requests := s.idp.Requests(providertest.PathToken)
			if len(requests) != 1 {
				t.Fatalf("the code was sent %d times", len(requests))
			}
			token := requests[0]
			if got := authorization.Get("code_challenge_method"); (got == "S256") != test.pkce {
				t.Errorf("code_challenge_method is %q", got)
			}
			if got := token.Form.Has("code_verifier"); got != test.pkce {
				t.Errorf("code_verifier sent: %t", got)
			}
			if got := token.Header.Get("Authorization") != ""; got != test.basic {
				t.Errorf("secret in the header: %t", got)
			}
			if got := token.Form.Has("client_secret"); got != test.inBody {
				t.Errorf("secret in the body: %t", got)
			}
			if token.Header.Get("Origin") != "" {
				t.Error("an Origin is sent")
			}
		})
	}
}

// TestEachSignInIsItsOwn: nothing is reused from one to the next (rule 16).
func TestEachSignInIsItsOwn(t *testing.T) {
	s := newScene(t)
	first, _ := s.start(t)
	second, _ := s.start(t)
	if first.Nonce == second.Nonce || first.Verifier == second.Verifier {
		t.Errorf("two sign-ins share a secret: %+v %+v", first, second)
	}
	raw, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var again sso.Pending
	if err := json.Unmarshal(raw, &again); err != nil || again != first {
		t.Errorf("after a trip through JSON: %+v, %v", again, err)
	}
	if len(raw) > 512 {
		t.Errorf("%d bytes are too many for a cookie among others", len(raw))
	}
}

func TestAlgorithms(t *testing.T) {
	for _, algorithm := range []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	} {
		t.Run(string(algorithm), func(t *testing.T) {
			s := newScene(t)
			key := providertest.NewKey(t, algorithm, "key")
			s.behave(func(b *providertest.Behaviour) { b.Key = key })
			if _, err := s.signIn(t); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestResponseAttacks are responses that are not the answer to what was asked
// (rule 16).
func TestResponseAttacks(t *testing.T) {
	tests := []struct {
		name    string
		change  func(s *scene, pending *sso.Pending, query url.Values)
		announc bool // the provider announces iss
		kind    sso.FaultKind
		reason  string
	}{
		{name: "state of another sign-in", kind: sso.FaultResponse, reason: "another state",
			change: func(_ *scene, _ *sso.Pending, q url.Values) { q.Set("state", "another") }},
		{name: "no state", kind: sso.FaultResponse, reason: "another state",
			change: func(_ *scene, _ *sso.Pending, q url.Values) { q.Del("state") }},
		{name: "no state, and none pending", kind: sso.FaultResponse, reason: "another state",
			change: func(_ *scene, p *sso.Pending, q url.Values) { q.Del("state"); p.State = "" }},
		{name: "state twice", kind: sso.FaultResponse, reason: `"state" 2 times`,
			change: func(_ *scene, _ *sso.Pending, q url.Values) { q.Add("state", state) }},
		{name: "code twice", kind: sso.FaultResponse, reason: `"code" 2 times`,
			change: func(_ *scene, _ *sso.Pending, q url.Values) { q.Add("code", "injected") }},
		{name: "iss twice", kind: sso.FaultResponse, reason: `"iss" 2 times`,
			change: func(s *scene, _ *sso.Pending, q url.Values) { q["iss"] = []string{s.idp.Issuer(), "https://evil.test"} }},
		{name: "an unknown parameter twice", kind: sso.FaultResponse, reason: `"session_state" 2 times`,
			change: func(_ *scene, _ *sso.Pending, q url.Values) { q["session_state"] = []string{"a", "b"} }},
		{name: "iss of another provider (mix-up)", kind: sso.FaultResponse, reason: "another issuer's",
			change: func(_ *scene, _ *sso.Pending, q url.Values) { q.Set("iss", "https://evil.test") }},
		{name: "iss with a slash at the end", kind: sso.FaultResponse, reason: "another issuer's",
			change: func(s *scene, _ *sso.Pending, q url.Values) { q.Set("iss", s.idp.Issuer()+"/") }},
		{name: "iss empty", kind: sso.FaultResponse, reason: "another issuer's",
			change: func(_ *scene, _ *sso.Pending, q url.Values) { q.Set("iss", "") }},
		{name: "iss announced and missing", announc: true, kind: sso.FaultResponse, reason: "no iss",
			change: func(_ *scene, _ *sso.Pending, q url.Values) {}},
		{name: "iss announced and missing from an error", announc: true, kind: sso.FaultResponse, reason: "no iss",
			change: func(_ *scene, _ *sso.Pending, q url.Values) { q.Del("code"); q.Set("error", "access_denied") }},
		{name: "started at another SSO config", kind: sso.FaultResponse, reason: "started at another provider",
			change: func(_ *scene, p *sso.Pending, _ url.Values) { p.SSO = "entra" }},
		{name: "started at another issuer", kind: sso.FaultResponse, reason: "started at another provider",
			change: func(_ *scene, p *sso.Pending, _ url.Values) { p.Issuer = "https://evil.test" }},
		{name: "started without PKCE", kind: sso.FaultResponse, reason: "without PKCE",
			change: func(_ *scene, p *sso.Pending, _ url.Values) { p.Verifier = "" }},
		{name: "neither code nor error", kind: sso.FaultResponse, reason: "neither a code nor an error",
			change: func(_ *scene, _ *sso.Pending, q url.Values) { q.Del("code") }},
		{name: "error and code", kind: sso.FaultDenied, reason: "access_denied",
			change: func(_ *scene, _ *sso.Pending, q url.Values) { q.Set("error", "access_denied") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			if test.announc {
				s.behave(func(b *providertest.Behaviour) {
					b.Discovery = func(d map[string]any) { d["authorization_response_iss_parameter_supported"] = true }
				})
			}
			pending, query := s.start(t)
			test.change(s, &pending, query)
			_, err := s.sso.Finish(t.Context(), pending, callback, query)
			fault := wantFault(t, err, test.kind, test.reason)
			if fault.AtProvider() {
				t.Error("it counts as the provider's fault")
			}
			if n := len(s.idp.Requests(providertest.PathToken)); n != 0 {
				t.Error("the code was spent all the same")
			}
		})
	}

	t.Run("iss announced and right", func(t *testing.T) {
		s := newScene(t)
		s.behave(func(b *providertest.Behaviour) {
			b.Discovery = func(d map[string]any) { d["authorization_response_iss_parameter_supported"] = true }
			b.Response = func(q url.Values) { q.Set("iss", s.idp.Issuer()) }
		})
		if _, err := s.signIn(t); err != nil {
			t.Error(err)
		}
	})
}

// TestCodeInjection: a code that was issued to another browser is worth
// nothing, with PKCE and, through the nonce, without.
func TestCodeInjection(t *testing.T) {
	tests := []struct {
		name   string
		mode   sso.Mode
		kind   sso.FaultKind
		reason string
	}{
		{"pkce", sso.ModePKCE, sso.FaultGrant, "PKCE verification failed"},
		{"code", sso.ModeCode, sso.FaultToken, "nonce"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, func(c *sso.Config) { c.Mode = test.mode })
			_, stolen := s.start(t)
			pending, query := s.start(t)
			query.Set("code", stolen.Get("code"))
			_, err := s.sso.Finish(t.Context(), pending, callback, query)
			wantFault(t, err, test.kind, test.reason)
		})
	}

	t.Run("used twice", func(t *testing.T) {
		s := newScene(t)
		pending, query := s.start(t)
		if _, err := s.sso.Finish(t.Context(), pending, callback, query); err != nil {
			t.Fatal(err)
		}
		_, err := s.sso.Finish(t.Context(), pending, callback, query)
		wantFault(t, err, sso.FaultGrant, "invalid_grant")
	})
}

// TestProviderErrors: what the provider says becomes a kind that a page has a
// plain sentence for, and stands in the log in its own words (S6).
func TestProviderErrors(t *testing.T) {
	tests := []struct {
		code, description string
		kind              sso.FaultKind
		atProvider        bool
	}{
		{"invalid_scope", "payroll is not a scope", sso.FaultScope, true},
		{"unauthorized_client", "", sso.FaultClient, true},
		{"invalid_client", "AADSTS7000215: Invalid client secret provided", sso.FaultClient, true},
		{"invalid_request", "redirect_uri is not registered", sso.FaultRedirect, true},
		{"invalid_grant", "Redirect URI mismatch", sso.FaultRedirect, true},
		{"invalid_request", "prompt is wrong", sso.FaultOther, true},
		{"access_denied", "User is not assigned to the client application", sso.FaultDenied, false},
		{"login_required", "", sso.FaultInteraction, false},
		{"interaction_required", "", sso.FaultInteraction, false},
		{"consent_required", "", sso.FaultInteraction, false},
		{"account_selection_required", "", sso.FaultInteraction, false},
		{"temporarily_unavailable", "", sso.FaultUnavailable, true},
		{"server_error", "", sso.FaultUnavailable, true},
		{"invalid_grant", "expired", sso.FaultGrant, false},
		{"teapot", "short and stout", sso.FaultOther, true},
	}
	for _, test := range tests {
		t.Run("response "+test.code+" "+test.description, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Response = func(q url.Values) {
					q.Del("code")
					q.Set("error", test.code)
					q.Set("error_description", test.description)
				}
			})
			_, err := s.signIn(t)
			checkProviderError(t, err, test.kind, test.code, test.description, test.atProvider)
		})
		t.Run("token endpoint "+test.code+" "+test.description, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Handlers[providertest.PathToken] = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(http.StatusBadRequest)
					_ = json.NewEncoder(w).Encode(map[string]string{"error": test.code, "error_description": test.description})
				}
			})
			_, err := s.signIn(t)
			checkProviderError(t, err, test.kind, test.code, test.description, test.atProvider)
		})
	}
}

func checkProviderError(t *testing.T, err error, kind sso.FaultKind, code, description string, atProvider bool) {
	t.Helper()
	fault := wantFault(t, err, kind, code)
	if fault.ProviderError != code || fault.ProviderDescription != description {
		t.Errorf("the provider's words became %q, %q", fault.ProviderError, fault.ProviderDescription)
	}
	if !strings.Contains(err.Error(), description) {
		t.Errorf("%q lacks the provider's words", err)
	}
	if fault.AtProvider() != atProvider {
		t.Errorf("at the provider: %t", fault.AtProvider())
	}
}

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

// TestNoEmail is requirement S7.
func TestNoEmail(t *testing.T) {
	for name, claim := range map[string]any{
		"absent": nil, "empty": "", "a list": []string{"alice@example.test"}, "no address": "alice", "with NUL": "alice\x00@example.test",
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Person["email"] = claim
				b.Person["Email"] = "ceo@example.test"
			})
			_, err := s.signIn(t)
			if fault := wantFault(t, err, sso.FaultNoEmail, "has an e-mail address"); fault.AtProvider() {
				t.Error("it counts as the provider's fault")
			}
		})
	}
}

func TestNewProviderRefuses(t *testing.T) {
	good := sso.Config{Issuer: "https://idp.example.test", ClientID: "gateway"}
	tests := []struct {
		name   string
		change func(*sso.Config)
		secret string
		reason string
	}{
		{"no issuer", func(c *sso.Config) { c.Issuer = "" }, "secret", "issuer"},
		{"many tenants", func(c *sso.Config) { c.Issuer = "https://login.microsoftonline.com/common/v2.0" }, "secret", "many tenants"},
		{"no client id", func(c *sso.Config) { c.ClientID = "" }, "secret", "client_id"},
		{"mode code without a secret", func(c *sso.Config) { c.Mode = sso.ModeCode }, "", "client_secret"},
		{"unknown mode", func(c *sso.Config) { c.Mode = "implicit" }, "secret", "implicit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config := good
			test.change(&config)
			_, err := sso.NewProvider("okta", config, test.secret, sso.Options{})
			if err == nil || !strings.Contains(err.Error(), test.reason) || !strings.Contains(err.Error(), "sso okta") {
				t.Errorf("error %v, want one that names the SSO config and %q", err, test.reason)
			}
		})
	}
	p, err := sso.NewProvider("okta", good, "", sso.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Config(); c.Mode != sso.ModePKCE || !slices.Equal(c.Scopes, []string{"openid", "email", "profile"}) {
		t.Errorf("defaults: %+v", c)
	}
}

func TestStartWithoutState(t *testing.T) {
	s := newScene(t)
	_, _, err := s.sso.Start(t.Context(), callback, "")
	wantFault(t, err, sso.FaultOther, "without a state")
}

func TestCancelled(t *testing.T) {
	s := newScene(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.sso.Start(ctx, callback, state)
	if fault := wantFault(t, err, sso.FaultOther, "canceled"); fault.AtProvider() {
		t.Error("a person who left counts as the provider's fault")
	}
}
