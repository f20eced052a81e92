package harness

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Page is an answer that a client received.
type Page struct {
	Status int
	Header http.Header
	Body   []byte
	// URL is what was asked for.
	URL *url.URL

	t   testing.TB
	doc *html.Node
}

// Form is a form of a page with the values that its fields hold.
type Form struct {
	Method string
	Action *url.URL
	Values url.Values

	t testing.TB
}

// FromApp reports whether the answer is the app's own.
func (p *Page) FromApp() bool {
	return p.Header.Get("X-App") == Marker || bytes.Contains(p.Body, []byte(Marker))
}

// App returns the request as the app received it.
func (p *Page) App() Received {
	p.t.Helper()
	if !p.FromApp() {
		p.t.Fatalf("not the app's answer: %v", p)
	}
	var got Received
	p.JSON(&got)
	return got
}

// JSON reads the answer as JSON.
func (p *Page) JSON(to any) {
	p.t.Helper()
	if err := json.Unmarshal(p.Body, to); err != nil {
		p.t.Fatalf("%v: %v", err, p)
	}
}

// Want fails the test unless the answer has that status.
func (p *Page) Want(status int) *Page {
	p.t.Helper()
	if p.Status != status {
		p.t.Fatalf("status %d instead of %d: %v", p.Status, status, p)
	}
	return p
}

// Location returns where the answer redirects to.
func (p *Page) Location() *url.URL {
	p.t.Helper()
	location, err := p.URL.Parse(p.Header.Get("Location"))
	if err != nil || p.Header.Get("Location") == "" {
		p.t.Fatalf("no redirect: %v", p)
	}
	return location
}

// String describes the answer for a failed test.
func (p *Page) String() string {
	body := p.Body
	if p.html() && p.Text() != "" {
		body = []byte(p.Text())
	}
	return strings.TrimSpace(p.URL.String() + ": " + http.StatusText(p.Status) + " " +
		p.Header.Get("Location") + "\n" + string(body[:min(len(body), 1500)]))
}

func (p *Page) html() bool { return strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") }

func (p *Page) document() *html.Node {
	p.t.Helper()
	if p.doc == nil {
		doc, err := html.Parse(bytes.NewReader(p.Body))
		if err != nil {
			p.t.Fatal(err)
		}
		p.doc = doc
	}
	return p.doc
}

// Text returns what the page says, without its markup.
func (p *Page) Text() string { return text(p.document()) }

// Alert returns the texts with role="alert".
func (p *Page) Alert() string {
	var alerts []string
	for n := range p.document().Descendants() {
		if attr(n, "role") == "alert" {
			alerts = append(alerts, text(n))
		}
	}
	return strings.Join(alerts, "\n")
}

// ID returns the text of the element with that id, "" without one.
func (p *Page) ID(id string) string {
	for n := range p.document().Descendants() {
		if attr(n, "id") == id {
			return text(n)
		}
	}
	return ""
}

// Heading returns the text of the page's heading.
func (p *Page) Heading() string {
	for n := range p.document().Descendants() {
		if n.Data == "h1" {
			return text(n)
		}
	}
	return ""
}

// RecoveryCodes returns the codes that the page shows.
func (p *Page) RecoveryCodes() []string {
	var codes []string
	for n := range p.document().Descendants() {
		if attr(n, "id") != "recovery-codes" {
			continue
		}
		for item := range n.Descendants() {
			if item.Data == "li" {
				codes = append(codes, text(item))
			}
		}
	}
	return codes
}

// Link returns the target of the first link whose text or address contains
// what.
func (p *Page) Link(what string) *url.URL {
	p.t.Helper()
	for n := range p.document().Descendants() {
		if href := attr(n, "href"); n.Data == "a" && href != "" &&
			(strings.Contains(text(n), what) || strings.Contains(href, what)) {
			target, err := p.URL.Parse(href)
			if err != nil {
				p.t.Fatal(err)
			}
			return target
		}
	}
	p.t.Fatalf("no link %q: %v", what, p)
	return nil
}

// HasForm reports whether a form of the page has a field of that name.
func (p *Page) HasForm(field string) bool { return p.form(field) != nil }

// Form returns the form that has a field of that name.
func (p *Page) Form(field string) *Form {
	p.t.Helper()
	f := p.form(field)
	if f == nil {
		p.t.Fatalf("no form with the field %q: %v", field, p)
	}
	return f
}

func (p *Page) form(field string) *Form {
	for n := range p.document().Descendants() {
		if n.Data != "form" {
			continue
		}
		if values, names := fields(n); field == "" || slices.Contains(names, field) {
			return p.newForm(n, values)
		}
	}
	return nil
}

// FormTo returns the form whose address contains what.
func (p *Page) FormTo(what string) *Form {
	p.t.Helper()
	for n := range p.document().Descendants() {
		if n.Data == "form" && strings.Contains(attr(n, "action"), what) {
			values, _ := fields(n)
			return p.newForm(n, values)
		}
	}
	p.t.Fatalf("no form to %q: %v", what, p)
	return nil
}

func (p *Page) newForm(n *html.Node, values url.Values) *Form {
	action, err := p.URL.Parse(attr(n, "action"))
	if err != nil {
		p.t.Fatal(err)
	}
	if action.Fragment == "" && attr(n, "action") == "#" {
		action = p.URL
	}
	method := strings.ToUpper(attr(n, "method"))
	if method == "" {
		method = http.MethodGet
	}
	return &Form{Method: method, Action: action, Values: values, t: p.t}
}

// Set gives a field its value.
func (f *Form) Set(name, value string) *Form {
	f.Values.Set(name, value)
	return f
}

// fields returns the values that a form would send as it stands, and the names
// of all of its fields.
func fields(form *html.Node) (url.Values, []string) {
	values := url.Values{}
	var names []string
	for n := range form.Descendants() {
		name := attr(n, "name")
		if name == "" {
			continue
		}
		names = append(names, name)
		switch n.Data {
		case "input":
			switch attr(n, "type") {
			case "submit", "button", "image", "reset":
			case "checkbox", "radio":
				if has(n, "checked") {
					value := attr(n, "value")
					if value == "" {
						value = "on"
					}
					values.Add(name, value)
				}
			default:
				values.Add(name, attr(n, "value"))
			}
		case "select":
			for option := range n.Descendants() {
				if option.Data == "option" && (has(option, "selected") || !values.Has(name)) {
					values.Set(name, attr(option, "value"))
				}
			}
		case "textarea":
			values.Add(name, text(n))
		}
	}
	return values, names
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// text returns what an element says, blanks drawn together.
func text(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.Data == "style" || n.Data == "script" || n.Data == "head":
			return
		}
		for child := range n.ChildNodes() {
			walk(child)
		}
		if n.Type == html.ElementNode {
			b.WriteByte(' ')
		}
	}
	walk(n)
	return strings.Join(strings.Fields(b.String()), " ")
}
