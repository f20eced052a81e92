package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// LetterKind names what a mail is about.
type LetterKind string

// The letters.
const (
	LetterReset           LetterKind = "reset"            // a link for a new password
	LetterInvitation      LetterKind = "invitation"       // a link for the first password
	LetterReport          LetterKind = "report"           // a link to the report on second factors
	LetterPasscode        LetterKind = "passcode"         // a code to sign in with
	LetterFactorCode      LetterKind = "factor_code"      // a code that shows that the address is one's own, to set it up
	LetterPasswordChanged LetterKind = "password_changed" // the password is another now
	LetterFactorAdded     LetterKind = "factor_added"     // a second factor was set up
	LetterFactorRemoved   LetterKind = "factor_removed"   // one was removed
	LetterRecoveryCodes   LetterKind = "recovery_codes"   // recovery codes were made anew
	LetterAddressChanged  LetterKind = "address_changed"  // the account has another e-mail address; also to the one before
	LetterLinkAdded       LetterKind = "link_added"       // a provider lets in
	LetterLinkRemoved     LetterKind = "link_removed"     // one does not any more
)

// LetterTo is what a letter has to know.
type LetterTo struct {
	Kind LetterKind

	// Host is the site that it is about.
	Host string

	// Language is the person's, "en" or "ja"; another, or "", is English
	// unless all pages have a fixed language.
	Language string

	// Email is the account that it is about.
	Email string

	// Link leads on, an absolute address; it works for Lifetime.
	Link     string
	Lifetime time.Duration

	// Code is the passcode of LetterPasscode and LetterFactorCode. It works
	// for Lifetime. It is never in the subject.
	Code string

	// Method is the second factor that was set up or removed: "app", "email"
	// or "sms". With LetterFactorRemoved "" is all of them.
	Method string

	// SSO is what people call the provider that was linked or unlinked, There
	// who they are there; the latter with LetterLinkAdded only.
	SSO, There string

	// At and Address say when something was done, and from where ("" if
	// nobody knows).
	At      time.Time
	Address string
}

// Letter is a mail, as plain text and as HTML. Nothing secret is in the subject.
type Letter struct {
	Subject, Text, HTML string
}

// shownLetter is what the template of a letter sees.
type shownLetter struct {
	Lang, Subject, Brand string
	Before, After        []string // paragraphs around the link or the code
	Link, Action         string
	Code                 string
	Ground, Ink          template.CSS
}

// Letter writes a letter.
func (p *Pages) Letter(to LetterTo) (Letter, error) {
	c := p.languages.spoken(to.Language)
	var fault error
	say := func(key string, params ...any) string {
		text, err := c.say("letter."+key, params...)
		if err != nil && fault == nil {
			fault = err
		}
		return text
	}
	format, err := c.say("format.time")
	if err != nil {
		return Letter{}, err
	}
	kind := string(to.Kind)
	lead := kind + ".lead"
	if to.Method != "" && (to.Kind == LetterFactorAdded || to.Kind == LetterFactorRemoved) {
		lead += "." + to.Method
	}
	about := []any{"host", to.Host, "email", to.Email, "time", to.At.UTC().Format(format), "address", to.Address, "sso", to.SSO, "there", to.There}

	shown := shownLetter{
		Lang: c.tag.String(), Subject: say(kind+".subject", about...), Brand: p.brand.Name,
		Before: []string{say(lead, about...)},
		Ground: template.CSS(p.button[0]), Ink: template.CSS(p.button[1]),
	}
	if shown.Brand == "" {
		shown.Brand = to.Host
	}
	switch to.Kind {
	case LetterReset, LetterInvitation:
		shown.Link, shown.Action = to.Link, say(kind+".action")
		shown.After = append(shown.After, say("once.hours", "count", int(to.Lifetime.Hours())))
	case LetterReport:
		shown.Link, shown.Action = to.Link, say(kind+".action")
		shown.After = append(shown.After, say(kind+".hours", "count", int(to.Lifetime.Hours())))
	case LetterPasscode, LetterFactorCode:
		shown.Code = to.Code
		shown.After = append(shown.After, say("once.minutes", "count", roundUp(to.Lifetime, time.Minute)))
	case LetterPasswordChanged, LetterRecoveryCodes, LetterAddressChanged, LetterFactorAdded, LetterFactorRemoved,
		LetterLinkAdded, LetterLinkRemoved:
		if to.Address != "" {
			shown.Before = append(shown.Before, say("from", about...))
		}
	default:
		return Letter{}, fmt.Errorf("there is no letter %q", kind)
	}
	shown.After = append(shown.After, say(kind+".not_you", about...))
	if fault != nil {
		return Letter{}, fault
	}

	var html bytes.Buffer
	if err := p.letter.Execute(&html, shown); err != nil {
		return Letter{}, fmt.Errorf("writing a letter: %w", err)
	}
	paragraphs := shown.Before
	for _, alone := range []string{shown.Link, shown.Code} {
		if alone != "" {
			paragraphs = append(paragraphs, alone)
		}
	}
	paragraphs = append(paragraphs, shown.After...)
	return Letter{Subject: shown.Subject, Text: strings.Join(paragraphs, "\n\n") + "\n", HTML: html.String()}, nil
}
