package account

import (
	"net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// phoneNumber is an international number as E.164 has it: at most 15 digits, the
// country's code first.
var phoneNumber = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// maxTypedPhone is longer than any number, however it is typed.
const maxTypedPhone = 64

// ParsePhone returns the number that was typed in the form of E.164, such as
// +491701234567. It wants the country's code, after "+" or "00", since nothing
// else says which country is meant.
func ParsePhone(typed string) (number string, ok bool) {
	if len(typed) > maxTypedPhone {
		return "", false
	}
	number = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Pd, r), strings.ContainsRune("()./\u30fc\u2212", r):
			return -1
		}
		return r
	}, width.Fold.String(typed))
	if rest, international := strings.CutPrefix(number, "00"); international {
		number = "+" + rest
	}
	return number, phoneNumber.MatchString(number)
}

// MaskEmail is an address to be recognised by its owner and by nobody else:
// a***@example.com.
func MaskEmail(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 1 {
		return "***"
	}
	_, first := utf8.DecodeRuneInString(email)
	return email[:first] + "***" + email[at:]
}

// MaskPhone is the same for a number in the form of E.164: +49 *** 67.
func MaskPhone(number string) string {
	if len(number) < 8 {
		return "***"
	}
	return number[:3] + " *** " + number[len(number)-2:]
}

// usableAddress reports whether email is a plain address, name@domain, in
// which no character turns into an ASCII letter when case is ignored: with the
// Kelvin sign for k somebody else's address could be spelled.
func usableAddress(email string) bool {
	if len(email) > maxEmail || strings.ContainsAny(email, "\"[]()<>,;:\\") {
		return false
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email {
		return false
	}
	return !strings.ContainsFunc(email, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || (r >= utf8.RuneSelf && (unicode.ToLower(r) < utf8.RuneSelf || unicode.ToUpper(r) < utf8.RuneSelf))
	})
}
