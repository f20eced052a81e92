//go:build integration

package integration

import (
	"regexp"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// A person's first day: the invitation, the wizard, the app, signing out and in
// again, all of it in a browser.
func TestBrowserPassword(t *testing.T) {
	g := start(t, required, "")
	link := g.Invite(alice, "--name", "Alice Example")
	g.SecretAtRest("a password", harness.Password)
	b := harness.StartChromium(t, "en")

	b.Open(link.String())
	b.Screenshot("1-invitation")
	b.Type("password", harness.Password)
	b.Submit("password")
	b.WaitText("Your password is set")

	b.Open(g.URL + "/private?x=1")
	b.WaitText("Sign in to localhost")
	b.Screenshot("2-sign-in")
	b.Type("email", alice)
	b.Type("password", "not the right words")
	b.Submit("password")
	b.WaitText("is not right")
	b.Screenshot("3-wrong")
	b.Type("password", harness.Password)
	b.Submit("password")
	app := g.NewAuthenticator(b.ID("totp-key"))
	b.Screenshot("4-wizard")
	if src := harness.Measure[int](b, `document.querySelectorAll("svg.qr").length`); src != 1 {
		t.Errorf("%d QR codes", src)
	}
	b.Type("passcode", app.Code())
	b.Submit("passcode")
	codes := strings.Fields(b.ID("recovery-codes"))
	b.Screenshot("5-recovery-codes")
	if len(codes) != 10 {
		t.Errorf("recovery codes: %q", codes)
	}
	for _, code := range codes {
		g.SecretAtRest("a recovery code", code)
	}
	b.Press("Continue to")
	b.WaitText(harness.Marker)
	if !strings.HasSuffix(b.Address(), "/private?x=1") || !strings.Contains(b.Text(), alice) {
		t.Errorf("at %s: %s", b.Address(), b.Text())
	}

	b.Open(g.URL + "/auth-gateway/account")
	b.Screenshot("6-account")
	b.Open(g.URL + "/auth-gateway/sign-out")
	b.Press("Sign out")
	b.WaitText("You are signed out")
	b.Screenshot("7-signed-out")

	b.Phone()
	b.Dark()
	b.Open(g.URL + "/second")
	b.Type("email", alice)
	b.Type("password", harness.Password)
	b.Submit("password")
	b.WaitText("Enter your passcode")
	b.Screenshot("8-passcode-phone-dark")
	if wide := harness.Measure[bool](b, `document.documentElement.scrollWidth > innerWidth`); wide {
		t.Error("a phone has to scroll sideways")
	}
	b.Type("passcode", app.Code())
	b.Submit("passcode")
	b.WaitText(harness.Marker)
	if !strings.HasSuffix(b.Address(), "/second") {
		t.Errorf("at %s", b.Address())
	}
}

// The other way in: through the identity provider and back, out again on the
// same way, and what a person without an address is told.
func TestBrowserSSO(t *testing.T) {
	g, p := withProvider(t, "admit any", "", modes[0])
	b := harness.StartChromium(t, "ja")
	b.Open(g.URL + "/private?x=1")
	b.WaitText("Provider")
	b.Type("login", "hanako")
	b.Submit("login")
	b.WaitText(harness.Marker)
	if !strings.HasSuffix(b.Address(), "/private?x=1") || !strings.Contains(b.Text(), "hanako@example.test") {
		t.Errorf("at %s: %s", b.Address(), b.Text())
	}
	b.Open(g.URL + "/auth-gateway/sign-out")
	b.Screenshot("1-sign-out")
	b.Submit("flow")
	b.WaitText("Do you want to sign-out")
	if !strings.HasPrefix(b.Address(), p.Issuer) {
		t.Errorf("signing out led to %s", b.Address())
	}
	b.Press("Yes, sign me out")
	b.WaitText("サインアウトしました")
	b.Screenshot("2-signed-out")
	if !strings.HasPrefix(b.Address(), g.URL+"/auth-gateway/sign-out?state=") {
		t.Errorf("signing out led to %s", b.Address())
	}
	b.Open(g.URL + "/private")
	b.WaitText("Login") // the provider asks who it is

	other := harness.StartChromium(t, "ja")
	other.Open(g.URL + "/private")
	other.Type("login", "mailless")
	other.Submit("login")
	other.ID("error-id")
	other.Screenshot("3-no-address")
	if !strings.Contains(other.Text(), "メールアドレス") {
		t.Errorf("%s", other.Text())
	}
}

// The choice between both ways, as an operator with buttons has it, in the
// operator's colours, over TLS.
func TestBrowserChoice(t *testing.T) {
	cert, key, _ := harness.Certificate(t, "app.example.test")
	g := prepare(t, "", "", withSecret)
	config := modes[0]
	config.party.RedirectURI = "https://app.example.test:" + g.Env("PORT") + "/auth-gateway/sso/public/callback"
	p := harness.StartProvider(t, config.party)
	g.SetEnv("CERT", cert)
	g.SetEnv("KEY", key)
	g.Configure(option(`brand {
name "Example Industries"
accent "#b3261e"
}
`+words(p.Issuer, "admit any\nbutton \"Example Industries account\"", "", config)),
		"https://app.example.test:{$PORT} {\nlog\ntls {$CERT} {$KEY}\nauth_gateway\nreverse_proxy {$APP}\n}")
	g.Run()
	b := harness.StartChromium(t, "en")
	b.Open("https://app.example.test:" + g.Env("PORT") + "/private")
	b.Screenshot("1-choice")
	b.Press("Example Industries account")
	b.Type("login", "bob")
	b.Submit("login")
	b.WaitText(harness.Marker)
	if !strings.Contains(b.Text(), "bob@example.test") {
		t.Errorf("%s", b.Text())
	}

	// Somebody with a password adds the provider, where they are called
	// otherwise, and comes in through it to the same account.
	const carol = "carol@example.test"
	g.AddUser(carol)
	b = harness.StartChromium(t, "en")
	site := "https://app.example.test:" + g.Env("PORT")
	b.Open(site + "/private")
	b.Type("email", carol)
	b.Type("password", harness.Password)
	b.Submit("password")
	b.WaitText(harness.Marker)
	before := remoteID(t, b)
	b.Open(site + "/auth-gateway/account")
	b.Press("Add a provider")
	b.Screenshot("2-links")
	b.Press("Add Example Industries account")
	b.Screenshot("3-on-to-the-provider")
	b.Press("Example Industries account")
	b.Type("login", "hanako")
	b.Submit("login")
	b.WaitText("You can now sign in with Example Industries account as hanako@example.test.")
	b.Screenshot("4-linked")
	b.Open(site + "/auth-gateway/sign-out")
	b.Submit("flow")
	b.WaitText("You are signed out")

	b.Open(site + "/private")
	b.Press("Example Industries account")
	b.Type("login", "hanako")
	b.Submit("login")
	b.WaitText(harness.Marker)
	if after := remoteID(t, b); after != before || !strings.Contains(b.Text(), carol) {
		t.Errorf("in as %s, before %s: %s", after, before, b.Text())
	}
	b.Open(site + "/auth-gateway/account/links")
	b.WaitText("show once more that it is you")
	b.Screenshot("5-again")
	b.Press("Example Industries account")
	b.Type("login", "hanako")
	b.Submit("login")
	b.WaitText("You can sign in to this account with each of these.")
}

// remoteID is the account as the app is told it, from the page that shows what the
// app received.
func remoteID(t *testing.T, b *harness.Chromium) string {
	t.Helper()
	found := regexp.MustCompile(`"Remote-Id":\s*\[\s*"([^"]+)"`).FindStringSubmatch(b.Text())
	if found == nil {
		t.Fatalf("no Remote-Id: %s", b.Text())
	}
	return found[1]
}
