package pages

import "time"

// SignIn offers the ways in: a button for each SSO config, the password form,
// or both. It posts email, password and return_to to /auth-gateway/sign-in.
type SignIn struct {
	// Email is what was typed before, or "".
	Email string

	// ReturnTo is where the person is going.
	ReturnTo string

	// Flow is the hidden field of that name; "" leaves it out.
	Flow string

	// Password shows the password form.
	Password bool

	// Buttons are the SSO configs that are offered, in order.
	Buttons []Button

	// Reset shows a link to /auth-gateway/reset.
	Reset bool

	// Again asks somebody who is signed in to show once more that it is them;
	// the form posts again=1 along.
	Again bool

	// AnyWay, with Again: it is enough to show it to a provider. The form posts
	// again=any then.
	AnyWay bool

	Message Message
}

// Button starts signing in through an SSO config.
type Button struct {
	// SSO is the name of the SSO config.
	SSO string

	// Label is what the operator wrote on it. Default: "Continue with <SSO>".
	Label string

	// Href is the address that starts it, a path of this site.
	Href string
}

// Passcode asks for a passcode after the password. It posts passcode,
// trust_device and flow to /auth-gateway/passcode; a recovery code is posted by
// the same name from a form of its own, and what has a code sent or asks another
// way posts method instead.
type Passcode struct {
	Flow string

	// Method is "app", "email" or "sms"; "" is none that can be used now, so
	// that only recovery codes are left.
	Method string

	// Sent is how far the code of "email" and "sms" is.
	Sent Sent

	// Others are the methods of "Try another way".
	Others []string

	// TrustDevice offers not to be asked in this browser for so long; zero
	// does not.
	TrustDevice time.Duration

	// Trust: the person has asked for that already.
	Trust bool

	// Recovery: the code that was posted was a recovery code, so its field is
	// shown and the message stands there.
	Recovery bool

	// StartOver is the link "Start over". Default: /auth-gateway/sign-in.
	StartOver string

	Message Message
}

// Sent says how far a code is that goes to a person by mail or text message.
type Sent struct {
	// To is where it goes, masked by the caller.
	To string

	// Once: a code was sent in this flow, so there is one to type. Otherwise
	// the page offers to send one.
	Once bool

	// Undelivered: the one that was sent last could not be delivered, so far
	// at least.
	Undelivered bool

	// Wait is how long until one can be sent again, in whole seconds; zero:
	// at once.
	Wait time.Duration

	// Enough: no more are sent in this flow.
	Enough bool
}

// Enroll leads through setting up a second factor. It posts method, passcode,
// phone and flow to /auth-gateway/enroll; with a method and no passcode, a code
// is sent or another method is shown.
type Enroll struct {
	Flow string

	// Method is the one that is being set up: "app", "email" or "sms".
	Method string

	// Others are the methods that can be set up instead.
	Others []string

	// URL is the otpauth:// address of "app"; the page draws its QR code.
	URL string

	// Key is the same secret to type, in base32 without spaces.
	Key string

	// Phone is what was typed for "sms", or the number to which a code was
	// sent.
	Phone string

	// Sent is how far the code of "email" and "sms" is.
	Sent Sent

	// ByChoice: the person sets it up of their own accord; otherwise it is
	// required to get in.
	ByChoice bool

	// Step of Steps is where the person is; Steps 0 shows neither.
	Step, Steps int

	// StartOver is the link "Start over", or "Cancel" with ByChoice.
	// Default: /auth-gateway/sign-in.
	StartOver string

	Message Message
}

// RecoveryCodes shows the codes, once.
type RecoveryCodes struct {
	// Codes as they are to be kept.
	Codes []string

	// Email is the account they belong to; it is printed and saved with them.
	Email string

	// Continue is the link on, a path of this site.
	Continue string

	// Account: Continue leads to the person's own page, not to the app.
	Account bool

	// Step of Steps is where the person is; Steps 0 shows neither.
	Step, Steps int
}

func (SignIn) name() string        { return "sign_in" }
func (Passcode) name() string      { return "passcode" }
func (Enroll) name() string        { return "enroll" }
func (RecoveryCodes) name() string { return "recovery_codes" }

// Interface guards.
var (
	_ Page = SignIn{}
	_ Page = Passcode{}
	_ Page = Enroll{}
	_ Page = RecoveryCodes{}
)
