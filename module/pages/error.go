package pages

import "net/http"

// ErrorKind names what went wrong.
type ErrorKind string

// What went wrong with access and with the request itself.
const (
	NotAllowed       ErrorKind = "not_allowed"        // signed in, but kept out; Detail.Email
	WayRefused       ErrorKind = "way_refused"        // this way in is not offered to this person
	PasswordOff      ErrorKind = "password_off"       // outside every range, and no password
	UnknownSSO       ErrorKind = "unknown_sso"        // no such SSO config, or assigned nowhere
	FlowExpired      ErrorKind = "flow_expired"       // too slow, or too many tabs
	LinkExpired      ErrorKind = "link_expired"       // one-time link used or expired
	NothingSent      ErrorKind = "nothing_sent"       // a form was posted without a session
	CrossSite        ErrorKind = "cross_site"         // a post from elsewhere
	BadRequest       ErrorKind = "bad_request"        // unreadable
	AmbiguousPath    ErrorKind = "ambiguous_path"     // the path can be read two ways
	NotFound         ErrorKind = "not_found"          //
	MethodNotAllowed ErrorKind = "method_not_allowed" //
	TooEarly         ErrorKind = "too_early"          // TLS early data
)

// What went wrong with the gateway or around it.
const (
	StoreUnavailable  ErrorKind = "store_unavailable"
	Busy              ErrorKind = "busy"
	OriginUnclear     ErrorKind = "origin_unclear"     // the site's own address cannot be told
	RangesUndecidable ErrorKind = "ranges_undecidable" // the client's address can be forged
)

// What went wrong at the identity provider. Detail.SSO names it.
const (
	ProviderUnreachable    ErrorKind = "provider_unreachable"
	InvalidScope           ErrorKind = "invalid_scope"
	UnauthorizedClient     ErrorKind = "unauthorized_client"
	InvalidClient          ErrorKind = "invalid_client"
	RedirectMismatch       ErrorKind = "redirect_mismatch"
	AccessDenied           ErrorKind = "access_denied" // or consent not given
	LoginRequired          ErrorKind = "login_required"
	TemporarilyUnavailable ErrorKind = "temporarily_unavailable"
	UnexpectedIssuer       ErrorKind = "unexpected_issuer"
	UnusableKeys           ErrorKind = "unusable_keys"
	ClockSkew              ErrorKind = "clock_skew"
	ProviderRefused        ErrorKind = "provider_refused" // anything else it answered
)

// What went wrong with the person's account. Detail.SSO names the provider
// and Detail.Email the address, where they are known.
const (
	NoEmail         ErrorKind = "no_email"
	EmailUnverified ErrorKind = "email_unverified"
	EmailTaken      ErrorKind = "email_taken"
	NotAdmitted     ErrorKind = "not_admitted"
	Suspended       ErrorKind = "suspended"
)

// Error says what happened, what to do now, and offers a way on.
type Error struct {
	Kind ErrorKind

	// Detail is what the sentences name.
	Detail Detail

	// ErrorID is the id that is in the log with the cause.
	ErrorID string

	// Way on. Default: what Kind suggests.
	Way Way
}

// Detail is what an error page names. What is "" is replaced by general words.
type Detail struct {
	// SSO is the provider: the SSO config's button label or name.
	SSO string

	// Email is the address of the account.
	Email string
}

// WayKind names a way on.
type WayKind string

// The ways on.
const (
	WayDefault       WayKind = ""               // what the kind of error suggests
	WaySignIn        WayKind = "sign_in"        // default address /auth-gateway/sign-in
	WayTryAgain      WayKind = "try_again"      // default address /auth-gateway/sign-in
	WayBack          WayKind = "back"           // to the app; default address /
	WaySwitchAccount WayKind = "switch_account" // posts to /auth-gateway/sign-out
)

// Way is the way on from an error page.
type Way struct {
	Kind WayKind

	// Href is where it leads. Default: see the kinds.
	Href string

	// Flow is the hidden field when Kind is WaySwitchAccount; "" leaves it out.
	Flow string
}

// Status is the status that goes with an error.
func (k ErrorKind) Status() int { return http.StatusInternalServerError }
