package sso

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAnswer bounds what is read of any answer of a provider, in bytes, after
// decompression. Answers have to be shorter.
const maxAnswer = 1 << 20

// maxRedirects is how many redirects a GET that carries no secret follows.
const maxRedirects = 3

// An answer that is there, but not to be used.
var (
	errTooLarge = errors.New("the answer is larger than 1 MiB")
	errRedirect = errors.New("a redirect that is not followed")
)

// newClient returns the only way in which this package calls providers.
func newClient(lender *http.Client, timeout time.Duration) *http.Client {
	var transport http.RoundTripper
	if lender != nil {
		transport = lender.Transport
	}
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = 4
		own.IdleConnTimeout = 30 * time.Second
		own.MaxResponseHeaderBytes = 64 << 10
		transport = own
	}
	return &http.Client{
		Transport:     bounded{transport},
		CheckRedirect: checkRedirect,
		Timeout:       timeout,
	}
}

// checkRedirect keeps codes, client secrets and access tokens from being sent
// anywhere but where they belong: what carries one is never redirected. The
// answer that says so is then the caller's to refuse.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || first.Header.Get("Authorization") != "" || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	if err := validateEndpoint(first.URL.String(), "the address redirected to", next.URL.String()); err != nil {
		return fmt.Errorf("%w: %w", errRedirect, err)
	}
	return nil
}

// get returns the body and header of an answer with status 200. The kind is
// that of the fault when the answer is of no use.
func (p *Provider) get(ctx context.Context, kind FaultKind, what, address, accessToken string) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, asFault(kind, "fetching the "+what, err)
	}
	request.Header.Set("Accept", "application/json, application/jwt;q=0.9")
	if accessToken != "" {
		request.Header.Set("Authorization", "Bearer "+accessToken)
	}
	response, err := p.http.Do(request)
	if err != nil {
		return nil, nil, asFault(kind, "fetching the "+what, err)
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status == http.StatusOK:
	case status >= 300 && status < 400:
		return nil, nil, faultf(kind, "fetching the %s: %s redirects (%d), which is not followed there", what, address, status)
	case status >= 500, status == http.StatusTooManyRequests:
		return nil, nil, faultf(FaultUnreachable, "fetching the %s: %s answers with status %d", what, address, status)
	default:
		return nil, nil, faultf(kind, "fetching the %s: %s answers with status %d", what, address, status)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, asFault(kind, fmt.Sprintf("fetching the %s from %s", what, address), err)
	}
	return body, response.Header, nil
}

// bounded limits the size of every answer, also of those that libraries read.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: maxAnswer}
	return response, nil
}

// CloseIdleConnections is found by http.Client.
func (b bounded) CloseIdleConnections() {
	if closer, ok := b.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// boundedBody fails where io.LimitReader would pretend that the end is reached.
type boundedBody struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *boundedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if b.left -= n; b.left <= 0 {
		return 0, errTooLarge
	}
	return n, err
}

// Interface guards.
var (
	_ http.RoundTripper = bounded{}
	_ io.ReadCloser     = (*boundedBody)(nil)
)
