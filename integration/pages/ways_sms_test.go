//go:build integration

package pages

import "strings"

// wayBySMS: the wizard with codes by SMS, in which the number is first none, then
// somebody else's; an app beside it; in with the app; in with a recovery code.
func wayBySMS(p *person) {
	phones := map[screen][2]string{ // another's, and one's own
		deskEnglish: {"+447700900123", "+447700900456"}, deskJapanese: {"+819012345678", "+819012345679"},
		phoneEnglish: {"+447700900124", "+447700900457"}, phoneJapanese: {"+819012345670", "+819012345671"},
	}[p.screen]
	p.signIn("/private?x=1")
	p.press(bySMS)
	p.look("number", wizardSMS)
	p.answer("phone", "")
	p.look("no-number", wizardSMS, noNumber)
	p.answer("phone", "090-1234-5678")
	p.look("no-country", wizardSMS, noPhone)
	p.wantValue("phone", "090-1234-5678")
	p.answer("phone", phones[0])
	p.look("wizard-sms", wizardSMS)
	strangers := p.g.TextedCode(phones[0])
	p.press(`form:not(.again) > button.link:not([name])`)
	p.look("another-number", wizardSMS)
	p.wantValue("phone", phones[0])
	p.answer("phone", fullWidth(phones[1][:3]+" "+phones[1][3:]))
	p.look("wizard-sms-again", wizardSMS)
	code := p.g.TextedCode(phones[1])
	if strangers != code {
		p.answer("passcode", strangers)
		p.look("the-other-code", wizardSMS, wrongSent)
	}
	p.answer("passcode", code[:2]+" "+code[2:4]+" "+code[4:])
	p.look("recovery-codes", codesShown)
	codes := p.recoveryCodes()
	p.Reload() // which posts the passcode again
	p.wantIn()

	p.Open(p.g.URL + factors)
	p.look("factors", yourFactors)
	p.press(byApp)
	p.look("add-app", addApp)
	app := p.g.NewAuthenticator(p.ID("totp-key"))
	p.answer("passcode", app.Old())
	p.look("old-passcode", addApp, wrongApp)
	p.answer("passcode", app.Code())
	p.look("two-factors", yourFactors)
	p.signOut()

	p.signIn("/private?x=2")
	p.look("passcode-sms", passcode)
	p.g.TextedCode(phones[1])
	p.press(byApp)
	p.look("passcode-app", passcode)
	p.Back()
	p.look("passcode-sms-again", passcode)
	p.press(byApp)
	p.answer("passcode", fullWidth(app.Code()))
	p.wantIn()
	p.signOut()

	p.signIn("/private?x=3")
	p.unfold("summary")
	p.answer("recovery-code", "")
	p.look("no-recovery-code", passcode, noRecovery)
	p.answer("recovery-code", codes[1]+"x")
	p.look("wrong-recovery-code", passcode, wrongRecovery)
	p.answer("recovery-code", strings.ToUpper(codes[1]))
	p.wantIn()
	p.signOut()
	p.signIn("/private?x=4")
	p.unfold("summary")
	p.answer("recovery-code", codes[1])
	p.look("used-recovery-code", passcode, wrongRecovery)
}
