package signin_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/signin"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

const backchannel = answer.SSO + "okta" + answer.BackchannelLogout

// comes has whoever signs in next be that person, in that session at the
// provider, "" for one that it does not tell.
func (p *provider) comes(name, sid string) {
	p.Behave(func(b *providertest.Behaviour) {
		person := maps.Clone(b.Person)
		person["sub"], person["email"], person["name"] = name, name+"@example.test", name
		if delete(person, "sid"); sid != "" {
			person["sid"] = sid
		}
		b.Person = person
	})
}

// through signs in at the provider.
func (s *site) through(p *provider, name, sid string) *browser {
	s.Helper()
	p.comes(name, sid)
	b := s.browser()
	b.get(callback + b.away(p, start).Encode()).as("302 /a")
	b.is(name + "@example.test")
	return b
}

// deliver posts a form as a provider does, with nothing of a browser about it.
func (s *site) deliver(form url.Values) *reply {
	s.Helper()
	server := s.browser()
	server.header = http.Header{"User-Agent": {"provider/1.0"}, "Accept": {"*/*"}}
	r := server.send(http.MethodPost, backchannel, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, strings.NewReader(form.Encode()))
	if r.header.Get("Cache-Control") != "no-store" || len(r.header["Set-Cookie"]) > 0 || r.location != "" {
		s.Errorf("headers of the answer: %v", r.header)
	}
	return r
}

func (s *site) logout(token string) *reply {
	s.Helper()
	return s.deliver(url.Values{"logout_token": {token}})
}

// complains expects the words of section 2.8.
func (r *reply) complains(code, description string) {
	r.Helper()
	var said struct{ Error, Error_description string }
	if err := json.Unmarshal([]byte(r.body), &said); err != nil || r.header.Get("Content-Type") != "application/json" {
		r.Errorf("not JSON: %v\n%s", err, r.body)
	}
	if said.Error != code || !strings.Contains(said.Error_description, description) {
		r.Errorf("says %q, %q; want %q, %q", said.Error, said.Error_description, code, description)
	}
}

// A provider ends sessions here by saying that they have ended there.
func TestBackchannelLogout(t *testing.T) {
	for _, tc := range []struct {
		name   string
		claims map[string]any
		left   string // who is still signed in
	}{
		{"a session", map[string]any{"sid": "desk"}, "phone bob carol"},
		{"a person's session", map[string]any{"sid": "desk", "sub": "alice"}, "phone bob carol"},
		{"a person", map[string]any{"sub": "alice"}, "bob carol"},
		{"a person of whom no session is told", map[string]any{"sub": "bob"}, "desk phone carol"},
		{"one person's session as another's", map[string]any{"sid": "desk", "sub": "bob"}, "desk phone bob carol"},
		{"a session that there is not", map[string]any{"sid": "elsewhere"}, "desk phone bob carol"},
		{"a person whom nobody knows", map[string]any{"sub": "mallory"}, "desk phone bob carol"},
		{"a person by their address", map[string]any{"sub": "alice@example.test"}, "desk phone bob carol"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, okta := withSSO(t, func(p *provider) { p.button = "Okta" })
			s.add("carol@example.test", password)
			carol := s.browser()
			carol.signIn("carol@example.test", password, "/").as("303 /")
			browsers := []struct {
				name string
				*browser
			}{{"desk", s.through(okta, "alice", "desk")}, {"phone", s.through(okta, "alice", "phone")}, {"bob", s.through(okta, "bob", "")}, {"carol", carol}}
			before := s.counted("sign-out success")
			r := s.logout(okta.LogoutToken(tc.claims)).as("200")
			if r.body != "" {
				t.Errorf("body %q", r.body)
			}
			var left []string
			for _, b := range browsers {
				if b.who() != "" {
					left = append(left, b.name)
				}
			}
			if got := strings.Join(left, " "); got != tc.left {
				t.Errorf("left: %s, want %s", got, tc.left)
			}
			if n := s.counted("sign-out success") - before; n != 4-len(left) {
				t.Errorf("%d rows in the audit trail for %d sessions", n, 4-len(left))
			}
			if len(left) < 4 {
				s.audited("sign-out success back-channel logout okta")
			}
		})
	}
}

// A token counts once, also when it comes many times at once.
func TestLogoutTokenOnce(t *testing.T) {
	s, okta := withSSO(t)
	b := s.through(okta, "alice", "s1")
	token := okta.LogoutToken(map[string]any{"sub": "alice"})
	var ended, refused atomic.Int32
	atOnce(8, func(int) {
		switch r := s.logout(token); r.status {
		case http.StatusOK:
			ended.Add(1)
		case http.StatusBadRequest:
			r.complains("invalid_request", "the token was used before")
			refused.Add(1)
		}
	})
	if ended.Load() != 1 || refused.Load() != 7 {
		t.Errorf("%d did, %d were refused", ended.Load(), refused.Load())
	}
	if n := s.counted("sign-out success"); n != 1 {
		t.Errorf("%d rows in the audit trail", n)
	}
	b.is("")

	s.pass(time.Minute)
	b = s.through(okta, "alice", "s2")
	s.logout(token).as("400").complains("invalid_request", "the token was used before")
	s.audited("sign-out failure back-channel logout okta: jti: the token was used before")
	b.is("alice@example.test")
	s.logout(okta.LogoutToken(map[string]any{"sub": "alice"})).as("200")
	b.is("")
}

// Whoever is on the way back from the provider when it says that it is over gets
// no session, and one that begins afterwards does.
func TestLogoutWhileSigningIn(t *testing.T) {
	for name, tc := range map[string]struct {
		claims map[string]any
		let    bool
	}{
		"their session":              {map[string]any{"sid": "s1"}, false},
		"their session, by both":     {map[string]any{"sid": "s1", "sub": "alice"}, false},
		"all of theirs":              {map[string]any{"sub": "alice"}, false},
		"another session of theirs":  {map[string]any{"sid": "s2", "sub": "alice"}, true},
		"another's of the same name": {map[string]any{"sid": "s1", "sub": "bob"}, true},
		"somebody else's":            {map[string]any{"sub": "bob"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, okta := withSSO(t)
			okta.comes("alice", "s1")
			b := s.browser()
			query := b.away(okta, start)
			s.pass(time.Minute)
			s.logout(okta.LogoutToken(tc.claims)).as("200")
			r := b.get(callback + query.Encode())
			if tc.let {
				r.as("302 /a")
				return
			}
			r.as("400")
			s.audited("sign-in failure sso okta: the provider has ended the session since the sign-in began")
			b.is("")
			s.pass(time.Second)
			b.get(callback + b.away(okta, start).Encode()).as("302 /a")
			b.is("alice@example.test")
		})
	}
}

// A provider whose token cannot be judged, or acted upon, is asked to send it
// again, and then it counts.
func TestLogoutLater(t *testing.T) {
	for name, breaks := range map[string]func(s *site, okta *provider) (mend func()){
		"the store fails": func(s *site, _ *provider) func() {
			s.breaks(func(op string) error {
				if op == "commit" {
					return errors.New("disk full")
				}
				return nil
			})
			return func() { s.breaks(nil) }
		},
		"the provider's new keys cannot be had": func(s *site, okta *provider) func() {
			okta.Behave(func(b *providertest.Behaviour) {
				b.Key = providertest.NewKey(s.T, b.Key.Algorithm, "another") // unknown here
				b.Handlers[providertest.PathKeys] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
			})
			s.pass(time.Minute)
			return func() {
				okta.Behave(func(b *providertest.Behaviour) { delete(b.Handlers, providertest.PathKeys) })
				s.pass(time.Minute)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, okta := withSSO(t)
			b := s.through(okta, "alice", "s1")
			mend := breaks(s, okta)
			token := okta.LogoutToken(map[string]any{"sub": "alice"})
			r := s.logout(token).as("503")
			r.complains("temporarily_unavailable", "try again")
			if r.header.Get("Retry-After") == "" {
				t.Error("it does not say when")
			}
			mend()
			s.logout(token).as("200")
			b.is("")
		})
	}
}

// What is no logout token ends nothing, and is told what is wrong with it.
func TestLogoutRequests(t *testing.T) {
	okta, entra := newProvider(t, "okta"), newProvider(t, "entra")
	s := newSite(t, audiences{"team": {SSO: []string{"okta"}}}, nil, okta, entra)
	b := s.through(okta, "alice", "s1")
	good := func() string { return okta.LogoutToken(map[string]any{"sub": "alice"}) }
	const form = "application/x-www-form-urlencoded"
	for _, tc := range []struct {
		name, method, target, contentType, body string
		status                                  string
		says                                    string
	}{
		{"GET", "GET", backchannel + "?logout_token=" + good(), "", "", "405", ""},
		{"HEAD", "HEAD", backchannel + "?logout_token=" + good(), "", "", "405", ""},
		{"PUT", "PUT", backchannel, form, "logout_token=" + good(), "405", ""},
		{"an SSO config that there is not", "POST", answer.SSO + "nobody" + answer.BackchannelLogout, form, "logout_token=" + good(), "404", ""},
		{"an SSO config that is assigned to nobody", "POST", answer.SSO + "entra" + answer.BackchannelLogout, form, "logout_token=" + entra.LogoutToken(map[string]any{"sub": "alice"}), "404", ""},
		{"a path below", "POST", backchannel + "/x", form, "logout_token=" + good(), "404", ""},
		{"nothing", "POST", backchannel, form, "", "400", "logout_token is missing"},
		{"in the query", "POST", backchannel + "?logout_token=" + good(), form, "", "400", "logout_token is missing"},
		{"two tokens", "POST", backchannel, form, "logout_token=" + good() + "&logout_token=" + good(), "400", `parameter "logout_token" is given 2 times`},
		{"as JSON", "POST", backchannel, "application/json", `{"logout_token":"` + good() + `"}`, "400", "application/x-www-form-urlencoded"},
		{"as text", "POST", backchannel, "text/plain", "logout_token=" + good(), "400", "application/x-www-form-urlencoded"},
		{"as nothing", "POST", backchannel, "", "logout_token=" + good(), "400", "application/x-www-form-urlencoded"},
		{"not encoded as a form is", "POST", backchannel, form, "logout_token=%zz", "400", "not encoded"},
		{"too long", "POST", backchannel, form, "logout_token=" + good() + "&x=" + strings.Repeat("x", 64<<10), "400", "too large"},
		{"no token", "POST", backchannel, form, "logout_token=alice", "400", "logout token: "},
		{"another provider's", "POST", backchannel, form, "logout_token=" + entra.LogoutToken(map[string]any{"sub": "alice"}), "400", "iss is"},
		{"another issuer's, signed by ours", "POST", backchannel, form, "logout_token=" + okta.LogoutToken(map[string]any{"sub": "alice", "iss": entra.Issuer()}), "400", "iss is"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := s.browser()
			server.header = http.Header{"Accept": {"*/*"}}
			header := http.Header{}
			if tc.contentType != "" {
				header.Set("Content-Type", tc.contentType)
			}
			r := server.send(tc.method, tc.target, header, strings.NewReader(tc.body)).as(tc.status)
			if len(r.header["Set-Cookie"]) > 0 || r.header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers of the answer: %v", r.header)
			}
			if tc.status == "405" && r.header.Get("Allow") != "POST" {
				t.Errorf("Allow: %q", r.header.Get("Allow"))
			}
			if tc.says != "" {
				r.complains("invalid_request", tc.says)
			}
			b.is("alice@example.test")
		})
	}

	// Whatever a browser would say of itself is of no account: the token is.
	r := b.send("POST", backchannel, http.Header{
		"Content-Type": {form + "; charset=utf-8"}, "Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"},
	}, strings.NewReader("other=1&logout_token="+good()))
	r.as("200")
	b.is("")
}

// A provider needs no more of a site than its address: not where its pages are,
// nor whether it can tell whom it has before it.
func TestLogoutWhereverItCalls(t *testing.T) {
	for name, tc := range map[string]struct {
		visit policy.Visit
		site  func(s *site) signin.Site
	}{
		"a site of its own": {policy.Visit{Origin: origin, Secure: true}, func(s *site) signin.Site { return signin.Site{Door: s.door} }},
		"a site behind a portal": {policy.Visit{Origin: origin, Secure: true}, func(s *site) signin.Site {
			return signin.Site{Door: s.door, Portal: &signin.Portal{Origin: "https://portal.example.test", Door: func(string, string) *policy.Door { return s.door("/") }}}
		}},
		"a portal": {policy.Visit{Origin: origin, Secure: true}, func(s *site) signin.Site {
			return signin.Site{Door: s.door, Portal: &signin.Portal{Origin: origin, Here: true, Door: func(string, string) *policy.Door { return nil }}}
		}},
		"where addresses can be forged": {policy.Visit{Origin: origin, Secure: true, Forgeable: true}, func(s *site) signin.Site { return signin.Site{Door: s.door, Ranged: true} }},
	} {
		t.Run(name, func(t *testing.T) {
			s, okta := withSSO(t)
			b := s.through(okta, "alice", "s1")
			form := url.Values{"logout_token": {okta.LogoutToken(map[string]any{"sid": "s1"})}}
			r := httptest.NewRequest(http.MethodPost, origin+backchannel, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			s.conversation.ServeHTTP(w, r, backchannel, tc.visit, tc.site(s))
			if w.Code != http.StatusOK {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
			b.is("")
		})
	}
}
