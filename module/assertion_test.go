package module

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity/identitytest"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

// turned is a clock that is put forward by hand.
type turned struct {
	mu  sync.Mutex
	now time.Time
}

func newTurned() *turned { return &turned{now: time.Now()} }

func (c *turned) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *turned) forward(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// newAssertingGate is a gate that signs assertions, by a clock of its own.
func newAssertingGate(t testing.TB, app *App, g *Gateway) (*gate, *turned) {
	t.Helper()
	if g.Assertion == nil {
		g.Assertion = new(Assertion)
	}
	made := newGate(t, app, g)
	s, clock := made.app.service.Load(), newTurned()
	<-s.resealed
	keys := s.assertions
	s.assertions = &assertionKeys{store: keys.store, ring: keys.ring, clock: clock.Now}
	return made, clock
}

const jwksPath = "/auth-gateway/jwks.json"

// assertion is what the app received, as it verifies it.
func (g *gate) assertion(t *testing.T, r *http.Request) (text string, claims identitytest.Claims) {
	t.Helper()
	host := r.Host
	w, received := g.serve(t, r)
	if received == nil {
		t.Fatalf("the app received nothing: %d", w.Code)
	}
	texts := received[identity.AssertionHeader]
	if len(texts) != 1 {
		t.Fatalf("%d assertions", len(texts))
	}
	fetch := request("GET", jwksPath, nil)
	fetch.Host = host
	keys, _ := g.serve(t, fetch)
	claims, err := identitytest.Verify(keys.Body.Bytes(), texts[0])
	if err != nil {
		t.Fatalf("%v: %s", err, keys.Body)
	}
	return texts[0], claims
}

func TestAssertion(t *testing.T) {
	t.Setenv("AUTH_GATEWAY_TEST_AUDIENCE", "urn:example:wiki")
	for name, tc := range map[string]struct {
		assertion Assertion
		origins   []string
		host      string
		iss, aud  string
	}{
		"for the site itself":             {Assertion{}, nil, "localhost:8080", "http://localhost:8080", "http://localhost:8080"},
		"by another name of the site":     {Assertion{}, nil, "WIKI.localhost:8080", "http://wiki.localhost:8080", "http://wiki.localhost:8080"},
		"at the site's configured origin": {Assertion{}, []string{"https://wiki.example.test"}, "made-up.example", "https://wiki.example.test", "https://wiki.example.test"},
		"for an app of that name":         {Assertion{Audience: "wiki"}, nil, "localhost:8080", "http://localhost:8080", "wiki"},
		"for one from the environment":    {Assertion{Audience: "{env.AUTH_GATEWAY_TEST_AUDIENCE}"}, nil, "localhost:8080", "http://localhost:8080", "urn:example:wiki"},
	} {
		t.Run(name, func(t *testing.T) {
			g, clock := newAssertingGate(t, &App{}, &Gateway{Assertion: &tc.assertion, Origins: tc.origins, Headers: "none"})
			cookie := g.signIn(t)
			if len(tc.origins) > 0 {
				cookie.Name = "__Host-" + cookie.Name
			}
			r := request("GET", "/", cookie)
			r.Host = tc.host
			r.Header[identity.AssertionHeader] = []string{"forged"}
			r.Header["x_auth_gateway_assertion"] = []string{"forged"}
			r.Header["Connection"] = []string{"X-Auth-Gateway-Assertion"}
			_, got := g.assertion(t, r)
			if got["iss"] != tc.iss || got["aud"] != tc.aud || got["sub"] != g.account.ID {
				t.Errorf("got %v", got)
			}
			now := clock.Now().Unix()
			if got.Seconds("iat") != now || got.Seconds("exp") != now+300 {
				t.Errorf("signed at %d: iat %v, exp %v", now, got["iat"], got["exp"])
			}
			if got["email"] != "alice@example.test" || got["name"] != "Alice Ångström" || got["role"] != "agent" || len(got["groups"].([]any)) != 2 {
				t.Errorf("got %v", got)
			}
			for name := range r.Header {
				if name == "Connection" || name != identity.AssertionHeader && strings.Contains(strings.ToLower(name), "assertion") {
					t.Errorf("the app received %v", r.Header)
				}
			}
		})
	}
}

// One is handed on for a while and always has some time left.
func TestAssertionIsSignedNowAndThen(t *testing.T) {
	g, clock := newAssertingGate(t, &App{}, &Gateway{})
	cookie := g.signIn(t)
	last, signed := "", 0
	for range 60 {
		text, claims := g.assertion(t, request("GET", "/", cookie))
		if left := claims.Seconds("exp") - clock.Now().Unix(); left < 60 || left > 300 {
			t.Fatalf("it has %d s left", left)
		}
		if text != last {
			last = text
			signed++
		}
		clock.forward(20 * time.Second)
	}
	if signed != 7 { // in 20 minutes, the first one included
		t.Errorf("signed %d times", signed)
	}

	clock.forward(-time.Hour)
	if text, claims := g.assertion(t, request("GET", "/", cookie)); text == last || claims.Seconds("exp") > clock.Now().Unix()+300 {
		t.Error("with the clock put back, one from the future is handed on")
	}
	mine, _ := g.assertion(t, request("GET", "/", cookie))
	other, _ := g.assertion(t, request("GET", "/", g.signIn(t)))
	if mine == other {
		t.Error("two sessions share one")
	}
}

// Under each of its names a site says that name, to one session too.
func TestAssertionOfEachName(t *testing.T) {
	g, _ := newAssertingGate(t, &App{}, &Gateway{})
	cookie := g.signIn(t)
	for _, host := range []string{"localhost:8080", "wiki.localhost:8080", "localhost:8080"} {
		r := request("GET", "/", cookie)
		r.Host = host
		if _, claims := g.assertion(t, r); claims["iss"] != "http://"+host || claims["aud"] != "http://"+host {
			t.Errorf("at %s: %v", host, claims)
		}
	}
}

// Requests of one session that come at once share what is signed.
func TestAssertionIsSharedAtOnce(t *testing.T) {
	g, _ := newAssertingGate(t, &App{}, &Gateway{})
	cookie := g.signIn(t)
	g.serve(t, request("GET", "/", cookie)) // the session is in memory now
	s := g.app.service.Load()
	live, err := s.sessions.Find(request("GET", "/", cookie), false)
	must(t, err)
	var known asserted
	texts := make([]string, 20)
	var group sync.WaitGroup
	for i := range texts {
		group.Go(func() {
			r := request("GET", "/", nil)
			if err := g.assert(r, s, live, &known, policy.Origin{Host: "localhost:8080"}); err != nil {
				t.Error(err)
			}
			texts[i] = r.Header.Get(identity.AssertionHeader)
		})
	}
	group.Wait()
	if slices.Sort(texts); len(slices.Compact(texts)) != 1 || texts[0] == "" {
		t.Errorf("signed more than once: %q", texts)
	}
}

// What has changed is told by the next assertion, not when the last one expires.
func TestAssertionAfterAChange(t *testing.T) {
	g, _ := newAssertingGate(t, &App{}, &Gateway{})
	cookie := g.signIn(t)
	if _, got := g.assertion(t, request("GET", "/", cookie)); got["role"] != "agent" {
		t.Fatalf("got %v", got)
	}
	g.update(t, func(tx store.Tx) error {
		changed := g.account.Attributes
		changed.Role, changed.Groups = identity.EndUser, nil
		return tx.SaveAttributes(g.account.ID, changed, time.Now())
	})
	if _, got := g.assertion(t, request("GET", "/", cookie)); got["role"] != "end-user" || got["groups"] != nil {
		t.Errorf("got %v", got)
	}
}

// Nobody gets one who did not sign in.
func TestNoAssertion(t *testing.T) {
	g, _ := newAssertingGate(t, &App{}, &Gateway{Public: []string{"/public"}, Deny: []AttributeRule{{"email", []string{"nobody@example.test"}}}})
	without := newGate(t, &App{}, &Gateway{})
	for name, tc := range map[string]struct {
		gate *gate
		path string
	}{
		"public path": {g, "/public"}, "a site without": {without, "/"},
	} {
		r := request("GET", tc.path, tc.gate.signIn(t))
		r.Header[identity.AssertionHeader] = []string{"forged"}
		if _, received := tc.gate.serve(t, r); received == nil || received[identity.AssertionHeader] != nil {
			t.Errorf("%s: the app received %v", name, received)
		}
	}
	if w, _ := without.serve(t, request("GET", jwksPath, nil)); w.Code != http.StatusNotFound {
		t.Errorf("keys of a site without: %d", w.Code)
	}
}

func TestProgramsGetAnAssertion(t *testing.T) {
	g, _ := newAssertingGate(t, &App{Audiences: map[string]*policy.Audience{"team": {APIPassword: policy.On}}}, &Gateway{Audience: "team"})
	must(t, g.app.service.Load().people.SetPassword(t.Context(), g.account.ID, programPassword, account.Rules{}, nil))
	first, got := g.assertion(t, asProgram("/", "alice@example.test", programPassword))
	if got["sub"] != g.account.ID {
		t.Errorf("got %v", got)
	}
	if second, _ := g.assertion(t, asProgram("/", "alice@example.test", programPassword)); second != first {
		t.Error("signed anew for the next request")
	}
}

// What cannot be signed closes the gate, and only that of sites with assertion.
func TestAssertionThatCannotBeSigned(t *testing.T) {
	g, _ := newAssertingGate(t, &App{}, &Gateway{})
	s := g.app.service.Load()
	broken := storetest.Failing(s.assertions.store, func(op string) error { return errFault })
	s.assertions = &assertionKeys{store: broken, ring: s.assertions.ring, clock: s.assertions.clock}
	cookie := g.signIn(t)
	for _, path := range []string{"/", jwksPath} {
		w, received := g.serve(t, request("GET", path, cookie))
		if w.Code != http.StatusServiceUnavailable || received != nil || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d, app reached: %v", path, w.Code, received != nil)
		}
		if strings.Contains(w.Header().Get("Cache-Control"), "public") {
			t.Errorf("%s: a fault may be cached", path)
		}
	}
}

func TestPublishedKeys(t *testing.T) {
	g, _ := newAssertingGate(t, &App{}, &Gateway{})
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405, "OPTIONS": 405, "PROPFIND": 405} {
		w, received := g.serve(t, request(method, jwksPath, nil))
		if w.Code != status || received != nil {
			t.Errorf("%s: %d", method, w.Code)
		}
		if h := w.Header(); status == 405 {
			if h.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s: Allow %q", method, h.Get("Allow"))
			}
			continue
		} else if h.Get("Cache-Control") != "public, max-age=3600" || h.Get("Content-Type") != "application/jwk-set+json" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", method, h)
		}
		if _, err := identitytest.Keys(w.Body.Bytes()); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	for _, target := range []string{jwksPath + "/", jwksPath + "/x", "/auth-gateway/JWKS.json"} {
		if w, received := g.serve(t, request("GET", target, nil)); w.Code != 404 || received != nil {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}
