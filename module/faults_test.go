package module

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/pquerna/otp/totp"
	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

// weakGate is a gate at work of which the store fails when it is told to: "/"
// belongs to customers, who need no second factor, "/vault" to staff, who do.
type weakGate struct {
	*gate
	okta    *providertest.Provider
	persons int

	mu    sync.Mutex
	fault func(op string) error // asked for each operation of marked requests
}

// markKey marks the contexts of requests: what the gateway does beside them,
// such as writing when sessions were last seen, meets no faults.
type markKey struct{}

var errFault = errors.New("the disk is on fire")

func newWeakGate(t *testing.T) *weakGate {
	t.Helper()
	leavesNothing(t)
	w := &weakGate{okta: providertest.New(t)}
	t.Setenv("AUTH_GATEWAY_TEST_SECRET", strings.Repeat("s", 32))
	t.Setenv("AUTH_GATEWAY_TEST_CLIENT", providertest.ClientSecret)
	app := &App{
		Store:   store.Config{Path: filepath.Join(t.TempDir(), "weak.db")},
		Secrets: []string{"{env.AUTH_GATEWAY_TEST_SECRET}"},
		SSO: map[string]*sso.Config{"okta": {
			Issuer: w.okta.Issuer(), ClientID: providertest.ClientID, ClientSecret: "{env.AUTH_GATEWAY_TEST_CLIENT}", Admit: []string{sso.AdmitAny}, Button: "Okta",
		}},
		Audiences: map[string]*policy.Audience{"customers": {SSO: []string{"okta"}}, "staff": {SecondFactor: "required"}},
	}
	g := &Gateway{Audience: "customers", AudiencePaths: map[string]string{"/vault*": "staff"}, Public: []string{"/public"}}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	must(t, app.Provision(ctx))
	app.log, app.answers.Log = zap.NewNop(), zap.NewNop() // thousands of faults
	must(t, g.provision(app))
	opened, err := store.OpenSQLite(t.Context(), app.engine.path)
	must(t, err)
	app.engine.begin(storetest.Late(storetest.Watched(opened, w.at), func(ctx context.Context) bool { return w.at(ctx, "time") != nil }))
	app.engine.hasher = account.NewHasher(account.NewGate(4), account.Parameters{Memory: 64, Time: 1, Threads: 1})
	must(t, app.Start())
	t.Cleanup(func() {
		must(t, app.Stop())
		must(t, app.Cleanup())
		must(t, g.Cleanup())
	})
	w.gate = &gate{Gateway: g}
	return w
}

func (w *weakGate) at(ctx context.Context, op string) error {
	if ctx.Value(markKey{}) == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil {
		return nil
	}
	return w.fault(op)
}

// breaks has the store fail; nil makes it well again.
func (w *weakGate) breaks(fault func(op string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

// visitor is somebody with a browser, an account and perhaps a second factor.
type visitor struct {
	t *testing.T
	*weakGate
	account store.Account
	address string
	key     []byte // of the authenticator app
	used    int64  // the last step of which a code was shown
	codes   []string
	cookies map[string]string
}

const visitorPassword = "correct horse battery staple"

// newVisitor comes from a network of their own, so that nobody is held off for
// what others did.
func (w *weakGate) newVisitor(t *testing.T) *visitor {
	t.Helper()
	w.persons++
	v := &visitor{
		t: t, weakGate: w, cookies: map[string]string{},
		address: fmt.Sprintf("10.%d.%d.%d", w.persons>>16, w.persons>>8&255, w.persons&255),
	}
	var err error
	v.account, err = w.people().Create(t.Context(), account.NewAccount{
		Email: fmt.Sprintf("visitor%d@example.test", w.persons), Role: identity.EndUser, Password: visitorPassword,
	}, nil)
	must(t, err)
	return v
}

func (w *weakGate) people() *account.People { return w.app.service.Load().people }

// enrolled gives the visitor an authenticator app, by choice or because it was
// required.
func (v *visitor) enrolled(required bool) {
	v.t.Helper()
	sealed, err := v.people().BeginEnrollment("test/1")
	must(v.t, err)
	shown, err := v.people().ShowEnrollment(sealed, "test/1", "test", "test")
	must(v.t, err)
	v.holds(shown.Key)
	must(v.t, v.people().FinishEnrollment(v.t.Context(), v.account.ID, sealed, "test/1", v.code(), required, account.From{},
		func(_ store.Tx, codes []string) error { v.codes = codes; return nil }))
}

func (v *visitor) holds(key string) { v.key, v.used = []byte(strings.ReplaceAll(key, " ", "")), 0 }

// code is one of the three that count now, each later than the one before.
func (v *visitor) code() string {
	v.t.Helper()
	now := time.Now()
	step := max(now.Unix()/30-1, v.used+1)
	v.used = step
	code, err := totp.GenerateCode(string(v.key), time.Unix(step*30, 0))
	must(v.t, err)
	return code
}

// reply is an answer, and whether the app was reached.
type reply struct {
	*httptest.ResponseRecorder
	app bool
}

func (v *visitor) get(target string) reply { return v.send(http.MethodGet, target, nil) }

// post sends a form, names and values in turn.
func (v *visitor) post(target string, pairs ...string) reply {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return v.send(http.MethodPost, target, form)
}

func (v *visitor) send(method, target string, form url.Values) reply {
	v.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	r.Host, r.RemoteAddr = "localhost:8080", "127.0.0.1:4000"
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://localhost:8080")
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	r = r.WithContext(context.WithValue(v.t.Context(), markKey{}, true))
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), &caddyhttp.Server{})
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, v.address)
	w, received := v.serve(v.t, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c.Value
		}
	}
	return reply{w, received != nil}
}

// elsewhere is the same person in a browser that knows nothing.
func (v *visitor) elsewhere() *visitor {
	other := *v
	other.cookies = map[string]string{}
	return &other
}

// password signs in as far as the password goes.
func (v *visitor) password(password, returnTo string) reply {
	v.t.Helper()
	return v.post("/auth-gateway/sign-in", "email", v.account.Attributes.Email, "password", password, "return_to", returnTo)
}

// signIn expects to get in.
func (v *visitor) signIn() {
	v.t.Helper()
	if r := v.password(visitorPassword, "/"); r.Code != 303 || r.Header().Get("Location") != "/" {
		v.t.Fatalf("signing in: %d %s", r.Code, r.Header().Get("Location"))
	}
}

// step is the address that a sign-in leads to, and its flow.
func (v *visitor) step(r reply, path string) (flow string) {
	v.t.Helper()
	to, err := url.Parse(r.Header().Get("Location"))
	if err != nil || to.Path != path {
		v.t.Fatalf("%d leads to %s instead of %s", r.Code, r.Header().Get("Location"), path)
	}
	return to.Query().Get("flow")
}

func (v *visitor) in() bool { return v.get("/").app }

func (v *visitor) hasSession() bool { return v.cookies["auth_gateway"] != "" }

// sessions counts those in the store.
func (v *visitor) sessions() (n int) {
	v.t.Helper()
	v.view(func(tx store.Tx) error {
		sessions, err := tx.Sessions(v.account.ID)
		n = len(sessions)
		return err
	})
	return n
}

// factors tells whether a second factor is set up and how many recovery codes
// are left.
func (v *visitor) factors() (set bool, codes int) {
	v.t.Helper()
	v.view(func(tx store.Tx) error {
		factors, err := tx.Factors(v.account.ID)
		if err != nil {
			return err
		}
		set = len(factors) > 0
		codes, err = tx.RecoveryCodesLeft(v.account.ID)
		return err
	})
	return set, codes
}

func (v *visitor) view(fn func(store.Tx) error) {
	v.t.Helper()
	must(v.t, v.engine.store.View(v.t.Context(), fn))
}

// The typed key of the wizard's page.
var (
	shownKey = regexp.MustCompile(`<p[^>]* id="totp-key">.*?</p>`)
	markup   = regexp.MustCompile(`<[^>]*>`)
)

// deed is a request, and what has to hold of it whatever the store does.
type deed struct {
	name string
	// prepare brings the visitor to where one request is missing.
	prepare func(v *visitor) (request func() reply)
	// done reports whether an answer acknowledges the deed.
	done func(v *visitor, r reply) bool
	// after is called with the store well again, whether it was done or not.
	after func(v *visitor, done bool, again func() reply)
}

// faulty are the ways in which the store fails from one moment on, or at that
// moment only.
var faulty = []struct {
	name string
	ops  string // at which of them
	once bool
}{
	{"fails from then on", "view viewed update commit kept", false},
	{"fails once", "view viewed update commit kept", true},
	{"has no time left", "time", false},
}

// mostFaults is more than any request asks the store.
const mostFaults = 500

// attempt does a deed once, with the store failing at moment n, and reports
// whether it came to that.
func (d deed) attempt(t *testing.T, w *weakGate, ops string, once bool, n int) (met bool) {
	t.Helper()
	v := w.newVisitor(t)
	request := d.prepare(v)
	before := v.cookies["auth_gateway"]
	left := n
	w.breaks(func(op string) error {
		if !strings.Contains(ops, op) {
			return nil
		}
		if left--; left > 0 || once && left < 0 {
			return nil
		}
		met = true
		return errFault
	})
	r := request()
	w.breaks(nil)

	done := d.done(v, r)
	switch {
	case done:
	case !met:
		t.Fatalf("not done although nothing failed: %d %s", r.Code, r.Header().Get("Location"))
	case r.app:
		t.Fatal("the app was reached")
	case r.Code != http.StatusServiceUnavailable || r.Header().Get("Retry-After") == "":
		t.Fatalf("answered %d %s with Retry-After %q", r.Code, r.Header().Get("Location"), r.Header().Get("Retry-After"))
	case v.cookies["auth_gateway"] != before:
		t.Fatal("a session was handed out")
	}
	d.after(v, done, request)
	return met
}

// TestStoreFaults does each deed again and again: the store fails at the first
// question, then at the second, until a deed meets no fault any more. It never
// opens the gate, is told of by 503, and leaves nothing half-done.
func TestStoreFaults(t *testing.T) {
	w := newWeakGate(t)
	for _, d := range deeds {
		for _, f := range faulty {
			t.Run(d.name+", the store "+f.name, func(t *testing.T) {
				n := 1
				for d.attempt(t, w, f.ops, f.once, n) {
					if t.Failed() {
						t.Fatalf("at fault %d", n)
					}
					if n++; n > mostFaults {
						t.Fatal("it meets faults without end")
					}
				}
				if n == 1 {
					t.Error("it met no fault at all")
				}
			})
		}
	}
}

// TestStoreGone: who is in goes on for a while without the store, and so does
// what is public; neither asks it anything. Nobody else gets anywhere.
func TestStoreGone(t *testing.T) {
	w := newWeakGate(t)
	v := w.newVisitor(t)
	v.signIn()
	if !v.in() {
		t.Fatal("not in")
	}
	asked := 0
	w.breaks(func(string) error { asked++; return errFault })
	if !v.in() || !v.get("/public").app || !v.elsewhere().get("/public").app {
		t.Error("who was in is out")
	}
	if asked != 0 {
		t.Errorf("the store was asked %d times", asked)
	}
	if r := v.elsewhere().get("/"); r.app || r.Code != http.StatusFound {
		t.Errorf("without a session: %d", r.Code)
	}
	w.breaks(nil)
}
