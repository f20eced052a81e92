package caddyfile

import (
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/auth-gateway/caddy-auth-gateway/module"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
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

// laterOneOf is a word of which every value is refused.
func laterOneOf(choices ...string) word {
	return laterAfter(1, 1, strings.Join(choices, " | "), func(at caddyfile.Token, values []caddyfile.Token) error {
		if !slices.Contains(choices, values[0].Text) {
			return unknown(values[0], "value of "+at.Text, choices)
		}
		return nil
	})
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

// addLater adds the words of the global block. Syntax:
//
//	portal <url>
func (p *parser) addLater(known words) {
	known["portal"] = laterAfter(1, 1, "<url>", func(_ caddyfile.Token, values []caddyfile.Token) error {
		if module.HasPlaceholder(values[0].Text) {
			return nil
		}
		if _, err := policy.ParseOrigin(values[0].Text); err != nil {
			return errAt(values[0], "portal: %w", err)
		}
		return nil
	})
}
