package policy

// Methods is a set of ways to obtain a passcode.
type Methods uint8

// The methods.
const (
	App   Methods = 1 << iota // an authenticator app
	Email                     // a code by mail
	SMS                       // a code by text message

	// Recovery codes stand in for any of them and cannot be chosen.
	Recovery
)

// Names of the methods, as they are configured and stored.
const (
	AppName      = "app"
	EmailName    = "email"
	SMSName      = "sms"
	RecoveryName = "recovery"
)

// Method returns the method of that name; an unknown one is none.
func Method(name string) Methods {
	switch name {
	case AppName:
		return App
	case EmailName:
		return Email
	case SMSName:
		return SMS
	case RecoveryName:
		return Recovery
	}
	return 0
}

// Has reports whether one of others is in the set.
func (m Methods) Has(others Methods) bool { return m&others != 0 }
