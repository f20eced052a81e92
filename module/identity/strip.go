package identity

import (
	"io"
	"net/http"
	"strings"
	"sync"
)

// foldedField is what the headers of fields begin with, folded.
const foldedField = "remote-field-"

// Strip removes from a request every identity header that it brought along: of
// every preset and every configured one, in any spelling, repeated or not, as
// a header or a trailer, announced or not. So it does with those that would name
// another path than the one that is judged. It also removes their names from
// Connection, where they would have a proxy behind the gateway remove the
// headers that the gateway set.
//
// It changes the request itself, and allocates nothing where there is nothing
// to remove and no body that could end in trailers.
func (h *Headers) Strip(r *http.Request) {
	for name, values := range r.Header {
		switch {
		case name == "Connection", name == "Trailer":
			h.stripList(r.Header, name, values)
		case h.forbids(name):
			delete(r.Header, name)
		}
	}

	// Trailers arrive with the end of the body. HTTP/1 takes over even those
	// that were not announced, into a map that it may share with copies of the
	// request, or into the request that it read.
	h.stripTrailer(r.Trailer)
	mayHaveTrailers := r.Trailer != nil || r.ProtoMajor == 1 && r.ContentLength < 0
	if mayHaveTrailers && r.Body != nil && r.Body != http.NoBody {
		r.Body = &strippedBody{ReadCloser: r.Body, headers: h, request: r, trailer: r.Trailer}
	}
}

// forbids reports whether a header is, in some spelling, one that only the
// gateway may set.
func (h *Headers) forbids(name string) bool {
	if name == "" || !h.first[name[0]] {
		return false
	}
	if len(name) < len(h.lasts) && h.lasts[len(name)]&lastBit(name) != 0 {
		var room [maxHeaderName]byte
		if _, ok := h.names[string(appendFoldedName(room[:0], name))]; ok {
			return true
		}
	}
	if len(name) < len(foldedField) {
		return false
	}
	for i := range len(foldedField) {
		if foldByte(name[i]) != foldedField[i] {
			return false
		}
	}
	return true
}

// stripList removes identity headers from a header that lists names.
func (h *Headers) stripList(header http.Header, name string, values []string) {
	if !h.listed(values) {
		return
	}
	var kept []string
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			if token = strings.TrimSpace(token); token != "" && !h.forbids(token) {
				kept = append(kept, token)
			}
		}
	}
	if len(kept) == 0 {
		delete(header, name)
		return
	}
	header[name] = []string{strings.Join(kept, ", ")}
}

// listed reports whether an identity header is among the names listed.
func (h *Headers) listed(values []string) bool {
	for _, value := range values {
		for more := true; more; {
			var token string
			token, value, more = strings.Cut(value, ",")
			if h.forbids(strings.TrimSpace(token)) {
				return true
			}
		}
	}
	return false
}

// stripTrailer removes identity headers from trailers.
func (h *Headers) stripTrailer(trailer http.Header) {
	for name := range trailer {
		if h.forbids(name) {
			delete(trailer, name)
		}
	}
}

// strippedBody is a request's body that, when it ends, removes the identity
// headers among the trailers before anyone can see them.
type strippedBody struct {
	io.ReadCloser
	headers *Headers
	request *http.Request
	trailer http.Header // the map as it was, which copies of the request share

	mu sync.Mutex // transports close a body while they still read from it
}

// Read implements io.Reader.
func (b *strippedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.strip()
	}
	return n, err
}

// Close implements io.Closer. Closing a body may read the rest of it.
func (b *strippedBody) Close() error {
	err := b.ReadCloser.Close()
	b.strip()
	return err
}

func (b *strippedBody) strip() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.headers.stripTrailer(b.trailer)
	b.headers.stripTrailer(b.request.Trailer)
}

// Interface guards
var (
	_ io.ReadCloser = (*strippedBody)(nil)
)
