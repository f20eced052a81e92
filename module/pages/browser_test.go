//go:build integration

package pages

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// unfit lists what is too small to hit or wider than the window.
const unfit = `(() => {
	const found = [];
	const root = document.documentElement;
	if (root.scrollWidth > root.clientWidth) found.push("the page is " + root.scrollWidth + " wide");
	for (const e of document.querySelectorAll("button, .button, summary, .more a, footer a, input:not([type=hidden], [readonly])")) {
		const box = e.getBoundingClientRect();
		if (box.height > 0 && box.height < 44) found.push(e.outerHTML + " is " + box.height + " tall");
	}
	if (getComputedStyle(document.body).display !== "flex") found.push("the stylesheet is blocked");
	return found.join("\n");
})()`

// TestInBrowser is what only a browser can tell.
func TestInBrowser(t *testing.T) {
	ctx := browser(t)
	p := newPages(t, Brand{Logo: "testdata/logo.svg"}, "")
	server := httptest.NewServer(site(t, p))
	defer server.Close()
	t.Run("everything fits", func(t *testing.T) { testFit(t, ctx, p, server.URL) })
	t.Run("recovery codes", func(t *testing.T) { testRecoveryCodes(t, ctx, server.URL) })
	t.Run("key", func(t *testing.T) { testKeyIsCopiedWhole(t, ctx, server.URL) })
}

// testFit looks at every kind of page in a window of 320 pixels, which is also
// a phone at 120 % and a desk at 400 %, and listens for what the policy blocks.
func testFit(t *testing.T, ctx context.Context, p *Pages, site string) {
	events := chromedp.Events(ctx, log.EntryAdded)
	blocked := make(chan string, 1)
	go func() {
		defer close(blocked)
		for event, err := range events {
			if err != nil {
				return
			}
			if strings.Contains(event.Entry.Text, "Content Security Policy") {
				blocked <- event.Entry.Text
				return
			}
		}
	}()
	kinds, seen := map[string]bool{}, map[string]bool{}
	for _, s := range gallery() {
		shown, err := p.prepare(s.view, s.page)
		if err != nil {
			t.Fatal(err)
		}
		kind := s.page.name()
		kinds[kind] = true
		if shown.message != nil {
			kind += " with a message at " + shown.message.at
		}
		// Of those that are made alike one is enough, and what has the longest words.
		if seen[kind] && !strings.HasPrefix(s.name, "long-") && s.name != "error-origin_unclear" {
			continue
		}
		seen[kind] = true
		for _, lang := range []string{"en", "ja"} {
			if _, err := chromedp.Run(ctx, visit(site+"/"+s.name+"?lang="+lang, 320)); err != nil {
				t.Fatal(s.name, err)
			}
			found, err := chromedp.Run(ctx, chromedp.Evaluate[string](unfit))
			if err != nil {
				t.Fatal(s.name, err)
			}
			if found != "" {
				t.Errorf("%s in %s: %s", s.name, lang, found)
			}
		}
	}
	if len(kinds) != len(p.templates) {
		t.Errorf("%d kinds of pages were looked at, want all %d", len(kinds), len(p.templates))
	}
	select {
	case text := <-blocked:
		t.Error(text)
	default:
	}
}

// testRecoveryCodes takes the codes with one click, and as a
// file.
func testRecoveryCodes(t *testing.T, ctx context.Context, site string) {
	folder := t.TempDir()
	_, err := chromedp.CallBrowser(ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder, EventsEnabled: new(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, s := range gallery() {
		if page, ok := s.page.(RecoveryCodes); ok && s.name == "recovery-codes" {
			codes = page.Codes
		}
	}
	progress := chromedp.BrowserEvents(ctx, cdpbrowser.DownloadProgress)
	err = chromedp.Do(ctx, visit(site+"/recovery-codes?lang=ja", 375), chromedp.Click(chromedp.CSS("#recovery-codes li:nth-child(3)")))
	if err != nil {
		t.Fatal(err)
	}
	selected, err := chromedp.Run(ctx, chromedp.Evaluate[string]("getSelection().toString()"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Fields(selected), strings.Join(codes, " "); strings.Join(got, " ") != want {
		t.Errorf("a click selects %q, want every code", selected)
	}
	if strings.Count(strings.TrimSpace(selected), "\n") < len(codes)-1 {
		t.Errorf("a click selects %q, want a line for each code", selected)
	}

	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS("a[download]"))); err != nil {
		t.Fatal(err)
	}
	for event, err := range progress {
		if err != nil {
			t.Fatal(err)
		}
		if event.State == cdpbrowser.DownloadProgressStateCompleted {
			break
		}
		if event.State == cdpbrowser.DownloadProgressStateCanceled {
			t.Fatal("the download was cancelled")
		}
	}
	content, err := os.ReadFile(filepath.Join(folder, "recovery-codes-app.example.com.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range append(codes, "alice@example.test", "リカバリーコード") {
		if !strings.Contains(string(content), want) {
			t.Errorf("the file lacks %q:\n%s", want, content)
		}
	}
}

// testKeyIsCopiedWhole takes the key of an authenticator app with one click.
func testKeyIsCopiedWhole(t *testing.T, ctx context.Context, site string) {
	if err := chromedp.Do(ctx, visit(site+"/enroll", 375), chromedp.Click(chromedp.CSS("#totp-key"))); err != nil {
		t.Fatal(err)
	}
	selected, err := chromedp.Run(ctx, chromedp.Evaluate[string]("getSelection().toString()"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(selected) != testKey {
		t.Errorf("a click selects %q, want %q", selected, testKey)
	}
}

// visit opens an address in a window of that width.
func visit(address string, width int64) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(chromedp.EmulateViewport(width, 720), chromedp.Navigate(address))
}
