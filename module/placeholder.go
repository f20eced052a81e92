package module

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// placeholderPattern is what is resolved when a configuration is loaded.
// Other braces stay as they are: nothing else is known then.
var placeholderPattern = regexp.MustCompile(`\{(env|file)\.[^{}]+\}`)

// HasPlaceholder reports whether text has an {env.NAME} or {file.PATH} in it,
// so that its value is known only when the configuration is loaded.
func HasPlaceholder(text string) bool { return placeholderPattern.MatchString(text) }

// CheckSecret refuses a secret that is written out. The adapted configuration,
// the autosaved one and the admin endpoint would all show it.
func CheckSecret(text string) error {
	if placeholderPattern.FindString(text) == text && text != "" {
		return nil
	}
	return errors.New("must be one placeholder, {env.NAME} or {file.PATH}: " + writtenOut)
}

// writtenOut is why a secret that is written out is refused.
const writtenOut = "a secret that is written out, which is also what {$NAME} leaves behind, can be read in the adapted configuration"

// resolve puts the values of its placeholders into text.
func resolve(text string) (string, error) {
	if !HasPlaceholder(text) {
		return text, nil
	}
	var err error
	replacer := caddy.NewReplacer()
	resolved := placeholderPattern.ReplaceAllStringFunc(text, func(placeholder string) string {
		key := placeholder[1 : len(placeholder)-1]
		value, _ := replacer.GetString(key)
		if value == "" && err == nil {
			if name, isEnv := strings.CutPrefix(key, "env."); isEnv {
				err = fmt.Errorf("%s is empty: set the environment variable %s for Caddy", placeholder, name)
			} else {
				err = fmt.Errorf("%s is empty: the file is missing, has nothing in it or cannot be read by Caddy", placeholder)
			}
		}
		return value
	})
	if err != nil {
		return "", err
	}
	return resolved, nil
}
