//go:build integration

package pages

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// words are what a page says, in both languages.
type words struct{ en, ja string }

// screen is how a person looks at the pages.
type screen struct {
	language string
	width    int64 // CSS pixels
}

func (s screen) String() string { return fmt.Sprintf("%s-%d", s.language, s.width) }

// Each way is gone on a phone in one language and at a desk in the other.
var (
	deskEnglish   = screen{"en", 1280}
	deskJapanese  = screen{"ja", 1280}
	phoneEnglish  = screen{"en", 375}
	phoneJapanese = screen{"ja", 375}
)

// person is somebody with a keyboard and no mouse, who goes one of the ways.
// They find their way by what screen readers and scripts hold on to: the names
// of fields and the addresses of forms and links.
type person struct {
	keyboard
	screen
	g     *harness.SendingGate
	email string
	looks int
	seen  map[string]bool // what has been gone through with the Tab key, and with axe
}

// newPerson is an account, and a browser in front of the gate that knows nobody.
func newPerson(t *testing.T, g *harness.SendingGate, b *harness.Chromium, seen map[string]bool, s screen, name string) *person {
	t.Helper()
	g.For(t)
	b.For(t)
	b.Forget()
	b.Language(s.language)
	b.Width(s.width)
	p := &person{keyboard{b, t}, s, g, name + "-" + s.String() + "@example.test", 0, seen}
	g.AddUser(p.email, "--name", "Person Example")
	return p
}

func (p *person) say(w words) string {
	if p.language == "ja" {
		return w.ja
	}
	return w.en
}

// shown is what a page tells about itself.
type shown struct {
	Lang, Heading string
	Headings      int
	Alerts        []string
	Focus         string // the id of what has the focus
	Invalid       []string
	Wide          int // pixels that do not fit beside the others
	Primary       int
	// RunTogether are the buttons that lose the blanks beside what is to stay on
	// one line.
	RunTogether []string
	// Parts are what there is to press and to fill in.
	Parts string
}

const whatIsShown = `(() => {
	const all = s => [...document.querySelectorAll(s)];
	const h1 = all("h1");
	return {
		Lang: document.documentElement.lang, Heading: h1.map(h => h.innerText).join(" / "), Headings: h1.length,
		Alerts: all("[role=alert]").map(a => a.innerText), Focus: document.activeElement.id,
		Invalid: all("[aria-invalid=true]").map(a => a.id),
		Wide: document.documentElement.scrollWidth - innerWidth, Primary: all(".primary").length,
		RunTogether: all("button,.button").filter(e => {
			const first = e.firstChild, second = e.children[0];
			if (!second || first.nodeType !== Node.TEXT_NODE || !/\s$/.test(first.data)) return false;
			const words = document.createRange();
			words.setStart(first, 0);
			words.setEnd(first, first.data.trimEnd().length);
			const a = [...words.getClientRects()].at(-1), b = second.getBoundingClientRect();
			return a.top < b.bottom && b.top < a.bottom && b.left - a.right < 1;
		}).map(e => e.textContent),
		Parts: location.pathname + " " + all("a,button,input,summary,[role]").map(e =>
			[e.tagName, e.name, e.id, e.type, e.role].join(":")).join(" "),
	};
})()`

// shown reads the page that is open. The browser puts the focus where the page
// wants it a moment after it is there.
func (p *person) shown() shown {
	p.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got := harness.Measure[shown](p.Chromium, whatIsShown)
		if len(got.Invalid) == 0 || slices.Contains(got.Invalid, got.Focus) || time.Now().After(deadline) {
			return got
		}
	}
}

// look looks at the page that is open: its language, its heading, what it tells
// in role="alert" (nothing else, and nothing without said), that it fits, that
// there is one thing to press first, and a way through it for the keyboard and
// for screen readers. It leaves a picture.
func (p *person) look(name string, heading words, said ...words) {
	p.t.Helper()
	p.looks++
	got := p.shown()
	page := fmt.Sprintf("%s (%s) at %s", name, p.screen, p.Address())
	if got.Lang != p.language {
		p.t.Errorf("%s: in language %q", page, got.Lang)
	}
	if got.Headings != 1 || !strings.Contains(got.Heading, p.say(heading)) {
		p.t.Errorf("%s: the heading is %q, want %q\n%s", page, got.Heading, p.say(heading), p.Text())
	}
	alerts := strings.Join(got.Alerts, "\n")
	if len(got.Alerts) != min(len(said), 1) {
		p.t.Errorf("%s: the alerts are %q", page, got.Alerts)
	}
	for _, w := range said {
		if !strings.Contains(alerts, p.say(w)) {
			p.t.Errorf("%s: the alert is %q, want %q", page, alerts, p.say(w))
		}
	}
	if len(got.Invalid) > 0 && !slices.Contains(got.Invalid, got.Focus) {
		p.t.Errorf("%s: wrong is %q, but the focus is on %q", page, got.Invalid, got.Focus)
	}
	if got.Wide > 0 {
		p.t.Errorf("%s: it has to be scrolled sideways by %d pixels", page, got.Wide)
	}
	if len(got.RunTogether) > 0 {
		p.t.Errorf("%s: words run together in %q", page, got.RunTogether)
	}
	if want := min(1, got.Primary); got.Primary != want || want == 0 && !strings.Contains(got.Parts, "/account/second-factor ") {
		p.t.Errorf("%s: %d primary buttons", page, got.Primary)
	}
	p.Screenshot(fmt.Sprintf("%02d-%s", p.looks, name))
	if key := p.String() + got.Heading + got.Parts; !p.seen[key] {
		p.seen[key] = true
		if found := p.Axe(); found != "" {
			p.t.Errorf("%s: axe finds\n%s", page, found)
		}
		p.inOrder(page, p.Stops())
	}
}

// fill types into the field with that id, in place of what is there.
func (p *person) fill(id, text string) {
	p.t.Helper()
	p.TabInto("#" + id)
	p.Retype(text)
}

// answer types into a field and presses Enter.
func (p *person) answer(id, text string) {
	p.t.Helper()
	p.fill(id, text)
	p.Enter()
}

// press presses what a CSS selector finds, which leads to another page.
func (p *person) press(selector string) {
	p.t.Helper()
	p.TabInto(selector)
	p.Enter()
}

// unfold opens the first details after something, as the space bar does.
func (p *person) unfold(selector string) {
	p.t.Helper()
	p.TabInto(selector)
	p.Keys(" ")
}

// signIn goes to an address and gives the password there.
func (p *person) signIn(path string) { p.signInWith(path, harness.Password) }

func (p *person) signInWith(path, password string) {
	p.t.Helper()
	p.Open(p.g.URL + path)
	p.fill("email", p.email)
	p.answer("password", password)
}

func (p *person) signOut() {
	p.t.Helper()
	p.Open(p.g.URL + account)
	p.press(`form[action$="/sign-out"] button`)
	if !strings.Contains(p.Text(), p.say(signedOut)) {
		p.t.Fatalf("not signed out: %s", p.Text())
	}
}

// wantIn fails the test unless the app answers the page that is open.
func (p *person) wantIn() {
	p.t.Helper()
	if text := p.Text(); !strings.Contains(text, harness.Marker) || !strings.Contains(text, p.email) {
		p.Screenshot("failed")
		p.t.Fatalf("not in the app as %s, but at %s: %s", p.email, p.Address(), text)
	}
}

// wantText fails the test unless the page says so.
func (p *person) wantText(w words) {
	p.t.Helper()
	if text := p.Text(); !strings.Contains(text, p.say(w)) {
		p.t.Errorf("at %s (%s) it does not say %q:\n%s", p.Address(), p.screen, p.say(w), text)
	}
}

// wantValue fails the test unless the field with that id holds value.
func (p *person) wantValue(id, value string) {
	p.t.Helper()
	if got := harness.Measure[string](p.Chromium, fmt.Sprintf(`document.getElementById(%q).value`, id)); got != value {
		p.t.Errorf("the field %s holds %q, want %q", id, got, value)
	}
}

// has reports whether a CSS selector finds anything.
func (p *person) has(selector string) bool {
	p.t.Helper()
	return harness.Measure[bool](p.Chromium, fmt.Sprintf(`document.querySelector(%q) !== null`, selector))
}

// want fails the test unless the page has it, or has not.
func (p *person) want(has bool, selector string) {
	p.t.Helper()
	if p.has(selector) != has {
		p.t.Errorf("at %s there is %s: %v\n%s", p.Address(), selector, !has, p.Text())
	}
}

// recoveryCodes are those on the page.
func (p *person) recoveryCodes() []string {
	p.t.Helper()
	codes := strings.Fields(p.ID("recovery-codes"))
	if len(codes) != 10 {
		p.t.Fatalf("%d recovery codes: %s", len(codes), p.Text())
	}
	for _, code := range codes {
		p.g.SecretAtRest("a recovery code", code)
	}
	return codes
}

// wrong is another code than the right one.
func wrong(code string) string {
	digits := []byte(code)
	digits[5] = '0' + (digits[5]-'0'+1)%10
	return string(digits)
}
