// Package pages shows what people see: templates, one stylesheet and the texts
// in every language. It decides nothing.
package pages

import (
	"net/http"
)

// Pages are the pages of one brand.
type Pages struct {
}

// View is what every page needs to know.
type View struct {
	// Host is where the person is going, as they know it: "app.example.com".
	Host string

	// Language is what Pages.Language returned for the request.
	Language string

	// Self is the path and query at which a GET shows this page again, for
	// the language switch. "" leaves the switch out.
	Self string

	// FormTargets are origins (https://idp.example.com) beside this site at
	// which a form of this page may end up; browsers check where a post is
	// redirected to.
	FormTargets []string
}

// Page is one of SignIn, Passcode, Enroll, RecoveryCodes, SignOut, SignedOut,
// SetPassword, PasswordSet, ResetAsk, Account and Error.
type Page interface {
	name() string
}

// LanguageCookie keeps the language a person chose. Over https its name is
// "__Host-" + LanguageCookie. The app never sees either.
const LanguageCookie = "auth_gateway_lang"

// New reads the brand's logo and prepares every page. language fixes the
// language of all pages; "" leaves it to the browser.
func New(brand Brand, language string) (*Pages, error) { return new(Pages), nil }

// Language returns the language of the answer to r: the configured one, the
// one asked for with ?lang=, the one kept in the cookie, or what the browser
// prefers.
func (p *Pages) Language(r *http.Request) string { return "en" }

// KeepLanguage sets the language cookie when r asks for a language with
// ?lang=. Call it before Write. secure says that the site's origin is https.
func (p *Pages) KeepLanguage(w http.ResponseWriter, r *http.Request, secure bool) {}

// Write answers with a page. It sets every header that pages have in common;
// the caller has set its own (Retry-After, Allow, Set-Cookie) before.
func (p *Pages) Write(w http.ResponseWriter, status int, v View, page Page) {}

// Logo serves the brand's logo at /auth-gateway/logo, or 404.
func (p *Pages) Logo() http.Handler { return http.NotFoundHandler() }

func (SignIn) name() string        { return "sign_in" }
func (Passcode) name() string      { return "passcode" }
func (Enroll) name() string        { return "enroll" }
func (RecoveryCodes) name() string { return "recovery_codes" }
func (SignOut) name() string       { return "sign_out" }
func (SignedOut) name() string     { return "signed_out" }
func (SetPassword) name() string   { return "set_password" }
func (PasswordSet) name() string   { return "password_set" }
func (ResetAsk) name() string      { return "reset_ask" }
func (Account) name() string       { return "account" }
func (Error) name() string         { return "error" }
