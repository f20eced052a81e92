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
	TicketEnded      ErrorKind = "ticket_ended"       // from the portal: too slow, used, or another browser's
	LinkExpired      ErrorKind = "link_expired"       // one-time link used or expired
	ReportExpired    ErrorKind = "report_expired"     // link to a report expired, or never was one
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
	SiteUnknown       ErrorKind = "site_unknown"       // the portal does not know the site's own address
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

// What went wrong with the person's account. Detail.SSO names the provider.
const (
	NoEmail         ErrorKind = "no_email"
	EmailUnverified ErrorKind = "email_unverified"
	EmailTaken      ErrorKind = "email_taken"
	NotAdmitted     ErrorKind = "not_admitted"
	Suspended       ErrorKind = "suspended"
	NotProved       ErrorKind = "not_proved" // the provider did not ask who it is, as it was asked to
)

// Why a provider was not linked to an account. Detail.SSO names it, Detail.Email
// is who somebody is there.
const (
	LinkEnded       ErrorKind = "link_ended"        // too slow, signed out, or another session by now
	LinkElsewhere   ErrorKind = "link_elsewhere"    // it is another account's
	LinkSecond      ErrorKind = "link_second"       // another one there is linked
	LinkNotAdmitted ErrorKind = "link_not_admitted" // the SSO config does not admit them
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

// Detail is what an error page names.
type Detail struct {
	// SSO is the provider: the SSO config's name, or its button's label.
	// Default: general words.
	SSO string

	// Email is the address of the account, or that at the provider. Required
	// with NotAllowed, LinkElsewhere and LinkNotAdmitted.
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
	WayAccount       WayKind = "account"        // default address /auth-gateway/account
	WaySwitchAccount WayKind = "switch_account" // posts to /auth-gateway/sign-out
)

// Way is the way on from an error page.
type Way struct {
	Kind WayKind

	// Href is where it leads. Default: see the kinds.
	Href string

	// Flow is the hidden field when Kind is WaySwitchAccount; "" leaves it out.
	Flow string

	// ReturnTo is where the person goes once they have signed in again when
	// Kind is WaySwitchAccount. Default: /.
	ReturnTo string

	// Here is as with SignOut when Kind is WaySwitchAccount.
	Here bool
}

// consequences are what goes with a kind of error.
type consequences struct {
	status int
	way    WayKind
}

var errorKinds = map[ErrorKind]consequences{
	NotAllowed:       {http.StatusForbidden, WaySwitchAccount},
	WayRefused:       {http.StatusForbidden, WaySignIn},
	PasswordOff:      {http.StatusForbidden, WayTryAgain},
	UnknownSSO:       {http.StatusNotFound, WaySignIn},
	FlowExpired:      {http.StatusBadRequest, WaySignIn},
	TicketEnded:      {http.StatusBadRequest, WayTryAgain},
	LinkExpired:      {http.StatusGone, WaySignIn},
	ReportExpired:    {http.StatusGone, WayBack},
	NothingSent:      {http.StatusUnauthorized, WaySignIn},
	CrossSite:        {http.StatusForbidden, WaySignIn},
	BadRequest:       {http.StatusBadRequest, WayBack},
	AmbiguousPath:    {http.StatusBadRequest, WayBack},
	NotFound:         {http.StatusNotFound, WayBack},
	MethodNotAllowed: {http.StatusMethodNotAllowed, WayBack},
	TooEarly:         {http.StatusTooEarly, WayTryAgain},

	StoreUnavailable:  {http.StatusServiceUnavailable, WayTryAgain},
	Busy:              {http.StatusServiceUnavailable, WayTryAgain},
	OriginUnclear:     {http.StatusForbidden, WayTryAgain},
	SiteUnknown:       {http.StatusForbidden, WayTryAgain},
	RangesUndecidable: {http.StatusServiceUnavailable, WayTryAgain},

	ProviderUnreachable:    {http.StatusBadGateway, WayTryAgain},
	InvalidScope:           {http.StatusBadGateway, WaySignIn},
	UnauthorizedClient:     {http.StatusBadGateway, WaySignIn},
	InvalidClient:          {http.StatusBadGateway, WaySignIn},
	RedirectMismatch:       {http.StatusBadGateway, WaySignIn},
	AccessDenied:           {http.StatusForbidden, WaySignIn},
	LoginRequired:          {http.StatusForbidden, WaySignIn},
	TemporarilyUnavailable: {http.StatusBadGateway, WayTryAgain},
	UnexpectedIssuer:       {http.StatusBadGateway, WaySignIn},
	UnusableKeys:           {http.StatusBadGateway, WaySignIn},
	ClockSkew:              {http.StatusBadGateway, WaySignIn},
	ProviderRefused:        {http.StatusBadGateway, WayTryAgain},

	NoEmail:         {http.StatusForbidden, WaySignIn},
	EmailUnverified: {http.StatusForbidden, WaySignIn},
	EmailTaken:      {http.StatusForbidden, WaySignIn},
	NotAdmitted:     {http.StatusForbidden, WaySignIn},
	Suspended:       {http.StatusForbidden, WaySignIn},
	NotProved:       {http.StatusForbidden, WayAccount},

	LinkEnded:       {http.StatusBadRequest, WayAccount},
	LinkElsewhere:   {http.StatusForbidden, WayAccount},
	LinkSecond:      {http.StatusForbidden, WayAccount},
	LinkNotAdmitted: {http.StatusForbidden, WayAccount},
}

// Status is the status that goes with an error: 403 for NotAllowed, 502 for a
// provider at fault, and so on.
func (k ErrorKind) Status() int {
	if c, ok := errorKinds[k]; ok {
		return c.status
	}
	return http.StatusInternalServerError
}

func (k ErrorKind) way() WayKind { return errorKinds[k].way }

func (Error) name() string { return "error" }

// Interface guards.
var (
	_ Page = Error{}
)
