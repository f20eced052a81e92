package pages

import "time"

// AccountFactors lets a person manage their second factors. It posts flow and
// one of remove (an ID), prefer (an ID) and keep to
// /auth-gateway/account/second-factor; flow, begin and method, or flow and
// replace (a method), to /auth-gateway/enroll; and flow to /auth-gateway/account/recovery-codes.
type AccountFactors struct {
	Factors []AccountFactor

	// Idle: nobody asks for a passcode at the moment, since they were set up
	// when it was required.
	Idle bool

	// Keep offers to be asked all the same; with Idle only.
	Keep bool

	// Add are the methods that can be set up: "app", "email", "sms".
	Add []string

	// RecoveryCodes is how many are left; shown with Factors.
	RecoveryCodes int

	Notice Notice

	// Flow is the hidden field of the forms; "" leaves it out.
	Flow string
}

// AccountFactor is a second factor that is set up.
type AccountFactor struct {
	ID     string
	Method string // "app", "email" or "sms"

	// Where codes go, masked by the caller; "" for "app".
	Where string

	// Chosen: set up by choice, not because it was required.
	Chosen bool

	// First: of several, it is asked first.
	First bool

	// Last: it is the only one.
	Last bool

	// Fixed: it cannot be removed as long as one is required.
	Fixed bool

	// Replace offers to set up another app or number in its place.
	Replace bool

	Since, Used time.Time // Used is zero for never
}

func (AccountFactors) name() string { return "account_factors" }

// Interface guards.
var (
	_ Page = AccountFactors{}
)
