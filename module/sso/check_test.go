package sso_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// TestCheck: what is wrong with a configuration shows before anybody signs in.
func TestCheck(t *testing.T) {
	page := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	back := func(query string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?"+query, http.StatusFound)
		}
	}
	told := func(change func(d map[string]any)) func(*providertest.Behaviour) {
		return func(b *providertest.Behaviour) { b.Discovery = change }
	}
	at := func(path string, handler http.HandlerFunc) func(*providertest.Behaviour) {
		return func(b *providertest.Behaviour) { b.Handlers[path] = handler }
	}
	for _, test := range []struct {
		name    string
		config  func(*sso.Config)
		behave  func(*providertest.Behaviour)
		what    string
		verdict sso.Verdict
		says    string
	}{
		{"down", nil, at(providertest.PathDiscovery, page(503)), "discovery", sso.Wrong, "status 503"},
		{"another issuer", nil, told(func(d map[string]any) { d["issuer"] = "https://evil.test" }), "discovery", sso.Wrong, "evil.test"},
		{"there", nil, nil, "discovery", sso.Good, "the configured one"},
		{"by hand", manual, nil, "discovery", sso.Unknown, "is off"},
		{"keys not there", nil, at(providertest.PathKeys, page(404)), "keys", sso.Wrong, "status 404"},
		{"keys", nil, nil, "keys", sso.Good, "1 can be used"},
		{"keys by hand", manual, nil, "keys", sso.Good, "1 can be used"},
		{"scopes untold", nil, nil, "scopes", sso.Unknown, "does not say"},
		{"scopes", nil, told(func(d map[string]any) { d["scopes_supported"] = []string{"openid", "email", "profile"} }), "scopes", sso.Good, "openid email profile"},
		{"a scope that is not named", nil, told(func(d map[string]any) { d["scopes_supported"] = []string{"openid", "email"} }), "scopes", sso.Doubtful, "profile"},
		{"a scope that is refused", nil, at(providertest.PathAuthorization, back("error=invalid_scope")), "scopes", sso.Wrong, "invalid_scope"},
		{"PKCE", nil, nil, "PKCE", sso.Good, "has it"},
		{"PKCE untold", nil, told(func(d map[string]any) { delete(d, "code_challenge_methods_supported") }), "PKCE", sso.Unknown, "does not say"},
		{"PKCE of another kind", nil, told(func(d map[string]any) { d["code_challenge_methods_supported"] = []string{"plain"} }), "PKCE", sso.Wrong, "mode code"},
		{"PKCE unused", func(c *sso.Config) { c.Mode = sso.ModeCode }, nil, "PKCE", sso.Doubtful, "safer"},
		{"client", nil, nil, "client authentication", sso.Good, "client_secret_basic is taken"},
		{"client in the wrong way", nil, func(b *providertest.Behaviour) { b.Post = true }, "client authentication", sso.Wrong, "client_secret_post is wanted"},
		{"client with a secret it has not", func(c *sso.Config) { c.ClientSecret = "none" }, nil, "client authentication", sso.Wrong, "invalid_client"},
		{"token endpoint that says nothing", nil, at(providertest.PathToken, page(400)), "client authentication", sso.Unknown, "status 400"},
		{"callback known", nil, at(providertest.PathAuthorization, back("error=login_required")), "callback", sso.Good, callback},
		{"callback unknown", nil, at(providertest.PathAuthorization, page(400)), "callback", sso.Wrong, "register this address"},
		{"callback on a page", nil, at(providertest.PathAuthorization, page(200)), "callback", sso.Unknown, "a page of its own"},
		{"callback after signing in", nil, at(providertest.PathAuthorization, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/login", http.StatusFound)
		}), "callback", sso.Unknown, "begins to sign people in"},
		{"callback pushed and refused", nil, func(b *providertest.Behaviour) {
			b.Push = true
			b.Handlers[providertest.PathPush] = page(401)
		}, "callback", sso.Wrong, "status 401"},
		{"no sign-out", nil, nil, "sign-out at the provider", sso.Good, "is not offered"},
		{"sign-out", nil, told(func(d map[string]any) { d["end_session_endpoint"] = "https://id.example.test/end" }), "sign-out at the provider", sso.Good,
			"addresses: https://app.example.test/auth-gateway/sign-out"},
		{"sign-out by hand", func(c *sso.Config) { manual(c); c.Endpoints.EndSession = "https://id.example.test/end" }, nil, "sign-out at the provider", sso.Good, "is offered"},
		{"no back-channel logout", nil, nil, "back-channel logout", sso.Good, "is not offered"},
		{"back-channel logout", nil, told(func(d map[string]any) { d["backchannel_logout_supported"] = true }), "back-channel logout", sso.Good,
			"by person: register one of: https://app.example.test/auth-gateway/sso/okta/backchannel-logout"},
		{"back-channel logout by session", nil, told(func(d map[string]any) {
			d["backchannel_logout_supported"], d["backchannel_logout_session_supported"] = true, true
		}), "back-channel logout", sso.Good, "by session"},
		{"back-channel logout, endpoints by hand", manual, nil, "back-channel logout", sso.Unknown, "/sso/okta/backchannel-logout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.config == nil {
				test.config = func(*sso.Config) {}
			}
			s := newScene(t, test.config)
			s.clock.Add(time.Since(s.clock.Now()))
			if test.behave != nil {
				s.behave(test.behave)
			}
			found := s.sso.Check(t.Context(), []string{callback})
			for _, finding := range found {
				if strings.Contains(finding.Says, providertest.ClientSecret) {
					t.Errorf("the secret is in %v", finding)
				}
				if finding.What == test.what && finding.Verdict == test.verdict && strings.Contains(finding.Says, test.says) {
					return
				}
			}
			t.Errorf("found %+v, want %s: %s: %s", found, test.what, test.verdict, test.says)
		})
	}

	for away, verdict := range map[time.Duration]sso.Verdict{0: sso.Good, time.Minute: sso.Doubtful, -time.Minute: sso.Doubtful, time.Hour: sso.Wrong, -time.Hour: sso.Wrong} {
		s := newScene(t)
		s.clock.Add(time.Since(s.clock.Now()) + away)
		for _, finding := range s.sso.Check(t.Context(), nil) {
			if finding.What == "clock" && finding.Verdict != verdict {
				t.Errorf("%s away: %+v", away, finding)
			}
		}
	}
}
