package signin_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/signin"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// endSession has a provider end its sessions for others, at /end.
func endSession(p *provider) {
	p.Behave(func(b *providertest.Behaviour) {
		b.Discovery = func(d map[string]any) { d["end_session_endpoint"] = p.Issuer() + "/end?x=1" }
	})
}

// formTargets are the origins in form-action.
func (r *reply) formTargets() string {
	_, after, _ := strings.Cut(r.header.Get("Content-Security-Policy"), "form-action ")
	targets, _, _ := strings.Cut(after, ";")
	return targets
}

// leaves expects that somebody is sent to the provider to sign out there, and
// returns with what.
func (r *reply) leaves(p *provider) url.Values {
	r.Helper()
	if r.status != http.StatusSeeOther || !strings.HasPrefix(r.location, p.Issuer()+"/end?x=1&") {
		r.Fatalf("answered %d %s", r.status, r.location)
	}
	u, err := url.Parse(r.location)
	r.must(err)
	query := u.Query()
	r.hide(query.Get("id_token_hint"), "ID token")
	if query.Get("client_id") != providertest.ClientID || query.Get("post_logout_redirect_uri") != origin+answer.SignOut || len(query.Get("state")) < 32 {
		r.Errorf("sent with %v", query)
	}
	return query
}

// Signing out ends the session here first, then the provider's.
func TestSignOutAtProvider(t *testing.T) {
	s, okta := withSSO(t, endSession)
	b := s.through(okta, "alice", "s1")
	page := b.get(answer.SignOut).as("200")
	if got := page.formTargets(); got != "'self' "+okta.Issuer() {
		t.Errorf("forms may end up at %s", got)
	}
	if strings.Contains(page.body, `name="here"`) {
		t.Error("the form stays here")
	}
	before := b.copy()
	query := b.post(answer.SignOut, "flow", page.field("flow")).leaves(okta)
	if strings.Count(query.Get("id_token_hint"), ".") != 2 {
		t.Errorf("id_token_hint %q", query.Get("id_token_hint"))
	}
	s.audited("sign-out success")
	before.is("")
	b.is("")

	plain := text(s.browser().get(answer.SignOut).as("200").says("You are signed out").body)
	for name, back := range map[string]struct {
		by    *browser
		state string
	}{
		"back from the provider":  {b, query.Get("state")},
		"a state that is made up": {b, strings.Repeat("x", 16) + ".y"},
		"part of the state":       {b, query.Get("state")[:20]},
		"another browser":         {s.browser(), query.Get("state")},
	} {
		r := back.by.get(answer.SignOut + "?state=" + url.QueryEscape(back.state)).as("200")
		if got := text(r.body); got != plain {
			t.Errorf("%s: another page:\n%s", name, got)
		}
	}
	if n := len(okta.Requests(providertest.PathAuthorization)); n != 1 {
		t.Errorf("%d sign-ins were started", n)
	}
}

// What the provider gets depends on what it offers, and on the session alone.
func TestSignOutElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name  string
		setup func(s *site, okta *provider) *browser
		// targets of the form, beside the site
		targets func(okta *provider) string
		still   bool // the person may still be signed in there
		leaves  bool
		hint    bool
	}{
		{name: "the provider does not offer it", setup: func(s *site, okta *provider) *browser { return s.through(okta, "alice", "s1") }, still: true},
		{name: "a password", setup: func(s *site, okta *provider) *browser {
			endSession(okta)
			s.add("carol@example.test", password)
			b := s.browser()
			b.signIn("carol@example.test", password, "/").as("303 /")
			return b
		}},
		{name: "an ID token that is too long to be kept", setup: func(s *site, okta *provider) *browser {
			endSession(okta)
			okta.Behave(func(b *providertest.Behaviour) {
				person := maps.Clone(b.Person)
				person["groups"] = strings.Repeat("g", 20<<10)
				b.Person = person
			})
			return s.through(okta, "alice", "s1")
		}, targets: (*provider).Issuer, leaves: true},
		{name: "nothing is known of the provider, which is there", setup: func(s *site, okta *provider) *browser {
			endSession(okta)
			b := s.through(okta, "alice", "s1")
			s.restart(okta)
			return b
		}, targets: (*provider).Issuer, leaves: true, hint: true},
		{name: "nothing is known of the provider, which is down", setup: func(s *site, okta *provider) *browser {
			endSession(okta)
			b := s.through(okta, "alice", "s1")
			s.restart(okta)
			okta.Behave(func(b *providertest.Behaviour) {
				b.Handlers[providertest.PathDiscovery] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
			})
			return b
		}, still: true},
		{name: "the provider is down, and known", setup: func(s *site, okta *provider) *browser {
			endSession(okta)
			b := s.through(okta, "alice", "s1")
			okta.Close()
			return b
		}, targets: (*provider).Issuer, leaves: true, hint: true},
		{name: "the SSO config has gone", setup: func(s *site, okta *provider) *browser {
			endSession(okta)
			b := s.through(okta, "alice", "s1")
			delete(s.providers, "okta")
			s.configure(audiences{"team": {}})
			return b
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, okta := withSSO(t, func(p *provider) { p.button = "Okta" })
			b := tc.setup(s, okta)
			page := b.get(answer.SignOut).as("200")
			want := "'self'"
			if tc.targets != nil {
				want += " " + tc.targets(okta)
			}
			if got := page.formTargets(); got != want {
				t.Errorf("forms may end up at %s, want %s", got, want)
			}
			fields := []string{"flow", page.field("flow")}
			if strings.Contains(page.body, `name="here"`) {
				fields = append(fields, "here", page.field("here"))
			}
			r := b.post(answer.SignOut, fields...)
			b.is("")
			if tc.leaves {
				if hint := r.leaves(okta).Get("id_token_hint"); (hint != "") != tc.hint {
					t.Errorf("id_token_hint of %d bytes", len(hint))
				}
				return
			}
			if r.status != http.StatusSeeOther || !strings.HasPrefix(r.location, answer.SignOut) {
				t.Fatalf("answered %d %s", r.status, r.location)
			}
			r = b.get(r.location).as("200").says("You are signed out")
			if got := strings.Contains(r.body, "You may still be signed in at okta"); got != tc.still {
				t.Errorf("may still be signed in there: %t\n%s", got, text(r.body))
			}
		})
	}
}

// restart forgets what is in memory of a provider.
func (s *site) restart(p *provider) {
	s.Helper()
	s.providers[p.name] = p.start(s, zap.New(s.core))
	s.configure(audiences{"team": {SSO: []string{p.name}}}, p)
}

// A page that was shown while nothing was known of the provider has not named it
// to the browser, which would not follow there.
func TestSignOutStaysHere(t *testing.T) {
	s, okta := withSSO(t, endSession)
	b := s.through(okta, "alice", "s1")
	s.restart(okta)
	okta.Behave(func(b *providertest.Behaviour) {
		b.Handlers[providertest.PathDiscovery] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	})
	page := b.get(answer.SignOut).as("200")
	if page.formTargets() != "'self'" || page.field("here") != "1" {
		t.Errorf("forms may end up at %s, here %q", page.formTargets(), page.field("here"))
	}
	okta.Behave(func(b *providertest.Behaviour) { delete(b.Handlers, providertest.PathDiscovery) })
	s.restart(okta)
	r := b.post(answer.SignOut, "flow", page.field("flow"), "here", "1")
	if !strings.HasPrefix(r.location, answer.SignOut+"?state=") {
		t.Errorf("sent to %s", r.location)
	}
	b.is("")
}

// Whoever may not enter as who they are at the provider is signed out there too:
// it would send the same person again otherwise.
func TestSwitchAccount(t *testing.T) {
	for _, tc := range []struct {
		name     string
		offered  bool
		signedIn bool // there is a session, and its role has changed since
	}{
		{"refused on arrival", true, false},
		{"refused on arrival, the provider ends no sessions", false, false},
		{"signed in", true, true},
		{"signed in, the provider ends no sessions", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, okta := withSSO(t)
			if tc.offered {
				endSession(okta)
			}
			agents := audiences{"team": {SSO: []string{"okta"}, Roles: []string{"agent"}}}
			var b *browser
			var page *reply
			if tc.signedIn {
				b = s.through(okta, "alice", "s1")
				s.configure(agents, okta)
				page = b.get(signInFor("/a?b=c"))
			} else {
				s.configure(agents, okta)
				okta.comes("alice", "s1")
				b = s.browser()
				page = b.get(callback + b.away(okta, answer.SSO+"okta/start?return_to=%2Fa%3Fb%3Dc").Encode())
			}
			page.as("403").says("alice@example.test")
			// Either to sign out there, or straight to sign in again.
			if got := page.formTargets(); got != "'self' "+okta.Issuer() {
				t.Errorf("forms may end up at %s", got)
			}
			r := b.post(answer.SignOut, "flow", page.field("flow"), "switch_to", page.field("switch_to"))
			b.is("")
			if !tc.offered {
				r = b.get(r.as("303 " + r.location).location).as("200").says("You may still be signed in at okta")
				if !strings.Contains(r.body, `href="/auth-gateway/sign-in?account=other&amp;return_to=%2Fa%3Fb%3Dc"`) {
					t.Errorf("no way on:\n%s", r.body)
				}
				return
			}
			query := r.leaves(okta)
			if query.Get("id_token_hint") == "" {
				t.Error("no ID token goes along")
			}
			back := answer.SignOut + "?state=" + url.QueryEscape(query.Get("state"))
			s.browser().get(back).as("200").says("You are signed out")
			b.send("HEAD", back, nil, nil).as("200")
			b.get(back).as("302 " + answer.SignInAsAnother("/a?b=c"))
			b.get(back).as("200").says("You are signed out") // once
		})
	}
}

// Where somebody goes on to is no better than any return_to.
func TestSwitchAccountTo(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	for to, want := range map[string]string{
		"/a":                   "303 " + answer.SignInAsAnother("/a"),
		"":                     "303 " + answer.SignInAsAnother("/"),
		"https://evil.example": "303 " + answer.SignInAsAnother("/"),
		"//evil.example":       "303 " + answer.SignInAsAnother("/"),
		"/\\evil.example":      "303 " + answer.SignInAsAnother("/"),
	} {
		b := s.browser()
		b.signIn("alice@example.test", password, "/").as("303 /")
		b.post(answer.SignOut, "switch_to", to).as(want)
		b.is("")
	}
}

// Browsers hold every step that follows a form against form-action: signing out
// at one provider, and straight on to sign in at another.
func TestSwitchAccountTargets(t *testing.T) {
	okta, entra := newProvider(t, "okta"), newProvider(t, "entra")
	endSession(okta)
	okta.button = "Okta"
	s := newSite(t, audiences{"team": {SSO: []string{"okta", "entra"}}}, nil, okta, entra)
	b := s.through(okta, "alice", "s1")
	for name, tc := range map[string]struct {
		audience policy.Audience
		want     []string
	}{
		"on to another provider": {policy.Audience{SSO: []string{"okta", "entra"}, Roles: []string{"agent"}}, []string{okta.Issuer(), entra.Issuer()}},
		"on to a page of ours":   {policy.Audience{SSO: []string{"okta"}, Roles: []string{"agent"}}, []string{okta.Issuer()}},
	} {
		s.configure(audiences{"team": tc.audience}, okta, entra)
		if got := b.get(signInFor("/a")).as("403").formTargets(); got != "'self' "+strings.Join(tc.want, " ") {
			t.Errorf("%s: forms may end up at %s", name, got)
		}
	}
}

// Behind a portal its address is the one that the provider knows, and to which
// whoever signs out comes back.
func TestSignOutBehindPortal(t *testing.T) {
	const portal = "https://portal.example.test"
	s, okta := withSSO(t, endSession)
	b := s.through(okta, "alice", "s1")
	site := signin.Site{Door: s.door, Portal: &signin.Portal{Origin: portal, Door: func(string, string) *policy.Door { return s.door("/") }}}
	ask := func(method string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, origin+answer.SignOut, nil)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		w := httptest.NewRecorder()
		s.conversation.ServeHTTP(w, r, answer.SignOut, policy.Visit{Origin: origin, Host: "app.example.test", Secure: true}, site)
		return w
	}
	if policy := ask(http.MethodGet).Header().Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' "+portal+" "+okta.Issuer()+";") {
		t.Errorf("policy %s", policy)
	}
	w := ask(http.MethodPost)
	to, err := url.Parse(w.Header().Get("Location"))
	s.must(err)
	if w.Code != http.StatusSeeOther || to.Query().Get("post_logout_redirect_uri") != portal+answer.SignOut {
		t.Errorf("answered %d %s", w.Code, to)
	}
	b.is("")
}
