//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

const required = `
audience team {
	second_factor required
}`

// enroll signs in with a password for the first time, sets up an authenticator
// app and returns it with the recovery codes.
func (g *gate) enroll(t *testing.T, b *harness.Client, email string) (*harness.Authenticator, []string) {
	t.Helper()
	page := b.SignIn("/private", email, harness.Password)
	if page.URL.Path != "/auth-gateway/enroll" {
		t.Fatalf("no wizard: %v", page)
	}
	app := g.NewAuthenticator(page.ID("totp-key"))
	done := b.Submit(page.Form("passcode").Set("passcode", app.Code())).Want(http.StatusOK)
	codes := done.RecoveryCodes()
	for _, code := range codes {
		g.SecretAtRest("a recovery code", code)
	}
	return app, codes
}

// askedForPasscode signs in with a password and returns the second step.
func (g *gate) askedForPasscode(t *testing.T, b *harness.Client, email string) *harness.Page {
	t.Helper()
	page := b.SignIn("/private?x=1", email, harness.Password)
	if page.URL.Path != "/auth-gateway/passcode" || !page.HasForm("passcode") {
		t.Fatalf("no passcode asked: %v", page)
	}
	return page
}

// F1, F2: whoever has no second factor is led through the wizard and gets
// nowhere else; afterwards the passcode is asked for at every sign-in.
func TestWizardAndPasscode(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)

	b := g.Browser()
	page := b.SignIn("/private?x=1", alice, harness.Password)
	if page.URL.Path != "/auth-gateway/enroll" {
		t.Fatalf("no wizard: %v", page)
	}
	g.wantOut(t, b)
	key := page.ID("totp-key")
	if again := b.Get("/auth-gateway/enroll"); again.ID("totp-key") != key {
		t.Errorf("the key changes while it is set up: %q, then %q", key, again.ID("totp-key"))
	}
	app := g.NewAuthenticator(key)
	for name, code := range map[string]string{"wrong": "000000", "old": app.Old(), "empty": "", "letters": "abcdef"} {
		if wrong := b.Submit(page.Form("passcode").Set("passcode", code)); wrong.Status != http.StatusUnauthorized || wrong.ID("totp-key") != key {
			t.Errorf("%s code: %v", name, wrong)
		}
	}
	g.wantOut(t, b)

	first := app.Code()
	done := b.Submit(page.Form("passcode").Set("passcode", first)).Want(http.StatusOK)
	codes := done.RecoveryCodes()
	if len(codes) != 10 {
		t.Errorf("%d recovery codes", len(codes))
	}
	for _, code := range codes {
		g.SecretAtRest("a recovery code", code)
	}
	on := done.Link("Continue")
	if got := b.Open(on.String()).App(); got.URI != "/private?x=1" {
		t.Errorf("the link leads on to %q", got.URI)
	}
	if again := b.Open("/auth-gateway/enroll"); again.ID("totp-key") != "" || len(again.RecoveryCodes()) > 0 {
		t.Errorf("the wizard can be seen again: %v", again)
	}

	b = g.Browser()
	step := g.askedForPasscode(t, b, alice)
	g.wantOut(t, b)
	for name, code := range map[string]string{"the one of the enrolment": first, "wrong": "000000", "empty": ""} {
		if wrong := b.Submit(step.Form("passcode").Set("passcode", code)); wrong.Status != http.StatusUnauthorized || wrong.Alert() == "" {
			t.Errorf("%s: %v", name, wrong)
		}
	}
	g.wantOut(t, b)
	in := b.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	if got := b.Follow(in).App(); got.URI != "/private?x=1" || got.Header.Get("Remote-User") != alice {
		t.Errorf("in at %q as %q", got.URI, got.Header.Get("Remote-User"))
	}
}

// A form may leave its hidden flow out; several sign-ins may be under way.
func TestFlows(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)
	app, _ := g.enroll(t, g.Browser(), alice)

	b := g.Browser()
	one := g.askedForPasscode(t, b, alice)
	page := b.Open("/auth-gateway/sign-in?return_to=/second")
	two := b.SubmitAndFollow(page.Form("password").Set("email", alice).Set("password", harness.Password))
	if two.URL.Path != "/auth-gateway/passcode" {
		t.Fatalf("no second sign-in: %v", two)
	}
	form := two.Form("passcode")
	form.Values.Del("flow")
	in := b.Submit(form.Set("passcode", app.Code())).Want(http.StatusSeeOther)
	if got := b.Follow(in).App(); got.URI != "/second" {
		t.Errorf("without a flow the newest is meant, landed at %q", got.URI)
	}
	in = b.Submit(one.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	if got := b.Follow(in).App(); got.URI != "/private?x=1" {
		t.Errorf("the first tab landed at %q", got.URI)
	}

	// An ended flow leads to the beginning, whatever cookies come back.
	c := g.Browser()
	step := g.askedForPasscode(t, c, alice)
	half := c.Cookies()
	c.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	thief := g.Browser()
	thief.SetCookies(half...)
	to := thief.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther).Location()
	if to.Path != "/auth-gateway/sign-in" {
		t.Errorf("an ended flow leads to %v", to)
	}
	g.wantOut(t, thief)
}

// Rule 10: a suspension or a password reset ends what is under way.
func TestFlowsEndWithTheAccount(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)
	app, _ := g.enroll(t, g.Browser(), alice)
	b := g.Browser()
	step := g.askedForPasscode(t, b, alice)
	g.Must("user", "suspend", alice)
	g.Must("user", "resume", alice)
	page := b.Submit(step.Form("passcode").Set("passcode", app.Code()))
	if page.Status != http.StatusSeeOther || page.Location().Path != "/auth-gateway/sign-in" {
		t.Errorf("%v", page)
	}
	g.wantOut(t, b)
}

// Rule 5: of two requests with one code, exactly one gets in.
func TestOneCodeOneWinner(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)
	app, codes := g.enroll(t, g.Browser(), alice)
	for name, code := range map[string]string{"passcode": app.Code(), "recovery code": codes[0]} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			var browsers []*harness.Client
			var steps []*harness.Page
			for range 6 {
				b := g.Browser()
				browsers = append(browsers, b)
				steps = append(steps, g.askedForPasscode(t, b, alice))
			}
			statuses := make([]int, len(browsers))
			var wg sync.WaitGroup
			for i, b := range browsers {
				wg.Go(func() { statuses[i] = b.Submit(steps[i].Form("passcode").Set("passcode", code)).Status })
			}
			wg.Wait()
			in := 0
			for i, b := range browsers {
				if b.Session() != nil {
					in++
					g.wantIn(t, b, alice)
				}
				if statuses[i] != http.StatusSeeOther && statuses[i] != http.StatusUnauthorized {
					t.Errorf("status %d", statuses[i])
				}
			}
			if in != 1 {
				t.Errorf("%d of %d got in", in, len(browsers))
			}
		})
	}
}

// F7: a recovery code stands in for the app, once.
func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)
	_, codes := g.enroll(t, g.Browser(), alice)
	for i, code := range codes[:2] {
		b := g.Browser()
		step := g.askedForPasscode(t, b, alice)
		b.Submit(step.Form("passcode").Set("passcode", code)).Want(http.StatusSeeOther)
		g.wantIn(t, b, alice)

		b = g.Browser()
		step = g.askedForPasscode(t, b, alice)
		if again := b.Submit(step.Form("passcode").Set("passcode", code)); again.Status != http.StatusUnauthorized {
			t.Errorf("code %d counts twice: %v", i, again)
		}
	}
}

// Rule 4: wrong passcodes are counted apart; the right password clears nothing.
func TestGuessingPasscodes(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)
	app, _ := g.enroll(t, g.Browser(), alice)

	var page *harness.Page
	failures := 0
	for page == nil || page.Status != http.StatusTooManyRequests {
		b := g.Browser()
		step := b.SignIn("/private", alice, harness.Password)
		if step.Status == http.StatusTooManyRequests {
			break
		}
		for range 3 {
			page = b.Submit(step.Form("passcode").Set("passcode", fmt.Sprintf("%06d", failures)))
			if page.Status != http.StatusUnauthorized {
				break
			}
			failures++
		}
		if failures > 15 {
			t.Fatalf("%d wrong passcodes and no wait", failures)
		}
		if page.Status == http.StatusSeeOther {
			// The flow ended after too many tries: the next one goes on.
			page = nil
		}
	}
	if failures != 10 {
		t.Errorf("held off after %d failures", failures)
	}
	b := g.Browser()
	step := b.SignIn("/private", alice, harness.Password)
	if step.HasForm("passcode") {
		held := b.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusTooManyRequests)
		if held.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	} else {
		step.Want(http.StatusTooManyRequests)
	}
	g.wantOut(t, b)
	g.Must("user", "unlock", alice)
	b = g.Browser()
	step = g.askedForPasscode(t, b, alice)
	b.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	g.wantIn(t, b, alice)
}

// F7: an administrator can reset a person's second factor.
func TestResetSecondFactor(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)
	b := g.Browser()
	old, _ := g.enroll(t, b, alice)
	g.wantIn(t, b, alice)
	g.Must("user", "reset-second-factor", alice)
	g.wantOut(t, b)
	app, _ := g.enroll(t, g.Browser(), alice)
	b = g.Browser()
	step := g.askedForPasscode(t, b, alice)
	b.Submit(step.Form("passcode").Set("passcode", old.Current())).Want(http.StatusUnauthorized)
	b.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
}

// F2: a session made without a passcode is asked for it once it is required.
func TestRequiredLater(t *testing.T) {
	t.Parallel()
	g := start(t, "audience team", "")
	g.AddUser(alice)
	b := g.signedIn(t, alice)
	g.configure(required, "")
	page := b.Open("/private")
	if page.FromApp() || page.URL.Path != "/auth-gateway/enroll" {
		t.Fatalf("no wizard: %v", page)
	}
	app := g.NewAuthenticator(page.ID("totp-key"))
	b.Submit(page.Form("passcode").Set("passcode", app.Code())).Want(http.StatusOK)
	g.wantIn(t, b, alice)

	// Lacking only the passcode, the person is asked for that alone.
	g.configure("audience team", "")
	c := g.Browser()
	step := c.SignIn("/private", alice, harness.Password)
	if step.HasForm("passcode") {
		// Set up because it was required, and required no more: not asked.
		t.Errorf("a passcode that is not required any more: %v", step)
	}
	g.configure(required, "")
	step = c.Open("/private")
	if step.URL.Path != "/auth-gateway/passcode" {
		t.Fatalf("not asked for the passcode alone: %v", step)
	}
	c.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	g.wantIn(t, c, alice)
}

// Fields of the later steps that nobody would fill in like that.
func TestMalformedSteps(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(alice)
	g.AddUser(carol)
	app, _ := g.enroll(t, g.Browser(), alice)
	code := app.Code()
	link := g.ResetPassword(alice)
	for name, change := range map[string]func(url.Values){
		"nothing":           func(v url.Values) { clear(v) },
		"code twice":        func(v url.Values) { v["passcode"] = []string{code, "000000"} },
		"over-long code":    func(v url.Values) { v.Set("passcode", strings.Repeat("1", 100000)) },
		"full-width digits": func(v url.Values) { v.Set("passcode", "０００００1") },
		"invalid UTF-8":     func(v url.Values) { v.Set("passcode", "\xff\xfe\x00") },
		"another flow":      func(v url.Values) { v.Set("flow", strings.Repeat("A", 43)) },
		"flow twice":        func(v url.Values) { v.Set("passcode", "000000"); v.Add("flow", "another") },
		"an unknown method": func(v url.Values) { v.Set("method", "carrier pigeon"); v.Set("passcode", "000000") },
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			for path, email := range map[string]string{"/auth-gateway/passcode": alice, "/auth-gateway/enroll": carol} {
				b := g.Browser()
				page := b.SignIn("/private", email, harness.Password)
				if page.URL.Path != path {
					t.Fatalf("at %s instead of %s", page.URL.Path, path)
				}
				form := page.Form("passcode")
				form.Values.Set("passcode", "000000")
				change(form.Values)
				if page := b.Submit(form); page.Status != http.StatusSeeOther && (page.Status < 400 || page.Status > 429) {
					t.Errorf("%s: %v", path, page)
				}
				g.wantOut(t, b)
			}
		})
	}
	for name, values := range map[string]url.Values{
		"another token":   {"token": {strings.Repeat("A", 43)}, "password": {"quite another long password"}},
		"token twice":     {"token": {link.Query().Get("token"), "x"}, "password": {"quite another long password"}},
		"over-long token": {"token": {strings.Repeat("A", 100000)}, "password": {"quite another long password"}},
		"password twice":  {"token": {link.Query().Get("token")}, "password": {"quite another long password", "and yet another one"}},
	} {
		t.Run("reset, "+name, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			if page := b.Post("/auth-gateway/reset", values); page.Status < 400 || page.Status > 429 {
				t.Errorf("%v", page)
			}
			g.wantOut(t, b)
		})
	}
	g.Must("user", "unlock", alice)
	step := g.askedForPasscode(t, g.Browser(), alice) // the password is what it was
	if !step.HasForm("passcode") {
		t.Errorf("%v", step)
	}
}
