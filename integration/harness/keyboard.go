package harness

import (
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Stop is where the focus of the keyboard is.
type Stop struct {
	// Name is what a screen reader calls it: the label of a field, the text
	// of a link or button; "" when nothing has the focus.
	Name string
	// Visible says that it can be seen there: it, and the ring around it,
	// whole and in the window.
	Visible bool
	// Top and Left are where it stands on the page, in pixels.
	Top, Left float64
}

const whereFocus = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body || e === document.documentElement) return {Name: ""};
	const style = getComputedStyle(e), box = e.getBoundingClientRect();
	const ring = parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset);
	const name = e.labels && e.labels.length ? e.labels[0].innerText : e.innerText;
	return {
		Name: name.trim().replace(/\s+/g, " "),
		Visible: e.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 &&
			box.top >= ring && box.left >= ring && box.bottom <= innerHeight - ring && box.right <= innerWidth - ring && box.height > 0,
		Top: box.top + scrollY, Left: box.left + scrollX,
	};
})()`

// Focus returns where the focus is.
func (b *Chromium) Focus() Stop {
	b.t.Helper()
	return Measure[Stop](b, whereFocus)
}

// WaitFocus waits until the focus is on what has that name, and returns where
// that is.
func (b *Chromium) WaitFocus(name string) Stop {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		at := b.Focus()
		if at.Name == name {
			return at
		}
		if time.Now().After(deadline) {
			b.Screenshot("failed")
			b.t.Fatalf("the focus is on %q, not on %q", at.Name, name)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Front has the page behave as one that is in front of the others: without it
// nothing has the focus until something is pressed.
func (b *Chromium) Front() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		b.t.Fatal(err)
	}
}

// Keys presses keys, one after the other.
func (b *Chromium) Keys(keys string) {
	b.t.Helper()
	b.Do("pressing keys", chromedp.KeyEvent(keys))
}

// Paste puts text where the focus is, all at once.
func (b *Chromium) Paste(text string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		b.t.Fatal(err)
	}
}

// Enter presses the Enter key, which leads to another page.
func (b *Chromium) Enter() {
	b.t.Helper()
	b.leave("pressing Enter", chromedp.KeyEvent(kb.Enter))
}

// Stops presses the Tab key through the whole page and returns every stop, from
// where the focus is at first.
func (b *Chromium) Stops() []Stop {
	b.t.Helper()
	var stops []Stop
	if first := b.Focus(); first.Name != "" {
		stops = append(stops, first)
	}
	for range 50 {
		b.Keys(kb.Tab)
		next := b.Focus()
		if next.Name == "" || len(stops) > 0 && next == stops[0] {
			return stops
		}
		stops = append(stops, next)
	}
	b.t.Fatalf("the page has no end: %v", stops)
	return nil
}

// TabTo presses the Tab key until the focus is on what has that name.
func (b *Chromium) TabTo(name string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for passed := 0; passed < 50 && time.Now().Before(deadline); passed++ {
		if b.Focus().Name == name {
			return
		}
		b.Keys(kb.Tab)
	}
	b.Screenshot("failed")
	b.t.Fatalf("the Tab key never leads to %q on\n%s", name, b.Text())
}
