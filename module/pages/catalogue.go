package pages

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/width"
)

// catalogueFiles hold one language each: <tag>.json, flat, key to text. A text
// that depends on a number is an object of CLDR plural forms ("one", "other").
// {name} stands for what the page puts in.
//
//go:embed catalogue/*.json
var catalogueFiles embed.FS

// catalogue is the texts of one language.
type catalogue struct {
	tag   language.Tag
	texts map[string]text
}

// text is one text in its plural forms; most have only "other".
type text map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var s string
		err := json.Unmarshal(data, &s)
		*t = text{"other": s}
		return err
	}
	forms := map[string]string{}
	err := json.Unmarshal(data, &forms)
	*t = forms
	return err
}

// pluralForms are CLDR's names for the forms of a number.
var pluralForms = map[plural.Form]string{
	plural.Other: "other", plural.Zero: "zero", plural.One: "one",
	plural.Two: "two", plural.Few: "few", plural.Many: "many",
}

// readCatalogues reads every language, English first.
func readCatalogues() ([]*catalogue, error) {
	var all []*catalogue
	for _, tag := range []language.Tag{language.English, language.Japanese} {
		name := path.Join("catalogue", tag.String()+".json")
		data, err := catalogueFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		c := &catalogue{tag: tag}
		if err := json.Unmarshal(data, &c.texts); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// has reports whether there is a text of that key.
func (c *catalogue) has(key string) bool {
	_, ok := c.texts[key]
	return ok
}

// say returns the text of a key. params alternate between a placeholder's name
// and its value; the first int among the values picks the plural form.
func (c *catalogue) say(key string, params ...any) (string, error) {
	forms, ok := c.texts[key]
	if !ok {
		return "", fmt.Errorf("no text %q in language %s", key, c.tag)
	}
	form := "other"
	var replace []string
	counted := false
	for i := 0; i+1 < len(params); i += 2 {
		if n, ok := params[i+1].(int); ok && !counted {
			form, counted = pluralForms[plural.Cardinal.MatchPlural(c.tag, n, 0, 0, 0, 0)], true
		}
		replace = append(replace, c.replacement(fmt.Sprintf("{%s}", params[i]), fmt.Sprint(params[i+1]))...)
	}
	s, ok := forms[form]
	if !ok {
		s = forms["other"]
	}
	return strings.NewReplacer(replace...).Replace(s), nil
}

// replacement is what strings.NewReplacer wants for a placeholder. Japanese has
// a space between Latin letters and its own, at which no line begins with a
// particle, and none between its own.
func (c *catalogue) replacement(placeholder, value string) []string {
	if c.tag != language.Japanese {
		return []string{placeholder, value}
	}
	first, _ := utf8.DecodeRuneInString(value)
	last, _ := utf8.DecodeLastRuneInString(value)
	before, after := " ", "\u00a0"
	if isWide(first) {
		before = ""
	}
	if isWide(last) {
		after = ""
	}
	return []string{
		" " + placeholder + " ", before + value + after,
		" " + placeholder, before + value,
		placeholder + " ", value + after,
		placeholder, value,
	}
}

// isWide reports whether a character stands in a square of its own.
func isWide(r rune) bool {
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}
