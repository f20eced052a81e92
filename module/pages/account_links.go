package pages

import "time"

// AccountLinks lets a person link providers to their account, and remove them.
// It posts flow and one of link (an SSO config) and unlink (an ID) to
// /auth-gateway/account/links.
type AccountLinks struct {
	Links []AccountLink

	// Add are the providers that can be linked.
	Add []AccountProvider

	Notice Notice

	// Linked is what NoticeLinked is about.
	Linked AccountLink

	// Flow is the hidden field of the forms; "" leaves it out.
	Flow string
}

// AccountLink is a provider through which somebody can sign in.
type AccountLink struct {
	// ID is posted to be rid of it.
	ID string

	// Label is what people call the provider.
	Label string

	// Email is who they are there; "" if nobody knows.
	Email string

	Since, Used time.Time // Used is zero for never

	// Fixed: it is the only way in, and so cannot be removed.
	Fixed bool

	// This browser is signed in with it.
	This bool
}

// AccountProvider is a provider that can be linked.
type AccountProvider struct {
	SSO   string // the SSO config's name
	Label string // what people call it
}

// AccountLinking sends somebody on to a provider that they link.
type AccountLinking struct {
	// Label is what people call the provider, Href the address there.
	Label, Href string

	// Email is the account to which it will be linked.
	Email string
}

func (AccountLinks) name() string   { return "account_links" }
func (AccountLinking) name() string { return "account_linking" }

// Interface guards.
var (
	_ Page = AccountLinks{}
	_ Page = AccountLinking{}
)
