//go:build integration

package pages

import (
	"net/http"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// wayOfAccount: two factors by choice, one preferred, the other removed, other
// recovery codes; another name and another password; the sessions elsewhere.
func wayOfAccount(p *person) {
	p.signIn(account)
	p.look("account", yourAccount)
	p.press(`a[href$="/second-factor"]`)
	p.look("none-yet", yourFactors)
	p.press(byMail)
	p.look("add-mail", addMail)
	code := p.g.MailedCode(p.email)
	p.answer("passcode", wrong(code))
	p.look("add-mail-wrong", addMail, wrongSent)
	p.answer("passcode", code)
	p.look("recovery-codes", codesShown)
	p.recoveryCodes()
	p.press(onward)
	p.look("mail", yourFactors)
	p.press(byApp)
	p.look("add-app", addApp)
	app := p.g.NewAuthenticator(p.ID("totp-key"))
	p.answer("passcode", app.Code())
	p.look("both", yourFactors)
	p.press(`button[name="prefer"]`)
	p.look("preferred", yourFactors, preferred)
	p.unfold(`li:has(button[name="prefer"]) summary`) // the one that is not preferred
	p.look("remove-mail", yourFactors, preferred)
	p.press(`li:has(button[name="prefer"]) button[name="remove"]`)
	p.look("removed", yourFactors, removed)
	p.Reload()
	p.want(false, `button[name="prefer"]`)
	p.press(`form[action$="/recovery-codes"] button`)
	p.look("other-codes", codesShown)
	p.recoveryCodes()
	p.Reload() // which posts it again: the codes before are no use now
	codes := p.recoveryCodes()
	p.press(onward)
	p.press(`a[href$="/account"]`)

	p.press(`a[href$="/account/name"]`)
	p.look("name", yourName)
	p.answer("name", strings.Repeat("Example ", 200))
	p.look("name-unusable", yourName, unusableName)
	p.answer("name", "例 Example")
	p.look("renamed", yourAccount, renamed)
	p.wantText(words{"例 Example", "例 Example"})

	elsewhere := p.elsewhere(harness.Password, codes[0])
	p.press(`a[href$="/account/password"]`)
	p.look("password", newPassword)
	p.answer("password", "")
	p.look("password-empty", newPassword, noPassword)
	p.answer("password", "too short")
	p.look("password-short", newPassword, shortPassword)
	const changed = "a fresh horse battery staple"
	p.g.SecretAtRest("a password", changed)
	p.answer("password", changed)
	p.look("password-changed", yourAccount, passwordChanged)
	p.g.WantOut(elsewhere)
	p.Reload()
	p.want(false, `button[name="end"]`)

	one, two := p.elsewhere(changed, codes[1]), p.elsewhere(changed, codes[2])
	p.Reload()
	p.look("three-sessions", yourAccount, passwordChanged)
	p.press(`button[name="end"]:not([value="others"])`)
	p.look("session-ended", yourAccount, sessionEnded)
	in := 0
	for _, b := range []*harness.Client{one, two} {
		if b.Whoami() != nil {
			in++
		}
	}
	if in != 1 {
		p.t.Errorf("one of two sessions elsewhere was ended, and %d are left", in)
	}
	p.press(`button[value="others"]`)
	p.look("others-ended", yourAccount, othersEnded)
	p.g.WantOut(one)
	p.g.WantOut(two)
	p.want(false, `button[name="end"]`)

	p.signOut()
	p.signInWith("/", changed)
	p.look("asked", passcode)
	p.answer("passcode", app.Code())
	p.wantIn()
	p.Open(p.g.URL + factors)
	p.unfold("summary")
	p.press(`button[name="remove"]`)
	p.look("removed-last", yourFactors, removed)
	p.signOut()
	p.signInWith("/", changed)
	p.wantIn()
}

// elsewhere is another browser of the same person, in with a recovery code.
func (p *person) elsewhere(password, code string) *harness.Client {
	p.t.Helper()
	b := p.g.Browser()
	page := b.SignIn("/private", p.email, password).Want(http.StatusOK)
	b.SubmitAndFollow(page.Form("passcode").Set("passcode", code))
	p.g.WantIn(b, p.email)
	return b
}
