package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Claims is what is kept of what a provider says about a person, from the ID
// token and from UserInfo (OpenID Connect Core 1.0, section 5.1), as a Mapping
// reads it.
type Claims struct {
	// Email is the address as the provider wrote it; "" if it sent none, or
	// something that is none.
	Email string

	// EmailVerified says whether the provider marks Email as verified.
	EmailVerified bool

	// Name is the person's full name, or "", which changes nothing.
	Name string

	// Role is the role that a claim gives, or "", which changes nothing. How
	// much of it counts is not decided here.
	Role Role

	// Changes are the other attributes that the provider told.
	Changes Changes

	// Ignored says of which claims something cannot be an attribute, and why,
	// for the log. No values are told but that of a role.
	Ignored []string
}

// maxIgnored is how much of what is ignored is told.
const maxIgnored = 20

// ignore notes why something of a claim is not kept.
func (c *Claims) ignore(attribute, claim, reason string) {
	switch {
	case len(c.Ignored) < maxIgnored:
		c.Ignored = append(c.Ignored, attribute+" (claim "+claim+"): "+reason)
	case len(c.Ignored) == maxIgnored:
		c.Ignored = append(c.Ignored, "and more")
	}
}

// cleanEmail returns a claim that is an e-mail address: something, an @ and
// something, without spaces.
func cleanEmail(claim any) string {
	email, _ := claim.(string)
	email = strings.TrimSpace(email)
	at := strings.LastIndexByte(email, '@')
	if at < 1 || at == len(email)-1 || len(email) > maxEmail || !utf8.ValidString(email) ||
		strings.ContainsFunc(email, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return ""
	}
	return email
}

// cleanName returns a claim that is a name, without control characters and cut
// to maxName bytes.
func cleanName(claim any) string {
	name, _ := claim.(string)
	name = strings.ToValidUTF8(name, "")
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, name))
	if len(name) > maxName {
		cut := maxName
		for !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = strings.TrimSpace(name[:cut])
	}
	return name
}

// isTrue reads a claim that is true or, as some providers send it, "true", or
// "1", as Microsoft Entra at times sends xms_edov.
func isTrue(claim any) bool {
	return claim == true || claim == "true" || claim == "1"
}
