package pages

import "time"

// Account shows a person their own account.
type Account struct {
	Name  string // may be ""
	Email string

	// Role is "end-user", "agent" or "admin".
	Role string

	// SSO is how the person signed in: the SSO config's name, or its button's
	// label; "" means with a password.
	SSO string

	// SignedInAt is shown in the location it carries.
	SignedInAt time.Time

	// Factor is the method of the second factor: "app", "email", "sms", or
	// "" for none.
	Factor string

	// FactorSince is when it was set up.
	FactorSince time.Time

	// RecoveryCodes is how many are left; shown with a Factor.
	RecoveryCodes int

	// Flow is the hidden field of the sign-out form; "" leaves it out.
	Flow string

	// Back is the link to the app. Default: /.
	Back string
}

func (Account) name() string { return "account" }

// Interface guards.
var (
	_ Page = Account{}
)
