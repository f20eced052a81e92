//go:build integration

package pages

// wayOfSettings: what the account page offers under each setting of the operator,
// who changes it while somebody is signed in.
func wayOfSettings(p *person) {
	const (
		toFactors  = `a[href$="/account/second-factor"]`
		toPassword = `a[href$="/account/password"]`
	)
	p.settings("audience team {\nsecond_factor off\npassword_change off\n}\n")
	p.Open(p.g.URL + account)
	p.want(false, `a[href$="/reset"]`)
	p.fill("email", p.email)
	p.answer("password", "correct horse battery staple")
	p.look("off", yourAccount)
	p.want(false, toFactors)
	p.want(false, toPassword)
	for _, address := range []string{factors, password} {
		p.Open(p.g.URL + address)
		p.look("off-not-there", noPage)
	}

	p.settings(optional)
	p.Open(p.g.URL + account)
	p.look("optional", yourAccount)
	p.want(true, toPassword)
	p.press(toFactors)
	p.look("optional-factors", yourFactors)

	p.settings(requiredAndTrusting)
	p.Open(p.g.URL + account)
	p.look("required", wizardApp)
	app := p.g.NewAuthenticator(p.ID("totp-key"))
	p.answer("passcode", app.Code())
	p.recoveryCodes()
	p.press(onward)
	p.look("required-account", yourAccount)
	p.press(toFactors)
	p.look("required-factors", yourFactors)
	p.want(false, `button[name="remove"]`)

	p.settings(optional)
	p.Reload()
	p.look("idle", yourFactors)
	p.want(true, `button[name="remove"]`)
	p.press(`button[name="keep"]`)
	p.look("kept", yourFactors, kept)

	p.settings("audience team {\nsecond_factor off\n}\n")
	p.signOut()
	p.signIn("/")
	p.look("off-but-chosen", passcode)
	p.answer("passcode", app.Code())
	p.wantIn()
	p.Open(p.g.URL + factors)
	p.look("off-factors", yourFactors)
	p.want(false, byMail)
	p.want(true, `button[name="remove"]`)
}
