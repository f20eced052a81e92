package harness

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// For has what goes wrong be the fault of a subtest, until that ends.
func (b *Chromium) For(t testing.TB) {
	whole := b.t
	b.t = t
	t.Cleanup(func() { b.t = whole })
}

// Width gives pages that much room, in CSS pixels.
func (b *Chromium) Width(pixels int64) {
	b.t.Helper()
	params := emulation.SetDeviceMetricsOverrideParams{Width: pixels, Height: 800, DeviceScaleFactor: 1}
	if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, params); err != nil {
		b.t.Fatal(err)
	}
}

// Language has the browser ask for pages in that language from now on.
func (b *Chromium) Language(tag string) {
	b.t.Helper()
	params := network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": tag}}
	if _, err := chromedp.Call(b.ctx, network.SetExtraHTTPHeaders, params); err != nil {
		b.t.Fatal(err)
	}
}

// Tab opens another tab, which shares the cookies. It is closed with the test.
func (b *Chromium) Tab() *Chromium {
	b.t.Helper()
	return b.open()
}

// Window opens a window that shares no cookies, as another browser would. It is
// closed with the test.
func (b *Chromium) Window() *Chromium {
	b.t.Helper()
	return b.open(chromedp.WithNewBrowserContext())
}

func (b *Chromium) open(options ...chromedp.ContextOption) *Chromium {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, options...)
	b.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		b.t.Fatalf("opening a window: %v", err)
	}
	return &Chromium{t: b.t, ctx: ctx}
}

// Back goes back to the page before. Where that is one that was posted, the
// browser first asks whether to send it again.
func (b *Chromium) Back() {
	b.t.Helper()
	history, ok := try(b, chromedp.NavigationEntries())
	if !ok || history.CurrentIndex < 1 {
		b.t.Fatalf("there is no page before %s", b.Address())
	}
	target := history.Entries[history.CurrentIndex-1].ID
	b.Do("going back", func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: target})
		return none, err
	})
	// The browser may have kept the page as it was when it was left.
	b.wait("going back", func() bool {
		now, ok := try(b, chromedp.NavigationEntries())
		if !ok || now.CurrentIndex >= history.CurrentIndex {
			return false
		}
		loaded, ok := try(b, chromedp.Evaluate[bool](`document.readyState == "complete"`))
		return ok && loaded
	})
}

// Reload loads the page anew; one that was posted is posted again.
func (b *Chromium) Reload() {
	b.t.Helper()
	b.leave("loading the page anew", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, page.Reload, page.ReloadParams{})
		return chromedp.Void{}, err
	})
}

// EnterTwice presses the Enter key twice, as an impatient person does.
func (b *Chromium) EnterTwice() {
	b.t.Helper()
	b.leave("pressing Enter twice", chromedp.KeyEvent(kb.Enter+kb.Enter))
}

// TabInto presses the Tab key until the focus is on what a CSS selector matches.
func (b *Chromium) TabInto(selector string) {
	b.t.Helper()
	for range 60 {
		if Measure[bool](b, `document.activeElement.matches(`+strconv.Quote(selector)+`)`) {
			return
		}
		b.Keys(kb.Tab)
	}
	b.Screenshot("failed")
	b.t.Fatalf("the Tab key never leads to %s at %s\n%s", selector, b.Address(), b.Text())
}

// Retype takes what the field with the focus holds and types something else.
func (b *Chromium) Retype(text string) {
	b.t.Helper()
	b.Do("typing", chromedp.KeyEvent(kb.End), chromedp.KeyEvent(kb.Home, chromedp.KeyModifiers(chromedp.ModifierShift)))
	if text == "" {
		b.Keys(kb.Delete)
		return
	}
	b.Paste(text)
}

// axeFile is axe-core (https://github.com/dequelabs/axe-core) in integration/npm,
// as package-lock.json pins it.
const axeFile = "node_modules/axe-core/axe.min.js"

// Axe returns what assistive technology would stumble over on the page: all that
// axe-core has for WCAG 2.2 A and AA, its best practices and its experiments. ""
// is nothing.
func (b *Chromium) Axe() string {
	b.t.Helper()
	source, err := os.ReadFile(npmFile(b.t, axeFile))
	if err != nil {
		b.t.Fatalf("%v: ./xcaddy.sh test installs what the tests need", err)
	}
	b.Do("loading axe", chromedp.Evaluate[chromedp.Void](string(source)))
	found, ok := try(b, chromedp.Evaluate[[]string](`axe.run(document, {
		runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"]},
		resultTypes: ["violations"],
	}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 200) + " " + n.failureSummary)))`,
		func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
	if !ok {
		b.t.Fatal("axe does not answer")
	}
	return strings.Join(found, "\n")
}
