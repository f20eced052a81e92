package harness

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Chromium is Debian's browser, used as a person would: by what the page
// shows, with a profile of its own.
type Chromium struct {
	t   testing.TB
	ctx context.Context
}

// StartChromium starts a browser. Host names that end in .test lead to this
// machine; certificates are not checked.
func StartChromium(t testing.TB, language string) *Chromium {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(tool(t, "chromium")),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.DisableGPU, chromedp.NoSandbox, chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
		chromedp.Flag("lang", language),
		chromedp.Flag("accept-lang", language),
		chromedp.WindowSize(1100, 900),
	}
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		cancelAllocator()
	})
	// The first action starts the browser; it must not be one with a timeout.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return &Chromium{t: t, ctx: ctx}
}

// Do does what a person would do and fails the test, with a screenshot, if that
// cannot be done.
func (b *Chromium) Do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.Screenshot("failed")
		b.t.Fatalf("%s: %v\nat %s\n%s", what, err, b.Address(), b.Text())
	}
}

// Open opens an address.
func (b *Chromium) Open(address string) {
	b.t.Helper()
	b.Do("opening "+address, chromedp.Navigate(address))
}

// Type types into the field of that name.
func (b *Chromium) Type(field, value string) {
	b.t.Helper()
	selector := chromedp.CSS(`input[name="` + field + `"]:not([type="hidden"])`)
	b.Do("typing into "+field,
		chromedp.WaitVisible(selector),
		chromedp.Clear(selector),
		chromedp.SendKeys(selector, value))
}

// Submit presses the button of the form with the field of that name, and waits
// until another page is there.
func (b *Chromium) Submit(field string) {
	b.t.Helper()
	b.leave("submitting the form with "+field, chromedp.Click(chromedp.Search(
		`//form[.//*[@name="`+field+`"]]//button[not(@type) or @type="submit"]`)))
}

// Press presses the button or follows the link with that text, and waits until
// another page is there.
func (b *Chromium) Press(label string) {
	b.t.Helper()
	b.leave("pressing "+label, chromedp.Click(chromedp.Search(
		`//*[self::button or self::a][contains(normalize-space(.), "`+label+`")]`)))
}

// leave does something that leads to another page and waits for that.
func (b *Chromium) leave(what string, step chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.Do(what, chromedp.Steps(mark, step))
	b.wait(what, func() bool {
		there, ok := try(b, chromedp.Evaluate[bool](
			`document.readyState == "complete" && document.documentElement.dataset.left != "no"`))
		return ok && there
	})
}

// wait waits until another page is there.
func (b *Chromium) wait(what string, there func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if there() {
			return
		}
	}
	b.Screenshot("failed")
	b.t.Fatalf("%s: no other page came\nat %s\n%s", what, b.Address(), b.Text())
}

// mark marks the page that is going to be left.
func mark(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	_, err := chromedp.Evaluate[string](`document.documentElement.dataset.left = "no"`)(ctx, t)
	return chromedp.Void{}, err
}

// WaitText waits until the page says so.
func (b *Chromium) WaitText(text string) {
	b.t.Helper()
	b.Do("waiting for "+text, chromedp.WaitVisible(chromedp.Search(`//body//*[contains(., "`+text+`")]`)))
}

// Text returns what the page says.
func (b *Chromium) Text() string {
	text, _ := try(b, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	return text
}

// ID returns the text of the element with that id.
func (b *Chromium) ID(id string) string {
	b.t.Helper()
	b.Do("waiting for "+id, chromedp.WaitVisible(chromedp.CSS("#"+id)))
	text, _ := try(b, chromedp.Text(chromedp.CSS("#"+id)))
	return strings.TrimSpace(text)
}

// Measure returns the value of a script, for what is measured rather than done.
func Measure[T any](b *Chromium, script string) T {
	b.t.Helper()
	value, ok := try(b, chromedp.Evaluate[T](script))
	if !ok {
		b.t.Fatalf("cannot be measured: %s", script)
	}
	return value
}

// Address returns the address of the page.
func (b *Chromium) Address() string {
	address, _ := try(b, chromedp.Location())
	return address
}

// Phone has the browser show pages as a phone does.
func (b *Chromium) Phone() {
	b.t.Helper()
	b.Do("becoming a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile))
}

// Forget has the browser forget its cookies.
func (b *Chromium) Forget() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		b.t.Fatal(err)
	}
}

// Dark has the browser ask for dark pages.
func (b *Chromium) Dark() {
	b.t.Helper()
	params := emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, params); err != nil {
		b.t.Fatal(err)
	}
}

// Screenshot keeps a picture of the page as <test>-<name>.png.
func (b *Chromium) Screenshot(name string) {
	b.t.Helper()
	picture, ok := try(b, wholePage)
	if !ok {
		return
	}
	path := output(b.t, b.t.Name()+"-"+name+".png")
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// wholePage takes a PNG of the page, also of what does not fit into the window.
func wholePage(ctx context.Context, t *chromedp.Target) ([]byte, error) {
	answer, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: new(true), OptimizeForSpeed: new(true),
	})
	return answer.Data, err
}

func try[T any](b *Chromium, action chromedp.Action[T]) (T, bool) {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	return value, err == nil
}
