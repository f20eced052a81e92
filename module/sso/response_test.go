package sso_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

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
		{"unauthorized_client", "", sso.FaultUnauthorized, true},
		{"unsupported_response_type", "", sso.FaultUnauthorized, true},
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
