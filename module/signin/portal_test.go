package signin_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/signin"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	portal = "https://login.example.test"
	wiki   = "https://wiki.example.test"
)

// person is somebody's browser at a portal and the sites behind it: a browser of
// its own for each origin, as far as cookies go.
type person struct {
	*site
	at    map[string]*browser
	known []string // origins of the sites behind the portal
}

func (s *site) person() *person {
	return &person{s, map[string]*browser{portal: s.browser(), origin: s.browser(), wiki: s.browser()}, []string{origin, wiki}}
}

func (p *person) send(method, address, body string) *reply {
	p.Helper()
	u, err := url.Parse(address)
	p.must(err)
	from := u.Scheme + "://" + u.Host
	b := p.at[from]
	r := httptest.NewRequestWithContext(p.Context(), method, address, strings.NewReader(body))
	maps.Copy(r.Header, b.header)
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		r.AddCookie(&http.Cookie{Name: name, Value: b.cookies[name]})
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", from)
	}
	visit := policy.Visit{Origin: from, Host: u.Host, Secure: true, Client: netip.MustParseAddr(b.client)}
	at := signin.Portal{Origin: portal, Here: from == portal, Door: func(origin, path string) *policy.Door {
		if !slices.Contains(p.known, origin) {
			return nil
		}
		return p.door(path)
	}}
	if !at.Here {
		visit.Portal = portal
	}
	w := httptest.NewRecorder()
	p.conversation.ServeHTTP(w, r, u.Path, visit, signin.Site{Door: p.door, Portal: &at})
	for _, c := range w.Result().Cookies() {
		b.keep(c)
	}
	made := &reply{browser: b, status: w.Code, header: w.Header(), location: w.Header().Get("Location"), body: w.Body.String()}
	b.noteSecrets(made)
	return made
}

func (p *person) get(address string) *reply {
	p.Helper()
	return p.send(http.MethodGet, address, "")
}

// asks goes from a site to the portal and returns where it is sent.
func (p *person) asks(site, path string) string {
	p.Helper()
	r := p.get(site + answer.SignInFor(path))
	if r.status != http.StatusFound || !strings.HasPrefix(r.location, portal+answer.SignIn+"?") {
		p.Fatalf("answered %d %s", r.status, r.location)
	}
	return r.location
}

// ticket likewise, and returns where the portal sends back to.
func (p *person) ticket(site, path string) string {
	p.Helper()
	r := p.get(p.asks(site, path))
	if r.status != http.StatusFound || !strings.HasPrefix(r.location, site+answer.Ticket+"?") {
		p.Fatalf("answered %d %s\n%s", r.status, r.location, text(r.body))
	}
	u, err := url.Parse(r.location)
	p.must(err)
	p.hide(u.Query().Get("ticket"), "ticket")
	return r.location
}

// signIn signs in on the portal on the way to a path of the site.
func (p *person) signIn(site, path string) *reply {
	p.Helper()
	page := p.get(p.asks(site, path)).as("200")
	p.hide(password, "password")
	form := url.Values{"email": {"alice@example.test"}, "password": {password}, "return_to": {page.field("return_to")}}
	return p.send(http.MethodPost, portal+answer.SignIn, form.Encode())
}

func TestTickets(t *testing.T) {
	s := newSite(t, audiences{"team": {}, "bank": {SessionLifetime: caddy.Duration(time.Hour)}}, map[string]string{"/": "team", "/bank": "bank"})
	alice := s.add("alice@example.test", password)

	// Signing in leads to a ticket, that to the page first asked for.
	p := s.person()
	r := p.signIn(origin, "/x?a=b")
	if r.status != http.StatusSeeOther || !strings.HasPrefix(r.location, answer.SignIn+"?") {
		t.Fatalf("answered %d %s", r.status, r.location)
	}
	r = p.get(portal + r.location)
	p.get(r.location).as("302 /x?a=b")
	s.audited("ticket success portal: app.example.test")
	p.get(p.ticket(wiki, "/")).as("302 /")
	family := s.sessions(alice)[0].Family
	for _, session := range s.sessions(alice) {
		if string(session.Family) != string(family) || !session.SignedInAt.Equal(s.sessions(alice)[0].SignedInAt) {
			t.Errorf("not of the family: %+v", session)
		}
	}
	// Who is in already needs no ticket.
	p.get(origin + answer.SignInFor("/y")).as("302 /y")

	for _, tc := range []struct {
		name    string
		between func(p *person, ticket string) string // what happens, and which ticket is brought
		status  string
		audit   string
	}{
		{"in time", func(p *person, ticket string) string { s.pass(29 * time.Second); return ticket }, "302 /z", "ticket success portal: wiki.example.test"},
		{"half a minute later", func(p *person, ticket string) string { s.pass(30 * time.Second); return ticket }, "400",
			"ticket failure portal: there is no such ticket: it is older than 30 seconds, has been used, or its session has ended"},
		{"without the cookie of that site", func(p *person, ticket string) string { clear(p.at[wiki].cookies); return ticket }, "400",
			"ticket failure portal: the browser that brings the ticket has no cookie of a sign-in that asked for it"},
		{"with the cookie of another sign-in there", func(p *person, ticket string) string {
			other, err := url.Parse(p.ticket(wiki, "/other"))
			s.must(err)
			mine, err := url.Parse(ticket)
			s.must(err)
			return wiki + answer.Ticket + "?" + url.Values{"flow": other.Query()["flow"], "ticket": mine.Query()["ticket"]}.Encode()
		}, "400", "ticket failure portal: the ticket is for another sign-in"},
		{"on another site, with the cookie copied there", func(p *person, ticket string) string {
			maps.Copy(p.at[origin].cookies, p.at[wiki].cookies)
			return strings.Replace(ticket, wiki, origin, 1)
		}, "400", "ticket failure portal: the ticket is for https://wiki.example.test"},
		{"suspended meanwhile", func(p *person, ticket string) string {
			s.must(s.store.Update(s.Context(), func(tx store.Tx) error { return tx.SetSuspended(alice.ID, true, s.Now()) }))
			return ticket
		}, "400", "ticket failure portal: there is no such ticket: it is older than 30 seconds, has been used, or its session has ended"},
		{"the account changed meanwhile", func(p *person, ticket string) string {
			s.must(s.store.Update(s.Context(), func(tx store.Tx) error { return tx.MoveEpoch(alice.ID, nil, s.Now()) }))
			return ticket
		}, "400", "ticket failure portal: there is no such ticket: it is older than 30 seconds, has been used, or its session has ended"},
		{"the portal's session was replaced meanwhile", func(p *person, ticket string) string {
			p.at[wiki].cookies = maps.Clone(p.at[wiki].cookies)
			s.must(s.store.Update(s.Context(), func(tx store.Tx) error {
				for _, session := range s.sessions(alice) {
					if err := tx.DropSession(session.ID); err != nil {
						return err
					}
				}
				return nil
			}))
			return ticket
		}, "400", "ticket failure portal: there is no such ticket: it is older than 30 seconds, has been used, or its session has ended"},
		{"nothing", func(p *person, ticket string) string { return wiki + answer.Ticket }, "400",
			"ticket failure portal: there is no such ticket: it is older than 30 seconds, has been used, or its session has ended"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.must(s.store.Update(s.Context(), func(tx store.Tx) error { return tx.SetSuspended(alice.ID, false, s.Now()) }))
			p := s.person()
			r := p.get(portal + p.signIn(origin, "/").location)
			p.get(r.location).as("302 /")
			brought := tc.between(p, p.ticket(wiki, "/z"))
			p.get(brought).as(tc.status)
			s.audited(tc.audit)
			signedIn := p.at[wiki].cookies["__Host-auth_gateway"] != ""
			if signedIn != strings.HasPrefix(tc.status, "302") {
				t.Errorf("signed in there: %t", signedIn)
			}
		})
	}
}

// A ticket makes no session that would be over at once, which would lead round
// in a circle: people sign in again.
func TestTicketsToShorterAudiences(t *testing.T) {
	s := newSite(t, audiences{"team": {}, "bank": {SessionLifetime: caddy.Duration(time.Hour)}}, map[string]string{"/": "team", "/bank": "bank"})
	s.add("alice@example.test", password)
	p := s.person()
	p.get(p.get(portal + p.signIn(origin, "/").location).location).as("302 /")
	p.get(p.ticket(wiki, "/bank/x")).as("302 /bank/x")
	s.pass(30 * time.Minute)
	p.get(origin + answer.SignInFor("/x")).as("302 /x") // the browser is in use
	s.pass(30 * time.Minute)
	p.get(p.asks(wiki, "/bank/x")).as("200").says("Sign in to wiki.example.test")
	p.get(p.get(portal + p.signIn(wiki, "/bank/x").location).location).as("302 /bank/x")
}

// Somebody opens more sites at once than a browser has sign-ins under way at one
// of them: the session on the portal, which is one, has a ticket for each.
func TestTicketsAtOnce(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	p := s.person()
	p.signIn(origin, "/")
	var tickets []string
	for range 5 {
		tickets = append(tickets, p.ticket(origin, "/x"), p.ticket(wiki, "/x"))
	}
	for _, ticket := range tickets {
		p.get(ticket).as("302 /x")
	}
}

// Whoever asks to sign out where they have not been yet is signed in all the
// same: at the portal, and here as soon as they ask for a page.
func TestSignOutWhereNobodyIs(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	alice := s.add("alice@example.test", password)
	p := s.person()
	p.get(p.get(portal + p.signIn(origin, "/").location).location).as("302 /")

	p.get(wiki + answer.SignOut).as("302 " + portal + answer.SignOut)
	p.send(http.MethodPost, wiki+answer.SignOut, "").as("303 " + portal + answer.SignOut)
	page := p.get(portal + answer.SignOut).as("200").says("alice@example.test")
	if len(s.sessions(alice)) == 0 {
		t.Fatal("signed out by asking")
	}
	r := p.send(http.MethodPost, portal+answer.SignOut, "flow="+page.field("flow"))
	p.get(portal + r.location).as("200").says("You are signed out")
	p.get(p.get(wiki + answer.SignOut).location).as("200").says("You are signed out")

	// Whoever was here signs out here, and may come back here.
	p.get(p.get(portal + p.signIn(wiki, "/").location).location).as("302 /")
	r = p.send(http.MethodPost, wiki+answer.SignOut, "flow="+p.get(wiki+answer.SignOut).as("200").field("flow"))
	p.get(wiki + r.location).as("200").says("You are signed out")
	if left := s.sessions(alice); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Only sites that are known now are returned to, whatever a flow began with.
func TestPortalReturnsToKnownSites(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	p := s.person()
	if r := p.get(p.asks(origin, "/x")).as("200"); !strings.Contains(r.header.Get("Content-Security-Policy"), "form-action 'self' "+origin+";") {
		t.Errorf("forms may end up at: %s", r.header.Get("Content-Security-Policy"))
	}
	p.known = []string{wiki}
	page := p.get(origin + answer.SignInFor("/x")).as("403").says("origin https://app.example.test")
	if page.header.Get("Set-Cookie") != "" && strings.Contains(strings.Join(page.header["Set-Cookie"], " "), "flow") {
		t.Error("a flow that leads nowhere has begun")
	}
	form := url.Values{"email": {"alice@example.test"}, "password": {password}, "return_to": {origin + "/x"}}
	p.send(http.MethodPost, portal+answer.SignIn, form.Encode()).as("303 /")
	p.get(portal + answer.SignIn + "?return_to=" + url.QueryEscape(origin+"/x")).as("302 /")
	p.get(portal + answer.SignIn + "?return_to=" + url.QueryEscape(wiki+"/x")).as("302 " + wiki + "/x")
	// Something that only looks gets no ticket.
	p.send(http.MethodHead, p.asks(wiki, "/x"), "").as("302 " + wiki + "/x")
	// A fragment that is none of ours asks for nothing.
	for _, fragment := range []string{"x", "a.b", strings.Repeat("A", 16) + ".AAAA", strings.Repeat("/", 16) + "." + strings.Repeat("A", 43), "." + strings.Repeat("A", 43)} {
		p.get(portal + answer.SignIn + "?return_to=" + url.QueryEscape(wiki+"/x#"+fragment)).as("302 " + wiki + "/x")
	}
}
