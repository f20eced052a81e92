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

const links = "/auth-gateway/account/links"

// link has somebody who is signed in link a provider, and returns the address that
// it sends the browser back to, unvisited.
func (s *stage) link(b *harness.Client, name string) *url.URL {
	page := b.Submit(b.Get(links).Form("link").Set("link", slug(name))).Want(http.StatusOK)
	return b.Get(page.Link("Go").String()).Want(http.StatusFound).Location()
}

// linked counts the links of an account.
func (s *stage) linked(email string) int {
	var shown struct {
		Links []struct{} `json:"sso_links"`
	}
	s.JSON(&shown, "user", "show", email)
	return len(shown.Links)
}

// S11: nobody is made to link what is another's to their account (sign-in CSRF
// into linking), nor does a link change whose account a browser is signed in to.
func TestLinkingAttacks(t *testing.T) {
	t.Parallel()
	const first, second, victim, attacker = "first", "second", "victim@example.test", "attacker@example.test"
	s := newStage(t, "", "", situation{name: first}, situation{name: second})
	s.AddUser(victim)
	s.AddUser(attacker)
	ended := func(reason string) refusal { return refusal{http.StatusBadRequest, "link_ended", reason} }
	expired := func(reason string) refusal { return refusal{http.StatusBadRequest, "flow_expired", reason} }
	misbehave := func(t *testing.T, change func(b *providertest.Behaviour)) {
		s.providers[first].Behave(change)
		t.Cleanup(func() {
			s.providers[first].Behave(func(b *providertest.Behaviour) { b.Claims, b.Response, b.Sign = nil, nil, nil })
		})
	}
	for _, test := range []struct {
		name string
		// act returns the browser that arrives, signed in as the victim, and
		// where.
		act func(t *testing.T, b *harness.Client) (*harness.Client, string)
		refusal
	}{
		{"the attacker's answer, to which the victim is led", func(t *testing.T, b *harness.Client) (*harness.Client, string) {
			return b, s.link(s.SignedIn(attacker), first).String()
		}, expired(noSuchState)},
		{"with the attacker's cookie", func(t *testing.T, b *harness.Client) (*harness.Client, string) {
			other := s.SignedIn(attacker)
			back := s.link(other, first)
			for _, cookie := range other.Cookies() {
				if strings.Contains(cookie.Name, "_flow_") {
					b.SetCookies(cookie)
				}
			}
			return b, back.String()
		}, ended("it began in another session")},
		{"begun by the attacker in the victim's browser before they came", func(t *testing.T, b *harness.Client) (*harness.Client, string) {
			other := s.SignedIn(attacker)
			back := s.link(other, first)
			other.SubmitAndFollow(other.Get("/auth-gateway/sign-out").Form("flow"))
			if !other.SignIn("/", victim, harness.Password).FromApp() {
				t.Fatal("the victim is not let in")
			}
			return other, back.String()
		}, refusal{http.StatusBadRequest, "", ""}},
		{"the attacker's code under the victim's state", func(t *testing.T, b *harness.Client) (*harness.Client, string) {
			stolen := s.link(s.SignedIn(attacker), first).Query().Get("code")
			return b, with(s.link(b, first), func(q url.Values) { q.Set("code", stolen) })
		}, expired("PKCE verification failed")},
		{"at the callback of another config", func(t *testing.T, b *harness.Client) (*harness.Client, string) {
			return b, strings.Replace(s.link(b, first).String(), "/sso/"+slug(first)+"/", "/sso/"+slug(second)+"/", 1)
		}, expired("came back to the callback of sso x-second")},
		{"another provider's answer", func(t *testing.T, b *harness.Client) (*harness.Client, string) {
			code := s.away(s.Browser(), second).Query().Get("code")
			return b, with(s.link(b, first), func(q url.Values) {
				q.Set("code", code)
				q.Set("iss", s.providers[second].Issuer())
			})
		}, expired("the response is another issuer's")},
		{"an ID token of another sign-in", func(t *testing.T, b *harness.Client) (*harness.Client, string) {
			misbehave(t, func(b *providertest.Behaviour) {
				b.Claims = func(claims map[string]any) { claims["nonce"] = "another" }
			})
			return b, s.link(b, first).String()
		}, believedNot("nonce is not the one that was sent")},
		{"an ID token that somebody else has signed", func(t *testing.T, b *harness.Client) (*harness.Client, string) {
			key := providertest.NewKey(t, "ES256", "key-of-nobody")
			misbehave(t, func(b *providertest.Behaviour) {
				b.Sign = func(claims map[string]any) string { return key.Sign(claims, nil) }
			})
			return b, s.link(b, first).String()
		}, believedNot("signed with a key that the provider does not publish")},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.For(t)
			b, target := test.act(t, s.SignedIn(victim))
			page := arrive(b, target)
			if page.Status != test.status {
				t.Fatalf("answered %v", page)
			}
			id := page.ID("error-id")
			entry := s.WaitLog("the cause of "+id, func(e harness.Entry) bool { return e.Text("error_id") == id })
			if got := entry.Text("msg"); test.kind != "" && got != "refused: "+test.kind {
				t.Errorf("%s, want %s", got, test.kind)
			}
			if got := entry.Text("error"); !strings.Contains(got, test.reason) {
				t.Errorf("the log gives the reason\n%s, want\n%s", got, test.reason)
			}
			s.WantIn(b, victim)
			if n := s.linked(victim) + s.linked(attacker); n != 0 {
				t.Errorf("%d links", n)
			}
		})
	}

	t.Run("what is linked is nobody else's", func(t *testing.T) {
		s.For(t)
		other := s.SignedIn(attacker)
		if page := other.Follow(arrive(other, s.link(other, first).String())); page.Status != http.StatusOK || s.linked(attacker) != 1 {
			t.Fatalf("the attacker's own is not linked: %v", page)
		}
		b := s.SignedIn(victim)
		page := arrive(b, s.link(b, first).String()).Want(http.StatusForbidden)
		if !strings.Contains(page.Text(), "another account") || s.linked(victim) != 0 {
			t.Errorf("%v", page)
		}
		s.WantIn(b, victim)
	})
	s.wantNobody(t, victim, attacker)
}
