//go:build integration

package faults

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// atOnce runs fn so many times at once.
func atOnce(n int, fn func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() { <-start; fn(i) })
	}
	close(start)
	all.Wait()
}

// Rule 5: of fifty requests with one code, exactly one gets in. Eight sign-ins
// of an account may be under way, so several try in each.
func TestOneCodeOneWinner(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	for name, which := range map[string]func(app *harness.Authenticator, codes []string) string{
		"passcode":      func(app *harness.Authenticator, _ []string) string { return app.Code() },
		"recovery code": func(_ *harness.Authenticator, codes []string) string { return codes[0] },
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			email := strings.ReplaceAll(name, " ", "") + "@example.test"
			g.AddUser(email)
			app, codes := g.Enroll(g.Browser(), email)
			code := which(app, codes)
			var browsers []*harness.Client
			var flows []string
			for range 5 {
				b := g.Browser()
				browsers = append(browsers, b)
				flows = append(flows, g.AskedForPasscode(b, email).Form("passcode").Values.Get("flow"))
			}
			pages := make([]*harness.Page, 50)
			atOnce(len(pages), func(i int) {
				b := browsers[i%len(browsers)]
				page, err := trySend(b, "/auth-gateway/passcode", "flow", flows[i%len(flows)], "passcode", code)
				if err != nil {
					t.Error(err)
					return
				}
				pages[i] = page
			})
			in := 0
			for _, page := range pages {
				switch to := page.Header.Get("Location"); {
				case page.Status == http.StatusSeeOther && to == "/private?x=1":
					in++
				case page.Status == http.StatusSeeOther && strings.HasPrefix(to, "/auth-gateway/sign-in"): // the flow that won has ended
				case page.Status == http.StatusUnauthorized, page.Status == http.StatusTooManyRequests:
				default:
					t.Errorf("%v", page)
				}
			}
			var sessions []any
			g.JSON(&sessions, "session", "list", email)
			if in != 1 || len(sessions) != 2 { // the first is the wizard's
				t.Errorf("%d got in, %d sessions", in, len(sessions))
			}
		})
	}
}

// A suspension in the middle of sign-ins: whoever was let in before is out
// after it, and nobody gets in after it.
func TestSignInAgainstSuspension(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	for round := range 3 {
		browsers := make([]*harness.Client, 8)
		for i := range browsers {
			browsers[i] = g.Browser()
		}
		let := make([]bool, len(browsers))
		atOnce(len(browsers)+1, func(i int) {
			if i == len(browsers) {
				if status, err := act(g, http.MethodPost, "users/"+alice+"/suspend", nil, nil); err != nil || status != http.StatusOK {
					t.Errorf("suspending: %d, %v", status, err)
				}
				return
			}
			page, _, err := tryPassword(browsers[i], alice, harness.Password)
			if err != nil {
				t.Error(err)
				return
			}
			let[i] = page.Status == http.StatusSeeOther
		})
		for i, b := range browsers {
			if let[i] && b.Session() == nil {
				t.Errorf("round %d: let in without a session", round)
			}
			if page := b.Get("/private"); page.FromApp() {
				t.Errorf("round %d: suspended and in: %v", round, page)
			}
		}
		g.Must("user", "resume", alice)
		for _, b := range browsers {
			if page := b.Get("/private"); page.FromApp() {
				t.Errorf("round %d: a session came back: %v", round, page)
			}
		}
		g.WantIn(g.SignedIn(alice), alice)
	}
}

// A new password while passcodes of the old one are on their way: whichever
// comes first, in the end nobody is in who knew only the old one.
func TestNewPasswordAgainstFlows(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	g.AddUser(alice)
	_, codes := g.Enroll(g.Browser(), alice)
	password := harness.Password
	for round := range 2 {
		link := g.ResetPassword(alice)
		var browsers []*harness.Client
		var flows []string
		for range 4 {
			b := g.Browser()
			page, flow, err := tryPassword(b, alice, password)
			if err != nil || page.Status != http.StatusSeeOther {
				t.Fatalf("%v %v", page, err)
			}
			browsers, flows = append(browsers, b), append(flows, flow)
		}
		next := fmt.Sprintf("%s, number %d", harness.Password, round)
		atOnce(len(browsers)+1, func(i int) {
			if i == len(browsers) {
				page, err := trySend(g.Browser(), link.Path, "token", link.Query().Get("token"), "password", next)
				if err != nil || page.Status != http.StatusOK {
					t.Errorf("setting a password: %v %v", page, err)
				}
				return
			}
			if _, err := trySend(browsers[i], "/auth-gateway/passcode", "flow", flows[i], "passcode", codes[4*round+i]); err != nil {
				t.Error(err)
			}
		})
		for _, b := range browsers {
			if page := b.Get("/private"); page.FromApp() {
				t.Errorf("round %d: in with the old password: %v", round, page)
			}
		}
		if page, _, err := tryPassword(g.Browser(), alice, password); err != nil || page.Status != http.StatusUnauthorized {
			t.Errorf("round %d: the old password counts: %v %v", round, page, err)
		}
		password = next
	}
}

// Revocation while many requests fill the caches: from the moment at which it
// is acknowledged, not one gets through.
func TestRevocationUnderLoad(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	for range 5 {
		b := g.SignedIn(alice)
		var revoked atomic.Bool
		var through, late atomic.Int64
		stop := make(chan struct{})
		var load sync.WaitGroup
		begun := make(chan struct{}, 4)
		for range 4 {
			load.Go(func() {
				for first := true; ; first = false {
					select {
					case <-stop:
						return
					default:
					}
					before := revoked.Load()
					page, err := b.TrySend(b.Request(http.MethodGet, "/private", nil))
					switch {
					case err != nil:
						t.Error(err)
						return
					case page.FromApp() && before:
						late.Add(1)
					case page.FromApp():
						through.Add(1)
					}
					if first {
						begun <- struct{}{}
					}
				}
			})
		}
		for range 4 {
			<-begun
		}
		if status, err := act(g, http.MethodDelete, "users/"+alice+"/sessions", nil, nil); err != nil || status != http.StatusOK {
			t.Fatalf("revoking: %d, %v", status, err)
		}
		revoked.Store(true)
		for range 20 {
			if page := b.Get("/private"); page.FromApp() {
				t.Fatalf("revoked and in: %v", page)
			}
		}
		close(stop)
		load.Wait()
		if late.Load() > 0 || through.Load() == 0 {
			t.Errorf("%d requests got through before, %d after", through.Load(), late.Load())
		}
	}
}

// Reloads under load: no request fails, signed in or signing in.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	b := g.SignedIn(alice)
	b.Persistent = true
	var requests, signIns atomic.Int64
	var failed sync.Map
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				page, err := b.TrySend(b.Request(http.MethodGet, "/private", nil))
				if err != nil {
					failed.Store(err.Error(), true)
				} else if !page.FromApp() {
					failed.Store(page.String(), true)
				}
				requests.Add(1)
			}
		})
	}
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			c := g.Browser()
			c.Persistent = true
			if page := c.SignIn("/private", alice, harness.Password); !page.FromApp() {
				failed.Store(page.String(), true)
			}
			signIns.Add(1)
		}
	})
	for i := range 8 {
		// Each configuration differs, so that each is really loaded.
		g.Configure(harness.GatewayOption("audience team {\nidle_timeout "+time.Duration(int(time.Hour)*(i+1)).String()+"\n}"), harness.GatewaySite("{$SITE}", "", ""))
		g.Reload()
	}
	close(stop)
	wg.Wait()
	failed.Range(func(what, _ any) bool {
		t.Errorf("failed: %v", what)
		return true
	})
	if requests.Load() < 100 || signIns.Load() < 1 {
		t.Errorf("only %d requests and %d sign-ins", requests.Load(), signIns.Load())
	}
	g.Restart()
	g.WantIn(b, alice)
}
