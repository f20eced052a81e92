package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// TestStructure holds every page in every state and language against what
// people, screen readers, password managers and the policy need.
func TestStructure(t *testing.T) {
	p := newPages(t, Brand{Name: "Example Ltd.", Logo: "testdata/logo.svg"}, "")
	for _, lang := range []string{"en", "ja"} {
		for _, s := range gallery() {
			t.Run(lang+"/"+s.name, func(t *testing.T) {
				s.view.Language = lang
				answer := write(t, p, s.view, s.page)
				body, err := io.ReadAll(answer.Body)
				if err != nil {
					t.Fatal(err)
				}
				if len(body) >= 30_000 {
					t.Errorf("%d bytes: a page has at most 30 KB", len(body))
				}
				root, err := html.Parse(bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				d := &document{t: t, root: root, ids: map[string]*html.Node{}}
				if linking, ok := s.page.(AccountLinking); ok {
					d.away = linking.Href
				}
				d.index(root)
				d.checkOutline(lang)
				d.checkPolicy(answer.Header.Get("Content-Security-Policy"))
				d.checkForms()
				d.checkLinks()
				if text := d.text(root); strings.ContainsAny(text, "{}!！") || strings.Contains(text, "ZgotmplZ") {
					t.Errorf("a placeholder, something filtered or an exclamation mark is left in %q", text)
				}
			})
		}
	}
}

// document is one parsed page.
type document struct {
	t    *testing.T
	root *html.Node
	ids  map[string]*html.Node
	all  []*html.Node
	away string // where a link may lead beside this site
}

// index gathers the elements and finds ids given twice.
func (d *document) index(n *html.Node) {
	if n.Type == html.ElementNode {
		d.all = append(d.all, n)
		if id := attr(n, "id"); id != "" {
			if d.ids[id] != nil {
				d.t.Errorf("id %q is there twice", id)
			}
			d.ids[id] = n
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		d.index(c)
	}
}

func (d *document) elements(names ...string) []*html.Node {
	var found []*html.Node
	for _, n := range d.all {
		for _, name := range names {
			if n.Data == name {
				found = append(found, n)
			}
		}
	}
	return found
}

// text is what an element says; the style sheet is no text.
func (d *document) text(n *html.Node) string {
	var b strings.Builder
	for n := range n.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			b.WriteString(n.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

func (d *document) checkOutline(lang string) {
	if got := attr(d.elements("html")[0], "lang"); got != lang {
		d.t.Errorf("lang=%q, want %q", got, lang)
	}
	for _, name := range []string{"h1", "main", "title", "header"} {
		if found := d.elements(name); len(found) != 1 || name != "header" && d.text(found[0]) == "" {
			d.t.Errorf("%d <%s>, want one that says something", len(found), name)
		}
	}
	for _, n := range d.elements("h2") {
		if d.text(n) == "" {
			d.t.Error("a heading says nothing")
		}
	}
	if n := len(d.elements("h3", "script", "iframe", "object", "link", "base")); n > 0 {
		d.t.Errorf("%d elements that no page has", n)
	}
	alerts, primary, focus := 0, 0, 0
	for _, n := range d.all {
		if attr(n, "role") == "alert" {
			alerts++
			if d.text(n) == "" {
				d.t.Error("the alert says nothing")
			}
		}
		if strings.Contains(" "+attr(n, "class")+" ", " primary ") {
			primary++
		}
		if has(n, "autofocus") {
			focus++
		}
	}
	if alerts > 1 || primary > 1 || focus > 1 {
		d.t.Errorf("%d alerts, %d primary buttons, %d autofocus: at most one of each", alerts, primary, focus)
	}
	if alerts == 1 && !strings.HasPrefix(d.text(d.elements("title")[0]), d.text(d.ids["message"])) {
		d.t.Error("the title does not begin with the message")
	}
}

// checkPolicy finds what the Content-Security-Policy would block.
func (d *document) checkPolicy(policy string) {
	styles := d.elements("style")
	if len(styles) != 1 {
		d.t.Fatalf("%d <style>, want one", len(styles))
	}
	sum := sha256.Sum256([]byte(styles[0].FirstChild.Data))
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
		d.t.Errorf("policy %q lacks %q", policy, want)
	}
	for _, n := range d.all {
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				d.t.Errorf("<%s %s=%q> is blocked", n.Data, a.Key, a.Val)
			}
		}
		if src := attr(n, "src"); src != "" && !isPath(src) {
			d.t.Errorf("<%s src=%q> is blocked", n.Data, src)
		}
	}
}

// autocomplete is what password managers and one-time codes want.
var autocomplete = map[string]string{
	"email": "username", "recovery-code": "off",
	"passcode": "one-time-code", "name": "name", "phone": "tel",
}

func (d *document) checkForms() {
	labels := map[string]string{}
	for _, n := range d.elements("label") {
		labels[attr(n, "for")] = d.text(n)
	}
	for _, n := range d.elements("form") {
		if attr(n, "method") != "post" || !strings.HasPrefix(attr(n, "action"), "/auth-gateway/") {
			d.t.Errorf("a form does %s %s", attr(n, "method"), attr(n, "action"))
		}
		names := map[string]bool{}
		for n := range n.Descendants() {
			if name := attr(n, "name"); name != "" && n.Data != "button" { // of buttons one is sent
				if names[name] {
					d.t.Errorf("field %q is there twice", name)
				}
				names[name] = true
			}
		}
	}
	for _, n := range d.elements("input") {
		id := attr(n, "id")
		if attr(n, "type") == "hidden" {
			continue
		}
		if id == "account" { // for password managers; people read it beside
			if attr(n, "aria-hidden") != "true" || attr(n, "tabindex") != "-1" || attr(n, "autocomplete") != "username" || has(n, "name") {
				d.t.Error("the account is in people's way")
			}
			continue
		}
		if attr(n, "type") == "checkbox" {
			if n.Parent.Data != "label" || d.text(n.Parent) == "" {
				d.t.Errorf("checkbox %q stands outside its label", id)
			}
			continue
		}
		if labels[id] == "" {
			d.t.Errorf("input %q has no label", id)
		}
		want := autocomplete[id]
		if id == "password" {
			want = "current-password"
			if d.ids["account"] != nil {
				want = "new-password"
			}
		}
		if got := attr(n, "autocomplete"); got != want {
			d.t.Errorf("input %q: autocomplete=%q, want %q", id, got, want)
		}
		if attr(n, "type") == "password" && (has(n, "value") || has(n, "maxlength")) {
			d.t.Errorf("input %q keeps or cuts off a password", id)
		}
		if attr(n, "spellcheck") != "false" || attr(n, "autocapitalize") != "none" && id != "name" {
			d.t.Errorf("input %q is spell-checked or capitalised", id)
		}
		described := attr(n, "aria-describedby")
		for ref := range strings.FieldsSeq(described) {
			if d.ids[ref] == nil {
				d.t.Errorf("input %q is described by %q, which is not there", id, ref)
			}
		}
		if has(n, "aria-invalid") && !strings.HasPrefix(described, "message") {
			d.t.Errorf("input %q is invalid and does not say why", id)
		}
	}
}

func (d *document) checkLinks() {
	for _, n := range d.elements("a") {
		href := attr(n, "href")
		if d.text(n) == "" {
			d.t.Errorf("the link to %q says nothing", href)
		}
		if !isPath(href) && href != d.away && !strings.HasPrefix(href, "otpauth://totp/") && !strings.HasPrefix(href, "data:text/plain") {
			d.t.Errorf("a link leads to %q", href)
		}
	}
}

// TestMessages: one line, at the field it is about, which is marked and ready
// for typing; what was typed is kept.
func TestMessages(t *testing.T) {
	p := newPages(t, Brand{}, "en")
	for _, test := range []struct {
		name   string
		page   Page
		text   string
		before string // id of the input just before the message; "" above the form
		marked string
		focus  string
	}{
		{"never which of the two", SignIn{Password: true, Email: "a@b.test", Message: Message{Kind: WrongCredentials}}, "The e-mail address or the password is not right.", "", "email password", "password"},
		{"held off", SignIn{Password: true, Email: "a@b.test", Message: Message{Kind: WaitCredentials, Wait: 61 * time.Second}}, "There were too many failed attempts. Please wait 2 minutes, then try again.", "", "", "password"},
		{"held off for long", SignIn{Password: true, Email: "a@b.test", Message: Message{Kind: WaitCredentials, Wait: 91 * time.Minute}}, "There were too many failed attempts. Please wait 2 hours, then try again.", "", "", "password"},
		{"held off until now", SignIn{Password: true, Email: "a@b.test", Message: Message{Kind: WaitCredentials}}, "There were too many failed attempts. Please wait 1 minute, then try again.", "", "", "password"},
		{"empty field", SignIn{Password: true, Message: Message{Kind: FieldEmpty, Field: EmailField}}, "Enter your e-mail address.", "email", "email", "email"},
		{"wrong passcode", Passcode{Method: "app", Message: Message{Kind: WrongPasscode}}, "That passcode is not right, or was used before. Wait for the next one and enter it.", "passcode", "passcode", "passcode"},
		{"wrong recovery code", Passcode{Method: "app", Recovery: true, Message: Message{Kind: WrongPasscode}}, "That recovery code is not right, or was used before.", "recovery-code", "recovery-code", "recovery-code"},
		{"wrong passcode that was sent", Passcode{Method: "email", Sent: Sent{Once: true}, Message: Message{Kind: WrongPasscode}}, "That passcode is not right, or was used before. Enter the one that was sent last.", "passcode", "passcode", "passcode"},
		{"passcode for a page from before", Passcode{Method: "email", Message: Message{Kind: WrongPasscode}}, "That passcode is not right, or was used before. Enter the one that was sent last.", "", "", ""},
		{"the only field there is", Passcode{Method: "sms", Message: Message{Kind: FieldEmpty, Field: PasscodeField}}, "Enter a recovery code.", "recovery-code", "recovery-code", "recovery-code"},
		{"nothing but recovery codes", Passcode{Message: Message{Kind: FieldEmpty, Field: PasscodeField}}, "Enter a recovery code.", "recovery-code", "recovery-code", "recovery-code"},
		{"guessed too often", Passcode{Method: "email", Sent: Sent{Once: true}, Message: Message{Kind: SentCodeOver}}, "The passcode that was sent no longer works: there were too many wrong ones, or its time is over. Have another one sent.", "", "", ""},
		{"guessed too often, the last one", Passcode{Method: "email", Sent: Sent{Once: true, Enough: true}, Message: Message{Kind: SentCodeOver}}, "The passcode that was sent no longer works: there were too many wrong ones, or its time is over.", "", "", ""},
		{"too early to send", Passcode{Method: "email", Sent: Sent{Once: true}, Message: Message{Kind: WaitToSend, Wait: 88001 * time.Millisecond}}, "It is too early to send another passcode. Please wait 89 seconds, then try again.", "", "", "passcode"},
		{"much too early to send", Passcode{Method: "email", Sent: Sent{Once: true}, Message: Message{Kind: WaitToSend, Wait: 90 * time.Second}}, "It is too early to send another passcode. Please wait 2 minutes, then try again.", "", "", "passcode"},
		{"not delivered, told of itself", Passcode{Method: "email", Sent: Sent{Once: true, Undelivered: true}}, "The passcode could not be delivered so far. We keep trying. You can also try another way.", "", "", "passcode"},
		{"not delivered, and wrong", Passcode{Method: "email", Sent: Sent{Once: true, Undelivered: true}, Message: Message{Kind: WrongPasscode}}, "That passcode is not right, or was used before. Enter the one that was sent last.", "passcode", "passcode", "passcode"},
		{"not delivered, and no other way", Enroll{Method: "email", Sent: Sent{Once: true}, Message: Message{Kind: NotDelivered}}, "The passcode could not be delivered so far. We keep trying.", "", "", "passcode"},
		{"not an app's", Enroll{Sent: Sent{Once: true, Undelivered: true}}, "", "", "", ""},
		{"no phone number", Enroll{Method: "sms", Phone: "x", Message: Message{Kind: NoPhone}}, "This is not a phone number, or the code of its country is missing.", "phone", "phone", "phone"},
		{"phone number missing", Enroll{Method: "sms", Message: Message{Kind: FieldEmpty, Field: PhoneField}}, "Enter your phone number.", "phone", "phone", "phone"},
		{"wizard, passcode missing", Enroll{Method: "sms", Sent: Sent{Once: true}, Message: Message{Kind: FieldEmpty, Field: PasscodeField}}, "Enter the passcode.", "passcode", "passcode", "passcode"},
		{"wizard, passcode for a page from before", Enroll{Method: "sms", Message: Message{Kind: FieldEmpty, Field: PasscodeField}}, "Enter the passcode.", "", "", "phone"},
		{"short password", SetPassword{MinLength: 15, Message: Message{Kind: PasswordTooShort}}, "This password is too short. It needs at least 15 characters.", "password", "password", "password"},
		{"no message, buttons first", SignIn{Password: true, Buttons: []Button{{SSO: "okta"}}}, "", "", "", ""},
		{"no message, name known", SignIn{Password: true, Email: "a@b.test"}, "", "", "", "password"},
	} {
		root, err := html.Parse(write(t, p, View{Host: "h"}, test.page).Body)
		if err != nil {
			t.Fatal(err)
		}
		d := &document{t: t, root: root, ids: map[string]*html.Node{}}
		d.index(root)
		text, before, last, focus := "", "", "", ""
		var marked []string
		for _, n := range d.all {
			switch {
			case attr(n, "role") == "alert":
				text, before = d.text(n), last
			case n.Data == "input" && attr(n, "type") != "hidden":
				last = attr(n, "id")
			}
			if has(n, "aria-invalid") {
				marked = append(marked, attr(n, "id"))
			}
			if has(n, "autofocus") {
				focus = attr(n, "id")
			}
		}
		if text != test.text || before != test.before || strings.Join(marked, " ") != test.marked || focus != test.focus {
			t.Errorf("%s: %q after %q, marked %v, focus %q", test.name, text, before, marked, focus)
		}
		if page, ok := test.page.(SignIn); ok && attr(d.ids["email"], "value") != page.Email {
			t.Errorf("%s: the address is not kept", test.name)
		}
		if page, ok := test.page.(Enroll); ok && d.ids["phone"] != nil && attr(d.ids["phone"], "value") != page.Phone {
			t.Errorf("%s: the number is not kept", test.name)
		}
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}
