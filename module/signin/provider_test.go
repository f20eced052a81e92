package signin_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

const (
	start    = answer.SSO + "okta/start?return_to=%2Fa"
	callback = answer.SSO + "okta/callback?"
)

// withSSO is a site at which people sign in with okta.
func withSSO(t *testing.T, changes ...func(*provider)) (*site, *provider) {
	okta := newProvider(t, "okta")
	for _, change := range changes {
		change(okta)
	}
	return newSite(t, audiences{"team": {SSO: []string{"okta"}}}, nil, okta), okta
}

// away starts a sign-in and comes back with what the provider says, without
// handing it in.
func (b *browser) away(p *provider, start string) url.Values {
	b.Helper()
	r := b.get(start)
	if r.status != http.StatusFound || !strings.HasPrefix(r.location, p.Issuer()+"/") {
		b.Fatalf("answered %d %s\n%s", r.status, r.location, text(r.body))
	}
	query := p.Authorize(b.T, r.location)
	b.hide(query.Get("code"), "code")
	return query
}

func TestSSO(t *testing.T) {
	s, okta := withSSO(t)
	b := s.browser()
	before := len(s.events())
	query := b.away(okta, start)
	if len(s.events()) != before {
		t.Error("starting leaves something in the store")
	}
	b.is("")
	r := b.send("HEAD", callback+query.Encode(), nil, nil).as("204") // a scanner looks
	if r.header.Get("Cache-Control") != "no-store" {
		t.Error("the answer to HEAD may be kept")
	}
	b.get(callback + query.Encode()).as("302 /a")
	s.audited("sign-in success sso okta")
	b.is("alice@example.test")

	// The same once more, with the cookies of then and of now.
	b.get(callback + query.Encode()).as("400")
	b.is("alice@example.test")
	if n := len(okta.Requests(providertest.PathToken)); n != 1 {
		t.Errorf("the code was spent %d times", n)
	}
}

// A callback that is not the answer to what this browser asked lets nobody in
// and spends no code.
func TestCallbacks(t *testing.T) {
	for _, tc := range []struct {
		name   string
		with   func(s *site, b *browser, query url.Values) (*browser, string)
		status int
		audit  string
	}{
		{"another browser", func(s *site, b *browser, query url.Values) (*browser, string) {
			return s.browser(), callback + query.Encode()
		}, 400, "sign-in failure sso okta: no sign-in of this browser has that state: it took too long, began elsewhere, or was pushed out by newer ones"},
		{"the state of another sign-in of the browser", func(s *site, b *browser, query url.Values) (*browser, string) {
			id, _, _ := strings.Cut(query.Get("state"), ".")
			query.Set("state", id+".AAAA")
			return b, callback + query.Encode()
		}, 400, "sign-in failure sso okta: the state is not the one this browser was sent with"},
		{"no state", func(s *site, b *browser, query url.Values) (*browser, string) {
			query.Del("state")
			return b, callback + query.Encode()
		}, 400, "sign-in failure sso okta: no sign-in of this browser has that state: it took too long, began elsewhere, or was pushed out by newer ones"},
		{"the callback of another SSO config", func(s *site, b *browser, query url.Values) (*browser, string) {
			return b, answer.SSO + "entra/callback?" + query.Encode()
		}, 400, "sign-in failure sso entra: the sign-in began with sso okta and came back to the callback of sso entra"},
		{"ten minutes later", func(s *site, b *browser, query url.Values) (*browser, string) {
			s.pass(10*time.Minute + time.Second)
			return b, callback + query.Encode()
		}, 400, "sign-in failure sso okta: no sign-in of this browser has that state: it took too long, began elsewhere, or was pushed out by newer ones"},
		{"from an address it is not offered to", func(s *site, b *browser, query url.Values) (*browser, string) {
			b.client = outside
			return b, callback + query.Encode()
		}, 403, ""},
		{"switched off meanwhile", func(s *site, b *browser, query url.Values) (*browser, string) {
			s.doors["team"] = s.doors["other"]
			return b, callback + query.Encode()
		}, 404, ""},
		{"the code twice", func(s *site, b *browser, query url.Values) (*browser, string) {
			query.Add("code", "another")
			return b, callback + query.Encode()
		}, 400, ""},
		{"an SSO config that there is not", func(s *site, b *browser, query url.Values) (*browser, string) {
			return b, answer.SSO + "nobody/callback?" + query.Encode()
		}, 404, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			okta, entra := newProvider(t, "okta"), newProvider(t, "entra")
			okta.button, entra.button = "Okta", "Entra"
			okta.ranges = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			s := newSite(t, audiences{"team": {SSO: []string{"okta", "entra"}}, "other": {}}, nil, okta, entra)
			b := s.browser()
			query := b.away(okta, start)
			b, target := tc.with(s, b, query)
			b.get(target).as("" + itoa(tc.status))
			if tc.audit != "" {
				s.audited(tc.audit)
			}
			b.is("")
			if n := len(okta.Requests(providertest.PathToken)) + len(entra.Requests(providertest.PathToken)); n != 0 {
				t.Errorf("a code was spent %d times", n)
			}
		})
	}
}

func itoa(status int) string {
	return string(rune('0'+status/100)) + string(rune('0'+status/10%10)) + string(rune('0'+status%10))
}

func TestCallbackFiftyTimes(t *testing.T) {
	s, okta := withSSO(t)
	b := s.browser()
	query := b.away(okta, start)
	var in atomic.Int32
	atOnce(50, func(int) {
		if b.copy().get(callback+query.Encode()).status == 302 {
			in.Add(1)
		}
	})
	if in.Load() != 1 || len(okta.Requests(providertest.PathToken)) != 1 {
		t.Errorf("%d got in, the code was spent %d times", in.Load(), len(okta.Requests(providertest.PathToken)))
	}
}

// A megabyte of cookies that are called like flows costs next to nothing.
func TestMadeUpFlowCookies(t *testing.T) {
	s, _ := withSSO(t)
	b := s.browser()
	var line strings.Builder
	for i := range 60_000 {
		line.WriteString("__Host-auth_gateway_flow_" + itoa(i%1000) + string(rune('a'+i/1000%26)) + string(rune('a'+i/26000)) + "=x; ")
	}
	b.header.Set("Cookie", line.String())
	began := time.Now()
	b.get(answer.Passcode).as("302 " + ended)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestProviderAtFault(t *testing.T) {
	says := func(code string) func(*providertest.Behaviour) {
		return func(b *providertest.Behaviour) {
			b.Response = func(query url.Values) {
				query.Del("code")
				query.Set("error", code)
				query.Set("error_description", "what the provider says about it")
			}
		}
	}
	fails := func(path string, status int) func(*providertest.Behaviour) {
		return func(b *providertest.Behaviour) {
			b.Handlers = map[string]http.HandlerFunc{path: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }}
		}
	}
	for _, tc := range []struct {
		name   string
		behave func(*providertest.Behaviour)
		status int
		detail string
	}{
		{"the person says no", says("access_denied"), 403, "access_denied"},
		{"the person has to do something there", says("login_required"), 403, "login_required"},
		{"consent", says("consent_required"), 403, "login_required"},
		{"a scope", says("invalid_scope"), 502, "invalid_scope"},
		{"the client", says("invalid_client"), 502, "invalid_client"},
		{"what the client may do", says("unauthorized_client"), 502, "unauthorized_client"},
		{"the flow", says("unsupported_response_type"), 502, "unauthorized_client"},
		{"the callback", says("redirect_uri_mismatch"), 502, "redirect_mismatch"},
		{"out of order", says("temporarily_unavailable"), 502, "temporarily_unavailable"},
		{"out of order, in other words", says("server_error"), 502, "temporarily_unavailable"},
		{"in words nobody knows", says("bad_hair_day"), 502, "provider_refused"},
		{"another issuer's response", func(b *providertest.Behaviour) {
			b.Response = func(query url.Values) { query.Set("iss", "https://evil.example") }
		}, 400, "flow_expired"},
		{"no code", func(b *providertest.Behaviour) {
			b.Response = func(query url.Values) { query.Del("code") }
		}, 400, "flow_expired"},
		{"the token endpoint is broken", fails(providertest.PathToken, 500), 502, "temporarily_unavailable"},
		{"another nonce", func(b *providertest.Behaviour) {
			b.Claims = func(claims map[string]any) { claims["nonce"] = "another" }
		}, 502, "provider_refused"},
		{"a clock that is wrong", func(b *providertest.Behaviour) {
			b.Claims = func(claims map[string]any) { claims["iat"] = claims["iat"].(int64) + 600 }
		}, 502, "clock_skew"},
		{"a token that expired an hour ago", func(b *providertest.Behaviour) {
			b.Claims = func(claims map[string]any) { claims["exp"] = claims["iat"].(int64) - 3600 }
		}, 502, "clock_skew"},
		{"another issuer's token", func(b *providertest.Behaviour) {
			b.Claims = func(claims map[string]any) { claims["iss"] = "https://evil.example" }
		}, 502, "unexpected_issuer"},
		{"another audience", func(b *providertest.Behaviour) {
			b.Claims = func(claims map[string]any) { claims["aud"] = "another" }
		}, 502, "provider_refused"},
		{"no address", func(b *providertest.Behaviour) { delete(b.Person, "email") }, 403, "no_email"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, okta := withSSO(t)
			okta.Behave(tc.behave)
			b := s.browser()
			query := b.away(okta, start)
			r := b.get(callback + query.Encode()).as(itoa(tc.status))
			s.audited("sign-in failure sso okta: " + tc.detail)
			if !strings.Contains(r.body, `id="error-id"`) {
				t.Error("the page has no error id")
			}
			if !strings.Contains(r.body, `href="/auth-gateway/sign-in?return_to=%2Fa"`) {
				t.Error("the way on forgets where the person was going")
			}
			if strings.Contains(text(r.body), "what the provider says") {
				t.Error("the page has the provider's words")
			}
			b.is("")
		})
	}
	t.Run("not there", func(t *testing.T) {
		s, okta := withSSO(t)
		okta.Behave(fails(providertest.PathDiscovery, 500))
		b := s.browser()
		b.get(start).as("502")
		s.audited("sign-in failure sso okta: provider_unreachable")
	})
}

func TestPeopleWhomAProviderVouchesFor(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*provider)
		before func(*site)
		status int
		audit  string
	}{
		{"an address that is not verified", func(p *provider) {
			p.Behave(func(b *providertest.Behaviour) { b.Person["email_verified"] = false })
		}, nil, 403, "unverified"},
		{"the same with trust_email", func(p *provider) {
			p.trust = true
			p.Behave(func(b *providertest.Behaviour) { b.Person["email_verified"] = false })
		}, nil, 302, ""},
		{"another mail domain", func(p *provider) { p.admit = []string{"example.org"} }, nil, 403, "not_admitted"},
		{"an address that somebody has", nil, func(s *site) { s.add("alice@example.test", password) }, 403, "email_taken"},
		{"admit existing and nobody prepared", func(p *provider) { p.admit = []string{"existing"} }, nil, 403, "not_admitted"},
		{"admit existing and prepared", func(p *provider) { p.admit = []string{"existing"} }, func(s *site) { s.add("alice@example.test", "") }, 302, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, okta := withSSO(t, func(p *provider) {
				if tc.change != nil {
					tc.change(p)
				}
			})
			if tc.before != nil {
				tc.before(s)
			}
			b := s.browser()
			r := b.get(callback + b.away(okta, start).Encode())
			if r.status != tc.status {
				t.Fatalf("answered %d, want %d\n%s", r.status, tc.status, text(r.body))
			}
			if tc.status == 302 {
				b.is("alice@example.test")
				return
			}
			b.is("")
			// Their account at the provider will not do: another may.
			another := strings.Contains(r.body, `action="/auth-gateway/sign-out"`) && strings.Contains(r.body, `name="switch_to" value="/a"`)
			if another != (tc.audit != "email_taken") {
				t.Errorf("it offers to use another account: %t", another)
			}
			if got := s.events()[0]; got.Outcome != "refused" || !strings.Contains(got.Detail, "("+tc.audit+")") {
				t.Errorf("audited: %+v", got)
			}
		})
	}
}

func TestSuspendedAtTheProvider(t *testing.T) {
	s, okta := withSSO(t)
	b := s.browser()
	b.get(callback + b.away(okta, start).Encode()).as("302 /a")
	alice, err := s.people.Find(t.Context(), "alice@example.test")
	s.must(err)
	s.must(s.people.Suspend(t.Context(), alice.ID, nil))
	b.is("")
	b.get(callback + b.away(okta, start).Encode()).as("403")
	b.is("")
}

// A store that fails after the state was marked, or before, lets nobody in.
func TestStoreFaultAtTheCallback(t *testing.T) {
	for _, failing := range []int{1, 2} {
		s, okta := withSSO(t)
		b := s.browser()
		query := b.away(okta, start)
		commits := 0
		s.breaks(func(op string) error {
			if op != "commit" {
				return nil
			}
			if commits++; commits >= failing {
				return errDisk
			}
			return nil
		})
		b.get(callback + query.Encode()).as("503")
		s.breaks(nil)
		b.is("")
		if n := len(okta.Requests(providertest.PathToken)); n != failing-1 {
			t.Errorf("commit %d fails: the code was spent %d times", failing, n)
		}
	}
}

// An address to return to that is as long as may be still fits the cookie.
func TestLongReturnTo(t *testing.T) {
	s, okta := withSSO(t)
	b := s.browser()
	long := "/a?" + strings.Repeat("a&", 500)
	query := b.away(okta, answer.SSO+"okta/start?return_to="+url.QueryEscape(long))
	b.get(callback + query.Encode()).as("302 " + long)
}

func TestStraightToTheProvider(t *testing.T) {
	okta := newProvider(t, "okta")
	okta.ranges = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	s := newSite(t, audiences{"team": {SignIn: "redirect", RedirectTo: "okta", SSO: []string{"okta"}, Password: policy.Off}}, nil, okta)
	b := s.browser()
	b.get(callback + b.away(okta, signInFor("/a")).Encode()).as("302 /a")
	b.is("alice@example.test")
	home := s.browser()
	home.client = outside
	home.get(answer.SignIn).as("403")
	home.get(start).as("403")
	home.client = "" // an address that nobody knows
	home.get(answer.SignIn).as("403")
}
