package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How long the claims that are kept may be, in bytes.
const (
	maxEmail = 254 // RFC 5321, section 4.5.3.1.3
	maxName  = 256
)

// Claims is what is kept of what a provider says about a person, from the ID
// token and from UserInfo (OpenID Connect Core 1.0, section 5.1).
type Claims struct {
	// Email is the address as the provider wrote it; "" if it sent none, or
	// something that is none.
	Email string

	// EmailVerified says whether the provider marks Email as verified.
	EmailVerified bool

	// Name is the person's full name, or "".
	Name string
}

// FromClaims picks out of a provider's claims what is kept: name and e-mail
// address. Everything else is forgotten.
func FromClaims(claims map[string]any) Claims {
	return Claims{
		Email:         cleanEmail(claims["email"]),
		EmailVerified: isTrue(claims["email_verified"]),
		Name:          cleanName(claims["name"]),
	}
}

// Apply updates attributes with what the provider sent. What it did not send
// stays as it is.
func (c Claims) Apply(to *Attributes) {
	if c.Email != "" {
		to.Email = c.Email
	}
	if c.Name != "" {
		to.Name = c.Name
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

// isTrue reads a claim that is true or, as some providers send it, "true".
func isTrue(claim any) bool {
	return claim == true || claim == "true"
}
