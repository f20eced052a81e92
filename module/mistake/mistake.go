// Package mistake collects what is wrong with a configuration, each with the
// place where it is wrong, so that the Caddyfile can point to the word and
// hand-written JSON can name the object.
package mistake

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Whole is the Item of a mistake that is not about one value of a list.
const Whole = -1

// Mistake is one thing that is wrong.
type Mistake struct {
	// Path leads to the place from the outside in, in the words of the
	// Caddyfile: "sso okta", "client_secret".
	Path []string

	// Item is which value of the innermost word is meant, from 0, or Whole.
	Item int

	// Err says what is wrong there and what to do.
	Err error
}

// Error implements error: "sso okta: client_secret: is empty".
func (m Mistake) Error() string {
	return strings.Join(m.Path, ": ") + ": " + m.Err.Error()
}

// Unwrap returns Err.
func (m Mistake) Unwrap() error { return m.Err }

// List is what is wrong with one object. The zero value is an object without
// mistakes.
type List []Mistake

// Add notes err at a word of the object. A nil err is no mistake.
func (l *List) Add(word string, err error) { l.AddItem(word, Whole, err) }

// Addf notes a mistake at a word of the object.
func (l *List) Addf(word, format string, args ...any) {
	l.Add(word, fmt.Errorf(format, args...))
}

// AddItem notes err at one value of a word. A nil err is no mistake.
func (l *List) AddItem(word string, item int, err error) {
	if err != nil {
		*l = append(*l, Mistake{Path: []string{word}, Item: item, Err: err})
	}
}

// AddItemf notes a mistake at one value of a word.
func (l *List) AddItemf(word string, item int, format string, args ...any) {
	l.AddItem(word, item, fmt.Errorf(format, args...))
}

// OneOf notes a value that is neither empty nor one of the choices.
func (l *List) OneOf(word, value string, choices ...string) {
	if value != "" && !slices.Contains(choices, value) {
		l.Addf(word, "unknown value %q: use %s", value, Choice(choices))
	}
}

// Repeated notes every value that was there before.
func (l *List) Repeated(word string, values []string) {
	seen := make(map[string]bool, len(values))
	for i, value := range values {
		if seen[value] {
			l.AddItemf(word, i, "%s is there twice", value)
		}
		seen[value] = true
	}
}

// Within notes the mistakes of an object that is part of this one.
func (l *List) Within(part string, inner List) {
	for _, m := range inner {
		m.Path = append([]string{part}, m.Path...)
		*l = append(*l, m)
	}
}

// Err returns all mistakes as one error, or nil if there are none.
func (l List) Err() error {
	all := make([]error, len(l))
	for i, m := range l {
		all[i] = m
	}
	return errors.Join(all...)
}

// Choice joins words as a sentence does: "a, b or c".
func Choice(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// Interface guards
var (
	_ error = Mistake{}
)
