package identity

import (
	"strings"
	"unicode"
)

// PlaceholderPrefix is what the placeholders of an identity begin with, as in
// {http.auth.user.email}.
const PlaceholderPrefix = "http.auth.user."

// Placeholder returns the value of a placeholder, named with or without
// PlaceholderPrefix: "id" is the e-mail address, so that access logs and
// FastCGI's REMOTE_USER show it, "account" the account's own id, and the rest
// are attributes, lists joined with commas. What is not known, and what has
// control characters in it, is empty. It is false for other names.
func (id Identity) Placeholder(key string) (value string, ok bool) {
	key = strings.TrimPrefix(key, PlaceholderPrefix)
	switch key {
	case "id":
		value = id.Email
	case "account":
		value = id.Account
	default:
		if ParseAttribute(key) != nil {
			return "", false
		}
		one, list := id.Get(key)
		if list != nil {
			one = strings.Join(list, ",")
		}
		value = one
	}
	if strings.ContainsFunc(value, unicode.IsControl) {
		return "", true // it may end up in a header or a log
	}
	return value, true
}
