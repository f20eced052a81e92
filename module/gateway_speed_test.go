package module

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// nothing is an app that does nothing.
var nothing = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })

// A signed-in request with six identity headers and more stays in its budget.
func TestAllocations(t *testing.T) {
	for name, assertion := range map[string]*Assertion{"without assertion": nil, "with assertion": {}} {
		t.Run(name, func(t *testing.T) { testAllocations(t, newGate(t, &App{}, &Gateway{Assertion: assertion})) })
	}
}

func testAllocations(t *testing.T, g *gate) {
	cookie := g.signIn(t)
	requests := make([]*http.Request, 1001) // the first one is a rehearsal
	for i := range requests {
		requests[i] = request("GET", "/a/page", cookie)
	}
	w, n := httptest.NewRecorder(), 0
	perRun := testing.AllocsPerRun(len(requests)-1, func() {
		if err := g.ServeHTTP(w, requests[n], nothing); err != nil {
			t.Fatal(err)
		}
		n++
	})
	for name := range map[string]struct{}{"Remote-User": {}, "Remote-Id": {}, "Remote-Email": {}, "Remote-Name": {}, "Remote-Role": {}, "Remote-Groups": {}} {
		if len(requests[n-1].Header[name]) != 1 {
			t.Fatalf("%s is there %d times", name, len(requests[n-1].Header[name]))
		}
	}
	if perRun > 8 {
		t.Errorf("%v allocations, the budget is 8", perRun)
	}
}

// BenchmarkGateway measures the handler. No two requests of Caddy share a
// header, a context or placeholders, so each is made ready within what is
// measured; "empty" is a handler that does nothing, to be subtracted.
func BenchmarkGateway(b *testing.B) {
	g := newGate(b, &App{}, &Gateway{Public: []string{"/public/*"}})
	asserting := newGate(b, &App{}, &Gateway{Assertion: new(Assertion)})
	for _, g := range []*gate{g, asserting} {
		g.update(b, func(tx store.Tx) error { // six identity headers
			known := g.account.Attributes
			return tx.SaveAttributes(g.account.ID, identity.Attributes{Email: known.Email, Name: known.Name, Role: known.Role}, time.Now())
		})
	}
	cookie := g.signIn(b)
	for _, bm := range []struct {
		name, path string
		cookie     *http.Cookie
		handler    caddyhttp.MiddlewareHandler
	}{
		{"empty", "/a/page", cookie, empty{}},
		{"signed-in", "/a/page", cookie, g},
		{"assertion", "/a/page", asserting.signIn(b), asserting},
		{"public", "/public/a", nil, g},
		{"redirect", "/a/page", nil, g},
	} {
		b.Run(bm.name, func(b *testing.B) {
			pristine := request("GET", bm.path, bm.cookie)
			server, w := new(caddyhttp.Server), &discard{header: make(http.Header, 8)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				r := caddyhttp.PrepareRequest(pristine.Clone(context.Background()), caddy.NewReplacer(), w, server)
				caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "127.0.0.1")
				if err := bm.handler.ServeHTTP(w, r, nothing); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// empty is a handler that does nothing.
type empty struct{}

func (empty) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
