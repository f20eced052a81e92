package sso_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// TestLogoutTokens are logout tokens that are unusual and right.
func TestLogoutTokens(t *testing.T) {
	s := newScene(t)
	for _, test := range []struct {
		name        string
		claims      map[string]any
		header      map[jose.HeaderKey]any
		subject     string
		sid         string
		rememberFor time.Duration // default: two minutes
	}{
		{name: "of a session", claims: map[string]any{"sid": "s1"}, sid: "s1"},
		{name: "of a person", claims: map[string]any{"sub": "alice"}, subject: "alice"},
		{name: "of a person's session", claims: map[string]any{"sub": "alice", "sid": "s1"}, subject: "alice", sid: "s1"},
		{name: "a session that is null", claims: map[string]any{"sub": "alice", "sid": nil}, subject: "alice"},
		{name: "for a list of one", claims: map[string]any{"sub": "alice", "aud": []string{providertest.ClientID}}, subject: "alice"},
		{name: "another event beside", claims: map[string]any{"sub": "alice", "events": map[string]any{
			providertest.LogoutEvent: map[string]any{"why": "because"}, "https://example.test/event": true}}, subject: "alice"},
		{name: "typed in full, in capitals", claims: map[string]any{"sub": "alice"}, header: map[jose.HeaderKey]any{jose.HeaderType: "application/Logout+JWT"}, subject: "alice"},
		{name: "claims of its own", claims: map[string]any{"sub": "alice", "trace": "x", "azp": "another"}, subject: "alice"},
		{name: "a clock that is ahead", claims: map[string]any{"sub": "alice", "iat": s.clock.Now().Add(time.Minute).Unix()}, subject: "alice"},
		{name: "good for years", claims: map[string]any{"sub": "alice", "exp": s.clock.Now().Add(9999 * time.Hour).Unix()}, subject: "alice",
			rememberFor: time.Hour + 90*time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			claims := s.idp.LogoutClaims()
			maps.Copy(claims, test.claims)
			header := test.header
			if header == nil {
				header = providertest.LogoutHeader()
			}
			var raw string
			s.behave(func(b *providertest.Behaviour) { raw = b.Key.Sign(claims, header) })
			got, err := s.sso.VerifyLogoutToken(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			if test.rememberFor == 0 {
				test.rememberFor = 2 * time.Minute
			}
			want := sso.LogoutToken{Issuer: s.idp.Issuer(), Subject: test.subject, SID: test.sid, ID: claims["jti"].(string), Expires: s.clock.Now().Add(test.rememberFor)}
			if !got.Expires.Equal(want.Expires) {
				t.Errorf("remembered until %s, want %s", got.Expires, want.Expires)
			}
			got.Expires = want.Expires
			if *got != want {
				t.Errorf("got %+v, want %+v", *got, want)
			}
		})
	}
}

// TestLogoutTokenAttacks: rule 19.
func TestLogoutTokenAttacks(t *testing.T) {
	s := newScene(t)
	now := s.clock.Now()
	stranger := providertest.NewKey(t, jose.ES256, "key-1")
	var own *providertest.Key
	s.behave(func(b *providertest.Behaviour) { own = b.Key })
	with := func(name string, value any) func(map[string]any) {
		return func(c map[string]any) { c[name] = value }
	}
	without := func(name string) func(map[string]any) { return func(c map[string]any) { delete(c, name) } }
	typed := func(typ string) func(map[string]any) string {
		return func(c map[string]any) string { return own.Sign(c, map[jose.HeaderKey]any{jose.HeaderType: typ}) }
	}
	raw := func(change func(text string) string) func(map[string]any) string {
		return func(c map[string]any) string {
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			return own.SignRaw([]byte(change(string(text))), providertest.LogoutHeader())
		}
	}
	for _, attack := range []struct {
		name   string
		change func(claims map[string]any)
		sign   func(claims map[string]any) string // default: as it should be
		reason string
	}{
		{name: "not typed", sign: typed(""), reason: `typ is "", want logout+jwt`},
		{name: "typed as any JWT", sign: typed("JWT"), reason: `typ is "JWT"`},
		{name: "typed as an access token", sign: typed("at+jwt"), reason: `typ is "at+jwt"`},
		{name: "typed as something like it", sign: typed("logout+jwt "), reason: "typ is"},
		{name: "an ID token", sign: func(map[string]any) string {
			assertion, err := s.signIn(t)
			if err != nil {
				t.Fatal(err)
			}
			return assertion.RawIDToken
		}, reason: `typ is "JWT"`},

		{name: "no issuer", change: without("iss"), reason: `iss is ""`},
		{name: "another issuer's", change: with("iss", "https://evil.test"), reason: `iss is "https://evil.test"`},
		{name: "no audience", change: without("aud"), reason: "aud does not name this client"},
		{name: "for another client", change: with("aud", "another"), reason: "aud does not name this client"},
		{name: "for another client too", change: with("aud", []string{providertest.ClientID, "another"}), reason: `aud: it was also made for "another"`},

		{name: "no iat", change: without("iat"), reason: "iat is missing"},
		{name: "iat in the future", change: func(c map[string]any) {
			c["iat"], c["exp"] = now.Add(2*time.Minute).Unix(), now.Add(4*time.Minute).Unix()
		}, reason: "iat is 2m0s in the future"},
		{name: "iat long ago", change: with("iat", now.Add(-2*time.Hour).Unix()), reason: "iat is 2h0m0s ago"},
		{name: "iat as text", change: with("iat", "now"), reason: "logout token: "},
		{name: "no exp", change: without("exp"), reason: "exp is missing"},
		{name: "expired", change: with("exp", now.Unix()), reason: "it expired at"},
		{name: "exp before iat", change: func(c map[string]any) { c["iat"], c["exp"] = now.Add(time.Minute).Unix(), now.Add(time.Second).Unix() }, reason: "exp is before iat"},
		{name: "not yet", change: with("nbf", now.Add(time.Hour).Unix()), reason: "nbf is in the future"},

		{name: "no events", change: without("events"), reason: "events does not name"},
		{name: "another event", change: with("events", map[string]any{"http://schemas.openid.net/event/frontchannel-logout": map[string]any{}}), reason: "events does not name"},
		{name: "the event in capitals", change: with("events", map[string]any{strings.ToUpper(providertest.LogoutEvent): map[string]any{}}), reason: "events does not name"},
		{name: "events as a list", change: with("events", []string{providertest.LogoutEvent}), reason: "logout token: "},
		{name: "events as text", change: with("events", providertest.LogoutEvent), reason: "logout token: "},
		{name: "the event is null", change: with("events", map[string]any{providertest.LogoutEvent: nil}), reason: "not an object"},
		{name: "the event is a list", change: with("events", map[string]any{providertest.LogoutEvent: []int{}}), reason: "not an object"},
		{name: "the event is true", change: with("events", map[string]any{providertest.LogoutEvent: true}), reason: "not an object"},

		{name: "a nonce", change: with("nonce", "n"), reason: "it has a nonce"},
		{name: "an empty nonce", change: with("nonce", ""), reason: "it has a nonce"},
		{name: "a nonce that is null", change: with("nonce", nil), reason: "it has a nonce"},

		{name: "of nobody", change: without("sub"), reason: "neither sub nor sid"},
		{name: "of an empty person", change: with("sub", ""), reason: "sub is missing or empty"},
		{name: "of a person that is a number", change: with("sub", 7), reason: "logout token: "},
		{name: "of a person of 256 characters", change: with("sub", strings.Repeat("s", 256)), reason: "sub is longer"},
		{name: "of an empty session", change: with("sid", ""), reason: "sid is empty"},
		{name: "of a session of 256 characters", change: with("sid", strings.Repeat("s", 256)), reason: "sid is empty or longer"},

		{name: "no jti", change: without("jti"), reason: "jti is missing"},
		{name: "an empty jti", change: with("jti", ""), reason: "jti is missing"},
		{name: "a jti that is a number", change: with("jti", 7), reason: "logout token: "},
		{name: "a jti of 256 characters", change: with("jti", strings.Repeat("j", 256)), reason: "jti is longer"},

		{name: "signed by somebody else", sign: func(c map[string]any) string { return stranger.Sign(c, providertest.LogoutHeader()) }, reason: "the signature is wrong"},
		{name: "signed by somebody else under an unknown id", sign: func(c map[string]any) string {
			return (&providertest.Key{Algorithm: jose.ES256, ID: "other", Private: stranger.Private}).Sign(c, providertest.LogoutHeader())
		}, reason: "a key that the provider does not publish"},
		{name: "not signed", sign: func(c map[string]any) string { return providertest.Forge(`{"alg":"none","typ":"logout+jwt"}`, c, nil) }, reason: `"none"`},
		{name: "signed with the client secret", sign: func(c map[string]any) string {
			return providertest.ForgeHS256([]byte(providertest.ClientSecret), c)
		}, reason: `"HS256"`},
		{name: "an extension that is not understood", sign: func(c map[string]any) string {
			header := providertest.LogoutHeader()
			header["crit"], header["x"] = []string{"x"}, 1
			return own.Sign(c, header)
		}, reason: "header crit"},
		{name: "a claim twice", sign: raw(func(text string) string { return strings.Replace(text, "{", `{"sub":"bob",`, 1) }), reason: "logout token: "},
		{name: "a claim in capitals", change: without("sub"), sign: raw(func(text string) string { return strings.Replace(text, "{", `{"SUB":"bob",`, 1) }), reason: "neither sub nor sid"},
		{name: "not JSON", sign: raw(func(string) string { return "sub=bob" }), reason: "logout token: "},
		{name: "a list", sign: raw(func(text string) string { return "[" + text + "]" }), reason: "logout token: "},
		{name: "not a JWT", sign: func(map[string]any) string { return "a.b.c" }, reason: "logout token: "},
		{name: "nothing", sign: func(map[string]any) string { return "" }, reason: "logout token: "},
	} {
		t.Run(attack.name, func(t *testing.T) {
			claims := s.idp.LogoutClaims()
			claims["sub"] = "alice"
			if attack.change != nil {
				attack.change(claims)
			}
			sign := attack.sign
			if sign == nil {
				sign = func(c map[string]any) string { return own.Sign(c, providertest.LogoutHeader()) }
			}
			got, err := s.sso.VerifyLogoutToken(t.Context(), sign(claims))
			if err == nil {
				t.Fatalf("believed: %+v", got)
			}
			kind := sso.FaultToken
			if strings.Contains(attack.reason, "future") || strings.Contains(attack.reason, " ago") || strings.Contains(attack.reason, "expired") {
				kind = sso.FaultClock
			}
			if !wantFault(t, err, kind, attack.reason).BadToken() {
				t.Error("the provider is told to send it again")
			}
		})
	}
}

// TestLogoutTokensOfStrangers: anybody may post a token. Those that nobody has
// signed are refused in the same words whatever is in them, or a flood of them
// would not be added up in the audit trail.
func TestLogoutTokensOfStrangers(t *testing.T) {
	s := newScene(t)
	claims := s.idp.LogoutClaims()
	var algorithm string
	s.behave(func(b *providertest.Behaviour) { algorithm = string(b.Key.Algorithm) })
	forged := func(header string) func(string) string {
		return func(word string) string {
			return providertest.Forge(strings.NewReplacer("WORD", word, "RIGHT", algorithm).Replace(header), claims, []byte(word))
		}
	}
	for name, token := range map[string]func(word string) string{
		"the type":      forged(`{"alg":"RIGHT","typ":"WORD"}`),
		"the algorithm": forged(`{"alg":"WORD","typ":"logout+jwt"}`),
		"the key":       forged(`{"alg":"RIGHT","kid":"WORD","typ":"logout+jwt"}`),
		"the header":    forged(`WORD`),
		"an extension":  forged(`{"alg":"RIGHT","crit":["WORD"],"WORD":1,"typ":"logout+jwt"}`),
		"all of it":     func(word string) string { return strings.Repeat("A", len(word)) + "~" },
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			for _, word := range []string{"one", "another"} {
				_, err := s.sso.VerifyLogoutToken(t.Context(), token(word))
				said = append(said, wantFault(t, err, sso.FaultToken, "logout token: ").Error())
			}
			if said[0] != said[1] {
				t.Errorf("refused in words of theirs:\n%s\n%s", said[0], said[1])
			}
		})
	}
}

// answers is an endpoint that always says the same.
func answers(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// TestLogoutTokenLater: while the provider's keys cannot be had nobody can tell
// what a token is worth, so it is to be sent again.
func TestLogoutTokenLater(t *testing.T) {
	for name, test := range map[string]struct {
		path    string
		handler http.HandlerFunc
		kind    sso.FaultKind
	}{
		"no discovery document":    {providertest.PathDiscovery, down, sso.FaultUnreachable},
		"another's document":       {providertest.PathDiscovery, answers(`{"issuer":"https://evil.test"}`), sso.FaultIssuer},
		"no keys":                  {providertest.PathKeys, down, sso.FaultUnreachable},
		"no keys that can be used": {providertest.PathKeys, answers(`{"keys":[]}`), sso.FaultKeys},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) { b.Handlers[test.path] = test.handler })
			_, err := s.sso.VerifyLogoutToken(t.Context(), s.idp.LogoutToken(map[string]any{"sub": "alice"}))
			if wantFault(t, err, test.kind, "").BadToken() {
				t.Error("the provider is told not to send it again")
			}
		})
	}
}

// TestLogoutTokenFlood: a thousand tokens with unknown keys cost the provider
// one question (rule 18).
func TestLogoutTokenFlood(t *testing.T) {
	s := newScene(t)
	if _, err := s.sso.VerifyLogoutToken(t.Context(), s.idp.LogoutToken(map[string]any{"sub": "alice"})); err != nil {
		t.Fatal(err)
	}
	s.clock.Add(31 * time.Second)
	stranger := providertest.NewKey(t, jose.ES256, "")
	for i := range 1000 {
		stranger.ID = strings.Repeat("x", i%50) + "?"
		_, err := s.sso.VerifyLogoutToken(t.Context(), stranger.Sign(s.idp.LogoutClaims(), providertest.LogoutHeader()))
		wantFault(t, err, sso.FaultToken, "a key that the provider does not publish")
	}
	if n := s.fetched(providertest.PathKeys); n != 2 {
		t.Errorf("the keys were fetched %d times", n)
	}
}
