//go:build integration

package pages

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// site serves the gallery, one address a sample, and the logo.
func site(p *Pages, samples []sample) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/auth-gateway/logo", p.Logo())
	for _, s := range samples {
		mux.HandleFunc("/"+s.name, func(w http.ResponseWriter, r *http.Request) {
			s.view.Language = p.Language(r)
			p.Write(w, http.StatusOK, s.view, s.page)
		})
	}
	return mux
}

// browser starts Chromium; CHROMIUM names another one than Debian's.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "/usr/bin/chromium"
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("these tests need Chromium: ", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 15*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, focused); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// tab opens another tab of a browser. Several can be used at once.
func tab(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, focused); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// focused has a tab look as if it were the one in front: with the focus ring.
func focused(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	_, err := cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return chromedp.Void{}, err
}

// visit opens an address in a window of that width.
func visit(address string, width int64) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(window(width, 720), chromedp.Navigate(address))
}

// window gives the page that much room, in CSS pixels.
func window(width, height int64) chromedp.Action[chromedp.Void] {
	return fineWindow(width, height, 1)
}

// fineWindow likewise, on a screen with that many pixels to a CSS pixel.
func fineWindow(width, height int64, pixels float64) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride,
			emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: pixels})
		return err
	})
}

// scheme has the browser prefer light or dark pages.
func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: name},
				// Nothing is photographed half way.
				{Name: "prefers-reduced-motion", Value: "reduce"},
			},
		})
		return err
	})
}

// media has the page shown as on "screen", which "" means too, or in "print".
func media(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: name})
		return err
	})
}

// picture takes a PNG of the whole page, in a window as tall as that.
func picture(width, height int64) chromedp.Action[[]byte] {
	return func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		if _, err := window(width, height)(ctx, t); err != nil {
			return nil, err
		}
		whole, err := chromedp.Evaluate[int64]("document.documentElement.scrollHeight")(ctx, t)
		if err != nil {
			return nil, err
		}
		if whole > height {
			if _, err := window(width, whole)(ctx, t); err != nil {
				return nil, err
			}
		}
		return capture(ctx, t)
	}
}

// capture takes a PNG of what the window shows.
func capture(ctx context.Context, t *chromedp.Target) ([]byte, error) {
	answer, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{OptimizeForSpeed: new(true)})
	return answer.Data, err
}
