// Package pages shows what people see: templates, one stylesheet and the texts
// in every language. It decides nothing.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

//go:embed templates/*.html templates/letter/*.html
var templateFiles embed.FS

//go:embed style.css
var stylesheet string

// Pages are the pages of one brand.
type Pages struct {
	brand     Brand
	logo      *logo // nil without one
	languages *languages
	style     template.CSS
	styleHash string // as the Content-Security-Policy wants it
	templates map[string]*template.Template
	letter    *template.Template // the HTML of mails
	button    [2]string          // colours of a button in mails: ground, text
}

// View is what every page needs to know.
type View struct {
	// Host is where the person is going, as they know it: "app.example.com".
	Host string

	// Language is what Pages.Language returned for the request.
	Language string

	// Self is the path and query at which a GET shows this page again, for
	// the language switch. Leave it empty where that would do something or
	// show another page: a post, a callback. There is no switch then.
	Self string

	// Again is where "Try again" leads on an error page that cannot be shown
	// again itself. Default: Self.
	Again string

	// SignIn is where "Go to sign-in" leads on an error page. Default:
	// /auth-gateway/sign-in.
	SignIn string

	// FormTargets are origins (https://idp.example.com) beside this site at
	// which a form of this page may end up; browsers check where a post is
	// redirected to.
	FormTargets []string
}

// Page is one of SignIn, Passcode, Enroll, RecoveryCodes, SignOut, SignedOut,
// SetPassword, PasswordSet, ResetAsk, ResetSent, Account, AccountName,
// AccountPassword, AccountFactors, AccountLinks, AccountLinking and Error, by
// value.
type Page interface {
	// name is the page's template and the first part of its texts' keys.
	name() string
}

// New reads the brand's logo and prepares every page. language fixes the
// language of all pages; "" leaves it to the browser.
func New(brand Brand, language string) (*Pages, error) {
	p := &Pages{brand: brand, templates: map[string]*template.Template{}}
	var err error
	if p.languages, err = newLanguages(language); err != nil {
		return nil, err
	}
	if brand.Logo != "" {
		if p.logo, err = readLogo(brand.Logo); err != nil {
			return nil, fmt.Errorf("brand logo: %w", err)
		}
	}
	if brand.Accent == "" {
		brand.Accent = defaultAccent
	}
	accent, err := parseColour(brand.Accent)
	if err != nil {
		return nil, fmt.Errorf("brand accent: %w", err)
	}
	style := stylesheet + accentStyle(accent)
	sum := sha256.Sum256([]byte(style))
	p.style = template.CSS(style)
	p.styleHash = "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"

	if p.letter, err = template.ParseFS(templateFiles, "templates/letter/letter.html"); err != nil {
		return nil, err
	}
	surface, _ := parseColour(lightSurface) // a constant
	shades := shadesOn(accent, surface)
	p.button = [2]string{shades.Button.String(), shades.ButtonText.String()}

	layout, err := template.ParseFS(templateFiles, "templates/layout.html")
	if err != nil {
		return nil, err
	}
	for _, page := range []Page{
		SignIn{}, Passcode{}, Enroll{}, RecoveryCodes{}, SignOut{}, SignedOut{},
		SetPassword{}, PasswordSet{}, ResetAsk{}, ResetSent{}, Error{},
		Account{}, AccountName{}, AccountPassword{}, AccountFactors{}, AccountLinks{}, AccountLinking{},
	} {
		t, err := layout.Clone()
		if err != nil {
			return nil, err
		}
		if t, err = t.ParseFS(templateFiles, "templates/"+page.name()+".html"); err != nil {
			return nil, err
		}
		p.templates[page.name()] = t
	}
	return p, nil
}

// accentStyle is the part of the stylesheet that depends on the accent.
func accentStyle(accent colour) string {
	vars := func(surface string) string {
		background, _ := parseColour(surface) // a constant
		s := shadesOn(accent, background)
		return fmt.Sprintf(":root { --link: %s; --button: %s; --button-edge: %s; --button-text: %s; --hover: %s; }",
			s.Link, s.Button, s.ButtonEdge, s.ButtonText, s.Hover)
	}
	return vars(lightSurface) + "\n@media (prefers-color-scheme: dark) { " + vars(darkSurface) + " }\n"
}

// Write answers with a page. It sets every header that pages have in common;
// the caller has set its own (Retry-After, Allow, Set-Cookie) before.
func (p *Pages) Write(w http.ResponseWriter, status int, v View, page Page) {
	var body bytes.Buffer
	shown, err := p.prepare(v, page)
	if err == nil {
		err = p.templates[page.name()].ExecuteTemplate(&body, "layout.html", shown)
	}
	if err != nil {
		// A fault of this package, which its tests exclude: each page is
		// written in each language and state there.
		http.Error(w, "the page could not be shown", http.StatusInternalServerError)
		return
	}

	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Content-Language", shown.Lang)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", p.contentSecurityPolicy(v.FormTargets))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers older than frame-ancestors
	// no-referrer would make browsers post "Origin: null".
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // whoever asked may be gone
}

// contentSecurityPolicy allows the stylesheet, the logo where there is one,
// and forms to this site and the given origins.
func (p *Pages) contentSecurityPolicy(formTargets []string) string {
	var policy strings.Builder
	policy.WriteString("default-src 'none'; style-src " + p.styleHash)
	if p.logo != nil {
		policy.WriteString("; img-src 'self'")
	}
	policy.WriteString("; form-action 'self'")
	for _, target := range formTargets {
		// Taken apart and put together, so that nothing but an origin gets in.
		u, err := url.Parse(target)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Host, hostCharacters) != "" || u.Host == "" {
			continue
		}
		policy.WriteString(" " + u.Scheme + "://" + u.Host)
	}
	policy.WriteString("; frame-ancestors 'none'; base-uri 'none'")
	return policy.String()
}

// hostCharacters may be in the host and port of an origin.
const hostCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]"

// Logo serves the brand's logo at /auth-gateway/logo, or 404 without one.
func (p *Pages) Logo() http.Handler {
	if p.logo == nil {
		return http.NotFoundHandler()
	}
	return p.logo
}
