package sso_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// TestRevalidateConfig: the bounds, and who is told that there may be no refresh
// token to ask with.
func TestRevalidateConfig(t *testing.T) {
	written := []string{"openid", "email"}
	for _, tc := range []struct {
		every time.Duration
		// scopes as written; nil: none
		scopes []string
		wrong  string
		odd    string
	}{
		{0, nil, "", ""},
		{time.Minute - 1, written, "between 1m and 30d", ""},
		{-time.Hour, written, "between 1m and 30d", ""},
		{time.Minute, written, "", ""},
		{30 * 24 * time.Hour, written, "", ""},
		{30*24*time.Hour + 1, written, "between 1m and 30d", ""},
		{time.Hour, nil, "", "offline_access"},
		{time.Hour, append(written, "offline_access"), "", ""},
	} {
		config := sso.Config{Issuer: "https://idp.example.test", ClientID: "x", Admit: []string{"any"}, Scopes: tc.scopes, Revalidate: caddy.Duration(tc.every)}
		if wrong := config.Validate(); (wrong.Err() == nil) != (tc.wrong == "") || wrong.Err() != nil && !strings.Contains(wrong.Err().Error(), tc.wrong) {
			t.Errorf("%s: %v, want %q", tc.every, wrong, tc.wrong)
		}
		odd := config.Warnings()
		if (odd.Err() == nil) != (tc.odd == "") || odd.Err() != nil && !strings.Contains(odd.Err().Error(), tc.odd) {
			t.Errorf("%s with scopes %q: %v, want %q", tc.every, tc.scopes, odd, tc.odd)
		}
	}
}

// TestCheckRevalidate: what a provider's metadata tells of refresh tokens.
func TestCheckRevalidate(t *testing.T) {
	offline := func(c *sso.Config) { c.Scopes = []string{"openid", "email", "offline_access"} }
	for name, tc := range map[string]struct {
		config  func(*sso.Config)
		told    map[string][]string
		verdict sso.Verdict // "" is none
		says    string
	}{
		"not asked for":         {func(c *sso.Config) { c.Revalidate = 0 }, nil, "", ""},
		"nothing told":          {offline, nil, sso.Unknown, "shows when people sign in"},
		"no refreshing":         {offline, map[string][]string{"grant_types_supported": {"authorization_code"}}, sso.Doubtful, "refresh_token is not among them"},
		"a scope not asked for": {func(*sso.Config) {}, map[string][]string{"scopes_supported": {"openid", "offline_access"}}, sso.Doubtful, "offline_access"},
		"as it should be": {offline, map[string][]string{"grant_types_supported": {"authorization_code", "refresh_token"}, "scopes_supported": {"openid", "email", "offline_access"}},
			sso.Unknown, "every 1h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, again, tc.config)
			s.clock.Add(time.Since(s.clock.Now()))
			s.behave(func(b *providertest.Behaviour) {
				b.Discovery = func(d map[string]any) {
					for name, values := range tc.told {
						d[name] = values
					}
				}
			})
			var verdict sso.Verdict
			var says string
			for _, finding := range s.sso.Check(t.Context(), nil) {
				if finding.What == "revalidate" {
					verdict, says = finding.Verdict, finding.Says
				}
			}
			if verdict != tc.verdict || !strings.Contains(says, tc.says) {
				t.Errorf("%s: %s; want %s: %s", verdict, says, tc.verdict, tc.says)
			}
		})
	}
}
