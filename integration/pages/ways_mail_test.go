//go:build integration

package pages

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Selectors of what there is to press.
const (
	byMail     = `button[name="method"][value="email"]`
	bySMS      = `button[name="method"][value="sms"]`
	byApp      = `button[name="method"][value="app"]`
	sendAgain  = `form.again button`
	onward     = `a.primary`
	trustThis  = `#trust-device`
	forgetThis = `button[name="forget"]`
)

// wayByMail: the wizard with mailed codes because one is required; in with one;
// then in a browser that is trusted, until it is forgotten.
func wayByMail(p *person) {
	p.Open(p.g.URL + "/private?x=1")
	p.look("sign-in", signIn)
	p.fill("email", p.email)
	p.answer("password", "")
	p.look("no-password", signIn, noPassword)
	p.answer("password", "another battery staple")
	p.look("wrong-password", signIn, wrongPassword)
	p.answer("password", harness.Password)
	p.look("wizard", wizardApp)

	p.press(byMail)
	p.look("wizard-mail", wizardMail)
	code := p.g.MailedCode(p.email)
	p.Reload()
	p.look("wizard-mail-reloaded", wizardMail)
	p.answer("passcode", "")
	p.look("no-passcode", wizardMail, noPasscode)
	p.answer("passcode", wrong(code))
	p.look("wrong-passcode", wizardMail, wrongSent)
	p.Reload() // which posts it again
	p.look("wrong-passcode-posted-again", wizardMail, wrongSent)
	p.press(sendAgain)
	p.look("too-early", wizardMail, tooEarly)
	p.seconds()
	other := p.Tab()
	other.Open(p.g.URL + "/private")
	if strings.Contains(other.Text(), harness.Marker) {
		p.t.Error("a second tab is in before the first has finished")
	}
	p.answer("passcode", fullWidth(code[:3]+" "+code[3:]))
	p.look("recovery-codes", codesShown)
	codes := p.recoveryCodes()
	p.press(onward)
	p.wantIn()
	if !strings.HasSuffix(p.Address(), "/private?x=1") {
		p.t.Errorf("the person went to /private?x=1 and is at %s", p.Address())
	}
	p.g.MailedLetter(p.email, p.say(words{"were added to the account", "追加されました"}))
	p.Back()
	if text := p.Text(); strings.Contains(text, codes[0]) {
		p.t.Errorf("going back shows the recovery codes again: %s", text)
	}
	p.Reload() // which posts the passcode again
	p.wantIn()

	p.Open(p.g.URL + account)
	p.look("account", yourAccount)
	p.press(`form[action$="/sign-out"] button`)
	p.look("signed-out", signedOut)
	p.press(onward)
	p.look("sign-in-again", signIn)
	slow := p.inAnotherWindow() // who goes for a coffee
	slow.signIn("/private?slow")
	late := p.g.MailedCode(p.email)

	p.signIn("/private?x=2")
	p.look("passcode", passcode)
	code = p.g.MailedCode(p.email)
	p.answer("passcode", wrong(code))
	p.look("wrong", passcode, wrongSent)
	p.answer("passcode", " "+code+" ")
	p.wantIn()
	p.Back()
	p.Reload() // the browser asks whether to post the wrong passcode again
	p.wantIn()

	p.Open(p.g.URL + "/auth-gateway/sign-out")
	p.look("sign-out", signOut)
	p.press(`form[action$="/sign-out"] button`)
	p.signIn("/")
	p.TabInto(trustThis)
	p.Keys(" ")
	code = p.g.MailedCode(p.email)
	p.answer("passcode", wrong(code))
	if !harness.Measure[bool](p.Chromium, `document.querySelector("#trust-device").checked`) {
		p.t.Error("after a wrong code the browser is not to be trusted any more")
	}
	p.answer("passcode", code)
	p.wantIn()
	p.signOut()
	p.signIn("/private?x=3")
	p.wantIn()
	p.Open(p.g.URL + account)
	p.look("trusted", yourAccount)
	p.press(forgetThis)
	p.look("forgotten", yourAccount, forgot)
	p.signOut()
	p.signIn("/")
	p.look("asked-again", passcode)
	p.g.MailedCode(p.email)

	slow.waitToSend()
	slow.press(sendAgain)
	slow.look("sent-again", passcode)
	if code = p.g.MailedCode(p.email); code != late {
		slow.answer("passcode", late)
		slow.look("the-code-before", passcode, wrongSent)
	}
	slow.answer("passcode", code)
	slow.wantIn()
}

var toldSeconds = regexp.MustCompile(`([1-3]?[0-9]) ?(seconds?|秒)`)

// seconds is how long the page tells to wait before another code is sent.
func (p *person) seconds() time.Duration {
	p.t.Helper()
	told := toldSeconds.FindStringSubmatch(p.Text())
	if told == nil {
		p.t.Fatalf("it does not say how long to wait: %s", p.Text())
	}
	n, _ := strconv.Atoi(told[1])
	return time.Duration(n) * time.Second
}

// waitToSend waits as long as the page tells, if it does.
func (p *person) waitToSend() {
	p.t.Helper()
	p.Reload()
	if p.has("#wait") {
		time.Sleep(p.seconds())
		p.Reload()
	}
	p.want(false, "#wait")
}

// inAnotherWindow is the same person in front of a browser that knows nobody.
func (p *person) inAnotherWindow() *person {
	p.t.Helper()
	other := *p
	other.Chromium = p.Window()
	other.Front()
	other.Language(p.language)
	other.Width(p.width)
	other.looks = 50 // which the pictures of both windows are told apart by
	return &other
}
