package account

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

const (
	// MaxPasswordBytes is the longest password there can be.
	MaxPasswordBytes = 1024

	minimumAlone            = 15
	minimumWithSecondFactor = 8
)

// MinimumLength is the least number of characters of a new password: 15, or 8
// if every audience that is open to the account requires a second factor
// (NIST SP 800-63B-4, section 3.1.1.2).
func MinimumLength(everyAudienceRequiresSecondFactor bool) int {
	if everyAudienceRequiresSecondFactor {
		return minimumWithSecondFactor
	}
	return minimumAlone
}

// Rules are what a new password has to satisfy beside being uncommon.
type Rules struct {
	// Minimum is the least number of characters. Default: 15.
	Minimum int

	// Words are what it must not contain beside the person's own name and
	// address: the site's host, the operator's name.
	Words []string
}

// Reason says why a new password is refused.
type Reason int

// The reasons.
const (
	// TooShort: fewer characters than Weak.Minimum.
	TooShort Reason = iota + 1
	// TooLong: more than MaxPasswordBytes.
	TooLong
	// NotText: not valid UTF-8.
	NotText
	// Common: one of the passwords that are tried first, or made of such.
	Common
	// OwnWords: contains the person's name or address, or the site's name.
	OwnWords
)

// Weak says that a new password is refused.
type Weak struct {
	Reason  Reason
	Minimum int // characters
}

// Error implements error.
func (w *Weak) Error() string {
	switch w.Reason {
	case TooShort:
		return fmt.Sprintf("the password is too short: use at least %d characters", w.Minimum)
	case TooLong:
		return fmt.Sprintf("the password is too long: use at most %d bytes", MaxPasswordBytes)
	case NotText:
		return "the password is not valid UTF-8"
	case Common:
		return "the password is one of those that are tried first: choose another"
	default:
		return "the password contains the name, the address or the name of the site: choose another"
	}
}

// normalize returns a password as it is hashed: in Unicode normalization form
// C, so that it is the same from every keyboard. It is false for what cannot
// be anybody's password.
func normalize(password string) (string, bool) {
	if len(password) > MaxPasswordBytes || !utf8.ValidString(password) {
		return "", false
	}
	return norm.NFC.String(password), true
}

// judge returns a new password as it is hashed, or *Weak.
func judge(password string, of identity.Attributes, rules Rules) (string, error) {
	minimum := rules.Minimum
	if minimum <= 0 {
		minimum = minimumAlone
	}
	refuse := func(reason Reason) (string, error) { return "", &Weak{Reason: reason, Minimum: minimum} }
	if len(password) > MaxPasswordBytes {
		return refuse(TooLong)
	}
	normal, ok := normalize(password)
	if !ok {
		return refuse(NotText)
	}
	folded := strings.ToLower(normal)
	switch {
	case utf8.RuneCountInString(normal) < minimum:
		return refuse(TooShort)
	case isCommon(folded):
		return refuse(Common)
	case containsOwnWord(folded, of, rules.Words):
		return refuse(OwnWords)
	}
	return normal, nil
}

// containsOwnWord looks for parts of the name, the address and the words.
func containsOwnWord(folded string, of identity.Attributes, words []string) bool {
	local, domain, _ := strings.Cut(of.Email, "@")
	texts := []string{of.Name, local, withoutTop(domain)}
	for _, word := range words {
		texts = append(texts, withoutTop(word))
	}
	between := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for _, text := range texts {
		for _, word := range strings.FieldsFunc(strings.ToLower(norm.NFC.String(text)), between) {
			if telling(word) && strings.Contains(folded, word) {
				return true
			}
		}
	}
	return false
}

// withoutTop takes the top-level domain and the port off what looks like a
// host: they are nobody's own, and "test" is part of many good passwords.
func withoutTop(text string) string {
	host, _, _ := strings.Cut(text, ":")
	if i := strings.LastIndexByte(host, '.'); i > 0 && !strings.ContainsFunc(host, unicode.IsSpace) {
		return host[:i]
	}
	return text
}

// telling reports whether a word is long enough to be one of the person's own
// and not a syllable: four characters, or two in a script that writes words in
// so few.
func telling(word string) bool {
	count := utf8.RuneCountInString(word)
	return count >= 4 || count >= 2 && len(word) >= 3*count
}
