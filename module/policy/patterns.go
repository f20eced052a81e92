package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// gatewayRoot is where the gateway's own addresses are; no rule applies there.
const gatewayRoot = "/auth-gateway"

// Patterns finds the value of the longest pattern that matches a path. A
// pattern is a path, or a prefix that ends in "*"; a path beats a prefix of the
// same length. A nil *Patterns matches nothing.
type Patterns[V any] struct {
	exact    map[string]V
	prefixes map[string]V
	lengths  []int // of the prefixes, the longest first
	foldCase bool
}

// NewPatterns returns patterns with their values. With foldCase upper and
// lower case are the same, by the rules of Unicode and in both directions, so
// that no spelling gets around a protection.
func NewPatterns[V any](values map[string]V, foldCase bool) (*Patterns[V], error) {
	p := &Patterns[V]{exact: make(map[string]V), prefixes: make(map[string]V), foldCase: foldCase}
	spelled := make(map[string]string, len(values))
	for pattern, value := range values {
		if err := ValidatePattern(pattern); err != nil {
			return nil, err
		}
		key := pattern
		if foldCase {
			key = fold(pattern)
		}
		if other, ok := spelled[key]; ok {
			return nil, fmt.Errorf("%s and %s are the same pattern, since case does not count here", min(other, pattern), max(other, pattern))
		}
		spelled[key] = pattern
		if prefix, ok := strings.CutSuffix(key, "*"); ok {
			p.prefixes[prefix] = value
			p.lengths = append(p.lengths, len(prefix))
		} else {
			p.exact[key] = value
		}
	}
	slices.SortFunc(p.lengths, func(a, b int) int { return cmp.Compare(b, a) })
	p.lengths = slices.Compact(p.lengths)
	return p, nil
}

// ValidatePattern reports what is wrong with a path pattern.
func ValidatePattern(pattern string) error {
	plain, isPrefix := strings.CutSuffix(pattern, "*")
	switch {
	case pattern == "":
		return errors.New("is empty: a path begins with /")
	case !strings.HasPrefix(plain, "/"):
		return fmt.Errorf("%s is not a path: it has to begin with /", pattern)
	case strings.Contains(plain, "*"):
		return fmt.Errorf("%s: a * may only stand at the end", pattern)
	case strings.ContainsAny(plain, "?#"):
		return fmt.Errorf("%s: rules are about the path alone: leave out the part from ? or #", pattern)
	case strings.Contains(plain, "%"):
		return fmt.Errorf("%s: paths are compared decoded: write the character itself instead of its %% encoding", pattern)
	case strings.ContainsAny(plain, `\;`):
		return fmt.Errorf(`%s: a request with \ or ; in its path can be read two ways and matches no rule`, pattern)
	case strings.ContainsFunc(plain, unicode.IsControl), !utf8.ValidString(plain):
		return fmt.Errorf("%q has a character that cannot be in a path", pattern)
	case strings.Contains(plain, "//"):
		return fmt.Errorf("%s: paths are compared with doubled slashes merged: write %s", pattern, merged(pattern))
	}
	segments := strings.Split(plain, "/")
	for i, segment := range segments {
		open := isPrefix && i == len(segments)-1 // more may follow
		if segment == ".." || segment == "." && !open {
			return fmt.Errorf("%s: paths are compared without . and .. segments: write where it leads", pattern)
		}
	}
	if rest, ok := strings.CutPrefix(fold(plain), gatewayRoot); ok && (rest == "" || rest[0] == '/') {
		return fmt.Errorf("%s: the addresses under %s are the gateway's own, rules do not apply to them", pattern, gatewayRoot)
	}
	return nil
}

// Match returns the value of the longest pattern that matches path, which is a
// clean one (Path.Clean).
func (p *Patterns[V]) Match(path string) (value V, ok bool) {
	if p == nil || len(p.exact)+len(p.prefixes) == 0 {
		return value, false
	}
	if p.foldCase && !isFolded(path) {
		var room [256]byte
		return match(p, appendFolded(room[:0], path))
	}
	return match(p, path)
}

// Len is how many patterns there are.
func (p *Patterns[V]) Len() int {
	if p == nil {
		return 0
	}
	return len(p.exact) + len(p.prefixes)
}

func match[V any, S string | []byte](p *Patterns[V], path S) (V, bool) {
	if value, ok := p.exact[string(path)]; ok {
		return value, true
	}
	for _, length := range p.lengths {
		if length > len(path) {
			continue
		}
		if value, ok := p.prefixes[string(path[:length])]; ok {
			return value, true
		}
	}
	var none V
	return none, false
}

// fold returns s in the form in which strings that differ in case only are the
// same. Unlike strings.ToLower it brings all spellings of a letter together:
// the long s (ſ) and s, the Kelvin sign and k.
func fold(s string) string {
	if isFolded(s) {
		return s
	}
	return string(appendFolded(nil, s))
}

func isFolded(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

func appendFolded(to []byte, s string) []byte {
	for i, r := range s {
		switch {
		case 'A' <= r && r <= 'Z':
			to = append(to, byte(r)+'a'-'A')
		case r < utf8.RuneSelf:
			to = append(to, byte(r))
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			to = append(to, s[i]) // not UTF-8: as it is
		default:
			lowest := r
			for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
				lowest = min(lowest, next)
			}
			if 'A' <= lowest && lowest <= 'Z' {
				lowest += 'a' - 'A'
			}
			to = utf8.AppendRune(to, lowest)
		}
	}
	return to
}

// merged is pattern with doubled slashes merged.
func merged(pattern string) string {
	for strings.Contains(pattern, "//") {
		pattern = strings.ReplaceAll(pattern, "//", "/")
	}
	return pattern
}
