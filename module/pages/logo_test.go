package pages

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLogo(t *testing.T) {
	for name, test := range map[string]struct{ content, contentType string }{
		"svg":                 {`<svg xmlns="http://www.w3.org/2000/svg"/>`, "image/svg+xml"},
		"svg with a preamble": {"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- made\nby hand -->\n<!DOCTYPE svg PUBLIC \"a\" \"b\">\n<svg\n/>", "image/svg+xml"},
		"png":                 {"\x89PNG\r\n\x1a\nrest", "image/png"},
		"jpeg":                {"\xff\xd8\xffrest", "image/jpeg"},
		"webp":                {"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "picture") // by content, not by name
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			p := newPages(t, Brand{Logo: path}, "")
			w := httptest.NewRecorder()
			p.Logo().ServeHTTP(w, httptest.NewRequest("GET", "/auth-gateway/logo?v="+p.logo.hash, nil))
			h := w.Header()
			if w.Code != 200 || w.Body.String() != test.content || h.Get("Content-Type") != test.contentType {
				t.Errorf("status %d, %q, %q", w.Code, h.Get("Content-Type"), w.Body)
			}
			if !strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", h)
			}
			if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "sandbox") {
				t.Errorf("policy %q lets a picture run", csp)
			}

			// An old address must not be kept for good with the new picture.
			w = httptest.NewRecorder()
			p.Logo().ServeHTTP(w, httptest.NewRequest("GET", "/auth-gateway/logo?v=old", nil))
			if got := w.Header().Get("Cache-Control"); got != "no-cache" {
				t.Errorf("Cache-Control of an old address: %q", got)
			}
			r := httptest.NewRequest("HEAD", "/auth-gateway/logo", nil)
			r.Header.Set("If-None-Match", h.Get("ETag"))
			w = httptest.NewRecorder()
			p.Logo().ServeHTTP(w, r)
			if w.Code != 304 {
				t.Errorf("status %d for what the browser has, want 304", w.Code)
			}
		})
	}
}

func TestNoLogo(t *testing.T) {
	w := httptest.NewRecorder()
	newPages(t, Brand{}, "").Logo().ServeHTTP(w, httptest.NewRequest("GET", "/auth-gateway/logo", nil))
	if w.Code != 404 {
		t.Errorf("status %d, want 404", w.Code)
	}
}

// TestLogoInTheDark gives a picture a light plate unless it adapts by itself.
func TestLogoInTheDark(t *testing.T) {
	for content, want := range map[string]bool{
		`<svg/>`: false,
		`<svg><style>@media (prefers-color-scheme: dark) { path { fill: #fff } }</style></svg>`: true,
	} {
		path := filepath.Join(t.TempDir(), "logo.svg")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := newPages(t, Brand{Logo: path}, "").logo.adapts; got != want {
			t.Errorf("%s: adapts %t, want %t", content, got, want)
		}
	}
}
