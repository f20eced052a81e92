// Package form reads what browsers send to the gateway's own pages: posted
// forms and queries. What comes from another site, or could be read in two
// ways, is refused before anything of it counts.
package form

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

const (
	// maxForm is more than any form of ours can hold.
	maxForm = 16 << 10
	// maxQuery is more than any address of ours needs, a provider's answer
	// included.
	maxQuery = 16 << 10
)

var crossOrigin = http.NewCrossOriginProtection()

// Read reads the posted form into r.PostForm, or returns why not: a post from
// another site is refused before anything of it is looked at, and one that
// cannot be read in one way is not read at all. ours reports whether a hidden
// field "flow" is one that this browser was given.
func Read(w http.ResponseWriter, r *http.Request, visit policy.Visit, ours func(flow string) bool) *answer.Refusal {
	if err := sameOrigin(r, visit); err != nil {
		return &answer.Refusal{Kind: pages.CrossSite, Cause: err}
	}
	if refusal := Body(w, r, maxForm); refusal != nil {
		return refusal
	}
	if err := carriesFlow(r, ours); err != nil {
		return &answer.Refusal{Kind: pages.CrossSite, Cause: err}
	}
	return nil
}

// Body reads the posted form into r.PostForm, whoever sent it, or returns why
// not. limit is how many bytes it may have.
func Body(w http.ResponseWriter, r *http.Request, limit int64) *answer.Refusal {
	contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(contentType), "application/x-www-form-urlencoded") {
		return &answer.Refusal{
			Kind:   pages.BadRequest,
			Status: http.StatusUnsupportedMediaType,
			Cause:  fmt.Errorf("a form is application/x-www-form-urlencoded, this is %.100q", contentType),
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if err := r.ParseForm(); err != nil {
		// The error itself quotes what was typed.
		refusal := &answer.Refusal{Kind: pages.BadRequest, Cause: errors.New("reading the form: it is not encoded as a form is")}
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			refusal.Status = http.StatusRequestEntityTooLarge
			refusal.Cause = fmt.Errorf("reading the form: %w", tooLarge)
		}
		return refusal
	}
	if err := readableOnce(r.PostForm); err != nil {
		return &answer.Refusal{Kind: pages.BadRequest, Cause: fmt.Errorf("reading the form: %w", err)}
	}
	return nil
}

// Query returns the request's query, or why it cannot be read.
func Query(r *http.Request) (url.Values, *answer.Refusal) {
	raw := r.URL.RawQuery
	var values url.Values
	err := fmt.Errorf("it is longer than %d bytes", maxQuery)
	if len(raw) <= maxQuery {
		if values, err = url.ParseQuery(raw); err != nil {
			err = errors.New("it is not encoded as a query is") // the error itself quotes it
		} else {
			err = readableOnce(values)
		}
	}
	if err != nil {
		return nil, &answer.Refusal{Kind: pages.BadRequest, Cause: fmt.Errorf("reading the query: %w", err)}
	}
	return values, nil
}

// sameOrigin refuses what a browser says comes from elsewhere.
func sameOrigin(r *http.Request, visit policy.Visit) error {
	origin := r.Header.Get("Origin")
	if origin != "" && origin != visit.Origin {
		return fmt.Errorf("posted from origin %.200q, this site is %s", origin, visit.Origin)
	}
	if origin != "" && r.Header.Get("Sec-Fetch-Site") == "" {
		return nil // said by an older browser; the site may have another name than Host
	}
	return crossOrigin.Check(r)
}

// carriesFlow holds a post that does not say where it comes from, and yet
// brings cookies, against the hidden field of our own forms.
func carriesFlow(r *http.Request, ours func(flow string) bool) error {
	h := r.Header
	if h.Get("Sec-Fetch-Site") != "" || h.Get("Origin") != "" || h.Get("Cookie") == "" {
		return nil
	}
	if flow := r.PostForm.Get("flow"); flow != "" && ours(flow) {
		return nil
	}
	return errors.New("posted with cookies, but with neither Sec-Fetch-Site nor Origin, and without the form's own flow")
}

// readableOnce refuses what two readers could read in two ways.
func readableOnce(values url.Values) error {
	for name, given := range values {
		if len(given) > 1 {
			return fmt.Errorf("parameter %.20q is given %d times", name, len(given))
		}
		if !utf8.ValidString(given[0]) || strings.ContainsRune(given[0], 0) {
			return fmt.Errorf("parameter %.20q is not text", name)
		}
	}
	return nil
}
