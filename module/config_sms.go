package module

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// What a service for text messages is let in by can stand in several places of
// a request. It is told by what each service calls it: a header, a query
// parameter, a field of a form or a member of a JSON object.

// secretNames are how the names of secrets end, without case, "-" and "_":
// X-Api-Key, api_secret, access_token.
var secretNames = []string{"authorization", "auth", "cookie", "credentials", "password", "passwd", "secret", "token", "key", "signature"}

// namesSecret reports whether what is called so is a secret.
func namesSecret(name string) bool {
	bare := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
	return bare == "pwd" || bare == "pass" || slices.ContainsFunc(secretNames, func(end string) bool { return strings.HasSuffix(bare, end) })
}

// errInPlainText is what is wrong with a secret that has no placeholder in it.
var errInPlainText = errors.New("must have its secret from a placeholder, {env.NAME} or {file.PATH}: " + writtenOut)

// checkSMSSecrets reports secrets that are written out. It looks at the
// configuration as it is written.
func checkSMSSecrets(c *deliver.SMSConfig) (wrong mistake.List) {
	for name, value := range sorted(c.Headers) {
		if value != "" && namesSecret(name) && !HasPlaceholder(value) {
			wrong.Add("header "+name, errInPlainText)
		}
	}

	credentials, query := secretsOfAddress(c.Webhook)
	if credentials != "" && !HasPlaceholder(credentials) {
		wrong.Addf("webhook", "what stands before the @: %w", errInPlainText)
	}
	checkFields(&wrong, "webhook", query)

	if body := strings.TrimSpace(c.Body); strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		var value any
		if json.Unmarshal([]byte(body), &value) == nil {
			checkMembers(&wrong, "", value)
		}
	} else {
		checkFields(&wrong, "body", body)
	}
	return wrong
}

// secretsOfAddress returns what lets in at an address: the password before the
// @, or the user where there is none, which is then a key; and the query. Where
// placeholders stand net/url would see no address.
func secretsOfAddress(address string) (credentials, query string) {
	address, query, _ = strings.Cut(address, "?")
	_, rest, _ := strings.Cut(address, "://")
	// A placeholder may have a slash in it: {file./run/secrets/sms}.
	rest = placeholderPattern.ReplaceAllString(rest, "{env.X}")
	authority, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		credentials = cmp.Or(password, user)
	}
	return credentials, query
}

// checkFields looks at the fields of a form or a query.
func checkFields(wrong *mistake.List, word, form string) {
	for field := range strings.SplitSeq(form, "&") {
		name, value, _ := strings.Cut(field, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if value != "" && namesSecret(name) && !filledIn(value) {
			wrong.Addf(word, "%s: %w", name, errInPlainText)
		}
	}
}

// checkMembers looks at the members of every object in a JSON value.
func checkMembers(wrong *mistake.List, name string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range sorted(value) {
			checkMembers(wrong, name, member)
		}
	case []any:
		for _, item := range value {
			checkMembers(wrong, name, item)
		}
	case string:
		if value != "" && namesSecret(name) && !filledIn(value) {
			wrong.Addf("body", "%s: %w", name, errInPlainText)
		}
	}
}

// filledIn reports whether a value of a body comes from a placeholder, be it
// one of the message: {"token":"{code}"}.
func filledIn(value string) bool {
	return HasPlaceholder(value) || slices.ContainsFunc(deliver.Placeholders, func(p string) bool { return strings.Contains(value, p) })
}
