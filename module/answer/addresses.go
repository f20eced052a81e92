// Package answer is how the gateway says no: to a person with a page, to a
// program with a problem, with an error id that the log has the cause of.
package answer

import "net/url"

// Root is where all the gateway's own addresses begin.
const Root = "/auth-gateway"

// The gateway's own addresses. Those of an SSO config are SSO + name and
// "/start" or "/callback".
const (
	SignIn   = Root + "/sign-in"
	Passcode = Root + "/passcode"
	Enroll   = Root + "/enroll"
	SignOut  = Root + "/sign-out"
	Reset    = Root + "/reset"
	Account  = Root + "/account"
	Admin    = Root + "/admin"
	// Factors is where people manage their second factors.
	Factors = Account + "/second-factor"
	// Links is where they link providers to their account.
	Links = Account + "/links"
	// Ticket is where a portal sends people back to.
	Ticket = Root + "/ticket"
	WhoAmI = Root + "/whoami"
	JWKS   = Root + "/jwks.json"
	Logo   = Root + "/logo"
	SSO    = Root + "/sso/"
)

// BackchannelLogout is where, below SSO and the name of an SSO config, its
// provider says that sessions have ended.
const BackchannelLogout = "/backchannel-logout"

// SecondFactorReport is where a mailed link to the report on second factors
// leads.
const SecondFactorReport = Admin + "/report/second-factor"

// SignInFor is the address at which somebody signs in who is going there; ""
// is nowhere in particular.
func SignInFor(returnTo string) string {
	if returnTo == "" || returnTo == "/" {
		return SignIn
	}
	return SignIn + "?return_to=" + url.QueryEscape(returnTo)
}

// SignInAsAnother is SignInFor for somebody who wants to use another account than
// the one that a provider has them signed in with.
func SignInAsAnother(returnTo string) string {
	return SignIn + "?account=other&return_to=" + url.QueryEscape(returnTo)
}

// SignInAgain is the address at which somebody who has a session signs in
// again, with a passcode if they have a second factor, before they go on to
// there: a page that changes what signing in takes.
func SignInAgain(returnTo string) string {
	return SignIn + "?again=1&return_to=" + url.QueryEscape(returnTo)
}

// SignInAgainAnyWay is the same for a page for which it is enough that their
// provider asks them once more who they are.
func SignInAgainAnyWay(returnTo string) string {
	return SignIn + "?again=" + AgainAnyWay + "&return_to=" + url.QueryEscape(returnTo)
}

// AgainAnyWay is what again is in such an address and in the form there.
const AgainAnyWay = "any"
