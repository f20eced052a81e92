package pages

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

// Passcode asks for a passcode after the password. It posts passcode and flow
// to /auth-gateway/passcode; a recovery code is posted by the same name from
// a form of its own.
type Passcode struct {
	Flow string

	// Method is "app", "email" or "sms".
	Method string

	// SentTo is where a mailed or texted code went, masked by the caller.
	SentTo string

	// Recovery: the code that was posted was a recovery code, so its field is
	// shown and the message stands there.
	Recovery bool

	// StartOver is the link "Start over". Default: /auth-gateway/sign-in.
	StartOver string

	Message Message
}

// Enroll leads through setting up an authenticator app. It posts passcode,
// method and flow to /auth-gateway/enroll.
type Enroll struct {
	Flow string

	// URL is the otpauth:// address; the page draws its QR code.
	URL string

	// Key is the same secret to type, in base32 without spaces.
	Key string

	// Step of Steps is where the person is; Steps 0 shows neither.
	Step, Steps int

	// StartOver is the link "Start over". Default: /auth-gateway/sign-in.
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
