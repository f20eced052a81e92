package signin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
)

const (
	// maxForm is more than any form of ours can hold.
	maxForm = 16 << 10
	// maxQuery is more than any address of ours needs, a provider's answer
	// included.
	maxQuery = 16 << 10
)

var crossOrigin = http.NewCrossOriginProtection()

// readForm reads the posted form, or answers and returns false: a post from
// another site is refused before anything of it is looked at, and one that
// cannot be read in one way is not read at all.
func (x *exchange) readForm() bool {
	if err := x.sameOrigin(); err != nil {
		x.refuse(answer.Refusal{Kind: pages.CrossSite, Cause: err})
		return false
	}
	contentType, _, _ := strings.Cut(x.r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(contentType), "application/x-www-form-urlencoded") {
		x.refuse(answer.Refusal{
			Kind:   pages.BadRequest,
			Status: http.StatusUnsupportedMediaType,
			Cause:  fmt.Errorf("a form is application/x-www-form-urlencoded, this is %.100q", contentType),
		})
		return false
	}
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, maxForm)
	if err := x.r.ParseForm(); err != nil {
		// The error itself quotes what was typed.
		refusal := answer.Refusal{Kind: pages.BadRequest, Cause: errors.New("reading the form: it is not encoded as a form is")}
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			refusal.Status = http.StatusRequestEntityTooLarge
			refusal.Cause = fmt.Errorf("reading the form: %w", tooLarge)
		}
		x.refuse(refusal)
		return false
	}
	if err := readableOnce(x.r.PostForm); err != nil {
		x.refuse(answer.Refusal{Kind: pages.BadRequest, Cause: fmt.Errorf("reading the form: %w", err)})
		return false
	}
	if err := x.carriesFlow(); err != nil {
		x.refuse(answer.Refusal{Kind: pages.CrossSite, Cause: err})
		return false
	}
	return true
}

// sameOrigin refuses what a browser says comes from elsewhere.
func (x *exchange) sameOrigin() error {
	origin := x.r.Header.Get("Origin")
	if origin != "" && origin != x.visit.Origin {
		return fmt.Errorf("posted from origin %.200q, this site is %s", origin, x.visit.Origin)
	}
	if origin != "" && x.r.Header.Get("Sec-Fetch-Site") == "" {
		return nil // said by an older browser; the site may have another name than Host
	}
	return crossOrigin.Check(x.r)
}

// carriesFlow holds a post that does not say where it comes from, and yet
// brings cookies, against the hidden field of our own forms.
func (x *exchange) carriesFlow() error {
	h := x.r.Header
	if h.Get("Sec-Fetch-Site") != "" || h.Get("Origin") != "" || h.Get("Cookie") == "" {
		return nil
	}
	flow := x.r.PostForm.Get("flow")
	if flow != "" && (x.devices.formToken(x) == flow || x.flows.has(x, flow)) {
		return nil
	}
	return errors.New("posted with cookies, but with neither Sec-Fetch-Site nor Origin, and without the form's own flow")
}

// query returns the request's query, or answers and returns false.
func (x *exchange) query() (url.Values, bool) {
	raw := x.r.URL.RawQuery
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
		x.refuse(answer.Refusal{Kind: pages.BadRequest, Cause: fmt.Errorf("reading the query: %w", err)})
		return nil, false
	}
	return values, true
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
