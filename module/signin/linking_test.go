package signin_test

import (
	"errors"
	"html"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const googleCallback = answer.SSO + "google/callback?"

// withLinks is a site at which people sign in with a password, okta or google,
// and who Alice is at google.
func withLinks(t *testing.T, changes ...func(okta, google *provider)) (s *site, okta, google *provider) {
	okta, google = newProvider(t, "okta"), newProvider(t, "google")
	okta.button, google.button = "Okta", "Google"
	for _, change := range changes {
		change(okta, google)
	}
	s = newSite(t, audiences{"team": {SSO: []string{"okta", "google"}}}, nil, okta, google)
	google.is("google-1", "alice@private.test")
	s.add("alice@example.test", password)
	s.add("bob@example.test", password)
	return s, okta, google
}

// is says who comes from the provider.
func (p *provider) is(subject, email string) {
	p.Behave(func(b *providertest.Behaviour) {
		b.Person = map[string]any{"sub": subject, "email": email, "email_verified": true, "name": "Alice at home"}
	})
}

// asked says when the provider asked who it is.
func (p *provider) asked(at func() time.Time) {
	p.Behave(func(b *providertest.Behaviour) {
		b.Claims = func(claims map[string]any) { claims["auth_time"] = at().Unix() }
	})
}

// links are those of an account.
func (s *site) links(email string) (links []store.SSOLink) {
	s.Helper()
	a := s.find(email)
	s.must(s.store.View(s.Context(), func(tx store.Tx) (err error) {
		links, err = tx.SSOLinks(a.ID)
		return err
	}))
	return links
}

var onward = regexp.MustCompile(`class="button primary" href="([^"]*)"`)

// beginLink has the person link a provider, and returns what they come back with.
func (b *browser) beginLink(p *provider) url.Values {
	b.Helper()
	page := b.get(answer.Links).as("200")
	found := onward.FindStringSubmatch(b.post(answer.Links, "link", p.name, "flow", page.field("flow")).as("200").body)
	if found == nil {
		b.Fatal("no way on to the provider")
	}
	address := html.UnescapeString(found[1])
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, p.Issuer()+"/") || u.Query().Get("max_age") != "0" || u.Query().Get("prompt") != "login" {
		b.Fatalf("the way on is %s", address)
	}
	b.hide(u.Query().Get("state"), "state")
	b.hide(u.Query().Get("nonce"), "nonce")
	query := p.Authorize(b.T, address)
	b.hide(query.Get("code"), "code")
	return query
}

// Somebody links a provider where they are somebody else, and gets in through it
// to the same account from then on, which stays as it is.
func TestLinkProvider(t *testing.T) {
	s, okta, google := withLinks(t)
	mail := s.newSenders().mail
	s.configure(audiences{"team": {SSO: []string{"okta", "google"}}}, okta, google)
	alice := s.find("alice@example.test")
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	before := b.copy()
	query := b.beginLink(google)
	r := b.get(googleCallback + query.Encode())
	if !strings.HasPrefix(r.location, answer.Links+"?done=linked&link=") || r.status != 302 {
		t.Fatalf("answered %d %s\n%s", r.status, r.location, text(r.body))
	}
	s.audited(`sso-link.add success account page: sso google as alice@private.test, subject "google-1"`)
	b.get(r.location).as("200").says("You can now sign in with google as alice@private.test.")
	if told := mail.Next(t, "alice@example.test"); !strings.Contains(told.Text, "alice@private.test") || !strings.Contains(told.Text, office) {
		t.Errorf("told %q: %s", told.Subject, told.Text)
	}
	before.is("alice@example.test") // the session is the same one
	if after := s.find("alice@example.test"); after.Attributes.Name != alice.Attributes.Name || after.Epoch != alice.Epoch {
		t.Errorf("the account is another: %+v", after)
	}

	other := s.browser()
	other.get(googleCallback + other.away(google, answer.SSO+"google/start").Encode()).as("302 /")
	other.is("alice@example.test")
	if s.find("alice@example.test").ID != alice.ID {
		t.Error("another account")
	}

	// Once more says so; so does what was handed in already.
	page := b.get(answer.Links).as("200")
	b.post(answer.Links, "link", "google", "flow", page.field("flow")).as("303 " + answer.Links + "?done=gone")
	b.get(googleCallback + query.Encode()).as("400")
	before.get(googleCallback + query.Encode()).as("400")
	if n := len(google.Requests(providertest.PathToken)); n != 2 {
		t.Errorf("codes were spent %d times", n)
	}
}

// What comes back from a provider links nothing unless the one who is signed in
// asked for it a moment ago, in this session, as it was then. No code is spent.
func TestLinkAttacks(t *testing.T) {
	for _, tc := range []struct {
		name   string
		with   func(s *site, b *browser, query url.Values) (*browser, string)
		status int
		audit  string
	}{
		{"in a browser where nobody is signed in", func(s *site, b *browser, query url.Values) (*browser, string) {
			return s.browser(), googleCallback + query.Encode()
		}, 400, "sign-in failure sso google: no sign-in of this browser has that state: it took too long, began elsewhere, or was pushed out by newer ones"},
		{"in the browser of somebody else, who is led there", func(s *site, b *browser, query url.Values) (*browser, string) {
			victim := s.browser()
			victim.signIn("bob@example.test", password, "/").as("303 /")
			return victim, googleCallback + query.Encode()
		}, 400, "sign-in failure sso google: no sign-in of this browser has that state: it took too long, began elsewhere, or was pushed out by newer ones"},
		{"in the browser of somebody else, into which the cookie was put", func(s *site, b *browser, query url.Values) (*browser, string) {
			victim := s.browser()
			victim.signIn("bob@example.test", password, "/").as("303 /")
			for name, value := range b.cookies {
				if strings.Contains(name, "flow") {
					victim.cookies[name] = value
				}
			}
			return victim, googleCallback + query.Encode()
		}, 400, "sso-link.add refused account page: sso google: it began in another session than the browser has now"},
		{"in another session of the same person", func(s *site, b *browser, query url.Values) (*browser, string) {
			other := s.browser()
			other.signIn("alice@example.test", password, "/").as("303 /")
			for name, value := range b.cookies {
				if strings.Contains(name, "flow") {
					other.cookies[name] = value
				}
			}
			return other, googleCallback + query.Encode()
		}, 400, "sso-link.add refused account page: sso google: it began in another session than the browser has now"},
		{"after somebody else has signed in", func(s *site, b *browser, query url.Values) (*browser, string) {
			b.signIn("bob@example.test", password, "/").as("303 /")
			return b, googleCallback + query.Encode()
		}, 400, "sso-link.add refused account page: sso google: it began in another session than the browser has now"},
		{"after signing in again", func(s *site, b *browser, query url.Values) (*browser, string) {
			b.signIn("alice@example.test", password, "/").as("303 /")
			return b, googleCallback + query.Encode()
		}, 400, "sso-link.add refused account page: sso google: it began in another session than the browser has now"},
		{"after the session was ended elsewhere", func(s *site, b *browser, query url.Values) (*browser, string) {
			elsewhere := s.browser()
			elsewhere.signIn("alice@example.test", password, "/").as("303 /")
			elsewhere.post(answer.Account+"/sessions", "end", "others", "flow", elsewhere.get(answer.Account).field("flow")).as("303 " + answer.Account + "?done=others_ended")
			return b, googleCallback + query.Encode()
		}, 400, "sso-link.add refused account page: sso google: nobody is signed in in this browser any more"},
		{"after the password was changed in this session", func(s *site, b *browser, query url.Values) (*browser, string) {
			const address = answer.Account + "/password"
			b.post(address, "password", "another right long password", "flow", b.get(address).field("flow")).as("303 " + answer.Account + "?done=password")
			return b, googleCallback + query.Encode()
		}, 400, "sso-link.add refused account page: sso google: the account was changed since it began"},
		{"after the account was suspended", func(s *site, b *browser, query url.Values) (*browser, string) {
			s.must(s.people.Suspend(s.Context(), s.find("alice@example.test").ID, nil))
			return b, googleCallback + query.Encode()
		}, 400, "sso-link.add refused account page: sso google: nobody is signed in in this browser any more"},
		{"five minutes after the sign-in", func(s *site, b *browser, query url.Values) (*browser, string) {
			s.pass(5*time.Minute + time.Second)
			return b, googleCallback + query.Encode()
		}, 400, "sso-link.add refused account page: sso google: the sign-in is too long ago by now"},
		{"ten minutes later, signed in as before", func(s *site, b *browser, query url.Values) (*browser, string) {
			s.pass(10*time.Minute + time.Second)
			return b, googleCallback + query.Encode()
		}, 400, "sign-in failure sso google: no sign-in of this browser has that state: it took too long, began elsewhere, or was pushed out by newer ones"},
		{"from an address that it is not offered to", func(s *site, b *browser, query url.Values) (*browser, string) {
			b.client = outside
			return b, googleCallback + query.Encode()
		}, 400, "sso-link.add refused account page: sso google: sso google is not offered to " + outside + " by any audience of the account"},
		{"at the callback of another SSO config", func(s *site, b *browser, query url.Values) (*browser, string) {
			return b, answer.SSO + "okta/callback?" + query.Encode()
		}, 400, "sign-in failure sso okta: the sign-in began with sso google and came back to the callback of sso okta"},
		{"with another state", func(s *site, b *browser, query url.Values) (*browser, string) {
			id, _, _ := strings.Cut(query.Get("state"), ".")
			query.Set("state", id+".AAAA")
			return b, googleCallback + query.Encode()
		}, 400, "sso-link.add failure sso google: the state is not the one this browser was sent with"},
		{"with a state of a sign-in", func(s *site, b *browser, query url.Values) (*browser, string) {
			signingIn := s.browser()
			u, err := url.Parse(signingIn.get(answer.SSO + "google/start").location)
			s.must(err)
			query.Set("state", u.Query().Get("state"))
			return b, googleCallback + query.Encode()
		}, 400, "sign-in failure sso google: no sign-in of this browser has that state: it took too long, began elsewhere, or was pushed out by newer ones"},
		{"after the person said no", func(s *site, b *browser, query url.Values) (*browser, string) {
			return b, googleCallback + url.Values{"state": query["state"], "error": {"access_denied"}}.Encode()
		}, 403, "sso-link.add failure sso google: access_denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, okta, google := withLinks(t, func(_, google *provider) {
				google.ranges = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			})
			b := s.browser()
			b.signIn("alice@example.test", password, "/").as("303 /")
			query := b.beginLink(google)
			b, target := tc.with(s, b, query)
			who := b.who()
			b.get(target).as(itoa(tc.status))
			s.audited(tc.audit)
			b.is(who)
			for _, email := range []string{"alice@example.test", "bob@example.test"} {
				if links := s.links(email); len(links) != 0 {
					t.Errorf("%s is linked: %+v", email, links)
				}
			}
			if n := len(okta.Requests(providertest.PathToken)) + len(google.Requests(providertest.PathToken)); n != 0 {
				t.Errorf("a code was spent %d times", n)
			}
		})
	}
}

// What a provider may say that is not linked: nothing changes, nobody is signed
// in to anything else, and the page says why.
func TestLinkRefused(t *testing.T) {
	for _, tc := range []struct {
		name, says string
		with       func(s *site, google *provider)
	}{
		{"somebody else's", "signs in to another account", func(s *site, google *provider) {
			google.is("google-1", "bobby@private.test")
			other := s.browser()
			other.get(googleCallback + other.away(google, answer.SSO+"google/start").Encode()).as("302 /")
		}},
		{"an address that is not verified", "does not vouch", func(s *site, google *provider) {
			google.Behave(func(b *providertest.Behaviour) {
				b.Person = map[string]any{"sub": "google-1", "email": "alice@private.test", "email_verified": false}
			})
		}},
		{"no address", "did not tell", func(s *site, google *provider) {
			google.Behave(func(b *providertest.Behaviour) { b.Person = map[string]any{"sub": "google-1"} })
		}},
		{"a domain that is not admitted", "is not among them", func(s *site, google *provider) { google.is("google-1", "alice@elsewhere.test") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _, google := withLinks(t, func(_, google *provider) { google.admit = []string{"private.test"} })
			tc.with(s, google)
			b := s.browser()
			b.signIn("alice@example.test", password, "/").as("303 /")
			b.get(googleCallback + b.beginLink(google).Encode()).as("403").says(tc.says)
			b.is("alice@example.test")
			if links := s.links("alice@example.test"); len(links) != 0 {
				t.Errorf("linked: %+v", links)
			}
		})
	}
}

// An agent or somebody with a second factor links while signed in, which is the
// only way for them.
func TestLinkOfAnAgent(t *testing.T) {
	s, _, google := withLinks(t, func(_, google *provider) { google.join = true })
	alice := s.find("alice@example.test")
	s.must(s.people.SetAttributes(s.Context(), alice.ID, func(a *identity.Attributes) error { a.Role = identity.Agent; return nil }, nil))
	app, _ := s.enroll(alice, false)
	google.is("google-1", "alice@example.test")
	other := s.browser()
	other.get(googleCallback + other.away(google, answer.SSO+"google/start").Encode()).as("403").says("You may then be able to add google")
	other.is("")
	if s.links("alice@example.test") != nil {
		t.Fatal("joined by the address")
	}
	b := s.browser()
	flow := b.signIn("alice@example.test", password, "/").flow()
	b.post(answer.Passcode, "flow", flow, "passcode", app.code()).as("303 /")
	if r := b.get(googleCallback + b.beginLink(google).Encode()); r.status != 302 || !strings.Contains(r.location, "done=linked&") {
		t.Fatalf("answered %d %s", r.status, r.location)
	}
	other.get(googleCallback + other.away(google, answer.SSO+"google/start").Encode()).as("302 /")
	other.is("alice@example.test")
}

// A sign-in through a provider that is under way while somebody is signed in is a
// sign-in: it links nothing to their account.
func TestASignInLinksNothing(t *testing.T) {
	s, _, google := withLinks(t)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	b.get(answer.Links).as("200")
	b.get(googleCallback + b.away(google, answer.SSO+"google/start?link=1&again=").Encode()).as("302 /")
	b.is("alice@private.test")
	if s.links("alice@example.test") != nil {
		t.Error("the account is linked")
	}
}

// A provider or a store that is down links nothing and is told as such.
func TestLinkWhileDown(t *testing.T) {
	s, _, google := withLinks(t)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	query := b.beginLink(google)
	s.breaks(func(op string) error { return errors.New("the disk is full") })
	b.copy().get(googleCallback + query.Encode()).as("503")
	s.breaks(nil)
	flow := b.get(answer.Links).field("flow")
	google.Close()
	b.get(googleCallback + query.Encode()).as("502")
	s.audited("sso-link.add failure sso google: provider_unreachable")
	b.post(answer.Links, "link", "google", "flow", flow).as("200") // what it says of itself is known
	if s.links("alice@example.test") != nil {
		t.Error("linked")
	}
	s, _, google = withLinks(t)
	google.Close()
	b = s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	b.post(answer.Links, "link", "google", "flow", b.get(answer.Links).field("flow")).as("502").says("could not be reached")
	s.audited("sso-link.add failure sso google: provider_unreachable")
}

func TestLinkCallbackFiftyTimes(t *testing.T) {
	s, _, google := withLinks(t)
	b := s.browser()
	b.signIn("alice@example.test", password, "/").as("303 /")
	query := b.beginLink(google)
	var linked, gone atomic.Int32
	atOnce(50, func(int) {
		switch r := b.copy().get(googleCallback + query.Encode()); {
		case r.status == 302 && strings.Contains(r.location, "done=linked&"):
			linked.Add(1)
		case r.status == 400:
			gone.Add(1)
		default:
			t.Errorf("answered %d %s", r.status, r.location)
		}
	})
	if linked.Load() != 1 || gone.Load() != 49 || len(s.links("alice@example.test")) != 1 || len(google.Requests(providertest.PathToken)) != 1 {
		t.Errorf("linked %d times, refused %d times", linked.Load(), gone.Load())
	}
}

// Whoever joins their account by its address is told, and what was open before is
// not any more.
func TestJoinByAddress(t *testing.T) {
	s, okta, google := withLinks(t, func(okta, _ *provider) { okta.join = true })
	mail := s.newSenders().mail
	s.configure(audiences{"team": {SSO: []string{"okta", "google"}}}, okta, google)
	before := s.browser()
	before.signIn("alice@example.test", password, "/").as("303 /")
	alice := s.find("alice@example.test")
	b := s.browser()
	b.get(callback + b.away(okta, start).Encode()).as("302 /a")
	b.is("alice@example.test")
	if s.find("alice@example.test").ID != alice.ID {
		t.Error("another account")
	}
	events := s.events()
	var how []string
	for _, e := range events[:2] {
		how = append(how, told(e.Action, e.Outcome, e.How, e.Detail))
	}
	if all := strings.Join(how, "\n"); !strings.Contains(all, `sso-link.add success verified_email: sso okta as alice@example.test, subject "248289761001"`) || !strings.Contains(all, "sign-in success sso okta") {
		t.Errorf("audited %s", all)
	}
	if told := mail.Next(t, "alice@example.test"); !strings.Contains(told.Text, "Okta") && !strings.Contains(told.Text, "okta") {
		t.Errorf("told %q: %s", told.Subject, told.Text)
	}
	before.is("")
	before.signIn("alice@example.test", password, "/").as("303 /") // the password stays
	b.get(callback + b.away(okta, start).Encode()).as("302 /a")
	if n := s.counted("sso-link.add success"); n != 1 {
		t.Errorf("told as linked %d times", n)
	}

	// The address is given to somebody else there.
	okta.Behave(func(b *providertest.Behaviour) { b.Person["sub"] = "another" })
	next := s.browser()
	next.get(callback + next.away(okta, start).Encode()).as("403").says("You have another account already")
	next.is("")
}
