package caddyfile

import (
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// word says how one word of a block is read.
type word struct {
	// min and max are how many values it takes; max < 0 is any number.
	min, max int

	// usage is what follows the word, for messages.
	usage string

	// hint is added to usage when a value is missing. Optional.
	hint string

	// repeats says that the word may be given more than once.
	repeats bool

	// block says that the word may open a block, which read reads.
	block bool

	// read takes the values over. Optional.
	read func(at caddyfile.Token, values []caddyfile.Token) error
}

// words are all that a block knows. What stands under anyWord is for every word
// that is not among them, which the operator has chosen.
type words map[string]word

const anyWord = ""

// parser reads blocks and remembers where everything was.
type parser struct {
	*caddyfile.Dispenser
	places *places
}

// block reads the block that opens here, if there is one. path names the
// object that the block describes, from the outside in.
func (p *parser) block(path []string, known words) error {
	first := make(map[string]caddyfile.Token)
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		at := p.Token()
		if text := p.ValRaw(); text == "{" || text == "}" {
			return errAt(at, "unexpected %s: a block opens at the end of a line and closes on a line of its own", text)
		}
		w, ok := known[at.Text]
		if !ok {
			w, ok = known[anyWord]
		}
		if ok && at.Text == "" {
			return errAt(at, "an empty name: write one or leave the line out")
		}
		if !ok {
			return unknown(at, "word", slices.Sorted(maps.Keys(known)))
		}
		if earlier, twice := first[at.Text]; twice && !w.repeats {
			return errAt(at, "%s is there twice, first at %s:%d", at.Text, earlier.File, earlier.Line)
		}
		first[at.Text] = at

		values, err := p.values(at, w)
		if err != nil {
			return err
		}
		p.places.note(append(slices.Clone(path), at.Text), at, values)
		if w.read != nil {
			if err := w.read(at, values); err != nil {
				return err
			}
		}
	}
	return nil
}

// values reads the rest of the line after a word.
func (p *parser) values(at caddyfile.Token, w word) ([]caddyfile.Token, error) {
	values := p.RemainingArgsAsTokens()
	usage := at.Text
	if w.usage != "" {
		usage += " " + w.usage
	}
	for _, value := range values {
		if value.Text == "" {
			return nil, errAt(value, "%s: an empty value: write one or leave the word out", at.Text)
		}
	}
	switch {
	case len(values) < w.min:
		return nil, errAt(at, "%s: a value is missing: %s%s", at.Text, usage, w.hint)
	case w.max == 0 && len(values) > 0:
		return nil, errAt(values[0], "%s: takes no value: found %q", at.Text, values[0].Text)
	case w.max > 0 && len(values) > w.max:
		// The value is not told: it may be the second half of a secret.
		return nil, errAt(values[w.max], "%s: one value too many: %s; quote a value with spaces in it", at.Text, usage)
	case !w.block && p.opensBlock():
		return nil, errAt(at, "%s: takes no block: %s", at.Text, usage)
	}
	return values, nil
}

// opensBlock reports whether a block opens at the end of this line, and enters
// it if so.
func (p *parser) opensBlock() bool {
	// NextBlock steps over an empty block and says that there was none.
	return p.NextBlock(p.Nesting()) || p.ValRaw() == "}"
}

// unknown returns an error for a token that is none of the known ones.
func unknown(at caddyfile.Token, what string, known []string) error {
	if near := mistake.DidYouMean(at.Text, known); near != "" {
		return errAt(at, "unknown %s %q%s", what, at.Text, near)
	}
	return errAt(at, "unknown %s %q: use %s", what, at.Text, mistake.Choice(known))
}

// oneValue is a word with one value.
func oneValue[T ~string](usage string, to *T) word {
	return word{min: 1, max: 1, usage: usage, read: func(_ caddyfile.Token, values []caddyfile.Token) error {
		*to = T(values[0].Text)
		return nil
	}}
}

// anyValues is a word with any number of values. It may be repeated; the values add
// up.
func anyValues(usage string, to *[]string) word {
	return word{min: 1, max: -1, usage: usage, repeats: true, read: func(_ caddyfile.Token, values []caddyfile.Token) error {
		for _, value := range values {
			*to = append(*to, value.Text)
		}
		return nil
	}}
}

// noValue is a word without values.
func noValue(to *bool) word {
	return word{read: func(caddyfile.Token, []caddyfile.Token) error {
		*to = true
		return nil
	}}
}

// duration is a word with a length of time.
func duration(to *caddy.Duration) word {
	return word{min: 1, max: 1, usage: "<duration>", read: func(at caddyfile.Token, values []caddyfile.Token) error {
		length, err := parseDuration(at, values[0])
		*to = length
		return err
	}}
}

// durationOrOff is a word with a length of time, or with off, which is none.
func durationOrOff(to *caddy.Duration) word {
	return word{min: 1, max: 1, usage: "off | <duration>", read: func(at caddyfile.Token, values []caddyfile.Token) (err error) {
		*to = 0
		if values[0].Text != "off" {
			*to, err = parseDuration(at, values[0])
		}
		return err
	}}
}

// parseDuration reads a length of time, which may be in days.
func parseDuration(at, value caddyfile.Token) (caddy.Duration, error) {
	length, err := caddy.ParseDuration(value.Text)
	if err != nil {
		return 0, errAt(value, "%s: %q is not a length of time such as 30m, 8h or 7d", at.Text, value.Text)
	}
	if length <= 0 {
		return 0, errAt(value, "%s: %q is no time at all", at.Text, value.Text)
	}
	return caddy.Duration(length), nil
}
