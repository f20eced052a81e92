package policy

import "github.com/auth-gateway/caddy-auth-gateway/module/identity"

// Made is how a session was made and whose it is, as far as a door asks.
type Made struct {
	// SSO is the SSO config through which it was made, "" for a password.
	SSO string

	// SecondFactor is how the passcode was made that was given; none: there
	// was none.
	SecondFactor Methods

	// Trusted says that it was given at an earlier sign-in, in a browser that
	// is trusted since.
	Trusted bool

	// Factors are the methods of the account's second factors.
	Factors Methods

	// ChoseFactor says whether the person set one up by choice, rather than
	// because an audience required it.
	ChoseFactor bool

	// Role of the account.
	Role identity.Role
}

// Verdict is what a door says to a session.
type Verdict int

// The verdicts. The zero value opens nothing.
const (
	// NeedsSignIn: signing in in another way would help.
	NeedsSignIn Verdict = iota
	// Opens: nothing is missing.
	Opens
	// NeedsPasscode: only a passcode is missing.
	NeedsPasscode
	// NeedsEnrollment: only a second factor is missing, and the account has
	// none set up.
	NeedsEnrollment
	// NotMember: the account's role does not belong to the audience.
	NotMember
)

// String returns the verdict in words, for logs.
func (v Verdict) String() string {
	switch v {
	case Opens:
		return "opens"
	case NeedsPasscode:
		return "needs a passcode"
	case NeedsEnrollment:
		return "needs a second factor to be set up"
	case NotMember:
		return "not a member of the audience"
	}
	return "needs another sign-in"
}

// Opens decides whether a session made so opens what belongs to this audience:
// whether the same person could get in the same way now. The network has no
// say, it only decides which way in. The same decision tells what comes next
// after a right password.
func (d *Door) Opens(m Made) Verdict {
	if !d.Admits(m.Role) {
		return NotMember
	}
	if m.SSO != "" {
		if d.Assigned(m.SSO) {
			return Opens // never a passcode: the provider has its own
		}
		return NeedsSignIn
	}
	if d.audience.Password != On {
		return NeedsSignIn
	}
	return d.demand.Of(m)
}
