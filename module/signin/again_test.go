package signin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const againAnyWay = "/auth-gateway/sign-in?again=any&return_to=%2Fauth-gateway%2Faccount%2Flinks"

// Whoever has come through a provider shows again to it that it is them, and only
// what the provider says of when it asked counts.
func TestSignInAgainThroughProvider(t *testing.T) {
	for _, tc := range []struct {
		name  string
		asked func(now time.Time) time.Time
		fresh bool
	}{
		{"it has asked", func(now time.Time) time.Time { return now }, true},
		{"its clock is ahead", func(now time.Time) time.Time { return now.Add(time.Minute) }, true},
		{"it asked five minutes ago", func(now time.Time) time.Time { return now.Add(-5 * time.Minute) }, true},
		{"it asked longer ago", func(now time.Time) time.Time { return now.Add(-5*time.Minute - time.Second) }, false},
		{"it asked this morning", func(now time.Time) time.Time { return now.Add(-3 * time.Hour) }, false},
		{"it does not say", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, okta := withSSO(t, func(p *provider) { p.button = "Okta" })
			b := s.browser()
			b.get(callback + b.away(okta, start).Encode()).as("302 /a")
			b.get(answer.Links).as("302 " + againAnyWay)
			page := b.get(againAnyWay).as("200").says("show once more that it is you")
			if page.field("password") != "" || strings.Contains(page.body, `type="password"`) {
				t.Error("somebody without a password is asked for one")
			}
			found := onwardButton(page.body)
			if found != answer.SSO+"okta/start?again=1&return_to=%2Fauth-gateway%2Faccount%2Flinks" {
				t.Fatalf("the button leads to %q", found)
			}
			if tc.asked != nil {
				okta.asked(func() time.Time { return tc.asked(s.Now()) })
			}
			query := b.away(okta, found)
			before := b.copy()
			r := b.get(callback + query.Encode())
			if !tc.fresh {
				r.as("403").says("was to ask you to sign in again")
				b.get(answer.Links).as("302 " + againAnyWay)
				before.is("alice@example.test") // nothing has changed
				if all := s.counted("sign-in refused"); all != 1 {
					t.Errorf("%d refusals are audited", all)
				}
				return
			}
			r.as("302 " + answer.Links)
			b.get(answer.Links).as("200")
			before.is("") // the session is a new one
			s.pass(5*time.Minute + time.Second)
			b.get(answer.Links).as("302 " + againAnyWay)
		})
	}
}

// A provider that tells at an ordinary sign-in that it has just asked spares
// people to be asked twice.
func TestASignInCountsIfTheProviderAsked(t *testing.T) {
	s, okta := withSSO(t)
	okta.asked(s.Now)
	b := s.browser()
	b.get(callback + b.away(okta, start).Encode()).as("302 /a")
	b.get(answer.Links).as("200")
	b.get(againAnyWay).as("302 " + answer.Links)
}

// What concerns the password wants the password, whatever a provider says.
func TestAProviderIsNoPassword(t *testing.T) {
	s, okta := withSSO(t, func(p *provider) { p.join, p.button = true, "Okta" })
	s.add("alice@example.test", password)
	okta.asked(s.Now)
	b := s.browser()
	b.get(callback + b.away(okta, start).Encode()).as("302 /a")
	b.get(answer.Links).as("200")
	for _, address := range []string{answer.Account + "/password", answer.Factors} {
		b.get(address).as("302 " + answer.SignInAgain(address))
		page := b.get(answer.SignInAgain(address)).as("200")
		if strings.Contains(page.body, "/start?") {
			t.Error("a provider is offered for what wants the password")
		}
	}
	// With both, either will do.
	s.pass(time.Hour)
	page := b.get(againAnyWay).as("200")
	if page.field("again") != answer.AgainAnyWay || !strings.Contains(page.body, "/sso/okta/start?again=1") {
		t.Errorf("not both are offered:\n%s", page.body)
	}
	wrong := b.post(answer.SignIn, "email", "alice@example.test", "password", "wrong password", "again", "any", "return_to", answer.Links, "flow", page.field("flow")).as("401")
	if wrong.field("again") != answer.AgainAnyWay || !strings.Contains(wrong.body, "/sso/okta/start?again=1") {
		t.Error("after a wrong password not both are offered")
	}
	b.post(answer.SignIn, "email", "alice@example.test", "password", password, "again", "any", "return_to", answer.Links, "flow", page.field("flow")).as("303 " + answer.Links)
	b.get(answer.Links).as("200")
	b.get(answer.Account + "/password").as("200")
}

// Nobody is asked for what they do not have, and nobody is led around in a circle.
func TestNoWayToSignInAgain(t *testing.T) {
	s, okta := withSSO(t)
	b := s.browser()
	b.get(callback + b.away(okta, start).Encode()).as("302 /a")
	a := s.find("alice@example.test")
	s.must(s.store.Update(s.Context(), func(tx store.Tx) error {
		links, err := tx.SSOLinks(a.ID)
		if err != nil {
			return err
		}
		return tx.DeleteSSOLink(a.ID, links[0].Issuer, links[0].Subject)
	}))
	b.get(againAnyWay).as("403")
	nobody := s.browser()
	if r := nobody.get(againAnyWay); r.status != 302 || !strings.HasPrefix(r.location, okta.Issuer()) {
		t.Errorf("somebody who is not signed in is answered %d %s", r.status, r.location)
	}
}

func onwardButton(body string) string {
	_, after, _ := strings.Cut(body, `href="/auth-gateway/sso/`)
	found, _, _ := strings.Cut(after, `"`)
	return strings.ReplaceAll("/auth-gateway/sso/"+found, "&amp;", "&")
}

// The site's own audience may know nothing of the provider: whoever came through
// it to another part of the site shows there again that it is them.
func TestSignInAgainThroughProviderOfAnotherAudience(t *testing.T) {
	okta := newProvider(t, "okta")
	okta.button = "Okta"
	s := newSite(t, audiences{"staff": {}, "customers": {SSO: []string{"okta"}, Password: policy.Off}},
		map[string]string{"/": "staff", "/shop": "customers"}, okta)
	b := s.browser()
	b.get(callback + b.away(okta, answer.SSO+"okta/start?return_to=%2Fshop").Encode()).as("302 /shop")
	b.get(answer.Links).as("302 " + againAnyWay)
	okta.asked(s.Now)
	query := b.away(okta, onwardButton(b.get(againAnyWay).as("200").body))
	b.get(callback + query.Encode()).as("302 " + answer.Links)
	b.get(answer.Links).as("200")
	b.get(signInFor("/shop")).as("302 /shop")
	s.browser().get(answer.SSO + "okta/start?return_to=%2Fauth-gateway%2Faccount%2Flinks").as("403")
}
