//go:build integration

package provider

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// told is what the gateway answers to a logout token.
type told struct {
	status int
	header http.Header
	Error  string `json:"error"`
	Reason string `json:"error_description"`
}

// logOut posts a logout token for the SSO config of a situation, as a provider
// does.
func (s *stage) logOut(t *testing.T, name, token string) (answer told) {
	t.Helper()
	response, err := http.PostForm(s.URL+"/auth-gateway/sso/"+slug(name)+"/backchannel-logout", url.Values{"logout_token": {token}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer.status, answer.header = response.StatusCode, response.Header
	if len(body) > 0 {
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
	}
	return answer
}

// Rule 19: what is no logout token of this provider, for this client, now and for
// the first time, ends nothing.
func TestLogoutTokens(t *testing.T) {
	t.Parallel()
	const name, elsewhere = "logout", "logout elsewhere"
	s := newStage(t, "", "", situation{name: name}, situation{name: elsewhere})
	idp, other := s.providers[name], s.providers[elsewhere]
	stranger := providertest.NewKey(t, jose.ES256, "key-1")
	var own *providertest.Key
	idp.Behave(func(b *providertest.Behaviour) {
		own = b.Key
		b.Person = maps.Clone(b.Person)
		b.Person["sid"] = "session-1"
	})
	victim := s.Browser()
	victim.Open(start(name)).App()
	idToken := ""
	idp.Behave(func(b *providertest.Behaviour) {
		b.TokenResponse = func(a map[string]any) { idToken = a["id_token"].(string) }
	})
	s.Browser().Open(start(name)).App()

	sid := map[string]any{"sid": "session-1"}
	with := func(name string, value any) string {
		return idp.LogoutToken(map[string]any{"sid": "session-1", name: value})
	}
	without := func(name string) string {
		claims := idp.LogoutClaims()
		claims["sid"] = "session-1"
		delete(claims, name)
		return own.Sign(claims, providertest.LogoutHeader())
	}
	signed := func(sign func(claims map[string]any) string) string {
		claims := idp.LogoutClaims()
		claims["sid"] = "session-1"
		return sign(claims)
	}
	typed := func(typ string) string {
		return signed(func(c map[string]any) string { return own.Sign(c, map[jose.HeaderKey]any{jose.HeaderType: typ}) })
	}
	for _, attack := range []struct{ name, token, reason string }{
		{"an ID token", idToken, "typ is"},
		{"not typed", typed(""), `typ is ""`},
		{"typed as any JWT", typed("JWT"), `typ is "JWT"`},
		{"typed as a security event", typed("secevent+jwt"), `typ is "secevent+jwt"`},
		{"another issuer's", other.LogoutToken(sid), "logout token: "},
		{"another issuer's name", with("iss", other.Issuer()), "iss is"},
		{"no issuer", without("iss"), "iss is"},
		{"another client's", with("aud", "another"), "aud does not name this client"},
		{"another client's too", with("aud", []string{providertest.ClientID, "another"}), "aud: it was also made for"},
		{"no audience", without("aud"), "aud does not name this client"},
		{"no iat", without("iat"), "iat is missing"},
		{"iat in the future", with("iat", in(time.Hour)), "in the future"},
		{"iat of yesterday", with("iat", in(-24*time.Hour)), " ago"},
		{"no exp", without("exp"), "exp is missing"},
		{"expired", with("exp", in(-time.Second)), "it expired at"},
		{"no events", without("events"), "events does not name"},
		{"another event", with("events", map[string]any{"http://schemas.openid.net/secevent/risc/event-type/account-purged": map[string]any{}}), "events does not name"},
		{"the event is no object", with("events", map[string]any{providertest.LogoutEvent: "yes"}), "not an object"},
		{"a nonce", with("nonce", "n"), "it has a nonce"},
		{"of nobody", without("sid"), "neither sub nor sid"},
		{"of an empty session", with("sid", ""), "sid is empty"},
		{"of a list of sessions", with("sid", []string{"session-1"}), "logout token: "},
		{"no jti", without("jti"), "jti is missing"},
		{"a jti of 300 characters", with("jti", strings.Repeat("j", 300)), "jti is longer"},
		{"a stranger's key under our id", signed(func(c map[string]any) string { return stranger.Sign(c, providertest.LogoutHeader()) }), "the signature is wrong"},
		{"alg none", signed(func(c map[string]any) string { return providertest.Forge(`{"alg":"none","typ":"logout+jwt"}`, c, nil) }), `"none"`},
		{"the client secret as key", signed(func(c map[string]any) string {
			return providertest.ForgeHS256([]byte(providertest.ClientSecret), c)
		}), `"HS256"`},
		{"not a token", "session-1", "logout token: "},
	} {
		t.Run(attack.name, func(t *testing.T) {
			s.For(t)
			answer := s.logOut(t, name, attack.token)
			if answer.status != http.StatusBadRequest || answer.Error != "invalid_request" || !strings.Contains(answer.Reason, attack.reason) {
				t.Errorf("answered %+v, want the reason %s", answer, attack.reason)
			}
			if answer.header.Get("Cache-Control") != "no-store" || answer.header.Get("Set-Cookie") != "" {
				t.Errorf("header: %v", answer.header)
			}
			s.WaitLog("the audit trail", func(e harness.Entry) bool {
				return e.Text("action") == "sign-out" && e.Text("outcome") == "failure" && e.Text("how") == "back-channel logout "+slug(name) &&
					strings.Contains(e.Text("detail"), attack.reason)
			})
			s.WantIn(victim, slug(name)+"@example.test")
		})
	}

	t.Run("a thousand of them", func(t *testing.T) {
		s.For(t)
		lines, keys := len(s.Logs()), len(idp.Requests(providertest.PathKeys))
		for range 1000 {
			token := signed(func(c map[string]any) string {
				return (&providertest.Key{Algorithm: jose.ES256, ID: "unknown", Private: stranger.Private}).Sign(c, providertest.LogoutHeader())
			})
			if answer := s.logOut(t, name, token); answer.status != http.StatusBadRequest {
				t.Fatalf("answered %+v", answer)
			}
		}
		if n := len(idp.Requests(providertest.PathKeys)) - keys; n > 2 {
			t.Errorf("the keys were fetched %d times", n)
		}
		audited := 0
		for _, entry := range s.Logs()[lines:] {
			if entry.Text("action") == "sign-out" {
				audited++
			}
		}
		if audited > 20 {
			t.Errorf("%d lines in the audit trail", audited)
		}
		s.WantIn(victim, slug(name)+"@example.test")
	})

	t.Run("the real one, and again", func(t *testing.T) {
		s.For(t)
		token := idp.LogoutToken(sid)
		if answer := s.logOut(t, elsewhere, token); answer.status != http.StatusBadRequest {
			t.Errorf("at another SSO config: %+v", answer)
		}
		if answer := s.logOut(t, name, token); answer.status != http.StatusOK {
			t.Errorf("answered %+v", answer)
		}
		s.WantOut(victim)
		victim.Open(start(name)).App()
		if answer := s.logOut(t, name, token); answer.status != http.StatusBadRequest || !strings.Contains(answer.Reason, "used before") {
			t.Errorf("the second time: %+v", answer)
		}
		s.WantIn(victim, slug(name)+"@example.test")
	})
}
