package caddyfile

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/auth-gateway/caddy-auth-gateway/module"
	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// places remembers where each part of a configuration was written, so that
// what validation finds wrong is told with the file and line of its word.
type places struct {
	byPath map[string]*place
	count  int
}

// place is where one word of the configuration stands.
type place struct {
	word   caddyfile.Token
	values []caddyfile.Token
	// order counts the words from the top; the order of values[i] is
	// orders[i].
	order  int
	orders []int
}

func newPlaces() *places { return &places{byPath: make(map[string]*place)} }

// note remembers a word and its values. The values of a word that is repeated
// add up.
func (p *places) note(path []string, word caddyfile.Token, values []caddyfile.Token) {
	key := strings.Join(path, "\n")
	at := p.byPath[key]
	if at == nil {
		p.count++
		at = &place{word: word, order: p.count}
		p.byPath[key] = at
	}
	for _, value := range values {
		p.count++
		at.values = append(at.values, value)
		at.orders = append(at.orders, p.count)
	}
}

// find returns the token at which a mistake is, and its order. A word that is
// missing is missing in the object around it.
func (p *places) find(m mistake.Mistake) (caddyfile.Token, int) {
	for depth := len(m.Path); depth > 0; depth-- {
		at := p.byPath[strings.Join(m.Path[:depth], "\n")]
		switch {
		case at == nil:
		case depth == len(m.Path) && m.Item >= 0 && m.Item < len(at.values):
			return at.values[m.Item], at.orders[m.Item]
		default:
			return at.word, at.order
		}
	}
	return caddyfile.Token{}, 0
}

// unresolved reports whether a mistake is about a value that only loading the
// configuration can tell.
func (p *places) unresolved(m mistake.Mistake) bool {
	at := p.byPath[strings.Join(m.Path, "\n")]
	if at == nil {
		return false
	}
	if m.Item >= 0 && m.Item < len(at.values) {
		return module.HasPlaceholder(at.values[m.Item].Text)
	}
	return slices.ContainsFunc(at.values, func(value caddyfile.Token) bool {
		return module.HasPlaceholder(value.Text)
	})
}

// first returns the topmost of the mistakes as an error with its file and
// line, or nil if there are none.
func (p *places) first(mistakes mistake.List) error {
	var topmost error
	lowest := -1
	for _, m := range mistakes {
		token, order := p.find(m)
		if lowest < 0 || order < lowest {
			topmost, lowest = errAt(token, "%w", m), order
		}
	}
	return topmost
}

// settled leaves out what only loading the configuration can tell.
func (p *places) settled(mistakes mistake.List) mistake.List {
	return slices.DeleteFunc(mistakes, p.unresolved)
}

// errAt returns an error with the file, line and import chain of a token.
func errAt(token caddyfile.Token, format string, args ...any) error {
	d := caddyfile.NewDispenser([]caddyfile.Token{token})
	d.Next()
	return d.Errf(format, args...)
}
