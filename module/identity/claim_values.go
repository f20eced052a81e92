package identity

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// How much of what a provider sends is kept, in bytes where nothing else is
// said: enough for what companies have, too little to fill the store or the
// headers of a request.
const (
	maxEmail = 254 // RFC 5321, section 4.5.3.1.3
	maxName  = 256
	maxText  = 1024 // the value of a field
	maxURL   = 2048
	maxWord  = 255 // external_id, custom_role_id, and each value of a list
	maxShort = 64  // phone, locale

	// maxValues and maxList are how many values a list has and how long they
	// are together. Microsoft Entra sends 200 groups at most, with 36
	// characters each.
	maxValues = 256
	maxList   = 8 << 10

	// maxFields and maxFieldBytes are how many fields an account has and how
	// long they are together with their keys.
	maxFields     = 64
	maxFieldBytes = 8 << 10
)

// number is a JSON number as it was written, whichever package read it: an id
// of twenty digits is still that id.
type number interface {
	String() string
	Int64() (int64, error)
}

// scalar returns a claim that is one value as text: a string without the spaces
// around it, a number as it was written, or true or false.
func scalar(claim any) (text string, ok bool) {
	switch claim := claim.(type) {
	case string:
		return strings.TrimSpace(claim), true
	case bool:
		return strconv.FormatBool(claim), true
	case number:
		return claim.String(), true
	}
	return "", false
}

// readText returns a claim that is one value, or a list of just one, of at most
// most bytes. null, "" and [] are none: "". A problem says why it is neither.
func readText(claim any, most int) (text, problem string) {
	if list, ok := claim.([]any); ok {
		switch len(list) {
		case 0:
			return "", ""
		case 1:
			claim = list[0]
		default:
			return "", fmt.Sprintf("has %d values, and the attribute has one", len(list))
		}
	}
	if claim == nil {
		return "", ""
	}
	text, ok := scalar(claim)
	if !ok {
		return "", "is neither text nor a number nor a boolean"
	}
	return checkText(text, most)
}

func checkText(text string, most int) (kept, problem string) {
	switch {
	case len(text) > most:
		return "", fmt.Sprintf("is longer than %d bytes", most)
	case !printable(text):
		return "", "has a control character in it"
	}
	return text, ""
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// readList returns a claim that is a list, or text with commas in it, each value
// once and without the spaces around it. null, "" and [] are an empty list. A
// problem says why something of it is missing.
func readList(claim any) (values []string, problem string) {
	var items []any
	switch claim := claim.(type) {
	case nil:
	case []any:
		items = claim
	case string:
		for item := range strings.SplitSeq(claim, ",") {
			items = append(items, item)
		}
	default:
		items = []any{claim}
	}

	leftOut, length := 0, 0
	seen := make(map[string]bool)
	for _, item := range items {
		value, ok := scalar(item)
		switch {
		case ok && value == "", seen[value]:
			continue
		case !ok, len(value) > maxWord, !printable(value):
			leftOut++
			continue
		case len(values) == maxValues, length+len(value) > maxList:
			return values, fmt.Sprintf("has more than %d values or %d bytes: the rest is left out", maxValues, maxList)
		}
		seen[value] = true
		length += len(value)
		values = append(values, value)
	}
	if leftOut > 0 {
		problem = fmt.Sprintf("%d of its values cannot be kept: neither text nor number nor boolean, longer than %d bytes, or with a control character", leftOut, maxWord)
	}
	return values, problem
}

// readField returns the value of a field: one value, or the values of a list
// joined with commas.
func readField(claim any) (text, problem string) {
	list, ok := claim.([]any)
	if !ok {
		return readText(claim, maxText)
	}
	values, problem := readList(list)
	if problem != "" {
		return "", problem
	}
	return checkText(strings.Join(values, ","), maxText)
}

// readRole returns the role that a claim gives; of the roles in a list it is the
// highest, whatever else is in there.
func readRole(claim any) (role Role, problem string) {
	if list, ok := claim.([]any); ok {
		for _, item := range list {
			name, _ := item.(string)
			if one, err := ParseRole(strings.TrimSpace(name)); err == nil && one.AtLeast(role) {
				role = one
			}
		}
		if role == "" {
			problem = "none of its values is end-user, agent or admin"
		}
		return role, problem
	}
	text, ok := claim.(string)
	if !ok {
		return "", "is not text"
	}
	role, err := ParseRole(strings.TrimSpace(text))
	if err != nil {
		return "", fmt.Sprintf("%.64q is none of end-user, agent and admin", text)
	}
	return role, ""
}

// readLocale returns a language tag (BCP 47; providers also write en_US), or the
// number that some applications have for a language.
func readLocale(claim any) (locale, problem string) {
	locale, problem = readText(claim, maxShort)
	if locale == "" {
		return "", problem
	}
	if !strings.ContainsFunc(locale, func(r rune) bool { return r < '0' || r > '9' }) {
		return locale, ""
	}
	locale = strings.ReplaceAll(locale, "_", "-")
	if _, err := language.Parse(locale); err != nil {
		return "", "is neither a language tag such as en-US nor a number"
	}
	return locale, ""
}

// readPicture returns the address of a photo.
func readPicture(claim any) (address, problem string) {
	address, problem = readText(claim, maxURL)
	if address == "" {
		return "", problem
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || !slices.Contains([]string{"https", "http"}, strings.ToLower(u.Scheme)) {
		return "", "is not the address of a picture, https://…"
	}
	return address, ""
}

// readAttribute returns the values of a claim for any attribute but email, name
// and role. A problem beside no values leaves the attribute as it is if it is a
// single one.
func readAttribute(attribute string, claim any) (values []string, problem string) {
	one := ""
	switch attribute {
	case "groups", "organizations", "organization_ids", "tags":
		return readList(claim)
	case "phone":
		one, problem = readText(claim, maxShort)
	case "locale":
		one, problem = readLocale(claim)
	case "picture":
		one, problem = readPicture(claim)
	case "external_id", "custom_role_id":
		one, problem = readText(claim, maxWord)
	default: // field.<key>
		one, problem = readField(claim)
	}
	if one != "" {
		values = []string{one}
	}
	return values, problem
}

// isList reports whether the attribute has any number of values.
func isList(attribute string) bool {
	return slices.Contains([]string{"groups", "organizations", "organization_ids", "tags"}, attribute)
}
