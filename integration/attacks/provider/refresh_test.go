//go:build integration

package provider

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// refreshed is how often the provider of a situation was asked again.
func (s *stage) refreshed(name string) (n int) {
	for _, request := range s.providers[name].Requests(providertest.PathToken) {
		if request.Form.Get("grant_type") == "refresh_token" {
			n++
		}
	}
	return n
}

// Providers that misbehave when they are asked again. Each is asked once, in the
// background, and only a no ends the session; the others go on, and nothing of
// what cannot be believed is taken over. Afterwards they behave again, and whoever
// was not sent away is still there with the refresh token that came last: with an
// earlier one, or twice the same, the provider would take it for stolen.
func TestRefreshAttacks(t *testing.T) {
	t.Parallel()
	answer := func(edit func(answer map[string]any)) behaviour {
		return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) { b.RefreshResponse = edit }
	}
	claim := func(name string, value any) behaviour {
		return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.RefreshClaims = func(c map[string]any) { c[name] = value; c["email"] = "boss@example.test" }
		}
	}
	refuse := func(code string) behaviour {
		return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) { b.RefreshError = code }
	}
	token := func(handler http.HandlerFunc) behaviour { return at(providertest.PathToken, handler) }
	const page = "text/html"
	attacks := []struct {
		name   string
		behave behaviour
		ends   bool
		reason string
	}{
		{"over", refuse("invalid_grant"), true, "invalid_grant"},
		{"a rule of the provider", refuse("access_denied"), true, "access_denied"},
		{"about somebody else", claim("sub", "the-boss"), true, "it is about somebody else"},
		{"userinfo about somebody else", func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.RefreshResponse = func(a map[string]any) { delete(a, "id_token") }
			b.Userinfo = func(c map[string]any) { c["sub"] = "the-boss" }
		}, true, "userinfo: sub is not that of the ID token"},
		{"an address that is not verified", claim("email_verified", false), true, "email_verified"},
		{"a thief was first", nil, true, "is not known or was used"},

		{"client refused", refuse("invalid_client"), false, "invalid_client"},
		{"client not allowed to", refuse("unauthorized_client"), false, "unauthorized_client"},
		{"no such grant", refuse("unsupported_grant_type"), false, "unsupported_grant_type"},
		{"500", token(answering(500, page, "sorry")), false, "status 500"},
		{"429", token(answering(429, page, "slowly")), false, "status 429"},
		{"400 without a word", token(answering(400, page, "no")), false, "status 400"},
		{"garbage", token(answering(200, "application/json", "<html>")), false, "cannot parse json"},
		{"endless", token(endless), false, "larger than 1 MiB"},
		{"cut", token(cut), false, "EOF"},
		{"elsewhere", func(t testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Handlers[providertest.PathToken] = redirecting(307, trap(t))
		}, false, "which is not followed"},
		{"no access token", answer(func(a map[string]any) { delete(a, "access_token"); delete(a, "refresh_token") }), false, "missing access_token"},
		{"token of another type", answer(func(a map[string]any) { a["token_type"] = "DPoP" }), false, "token type"},
		{"ID token signed with nothing", func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Sign = func(c map[string]any) string { return providertest.Forge(`{"alg":"none"}`, c, nil) }
		}, false, `"none"`},
		{"ID token signed by a stranger", func(t testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			stranger := providertest.NewKey(t, jose.ES256, "key-1")
			b.Sign = func(c map[string]any) string { c["sub"] = "the-boss"; return stranger.Sign(c, nil) }
		}, false, "signature is wrong"},
		{"ID token of another issuer", claim("iss", "https://evil.test"), false, "iss is"},
		{"ID token for another client", claim("aud", "another-client"), false, "audience"},
		{"ID token of another sign-in", claim("nonce", "another"), false, "nonce"},
		{"ID token from long ago", claim("exp", 1), false, "expired"},
		{"ID token that is none", answer(func(a map[string]any) { a["id_token"] = 7 }), false, "is none"},
		{"userinfo refuses", func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.RefreshResponse = func(a map[string]any) { delete(a, "id_token") }
			b.Handlers[providertest.PathUserinfo] = answering(401, page, "no")
		}, false, "status 401"},
	}
	// Where the answer cannot be read the new refresh token in it is lost.
	loses := map[string]bool{"no access token": true}

	situations := []situation{}
	for _, attack := range attacks {
		situations = append(situations, situation{name: attack.name, words: "admit any\nrevalidate 1h", behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Refresh = true
		}})
	}
	s := newStage(t, "", "", situations...)
	browsers, given := map[string]*harness.Client{}, map[string]string{}
	email := func(name string) string { return slug(name) + "@example.test" }
	for _, attack := range attacks {
		p := s.providers[attack.name]
		p.Behave(func(b *providertest.Behaviour) {
			b.Secret = func(what, value string) {
				if strings.Contains(what, "refresh") {
					given[attack.name] = value
					s.SecretAtRest(what, value)
				} else {
					s.Secret(what, value)
				}
			}
		})
		b := s.Browser()
		if page := b.Open(start(attack.name)); !page.FromApp() {
			t.Fatalf("%s: %v", attack.name, page)
		}
		browsers[attack.name] = b
		p.Behave(func(b *providertest.Behaviour) {
			b.Rotate = !loses[attack.name]
			if attack.behave != nil {
				attack.behave(t, p, b)
			}
		})
		if attack.behave == nil {
			p.Refresh(t, given[attack.name])
		}
	}
	s.Age(2 * time.Hour)
	for name, b := range browsers {
		s.WantIn(b, email(name)) // whatever comes of it, nobody is held up
	}
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			s.For(t)
			b, how := browsers[attack.name], "revalidate sso "+slug(attack.name)
			if attack.ends {
				ended := s.WaitLog("the end of the session", func(e harness.Entry) bool { return e.Text("how") == how })
				if ended.Text("action") != "sign-out" || !strings.Contains(ended.Text("detail"), attack.reason) {
					t.Errorf("audited %v, want the reason %q", ended, attack.reason)
				}
				s.WantOut(b)
			} else {
				said := s.WaitLog("that the provider says nothing", func(e harness.Entry) bool {
					return e.Text("sso") == slug(attack.name) && strings.Contains(e.Text("msg"), "cannot say")
				})
				if !strings.Contains(said.Text("error"), attack.reason) {
					t.Errorf("logged %v, want the reason %q", said, attack.reason)
				}
				s.WantIn(b, email(attack.name))
			}
			if n := s.refreshed(attack.name); n != 1 && attack.behave != nil {
				t.Errorf("asked %d times", n)
			}
		})
	}

	for _, attack := range attacks {
		s.providers[attack.name].Behave(func(b *providertest.Behaviour) {
			b.RefreshError, b.RefreshClaims, b.RefreshResponse, b.Sign, b.Userinfo = "", nil, nil, nil, nil
			b.Handlers = map[string]http.HandlerFunc{}
		})
	}
	s.Age(2 * time.Hour)
	for _, attack := range attacks {
		if !attack.ends {
			s.WantIn(browsers[attack.name], email(attack.name))
		}
	}
	for _, attack := range attacks {
		if attack.ends {
			continue
		}
		harness.Eventually(t, attack.name+" is asked about again", func() bool { return s.refreshed(attack.name) == 2 })
	}
	s.Restart() // which waits for answers
	for _, attack := range attacks {
		if !attack.ends {
			s.WantIn(browsers[attack.name], email(attack.name))
		}
	}
}
