package caddyfile

import (
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/auth-gateway/caddy-auth-gateway/module"
)

// The words of this file belong to the language, and nothing does yet what
// they ask for. Their values are checked, so that a mistake is told first, and
// then they are refused rather than silently ignored.

// later refuses a word.
func later(at caddyfile.Token, values ...string) error {
	text := strings.Join(append([]string{at.Text}, values...), " ")
	return errAt(at, "%s is not available yet: leave it out", text)
}

// laterAfter is a word of which check looks at the values. Optional.
func laterAfter(min, max int, usage string, check func(at caddyfile.Token, values []caddyfile.Token) error) word {
	return word{min: min, max: max, usage: usage, read: func(at caddyfile.Token, values []caddyfile.Token) error {
		if check != nil {
			if err := check(at, values); err != nil {
				return err
			}
		}
		return later(at)
	}}
}

// store postgres <dsn>
func laterPostgres(at caddyfile.Token, values []caddyfile.Token) error {
	if len(values) != 2 {
		return errAt(at, "store: a value is missing: store postgres <dsn>")
	}
	if err := checkDSN(values[1]); err != nil {
		return err
	}
	return errAt(values[0], "store postgres is not available yet: use sqlite")
}

// checkDSN refuses a password that is written out, in a URL or in the
// key=value form.
func checkDSN(dsn caddyfile.Token) error {
	password := ""
	if u, err := url.Parse(dsn.Text); err == nil && u.User != nil {
		password, _ = u.User.Password()
	} else if _, rest, found := strings.Cut(dsn.Text, "password="); found {
		password, _, _ = strings.Cut(rest, " ")
	}
	if password != "" {
		if err := module.CheckSecret(password); err != nil {
			return errAt(dsn, "store: the password in the DSN %w", err)
		}
	}
	return nil
}
