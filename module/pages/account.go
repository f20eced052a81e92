package pages

import (
	"html/template"
	"strings"
	"time"
)

// Account shows a person their own account. It posts flow and end (a session's
// ID, or "others") to /auth-gateway/account/sessions, flow and forget (a
// browser's ID) to /auth-gateway/account/devices.
type Account struct {
	Name  string // may be ""
	Email string

	// Rename links to AccountName.
	Rename bool

	// Role is "end-user", "agent" or "admin".
	Role string

	// SSO is how the person signed in: the SSO config's name, or its button's
	// label; "" means with a password.
	SSO string

	// SignedInAt is shown in the location it carries, as are all times.
	SignedInAt time.Time

	// PasswordSince is when the password was set; zero: there is none.
	PasswordSince time.Time

	// ChangePassword links to AccountPassword, ManageFactors to AccountFactors
	// and ManageLinks to AccountLinks.
	ChangePassword, ManageFactors, ManageLinks bool

	// Factors are the second factors that are set up.
	Factors []AccountFactor

	// RecoveryCodes is how many are left; shown with Factors.
	RecoveryCodes int

	// Devices are the browsers that are trusted, and Sessions those that are
	// signed in, as many as are shown. MoreDevices and MoreSessions are how
	// many are not.
	Devices, Sessions         []AccountBrowser
	MoreDevices, MoreSessions int

	// Links are the providers through which the person can sign in.
	Links []AccountLink

	Notice Notice

	// Flow is the hidden field of the forms; "" leaves it out.
	Flow string

	// Back is the link to the app. Default: /.
	Back string
}

// AccountBrowser is a browser that is signed in or trusted.
type AccountBrowser struct {
	// ID is posted to be rid of it.
	ID string

	// Browser and System are what it is, in words: "Firefox", "Windows"; ""
	// if that cannot be told. Given is what it says itself, shown where
	// neither can.
	Browser, System, Given string

	// Address is the client's at sign-in; "" if nobody knows.
	Address string

	// Since is when it signed in or was trusted, Seen when it was used last.
	Since, Seen time.Time

	// This is the browser that asks.
	This bool
}

// AccountName changes the name. It posts name and flow to
// /auth-gateway/account/name.
type AccountName struct {
	Name    string // as it is, or as it was typed
	Flow    string
	Message Message
}

// AccountPassword changes the password. It posts password and flow to
// /auth-gateway/account/password.
type AccountPassword struct {
	// Email is the account, told to password managers, not posted.
	Email string

	// MinLength is the least number of characters.
	MinLength int

	Flow    string
	Message Message
}

// Notice says that something was done, or why it was not.
type Notice string

// The notices.
const (
	NoNotice              Notice = ""
	NoticeName            Notice = "name"             // the name is another
	NoticePassword        Notice = "password"         // the password is another
	NoticeSessionEnded    Notice = "session_ended"    // one session has ended
	NoticeOthersEnded     Notice = "others_ended"     // all other sessions have
	NoticeForgotten       Notice = "forgotten"        // a browser is trusted no more
	NoticeFactorRemoved   Notice = "factor_removed"   // a second factor is gone
	NoticeFactorPreferred Notice = "factor_preferred" // another one is asked first
	NoticeFactorsKept     Notice = "factors_kept"     // a passcode is asked at every sign-in
	NoticeGone            Notice = "gone"             // what was named is not there, or not any more
	NoticeMeanwhile       Notice = "meanwhile"        // two changes at once: this one was not made
	NoticeStillRequired   Notice = "still_required"   // the last second factor has to stay
	NoticeLinked          Notice = "linked"           // a provider is linked
	NoticeLinkedAlready   Notice = "linked_already"   // it was before
	NoticeUnlinked        Notice = "unlinked"         // one is not any more
	NoticeOnlyWayIn       Notice = "only_way_in"      // the only way in has to stay
)

// notice is a message that blames nothing.
func (s *shown) notice(n Notice, params ...any) (*shownMessage, error) {
	if n == NoNotice {
		return nil, nil
	}
	text, err := s.say("account.notice."+string(n), params...)
	return &shownMessage{Text: text, HTML: s.Breakable(text), Calm: true}, err
}

// Timed is a text with a time in it, and Dated one with the day alone, where
// nobody asks for the hour.
func (s *shown) Timed(key string, t time.Time) (template.HTML, error) {
	return s.when(key, "format.time", t)
}

// Dated: see Timed.
func (s *shown) Dated(key string, t time.Time) (template.HTML, error) {
	return s.when(key, "format.date", t)
}

func (s *shown) when(key, format string, t time.Time) (template.HTML, error) {
	layout, err := s.say(format)
	if err != nil {
		return "", err
	}
	when := t.Format(layout)
	text, err := s.say(key, "time", when)
	when = template.HTMLEscapeString(when)
	marked := `<time datetime="` + t.UTC().Format("2006-01-02T15:04Z") + `">` + when + `</time>`
	return template.HTML(strings.Replace(template.HTMLEscapeString(text), when, marked, 1)), err
}

// Named is what a browser is called.
func (s *shown) Named(b AccountBrowser) (template.HTML, error) {
	switch {
	case b.Browser != "" && b.System != "":
		return s.T("account.browser", "browser", b.Browser, "system", b.System)
	case b.Browser != "" || b.System != "":
		return s.Breakable(b.Browser + b.System), nil
	case b.Given != "":
		return s.Breakable(b.Given), nil
	}
	return s.T("account.browser_unknown")
}

func (Account) name() string         { return "account" }
func (AccountName) name() string     { return "account_name" }
func (AccountPassword) name() string { return "account_password" }

// Interface guards.
var (
	_ Page = Account{}
	_ Page = AccountName{}
	_ Page = AccountPassword{}
)
