package pages

import "time"

// MessageKind names what a page has to say about what was just posted.
type MessageKind string

// The messages.
const (
	// NoMessage: the page is shown for the first time.
	NoMessage MessageKind = ""

	WrongCredentials MessageKind = "wrong_credentials"  // e-mail address or password, never which
	WaitCredentials  MessageKind = "wait_credentials"   // held off for Wait
	WrongPasscode    MessageKind = "wrong_passcode"     // or one that was used before; recovery codes too
	WaitPasscode     MessageKind = "wait_passcode"      // held off for Wait
	FlowEnded        MessageKind = "flow_ended"         // the flow is over, the person is back at the start
	PasswordTooShort MessageKind = "password_too_short" // fewer characters than MinLength of the page
	PasswordTooLong  MessageKind = "password_too_long"
	PasswordCommon   MessageKind = "password_common"
	PasswordOwnWords MessageKind = "password_own_words" // made of the person's name or address
	FieldEmpty       MessageKind = "field_empty"        // Field
	FieldTooLong     MessageKind = "field_too_long"     // Field
)

// Field is the name of a form field.
type Field string

// The fields that people fill in.
const (
	EmailField    Field = "email"
	PasswordField Field = "password"
	PasscodeField Field = "passcode"
)

// Message is the one line in role="alert". It stands at the field it is
// about, or above the form when it is about more than one.
type Message struct {
	Kind MessageKind

	// Field is what FieldEmpty and FieldTooLong are about.
	Field Field

	// Wait is how long to wait; shown in minutes, rounded up.
	Wait time.Duration
}
