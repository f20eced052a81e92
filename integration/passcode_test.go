//go:build integration

package integration

import (
	"net/http"
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
	return g.Enroll(b, email)
}

// askedForPasscode signs in with a password and returns the second step.
func (g *gate) askedForPasscode(t *testing.T, b *harness.Client, email string) *harness.Page {
	t.Helper()
	return g.AskedForPasscode(b, email)
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
