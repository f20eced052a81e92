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
	"github.com/chromedp/chromedp"
)

// TestInBrowser is what only a browser can tell.
func TestInBrowser(t *testing.T) {
	ctx := browser(t)
	p := newPages(t, Brand{Logo: "testdata/logo.svg"}, "")
	server := httptest.NewServer(site(p, gallery()))
	defer server.Close()
	t.Run("recovery codes", func(t *testing.T) { testRecoveryCodes(t, ctx, server.URL) })
	t.Run("printed recovery codes", func(t *testing.T) { testPrintedCodes(t, ctx, server.URL) })
	t.Run("key", func(t *testing.T) { testKeyIsCopiedWhole(t, ctx, server.URL) })
}

// testRecoveryCodes takes the codes with one click, and as a file.
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

// testPrintedCodes looks at the codes as a printer gets them: on paper there is
// what they are for and whose they are, and nothing to press.
func testPrintedCodes(t *testing.T, ctx context.Context, site string) {
	if err := chromedp.Do(ctx, visit(site+"/long-recovery-codes", 1280), media("print")); err != nil {
		t.Fatal(err)
	}
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Recovery codes for alice", "example.co.jp", "k7wq-9dxm-2hfa-mq4t", "m7rc-8vja-2bwy-6gtn", "When you cannot get a passcode"} {
		if !strings.Contains(text, want) {
			t.Errorf("the paper lacks %q:\n%s", want, text)
		}
	}
	for _, idle := range []string{"Continue", "text file", "English"} {
		if strings.Contains(text, idle) {
			t.Errorf("on paper there is %q:\n%s", idle, text)
		}
	}
	if folder := outputFolder(t); folder != "" {
		printed, err := chromedp.Run(ctx, picture(1280, 800))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "printed-recovery-codes.png"), printed, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := chromedp.Do(ctx, media("")); err != nil {
		t.Fatal(err)
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
