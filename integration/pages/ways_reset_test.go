//go:build integration

package pages

import (
	"regexp"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver/delivertest"
)

var mailedLink = regexp.MustCompile(`https?://\S+/auth-gateway/reset\?\S+`)

// wayByReset: the password is forgotten, and the link for a new one comes by
// mail. It does not stand for the passcode.
func wayByReset(p *person) {
	app, _ := p.g.Enroll(p.g.Browser(), p.email)
	p.Open(p.g.URL + "/private?x=1")
	p.press(`a[href$="/reset"]`)
	p.look("forgotten", forgotten)
	p.answer("email", "")
	p.look("no-address", forgotten, noEmail)
	p.answer("email", p.email)
	p.look("on-its-way", lookInMail)
	letter := p.g.MailedLetter(p.email, "/auth-gateway/reset?")
	link := mailedLink.FindString(letter.Text)
	p.Open(link)
	p.look("link", setPassword)
	p.Reload() // a link is not used up by looking
	p.answer("password", "short")
	p.look("short", setPassword, shortPassword)
	const changed = "quite another battery staple"
	p.g.SecretAtRest("a password", changed)
	p.answer("password", changed)
	p.look("set", passwordSet)
	p.press(onward)
	p.look("sign-in", signIn)
	p.fill("email", p.email)
	p.fill("password", changed)
	p.EnterTwice()
	p.look("passcode", passcode)
	p.Open(p.g.URL + "/private")
	if strings.Contains(p.Text(), harness.Marker) {
		p.t.Error("a link for a password has stood for the passcode")
	}
	p.Back()
	p.answer("passcode", app.Code())
	p.wantIn()
	p.Open(link)
	p.look("link-used", linkOver)
	p.ID("error-id")
}

// wayAroundMail: the mail server takes nothing. Whoever waits for a mailed code is
// told, in the wizard and when they sign in, and gets on with an app.
func wayAroundMail(p *person) {
	p.signIn("/private?x=1")
	p.press(byMail)
	p.answer("passcode", p.g.MailedCode(p.email))
	p.recoveryCodes()
	p.Open(p.g.URL + factors)
	p.press(byApp)
	app := p.g.NewAuthenticator(p.ID("totp-key"))
	p.answer("passcode", app.Code())
	p.signOut()

	p.g.Mail.Fail(delivertest.Recipient, delivertest.Answer(550))
	defer p.g.Mail.Fail(delivertest.Recipient, nil)
	p.signIn("/private?x=2")
	p.look("undelivered", passcode, undelivered)
	p.Reload()
	p.look("undelivered-reloaded", passcode, undelivered)
	p.press(byApp)
	p.look("by-app", passcode)
	p.answer("passcode", app.Code())
	p.wantIn()

	other := *p
	other.email = "other-" + p.email
	p.g.AddUser(other.email)
	p.Forget()
	other.signIn("/private?x=3")
	other.press(byMail)
	other.look("wizard-undelivered", wizardMail, undelivered)
	other.press(byApp)
	other.look("wizard-by-app", wizardApp)
	own := p.g.NewAuthenticator(other.ID("totp-key"))
	other.answer("passcode", own.Code())
	other.look("wizard-done", codesShown)
	other.recoveryCodes()
	other.press(onward)
	other.wantIn()
}
