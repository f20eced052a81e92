package pages

// SetPassword sets a password with a one-time link. It posts token,
// password and flow to /auth-gateway/reset.
type SetPassword struct {
	Token string

	// Flow is the hidden field of that name; "" leaves it out.
	Flow string

	// Email is the account, shown and told to password managers, not posted.
	Email string

	// MinLength is the least number of characters.
	MinLength int

	// Invitation: it is the first password of a new account.
	Invitation bool

	Message Message
}

// PasswordSet says that the password was set.
type PasswordSet struct {
	// SignIn is the link on. Default: /auth-gateway/sign-in.
	SignIn string
}

// ResetAsk asks for the address to which a link for a new password is mailed: it
// posts email and flow to /auth-gateway/reset. Where no mail can be sent it says
// whom to ask instead.
type ResetAsk struct {
	// Mail says that mail can be sent.
	Mail bool

	// Flow is the hidden field of that name; "" leaves it out.
	Flow string

	// Email is what was typed before, or "".
	Email string

	// SignIn is the link back. Default: /auth-gateway/sign-in.
	SignIn string

	Message Message
}

// ResetSent says that a link was mailed if there is an account. It is the same
// page when there is none.
type ResetSent struct {
	// Email is what was typed.
	Email string

	// SignIn is the link back. Default: /auth-gateway/sign-in.
	SignIn string
}

func (SetPassword) name() string { return "set_password" }
func (PasswordSet) name() string { return "password_set" }
func (ResetAsk) name() string    { return "reset_ask" }
func (ResetSent) name() string   { return "reset_sent" }

// Interface guards.
var (
	_ Page = SetPassword{}
	_ Page = PasswordSet{}
	_ Page = ResetAsk{}
	_ Page = ResetSent{}
)
