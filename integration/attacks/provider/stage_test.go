//go:build integration

package provider

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// behaviour is how a provider differs from one that does everything right.
type behaviour func(t testing.TB, p *providertest.Provider, b *providertest.Behaviour)

// situation is an SSO config, and the provider that it leads to.
type situation struct {
	name string
	// words of the SSO config, with {issuer} for the provider's. Default:
	// admit any
	words  string
	behave behaviour
}

// stage is a gate with an SSO config for each situation.
type stage struct {
	*harness.Gate
	providers map[string]*providertest.Provider // by the situation's name
}

// newStage starts one. global are further words of the auth_gateway option, team
// those of the audience.
func newStage(t *testing.T, global, team string, situations ...situation) *stage {
	t.Helper()
	s := &stage{providers: map[string]*providertest.Provider{}}
	var configs, names strings.Builder
	for _, situation := range situations {
		p := providertest.New(t)
		s.providers[situation.name] = p
		words := situation.words
		if words == "" {
			words = "admit any"
		}
		fmt.Fprintf(&configs, "sso %s {\nissuer %s\nclient_id %s\nclient_secret {env.CLIENT_SECRET}\nbutton Go\n%s\n}\n",
			slug(situation.name), p.Issuer(), providertest.ClientID, strings.ReplaceAll(words, "{issuer}", p.Issuer()))
		fmt.Fprintf(&names, " %s", slug(situation.name))
	}
	fmt.Fprintf(&configs, "audience team {\nsso%s\n%s\n}\n%s", &names, team, global)
	s.Gate = harness.NewGate(t, configs.String(), "", func(o *harness.Options) {
		o.Env = map[string]string{"CLIENT_SECRET": providertest.ClientSecret}
	})
	s.Secret("the client secret", providertest.ClientSecret)
	s.Secret("the client secret, as a form has it", url.QueryEscape(providertest.ClientSecret))
	key := providertest.NewKey(t, jose.ES256, "key-1")
	for _, situation := range situations {
		p := s.providers[situation.name]
		p.Behave(func(b *providertest.Behaviour) {
			b.Key, b.Secret = key, s.Secret
			b.Person = map[string]any{
				"sub":            slug(situation.name),
				"name":           "Somebody Else",
				"email":          slug(situation.name) + "@example.test",
				"email_verified": true,
			}
			if situation.behave != nil {
				situation.behave(t, p, b)
			}
		})
	}
	s.Run()
	return s
}

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// slug is the name of a situation's SSO config.
func slug(name string) string {
	return "x-" + strings.Trim(unfit.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// start is where a sign-in through a situation's SSO config begins.
func start(name string) string {
	return "/auth-gateway/sso/" + slug(name) + "/start?return_to=%2Fprivate"
}

// away goes to the provider and returns the address that it sends the browser
// back to, unvisited.
func (s *stage) away(b *harness.Client, name string) *url.URL {
	there := b.Get(start(name)).Want(http.StatusFound).Location()
	return b.Get(there.String()).Want(http.StatusFound).Location()
}

// arrive visits an address as a browser that a provider sends back does.
func arrive(b *harness.Client, target string) *harness.Page {
	r := b.Request(http.MethodGet, target, nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return b.Send(r)
}

// refusal is the answer that a misbehaviour must have.
type refusal struct {
	status int
	// kind of page, as the log has it.
	kind string
	// reason that the log gives, a part of it.
	reason string
}

// wantRefused fails the test unless the page is that refusal, the log gives the
// reason under the page's error id, and the browser is nobody.
func (s *stage) wantRefused(t *testing.T, b *harness.Client, page *harness.Page, want refusal) {
	t.Helper()
	if page.FromApp() || page.Status != want.status {
		t.Fatalf("answered %d, want %d: %v", page.Status, want.status, page)
	}
	id := page.ID("error-id")
	if id == "" {
		t.Fatalf("no error id: %v", page)
	}
	entry := s.WaitLog("the cause of "+id, func(e harness.Entry) bool { return e.Text("error_id") == id })
	if got := entry.Text("msg"); got != "refused: "+want.kind {
		t.Errorf("%s, want %s", got, want.kind)
	}
	if got := entry.Text("error"); !strings.Contains(got, want.reason) || got == "" {
		t.Errorf("the log gives the reason\n%s, want\n%s", got, want.reason)
	}
	if b.Session() != nil || b.Whoami() != nil {
		t.Error("there is a session")
	}
}

// wantNobody fails the test unless no account was made but those.
func (s *stage) wantNobody(t *testing.T, but ...string) {
	t.Helper()
	var people []struct{ Email string }
	s.JSON(&people, "user", "list")
	known := map[string]bool{}
	for _, email := range but {
		known[email] = true
	}
	for _, person := range people {
		if !known[person.Email] {
			t.Errorf("an account was made: %s", person.Email)
		}
	}
}

// attack is a misbehaviour, and what must come of it.
type attack struct {
	situation
	// suite is the module of the OpenID Foundation's suite, if it has one.
	suite string
	refusal
	// unspent: the code must not be sent to the provider.
	unspent bool
}

// repel has people sign in at each of the misbehaving providers.
func repel(t *testing.T, attacks []attack) {
	t.Helper()
	situations := make([]situation, len(attacks))
	for i, attack := range attacks {
		situations[i] = attack.situation
	}
	s := newStage(t, "", "", situations...)
	for _, attack := range attacks {
		name := attack.name
		if attack.suite != "" {
			name += " (" + attack.suite + ")"
		}
		t.Run(name, func(t *testing.T) {
			s.For(t)
			b := s.Browser()
			s.wantRefused(t, b, b.Open(start(attack.name)), attack.refusal)
			s.wantAudited(t, attack.name)
			sent := len(s.providers[attack.name].Requests(providertest.PathToken))
			if sent > 1 || attack.unspent && sent > 0 {
				t.Errorf("the code was sent %d times", sent)
			}
		})
	}
	if n := s.App.Count(); n != 0 {
		t.Errorf("the app received %d requests", n)
	}
	s.wantNobody(t)
}

// wantAudited fails the test unless the audit trail has that nobody got in
// through a situation's SSO config.
func (s *stage) wantAudited(t *testing.T, name string) {
	t.Helper()
	entry := s.WaitLog("the audit trail", func(e harness.Entry) bool {
		return e.Text("action") == "sign-in" && e.Text("how") == "sso "+slug(name)
	})
	if outcome := entry.Text("outcome"); outcome != "failure" && outcome != "refused" {
		t.Errorf("audited as %q: %v", outcome, entry)
	}
}

// trap is the address of a server that nobody must ever ask for anything.
func trap(t testing.TB) string {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a place that the provider named was asked: %s %s", r.Method, r.URL.Path)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// answering is an endpoint that always gives the same answer.
func answering(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// redirecting is an endpoint that sends its visitors elsewhere.
func redirecting(status int, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, status) }
}

// endless is an endpoint whose answer goes on for 2 MiB.
func endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for range 32 {
		_, _ = w.Write([]byte(strings.Repeat(" ", 64<<10)))
	}
}

// cut is an endpoint that ends the connection without an answer.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// at replaces an endpoint.
func at(path string, handler http.HandlerFunc) behaviour {
	return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) { b.Handlers[path] = handler }
}
