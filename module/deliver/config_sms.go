package deliver

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// SMSConfig is the service that sends text messages: an address that takes one
// POST for each. Placeholders {env.NAME} and {file.PATH} are resolved when the
// configuration is loaded, as they are: what stands for one in the address or
// the body has to be encoded for the place where it stands.
//
// What shows a secret in its name, such as the header Authorization, a query
// parameter api_key or a member "secret" of the body, must have a placeholder in
// its value: a literal is refused, since the configuration can be read by many.
type SMSConfig struct {
	// Webhook is the address that is posted to: https, or http on the same
	// machine. Required.
	Webhook string `json:"webhook,omitempty"`

	// Headers are sent along: name to value. With the Content-Type
	// application/x-www-form-urlencoded what stands for {phone}, {code} and
	// {text} in the body is encoded for a form, otherwise as in a JSON string.
	// Default: Content-Type application/json.
	Headers map[string]string `json:"headers,omitempty"`

	// Body is the body of the POST, with these in it: {phone}, the phone
	// number as +491701234567, or {phone_digits}, the same without the plus,
	// as some services want it; {text}, a sentence in the person's language
	// that has the passcode in it, or {code}, the bare passcode.
	// Default: {"to":"{phone}","text":"{text}"}.
	Body string `json:"body,omitempty"`
}

// SetDefaults puts the default into every field that says nothing.
func (c *SMSConfig) SetDefaults() {
	if c.Body == "" {
		c.Body = `{"to":"{phone}","text":"{text}"}`
	}
}

// Validate reports what is wrong with c. Nothing that it says holds the
// address, a value or the body: they may have secrets in them.
func (c SMSConfig) Validate() (wrong mistake.List) {
	switch u, err := url.Parse(c.Webhook); {
	case c.Webhook == "":
		wrong.Addf("webhook", "is required: the address that takes text messages")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		wrong.Addf("webhook", "is not an address such as https://sms.example.com/send")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		wrong.Addf("webhook", "would send passcodes in the clear to %s: use https", u.Hostname())
	}

	seen := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		word, value := "header "+name, c.Headers[name]
		folded := strings.ToLower(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			wrong.Addf(word, "%q cannot be the name of a header", name)
		case slices.Contains(ownHeaders, folded):
			wrong.Addf(word, "is set by Caddy itself: leave it out")
		case seen[folded]:
			wrong.Addf(word, "is there twice: case does not count here")
		case value == "":
			wrong.Addf(word, "is empty: leave it out")
		case !httpguts.ValidHeaderFieldValue(value):
			wrong.Addf(word, "has a line break or another control character in its value")
		}
		seen[folded] = true
	}
	if c.Body != "" {
		wrong.Add("body", c.checkBody())
	}
	return wrong
}

// ownHeaders follow from the address and the body. Go's client would silently
// leave them out.
var ownHeaders = []string{"host", "content-length", "transfer-encoding", "trailer"}

// Placeholders are what a body may have in it for the message.
var Placeholders = []string{"{phone}", "{phone_digits}", "{code}", "{text}"}

var (
	anyPlaceholder = regexp.MustCompile(`\{[A-Za-z][A-Za-z0-9_.]*\}`)
	// plusInForm is a number whose + is not encoded.
	plusInForm  = regexp.MustCompile(`=\+[0-9]`)
	beginOfJSON = regexp.MustCompile(`^\s*(\[|\{\s*["}])`)
)

// sample has in it what could break a body.
var sample = Text{Phone: "+491701234567", Code: "012345", Text: "a \"b\" \\ & c\n=日本"}

// checkBody tells what is wrong with a body that is not empty.
func (c SMSConfig) checkBody() error {
	has := func(placeholder string) bool { return strings.Contains(c.Body, placeholder) }
	for _, found := range anyPlaceholder.FindAllString(c.Body, -1) {
		if slices.Contains(Placeholders, found) || strings.HasPrefix(found, "{env.") || strings.HasPrefix(found, "{file.") {
			continue
		}
		if near := mistake.DidYouMean(found, Placeholders); near != "" {
			return fmt.Errorf("unknown placeholder %s%s", found, near)
		}
		return fmt.Errorf("unknown placeholder %s: use %s", found, mistake.Choice(Placeholders))
	}
	switch {
	case !has("{code}") && !has("{text}"):
		return errors.New("has neither {text} nor {code} in it, so no passcode would ever arrive")
	case !has("{phone}") && !has("{phone_digits}"):
		return errors.New("has neither {phone} nor {phone_digits} in it, so nobody would know whom it is for")
	case c.isForm() && plusInForm.MatchString(c.Body):
		return errors.New("is a form, in which + means a space: write %2B for the + of a phone number")
	case c.looksLikeJSON() && !json.Valid([]byte(c.fill(sample))):
		return errors.New("is not JSON when it is filled in: " +
			"write {phone}, {code} and {text} between double quotes, and backquotes around the whole body to keep them")
	}
	return nil
}

// Warnings reports what works, but hardly as it was meant.
func (c SMSConfig) Warnings() (odd mistake.List) {
	switch kind := c.contentType(); {
	case c.Body == "" || c.isForm():
	case kind != jsonType && !strings.HasSuffix(kind, "+json"):
		odd.Addf("body", "is sent as %s: {phone}, {code} and {text} are escaped as in a JSON string all the same, "+
			"since only JSON and %s are known", kind, formType)
	case !c.looksLikeJSON():
		odd.Addf("body", "is sent as %s and is none: for a form add `header Content-Type %s`", kind, formType)
	}
	return odd
}

// The kinds of body that are known.
const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// contentType is what the body is sent as, without parameters.
func (c SMSConfig) contentType() string {
	for name, value := range c.Headers {
		if strings.EqualFold(name, "Content-Type") {
			if kind, _, err := mime.ParseMediaType(value); err == nil {
				return kind
			}
			return value
		}
	}
	return jsonType
}

func (c SMSConfig) isForm() bool { return c.contentType() == formType }

// looksLikeJSON reports whether the body begins as a JSON object or array does.
func (c SMSConfig) looksLikeJSON() bool { return !c.isForm() && beginOfJSON.MatchString(c.Body) }

// fill puts a text message into the body.
func (c SMSConfig) fill(t Text) string {
	escape := escapeJSON
	if c.isForm() {
		escape = url.QueryEscape
	}
	return strings.NewReplacer(
		"{phone}", escape(t.Phone),
		"{phone_digits}", escape(strings.TrimPrefix(t.Phone, "+")),
		"{code}", escape(t.Code),
		"{text}", escape(t.Text),
	).Replace(c.Body)
}
