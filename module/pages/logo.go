package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"time"
)

// maxLogo keeps a photograph from being served on every visit.
const maxLogo = 512 << 10

// logo is the operator's picture.
type logo struct {
	content     []byte
	contentType string
	hash        string
	// adapts: the picture looks after light and dark itself.
	adapts bool
}

// svgRoot finds the root element behind a declaration, comments and white space.
var svgRoot = regexp.MustCompile(`(?s)\A\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!DOCTYPE[^>\[]*>\s*)*<svg[\s/>]`)

// readLogo reads an image file. It goes by the content, not by the name.
func readLogo(path string) (*logo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxLogo+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxLogo {
		return nil, fmt.Errorf("%s is larger than %d KiB: use a smaller picture", path, maxLogo>>10)
	}
	l := &logo{content: content, contentType: http.DetectContentType(content)}
	if svgRoot.Match(bytes.TrimPrefix(content, []byte("\ufeff"))) {
		l.contentType = "image/svg+xml"
		l.adapts = bytes.Contains(content, []byte("prefers-color-scheme"))
	}
	switch l.contentType {
	case "image/svg+xml", "image/png", "image/jpeg", "image/webp":
	default:
		return nil, fmt.Errorf("%s is not an SVG, PNG, JPEG or WebP image", path)
	}
	sum := sha256.Sum256(content)
	l.hash = base64.RawURLEncoding.EncodeToString(sum[:9])
	return l, nil
}

// ServeHTTP implements http.Handler. Pages ask for the picture by its hash, so
// that the answer can be kept for good.
func (l *logo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", l.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// An SVG opened by itself is a document of this site: nothing in it may run.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	h.Set("ETag", `"`+l.hash+`"`)
	if r.URL.Query().Get("v") == l.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(l.content))
}

// Interface guards.
var _ http.Handler = (*logo)(nil)
