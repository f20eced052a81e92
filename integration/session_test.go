//go:build integration

package integration

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// signOut does what the page offers.
func signOut(t *testing.T, b *harness.Client) *harness.Page {
	t.Helper()
	ask := b.Get("/auth-gateway/sign-out").Want(http.StatusOK)
	return b.SubmitAndFollow(ask.Form(""))
}

// Rule 12: signing out ends the session in the store, not in the cookie.
func TestSignOutAndReplay(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	cookies := b.Cookies()
	other := g.signedIn(t, alice)

	b.Get("/auth-gateway/sign-out").Want(http.StatusOK)
	g.wantIn(t, b, alice) // asking is not signing out
	page := signOut(t, b)
	says(t, page, "signed out")
	if page.Status != http.StatusOK {
		t.Errorf("%v", page)
	}
	g.wantOut(t, b)
	g.wantIn(t, other, alice)

	thief := g.Browser()
	thief.SetCookies(cookies...)
	g.wantOut(t, thief)
	g.Restart()
	g.wantOut(t, thief)
	g.wantIn(t, other, alice)
}

// G2: suspension and removal count from the next request on.
func TestSuspensionAndRemoval(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	g.AddUser(carol)
	b, other := g.signedIn(t, alice), g.signedIn(t, carol)
	for range 3 {
		g.wantIn(t, b, alice) // warm in every cache
	}
	g.Must("user", "suspend", alice)
	g.wantOut(t, b)
	g.wantIn(t, other, carol)
	refused := g.Browser().SignIn("/private", alice, harness.Password)
	if refused.FromApp() || refused.Status < 400 {
		t.Errorf("suspended and in: %v", refused)
	}
	g.Must("user", "resume", alice)
	g.wantOut(t, b) // the old session stays dead
	g.wantIn(t, g.signedIn(t, alice), alice)

	g.wantIn(t, other, carol)
	g.Must("user", "remove", carol)
	g.wantOut(t, other)
	if page := g.Browser().SignIn("/private", carol, harness.Password); page.Status != http.StatusUnauthorized {
		t.Errorf("removed and in: %v", page)
	}
}

// G3 and rule 29: what was acknowledged survives kill -9.
func TestKill(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)
	b := g.Browser()
	app, codes := g.enroll(t, b, alice)
	g.Kill()
	g.Run()
	g.wantIn(t, b, alice)

	c := g.Browser()
	step := g.askedForPasscode(t, c, alice)
	code := app.Code()
	c.Submit(step.Form("passcode").Set("passcode", code)).Want(http.StatusSeeOther)
	g.Kill()
	g.Run()
	g.wantIn(t, c, alice)
	d := g.Browser()
	step = g.askedForPasscode(t, d, alice)
	d.Submit(step.Form("passcode").Set("passcode", code)).Want(http.StatusUnauthorized)
	g.Kill()
	g.Run()
	// The flow is in the store too.
	d.Submit(step.Form("passcode").Set("passcode", codes[0])).Want(http.StatusSeeOther)
	g.Kill()
	g.Run()
	e := g.Browser()
	step = g.askedForPasscode(t, e, alice)
	e.Submit(step.Form("passcode").Set("passcode", codes[0])).Want(http.StatusUnauthorized)

	signOut(t, c)
	g.Kill()
	g.Run()
	g.wantOut(t, c)
	g.Must("user", "suspend", alice)
	g.Kill()
	g.Run()
	g.wantOut(t, b)
	g.wantOut(t, d)
}

// Kill -9 while many sign in: whoever got a session keeps it.
func TestKillWhileSigningIn(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	var mu sync.Mutex
	var in []*harness.Client
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				b := g.Browser()
				r := b.Request(http.MethodPost, "/auth-gateway/sign-in",
					strings.NewReader(url.Values{"email": {alice}, "password": {harness.Password}}.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				page, err := b.TrySend(r)
				if err != nil {
					return
				}
				if page.Status == http.StatusSeeOther {
					mu.Lock()
					in = append(in, b)
					mu.Unlock()
				}
			}
		})
	}
	time.Sleep(time.Second)
	g.Kill()
	close(stop)
	wg.Wait()
	if len(in) == 0 {
		t.Fatal("nobody signed in")
	}
	g.Run()
	for _, b := range in {
		g.wantIn(t, b, alice)
	}
}

// Reloads under load: no request fails, signed in or signing in.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
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
		g.Configure(option("audience team {\nidle_timeout "+time.Duration(int(time.Hour)*(i+1)).String()+"\n}"), site(""))
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
	g.wantIn(t, b, alice)
}

// A configuration that cannot be loaded leaves the old one in force.
func TestBadReload(t *testing.T) {
	t.Parallel()
	g := start(t, "", "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	for name, global := range map[string]string{
		"unknown word":      "no_such_word",
		"unset secret":      "sso okta {\nissuer http://localhost:9\nclient_id x\nadmit any\nclient_secret {env.NOT_SET}\n}\naudience team {\nsso okta\n}",
		"another database":  "store sqlite /proc/no/such/folder.db",
		"short secret":      "secret {env.SHORT}",
		"not available yet": "store postgres {env.DSN}",
	} {
		g.Configure(option(global), site(""))
		if r := g.TryReload(); r.Status == 0 {
			t.Errorf("%s: loaded", name)
		}
		g.wantIn(t, b, alice)
		g.wantOut(t, g.Browser())
	}
}
