package pages

import (
	"cmp"
	"html/template"
	"slices"
	"time"
)

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
	FlowPushedOut    MessageKind = "flow_pushed_out"    // likewise, by newer ones of the same browser
	PasswordTooShort MessageKind = "password_too_short" // fewer characters than MinLength of the page
	PasswordTooLong  MessageKind = "password_too_long"
	PasswordCommon   MessageKind = "password_common"
	PasswordOwnWords MessageKind = "password_own_words" // made of the person's name or address
	SentCodeOver     MessageKind = "sent_code_over"     // the code that was sent was guessed too often, or its time is over: have another sent
	WaitToSend       MessageKind = "wait_to_send"       // none is sent again for Wait, shown in seconds or minutes
	NotDelivered     MessageKind = "not_delivered"      // the code could not be delivered so far
	NoPhone          MessageKind = "no_phone"           // what was typed is no phone number
	NameUnusable     MessageKind = "name_unusable"      // too long, or with what cannot be shown
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
	PhoneField    Field = "phone"
)

// Message is the one line in role="alert". It stands at the field it is
// about, or above the form when it is about more than one.
type Message struct {
	Kind MessageKind

	// Field is what FieldEmpty and FieldTooLong are about.
	Field Field

	// Wait is how long to wait; shown in minutes, rounded up, that of
	// WaitToSend in seconds below 90.
	Wait time.Duration
}

// shownMessage is a message as a template shows it.
type shownMessage struct {
	Text   string
	HTML   template.HTML
	Calm   bool     // nobody did anything wrong
	at     string   // id of the input at which it stands; "": above the form
	blamed []string // ids of the inputs that are to blame
	focus  string   // id of the input in which typing goes on
}

func (m *shownMessage) blames(id string) bool { return slices.Contains(m.blamed, id) }

// prepareMessage returns the message of the page, or nil.
func (s *shown) prepareMessage() (*shownMessage, error) {
	var message Message
	passcode := "passcode" // id of the input that was used, "" if it is not there
	f := s.step()
	minLength := 0
	switch page := s.Page.(type) {
	case SignIn:
		message = page.Message
	case Passcode:
		message = page.Message
		switch {
		case page.Recovery || page.Method == "":
			passcode = "recovery-code"
		case f.typing():
		case message.Kind == WrongPasscode: // typed on a page from before
			passcode = ""
		default:
			passcode = "recovery-code"
		}
	case Enroll:
		message = page.Message
		if !f.typing() {
			passcode = ""
		}
	case ResetAsk:
		message = page.Message
	case SetPassword:
		message, minLength = page.Message, page.MinLength
	case AccountPassword:
		message, minLength = page.Message, page.MinLength
	case AccountName:
		message = page.Message
	case Account:
		return s.notice(page.Notice)
	case AccountFactors:
		return s.notice(page.Notice)
	case AccountLinks:
		return s.notice(page.Notice, "sso", page.Linked.Label, "email", page.Linked.Email)
	}

	if message.Kind == NoMessage && f.sent.Undelivered {
		message.Kind = NotDelivered
	}

	m := new(shownMessage)
	key := "message." + string(message.Kind)
	var params []any
	switch message.Kind {
	case NoMessage:
		return nil, nil
	case FlowEnded, FlowPushedOut:
		m.Calm = true
	case WrongCredentials:
		m.blamed, m.focus = []string{"email", "password"}, "password"
	case WaitCredentials, WaitPasscode:
		// Minutes while people count in minutes.
		unit, n := ".minutes", roundUp(message.Wait, time.Minute)
		if n > 90 {
			unit, n = ".hours", roundUp(message.Wait, time.Hour)
		}
		key, params = key+unit, []any{"count", n}
	case WrongPasscode:
		m.at = passcode
		switch {
		case passcode == "recovery-code":
			key = "message.wrong_recovery_code"
		case f.method != "app":
			key += ".sent"
		}
	case SentCodeOver:
		if f.sent.Enough {
			key += ".enough"
		}
	case WaitToSend:
		m.Calm = true
		unit, n := untilSent(message.Wait)
		key, params = key+unit, []any{"count", n}
	case NotDelivered:
		if f.others {
			key += ".others"
		}
	case NoPhone:
		m.at = "phone"
	case PasswordTooShort, PasswordTooLong, PasswordCommon, PasswordOwnWords:
		m.at = "password"
		params = []any{"count", minLength}
	case NameUnusable:
		m.at = "name"
	case FieldEmpty, FieldTooLong:
		m.at = string(message.Field)
		if message.Field == PasscodeField {
			m.at = passcode
		}
		key += "." + cmp.Or(m.at, string(message.Field))
	}
	if m.at != "" {
		m.blamed, m.focus = []string{m.at}, m.at
	}
	var err error
	m.Text, err = s.say(key, params...)
	m.HTML = s.Breakable(m.Text)
	return m, err
}

// roundUp counts units, the last one begun included, at least one.
func roundUp(d, unit time.Duration) int {
	return max(1, int((d+unit-1)/unit))
}
