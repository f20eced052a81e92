//go:build integration

package provider

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// Rule 16: what two providers, two browsers or two sign-ins can be made to mix up (RFC 9700 sections 4.4 and 4.5, RFC 9207).
func TestMixUp(t *testing.T) {
	t.Parallel()
	expired := func(reason string) refusal { return refusal{http.StatusBadRequest, "flow_expired", reason} }
	const honest, evil, passwordPerson = "honest", "evil", "password@example.test"
	s := newStage(t, "", "second_factor required", situation{name: honest}, situation{name: evil})
	s.AddUser(passwordPerson)
	spent := func() int {
		return len(s.providers[honest].Requests(providertest.PathToken)) + len(s.providers[evil].Requests(providertest.PathToken))
	}
	for _, test := range []struct {
		name string
		// act returns the browser that arrives, and where.
		act func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string)
		refusal
		spent bool // a code may be sent, once
	}{
		{"an answer brought to another browser (sign-in CSRF)", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			return s.Browser(), s.away(b, honest).String()
		}, expired(noSuchState), false},
		{"an answer brought to a browser with a sign-in of its own", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			victim := s.Browser()
			s.away(victim, honest)
			return victim, s.away(b, honest).String()
		}, expired(noSuchState), false},
		{"the code of another browser under this one's state", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			stolen := s.away(s.Browser(), honest).Query().Get("code")
			return b, with(s.away(b, honest), func(q url.Values) { q.Set("code", stolen) })
		}, expired("PKCE verification failed"), true},
		{"the code of another tab under this one's state", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			other := s.away(b, honest).Query().Get("code")
			return b, with(s.away(b, honest), func(q url.Values) { q.Set("code", other) })
		}, expired("PKCE verification failed"), true},
		{"the answer at the callback of another config", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			return b, strings.Replace(s.away(b, honest).String(), "/sso/"+slug(honest)+"/", "/sso/"+slug(evil)+"/", 1)
		}, expired("the sign-in began with sso x-honest and came back to the callback of sso x-evil"), false},
		{"sent on by the evil provider to the honest one", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			// The evil one passes its visitor on, as the honest one's client
			// and with the honest one's callback.
			asked := b.Get(start(evil)).Want(http.StatusFound).Location()
			on, err := url.Parse(s.providers[honest].Issuer() + providertest.PathAuthorization)
			if err != nil {
				t.Fatal(err)
			}
			query := asked.Query()
			query.Set("redirect_uri", strings.Replace(query.Get("redirect_uri"), slug(evil), slug(honest), 1))
			on.RawQuery = query.Encode()
			return b, b.Get(on.String()).Want(http.StatusFound).Location().String()
		}, expired("the sign-in began with sso x-evil and came back to the callback of sso x-honest"), false},
		{"the honest one's code at the evil one's callback", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			code := s.away(b, honest).Query().Get("code")
			return b, with(s.away(b, evil), func(q url.Values) {
				q.Set("code", code)
				q.Set("iss", s.providers[honest].Issuer())
			})
		}, expired("the response is another issuer's"), false},
		{"the honest one's code at the evil one's callback, nobody says whose it is", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			// What the evil one gets is of no use to it: it has not the
			// verifier that belongs to the code.
			code := s.away(b, honest).Query().Get("code")
			return b, with(s.away(b, evil), func(q url.Values) { q.Set("code", code) })
		}, expired("invalid_grant"), true},
		{"the answer at the callback of another config, in its name", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			back := with(s.away(b, honest), func(q url.Values) { q.Set("iss", s.providers[evil].Issuer()) })
			return b, strings.Replace(back, "/sso/"+slug(honest)+"/", "/sso/"+slug(evil)+"/", 1)
		}, expired("the sign-in began with sso x-honest and came back to the callback of sso x-evil"), false},
		{"the evil one says that the honest one's page is its own", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			// RFC 9700 section 4.4.1: code and verifier would both go to the
			// evil one. An honest provider says who it is (RFC 9207), and
			// does not know that callback in the first place.
			asked := b.Get(start(evil)).Want(http.StatusFound).Location()
			there := s.providers[honest].Issuer() + providertest.PathAuthorization + "?" + asked.RawQuery
			back := b.Get(there).Want(http.StatusFound).Location()
			return b, with(back, func(q url.Values) { q.Set("iss", s.providers[honest].Issuer()) })
		}, expired("the response is another issuer's"), false},
		{"the state of the evil one at the honest one's callback", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			state := s.away(b, evil).Query().Get("state")
			return b, with(s.away(b, honest), func(q url.Values) { q.Set("state", state) })
		}, expired("the sign-in began with sso x-evil and came back to the callback of sso x-honest"), false},
		{"an ID token of the honest one from the evil one", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			signed := providertest.NewKey(t, "ES256", "key-of-the-honest-one")
			issuer := s.providers[honest].Issuer()
			s.providers[evil].Behave(func(b *providertest.Behaviour) {
				b.Sign = func(claims map[string]any) string {
					claims["iss"] = issuer
					return signed.Sign(claims, nil)
				}
			})
			t.Cleanup(func() { s.providers[evil].Behave(func(b *providertest.Behaviour) { b.Sign = nil }) })
			return b, s.away(b, evil).String()
		}, believedNot("ID token: signed with a key that the provider does not publish"), true},
		{"the state is a sign-in with a password under way", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			flow := b.SignIn("/private", passwordPerson, harness.Password).URL.Query().Get("flow")
			if flow == "" {
				t.Fatal("no flow under way")
			}
			return b, with(s.away(b, honest), func(q url.Values) { q.Set("state", flow+".AAAA") })
		}, expired(noSuchState), false},
		{"the same answer again", func(t *testing.T, s *stage, b *harness.Client) (*harness.Client, string) {
			back := s.away(b, honest).String()
			thief := s.Browser()
			thief.SetCookies(b.Cookies()...)
			b.Follow(arrive(b, back)).App()
			return thief, back
		}, expired("that state has been used before"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.For(t)
			b, target := test.act(t, s, s.Browser())
			before, seen := spent(), s.App.Count()
			s.wantRefused(t, b, arrive(b, target), test.refusal)
			if n := spent() - before; n > 1 || n == 1 && !test.spent {
				t.Errorf("a code was sent %d times", n)
			}
			if s.App.Count() != seen {
				t.Error("the app was reached")
			}
		})
	}
	s.wantNobody(t, slug(honest)+"@example.test", passwordPerson)
}
