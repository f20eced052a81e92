package pages

import (
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/text/language"
)

// LanguageCookie keeps the language a person chose. Over https its name is
// "__Host-" + LanguageCookie. The app never sees either.
const LanguageCookie = "auth_gateway_lang"

// languageCookieAge is how long a browser keeps the choice, in seconds.
const languageCookieAge = 365 * 24 * 60 * 60

// languages knows which languages there are and which one to use.
type languages struct {
	catalogues []*catalogue
	matcher    language.Matcher
	fixed      *catalogue // the configured one, or nil
}

// newLanguages reads the catalogues and looks for the configured language.
func newLanguages(configured string) (*languages, error) {
	all, err := readCatalogues()
	if err != nil {
		return nil, err
	}
	ls := &languages{catalogues: all}
	tags := make([]language.Tag, len(all))
	for i, c := range all {
		tags[i] = c.tag
	}
	ls.matcher = language.NewMatcher(tags)
	if configured == "" {
		return ls, nil
	}
	tag, err := language.Parse(configured)
	if err != nil {
		return nil, fmt.Errorf("language: %q is not a language tag: use one of %v", configured, tags)
	}
	if _, i, confidence := ls.matcher.Match(tag); confidence > language.No {
		ls.fixed = all[i]
		return ls, nil
	}
	return nil, fmt.Errorf("language: there are no pages in %q: use one of %v, or leave it out for what the browser asks for", configured, tags)
}

// named returns the catalogue of exactly that tag, or nil.
func (ls *languages) named(tag string) *catalogue {
	for _, c := range ls.catalogues {
		if c.tag.String() == tag {
			return c
		}
	}
	return nil
}

// spoken returns the catalogue of a person's language for what is written to
// them: the configured one, theirs, or the first.
func (ls *languages) spoken(tag string) *catalogue {
	if ls.fixed != nil {
		return ls.fixed
	}
	if c := ls.named(tag); c != nil {
		return c
	}
	return ls.catalogues[0]
}

// of returns the catalogue for a request.
func (ls *languages) of(r *http.Request) *catalogue {
	if ls.fixed != nil {
		return ls.fixed
	}
	if c := ls.named(r.URL.Query().Get("lang")); c != nil {
		return c
	}
	for _, name := range []string{"__Host-" + LanguageCookie, LanguageCookie} {
		if cookie, err := r.Cookie(name); err == nil {
			if c := ls.named(cookie.Value); c != nil {
				return c
			}
		}
	}
	// What cannot be parsed is as good as no wish.
	wanted, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if _, i, confidence := ls.matcher.Match(wanted...); confidence > language.No {
		return ls.catalogues[i]
	}
	return ls.catalogues[0]
}

// Language returns the language of the answer to r, "en" or "ja": the
// configured one, the one asked for with ?lang=, the one kept in the cookie,
// or what the browser prefers.
func (p *Pages) Language(r *http.Request) string {
	return p.languages.of(r).tag.String()
}

// KeepLanguage sets the language cookie when r asks for a language with
// ?lang=. Call it before Write. secure says that the site's origin is https.
func (p *Pages) KeepLanguage(w http.ResponseWriter, r *http.Request, secure bool) {
	c := p.languages.named(r.URL.Query().Get("lang"))
	if c == nil || p.languages.fixed != nil {
		return
	}
	name := LanguageCookie
	if secure {
		name = "__Host-" + name
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: c.tag.String(), Path: "/", MaxAge: languageCookieAge,
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// languageLink is one language of the switch at the foot.
type languageLink struct {
	Tag, Name, Href string
	Current         bool
}

// links returns the switch for a page at self, or nothing if the language is
// fixed or self is not an address of this site.
func (ls *languages) links(self string, current *catalogue) ([]languageLink, error) {
	u, err := url.Parse(self)
	if ls.fixed != nil || err != nil || !isPath(self) {
		return nil, nil
	}
	var links []languageLink
	for _, c := range ls.catalogues {
		name, err := c.say("language.name")
		if err != nil {
			return nil, err
		}
		query := u.Query()
		query.Set("lang", c.tag.String())
		to := url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: query.Encode()}
		links = append(links, languageLink{
			Tag: c.tag.String(), Name: name, Href: to.String(), Current: c == current,
		})
	}
	return links, nil
}

// isPath reports whether a browser takes an address for one of this site:
// neither "//host" nor, which is the same to a browser, "/\host".
func isPath(address string) bool {
	return len(address) > 0 && address[0] == '/' &&
		(len(address) == 1 || address[1] != '/' && address[1] != '\\')
}
