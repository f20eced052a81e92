//go:build integration || screenshots

package pages

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// site serves the gallery, one address a sample, and the logo.
func site(t *testing.T, p *Pages) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/auth-gateway/logo", p.Logo())
	for _, s := range gallery() {
		mux.HandleFunc("/"+s.name, func(w http.ResponseWriter, r *http.Request) {
			s.view.Language = p.Language(r)
			p.Write(w, http.StatusOK, s.view, s.page)
		})
	}
	return mux
}

// browser starts Chromium.
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
		chromedp.Flag("disable-background-networking", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 10*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}
