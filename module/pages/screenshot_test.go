//go:build screenshots

package pages

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestScreenshots writes every page as an HTML file, and a picture of each on
// a phone and on a desk, light and dark, into the folder that PAGES_OUTPUT
// names. PAGES_ONLY picks pages (a regular expression), CHROMIUM the browser.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("PAGES_OUTPUT")
	if folder == "" {
		t.Fatal("PAGES_OUTPUT names no folder")
	}
	only, err := regexp.Compile(os.Getenv("PAGES_ONLY"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := browser(t)
	for _, brand := range []struct {
		name  string
		brand Brand
	}{
		{"", Brand{}},
		{"branded-", Brand{Name: "Example Ltd.", Logo: "testdata/logo.svg", Accent: "#0b6e4f"}},
	} {
		server := httptest.NewServer(site(t, newPages(t, brand.brand, "")))
		defer server.Close()
		for _, s := range gallery() {
			if !only.MatchString(brand.name + s.name) {
				continue
			}
			for _, lang := range []string{"en", "ja"} {
				address := server.URL + "/" + s.name + "?lang=" + lang
				save(t, address, filepath.Join(folder, brand.name+s.name+"."+lang+".html"))
				for _, scheme := range []string{"light", "dark"} {
					for _, width := range []int64{375, 1280} {
						name := fmt.Sprintf("%s%s.%s.%d.%s.png", brand.name, s.name, lang, width, scheme)
						shoot(t, ctx, address, filepath.Join(folder, name), width, scheme)
					}
				}
			}
		}
	}
}

func shoot(t *testing.T, ctx context.Context, address, file string, width int64, scheme string) {
	t.Helper()
	height := int64(800)
	if width < 600 {
		height = 720
	}
	err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height), emulate(scheme), chromedp.Navigate(address))
	if err != nil {
		t.Fatal(address, err)
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(address, err)
	}
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// emulate has the browser prefer a colour scheme.
func emulate(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

func save(t *testing.T, address, file string) {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
}
