package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
)

// A provider that ends no sessions for others would send the same person again,
// unasked, whenever somebody wants to use another account. So it is told to ask.
func TestAnotherAccount(t *testing.T) {
	const asking = answer.SignIn + "?account=other&return_to=%2Fstaff%3Fx%3D1"
	for name, button := range map[string]string{"straight": "", "by a button": "Okta"} {
		t.Run(name, func(t *testing.T) {
			okta := newProvider(t, "okta")
			okta.button = button
			s := newSite(t, audiences{"staff": {SSO: []string{"okta"}, Roles: []string{"agent"}}}, map[string]string{"/": "staff"}, okta)
			b := s.browser()
			begin := answer.SSO + "okta/start?return_to=%2Fstaff%3Fx%3D1"
			refused := b.get(callback + b.away(okta, begin).Encode()).as("403")
			if prompt := asks(b.get(begin)); prompt != "" {
				t.Errorf("the first sign-in asks with prompt %q", prompt)
			}

			r := b.post(answer.SignOut, "flow", refused.field("flow"), "switch_to", refused.field("switch_to"))
			page := b.get(r.location).as("200").says("You may still be signed in")
			if !strings.Contains(page.body, strings.ReplaceAll(asking, "&", "&amp;")) {
				t.Fatalf("the page leads elsewhere:\n%s", page.body)
			}
			r = b.get(asking)
			if button != "" {
				if !strings.Contains(r.as("200").body, begin+"&amp;account=other") {
					t.Fatalf("the button leads elsewhere:\n%s", r.body)
				}
				r = b.get(begin + "&account=other")
			}
			if prompt := asks(r); prompt != "login" {
				t.Errorf("asks with prompt %q", prompt)
			}
		})
	}
}

// asks is the prompt with which a provider is asked.
func asks(r *reply) string {
	r.Helper()
	if r.status != http.StatusFound {
		r.Fatalf("answered %d %s", r.status, r.location)
	}
	u, err := url.Parse(r.location)
	r.must(err)
	return u.Query().Get("prompt")
}
