package pages

import (
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// shown is what a template sees.
type shown struct {
	View
	Page        Page
	Lang        string
	Title       string
	WindowTitle string
	Style       template.CSS
	Brand       string // "" where the heading says the same
	LogoHref    string
	LogoAdapts  bool
	Links       []languageLink

	catalogue *catalogue
	message   *shownMessage
}

// prepare gathers what the template of a page needs.
func (p *Pages) prepare(v View, page Page) (*shown, error) {
	c := p.languages.named(v.Language)
	if c == nil {
		c = p.languages.catalogues[0]
	}
	s := &shown{View: v, Page: page, Lang: c.tag.String(), Style: p.style, catalogue: c}

	title, err := s.say(s.titleKey(), "host", v.Host)
	if err != nil {
		return nil, err
	}
	s.Title = title
	s.Brand = p.brand.Name
	if s.Brand == "" && !strings.Contains(title, v.Host) {
		s.Brand = v.Host
	}
	if p.logo != nil {
		s.LogoHref = "/auth-gateway/logo?v=" + p.logo.hash
		s.LogoAdapts = p.logo.adapts
		if s.Brand == "" {
			s.Brand = v.Host
		}
	}
	if s.Links, err = p.languages.links(v.Self, c); err != nil {
		return nil, err
	}
	if s.message, err = s.prepareMessage(); err != nil {
		return nil, err
	}

	// A screen reader says the title first, so that it tells of a mistake.
	s.WindowTitle = s.Title
	if s.message != nil {
		if s.WindowTitle, err = s.say("title.message", "message", s.message.Text, "title", s.Title); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// titleKey is the key of a page's heading.
func (s *shown) titleKey() string {
	switch page := s.Page.(type) {
	case SetPassword:
		if page.Invitation {
			return "set_password.title.invitation"
		}
		return "set_password.title.reset"
	case Passcode:
		switch {
		case page.Method == "":
			return "passcode.title.recovery"
		case s.Stuck():
			return "passcode.title.over"
		case !s.Typing():
			return "passcode.title.send"
		}
	case Enroll:
		if page.ByChoice {
			return "enroll.title.choice." + s.Method()
		}
		return "enroll.title." + s.Method()
	case Error:
		return "error." + string(page.Kind) + ".title"
	}
	return s.Page.name() + ".title"
}

// say returns a text. params alternate between a placeholder's name and its
// value.
func (s *shown) say(key string, params ...any) (string, error) {
	return s.catalogue.say(key, params...)
}

// T returns a text for a page.
func (s *shown) T(key string, params ...any) (template.HTML, error) {
	text, err := s.say(key, params...)
	return s.Breakable(text), err
}

// Heading is the title for the page itself.
func (s *shown) Heading() template.HTML { return s.Breakable(s.Title) }

// Breakable escapes a text and says where its lines may break: long host names
// and addresses before a dot or an at sign, "e-mail" not at all.
func (*shown) Breakable(text string) template.HTML {
	var b strings.Builder
	for len(text) > 0 {
		at := longName.FindStringIndex(text)
		if at == nil {
			at = []int{len(text), len(text)}
		}
		b.WriteString(unbroken.Replace(template.HTMLEscapeString(text[:at[0]])))
		name := text[at[0]:at[1]]
		for at := joint.FindStringIndex(name); at != nil; at = joint.FindStringIndex(name) {
			b.WriteString(template.HTMLEscapeString(name[:at[0]+1]) + "<wbr>")
			name = name[at[0]+1:]
		}
		b.WriteString(template.HTMLEscapeString(name))
		text = text[at[1]:]
	}
	return template.HTML(b.String())
}

var (
	// longName finds what may not fit a line of a phone beside other words.
	longName = regexp.MustCompile(`[!-~]{21,}`)
	// joint finds what stands between the parts of a name.
	joint = regexp.MustCompile(`[a-zA-Z0-9][.@][a-zA-Z0-9]`)
	// unbroken keeps a word with a hyphen on one line.
	unbroken = strings.NewReplacer("e-mail", `<span class="whole">e-mail</span>`)
)

// Whole keeps a telephone number on one line.
func (*shown) Whole(text string) string { return strings.ReplaceAll(text, " ", "\u00a0") }

// Or returns the address, or the default for none.
func (*shown) Or(address, otherwise string) string {
	if address == "" {
		return otherwise
	}
	return address
}

// Time writes a time as the language does.
func (s *shown) Time(t time.Time) (string, error) {
	layout, err := s.say("format.time")
	if err != nil {
		return "", err
	}
	return t.Format(layout), nil
}

// MessageAt returns the message if it belongs at that input, or above the
// form when the id is "".
func (s *shown) MessageAt(id string) *shownMessage {
	if s.message == nil || s.message.at != id {
		return nil
	}
	return s.message
}

// Describe returns the attributes that tie an input to its hints and, if it is
// to blame, to the message.
func (s *shown) Describe(id string, hints ...string) template.HTMLAttr {
	attributes := ""
	if s.message != nil && s.message.blames(id) {
		attributes = ` aria-invalid="true"`
		hints = append([]string{"message"}, hints...)
	}
	if len(hints) > 0 {
		attributes += ` aria-describedby="` + strings.Join(hints, " ") + `"`
	}
	return template.HTMLAttr(attributes)
}

// Focus returns the autofocus attribute for the one input where typing goes on.
func (s *shown) Focus(id string) template.HTMLAttr {
	if s.focus() == id {
		return " autofocus"
	}
	return ""
}

// focus is the input in which typing goes on: the first one to blame, or the
// first empty one of a page that consists of its form.
func (s *shown) focus() string {
	if s.message != nil && s.message.focus != "" {
		return s.message.focus
	}
	switch page := s.Page.(type) {
	case SignIn:
		switch {
		case len(page.Buttons) > 0: // a phone's keyboard would cover them
			return ""
		case page.Email == "":
			return "email"
		}
		return "password"
	case Passcode:
		switch {
		case page.Method == "":
			return "recovery-code"
		case s.Typing():
			return "passcode"
		}
	case Enroll:
		switch {
		case s.Method() == "app": // there is something to read first
		case s.Typing():
			return "passcode"
		default:
			return "phone"
		}
	case AccountName:
		return "name"
	case SetPassword, AccountPassword:
		return "password"
	}
	return ""
}

// QR draws the address of an authenticator app's secret, or nothing if it is
// too long for one: the key to type is there as well.
func (s *shown) QR() *qrCode {
	code, err := drawQR(s.Page.(Enroll).URL)
	if err != nil {
		return nil
	}
	return &code
}

// KeyGroups cuts the key into groups that can be kept in mind while typing.
func (s *shown) KeyGroups() []string {
	var groups []string
	key := s.Page.(Enroll).Key
	for len(key) > 4 {
		groups, key = append(groups, key[:4]), key[4:]
	}
	return append(groups, key)
}

// AppHref opens an authenticator app on the same device.
func (s *shown) AppHref() template.URL {
	address := s.Page.(Enroll).URL
	if !strings.HasPrefix(address, "otpauth://totp/") {
		return ""
	}
	return template.URL(address)
}

// CodesFile is the recovery codes as a file to save, in its own address.
func (s *shown) CodesFile() (template.URL, error) {
	page := s.Page.(RecoveryCodes)
	owner, err := s.say("recovery_codes.owner", "host", s.Host, "email", page.Email)
	if err != nil {
		return "", err
	}
	why, err := s.say("recovery_codes.once")
	if err != nil {
		return "", err
	}
	// Notepad and mail programs agree on CRLF.
	content := fmt.Sprintf("%s\r\n%s\r\n\r\n%s\r\n", owner, why, strings.Join(page.Codes, "\r\n"))
	return template.URL("data:text/plain;charset=utf-8," + url.PathEscape(content)), nil
}

// What is the sentence on what happened.
func (s *shown) What() (template.HTML, error) { return s.errorText("what") }

// Do is the sentence on what to do now.
func (s *shown) Do() (template.HTML, error) { return s.errorText("do") }

func (s *shown) errorText(part string) (template.HTML, error) {
	page := s.Page.(Error)
	sso := page.Detail.SSO
	if sso == "" {
		var err error
		if sso, err = s.say("error.unnamed_sso"); err != nil {
			return "", err
		}
	}
	key := "error." + string(page.Kind) + "." + part
	return s.T(key, "host", s.Host, "sso", sso, "email", page.Detail.Email)
}

// Way is the way on, with what the kind of error suggests filled in.
func (s *shown) Way() Way {
	page := s.Page.(Error)
	way := page.Way
	if way.Kind == WayDefault {
		way.Kind = page.Kind.way()
	}
	if way.Href == "" {
		switch {
		case way.Kind == WayBack:
			way.Href = "/"
		case way.Kind == WayAccount:
			way.Href = "/auth-gateway/account"
		case way.Kind == WayTryAgain && isPath(s.Again):
			way.Href = s.Again
		case way.Kind == WayTryAgain && isPath(s.Self):
			way.Href = s.Self
		default:
			way.Href = s.Or(s.SignIn, "/auth-gateway/sign-in")
		}
	}
	return way
}
