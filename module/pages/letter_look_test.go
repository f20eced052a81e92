//go:build integration

package pages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestLettersLook opens every letter in both languages as narrow as a phone's
// mail program may be: nothing runs out of it. Pictures go where those of the
// pages go.
func TestLettersLook(t *testing.T) {
	p := newPages(t, Brand{Name: "Example Ltd.", Accent: "#0b6e4f"}, "")
	all := letters()
	long := all[len(all)-1]
	long.Host = longGallery(nil)[0].view.Host
	long.Email = longAddress
	all = append(all, long)

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		var language string
		if _, err := fmt.Sscanf(r.URL.Path, "/%d/%s", &n, &language); err != nil || n >= len(all) {
			http.NotFound(w, r)
			return
		}
		to := all[n]
		to.Language = language
		letter, err := p.Letter(to)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(letter.HTML))
	}))
	defer server.Close()
	ctx := browser(t)
	for n, to := range all {
		for _, language := range []string{"en", "ja"} {
			name := fmt.Sprintf("letter-%02d-%s.%s", n, to.Kind, language)
			if err := chromedp.Do(ctx, visit(fmt.Sprintf("%s/%d/%s", server.URL, n, language), 320)); err != nil {
				t.Fatal(name, err)
			}
			wide, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth"))
			if err != nil {
				t.Fatal(name, err)
			}
			if wide > 320 {
				t.Errorf("%s is %d wide in 320", name, wide)
			}
			if folder := outputFolder(t); folder != "" {
				taken, err := chromedp.Run(ctx, picture(320, 480))
				if err != nil {
					t.Fatal(name, err)
				}
				if err := os.WriteFile(filepath.Join(folder, name+".png"), taken, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
