package sso

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
	"golang.org/x/oauth2"
)

// Values of Config.PushedRequests.
const (
	// PushedRequestsOn pushes authorization requests where the provider
	// offers it.
	PushedRequestsOn = "on"
	// PushedRequestsOff sends them through the browser.
	PushedRequestsOff = "off"
)

// maxRequestURI bounds the request_uri that a provider may give: it goes into an
// address.
const maxRequestURI = 1024 // bytes

// pushes reports whether authorization requests are pushed. A client that does
// not say who it is gains little by it and is not let in by every provider that
// offers it, so a public one pushes where that is required only.
func (p *Provider) pushes(meta *metadata, method ClientAuth) bool {
	switch {
	case p.config.PushedRequests == PushedRequestsOff, meta.PushedRequestEndpoint == "":
		return false
	case meta.RequiresPushedRequests:
		return true
	}
	return method != authNone
}

// pushed pushes the request that the client would have the browser carry, and
// returns where the browser goes in its place.
func (p *Provider) pushed(ctx context.Context, meta *metadata, method ClientAuth, client *oauth2.Config, state string, options []oauth2.AuthCodeOption) (string, error) {
	bare := *client
	bare.Endpoint.AuthURL = ""
	asked, err := url.ParseQuery(strings.TrimPrefix(bare.AuthCodeURL(state, options...), "?"))
	if err != nil {
		return "", err
	}
	requestURI, err := p.push(ctx, meta, method, asked)
	if err != nil {
		return "", err
	}
	return pushedAddress(meta.AuthorizationEndpoint, p.config.ClientID, requestURI), nil
}

// push hands an authorization request to the provider itself and returns what
// it is called from then on (RFC 9126 section 2). What the provider refuses is
// a fault, not sent through the browser instead: it has said no.
func (p *Provider) push(ctx context.Context, meta *metadata, method ClientAuth, asked url.Values) (string, error) {
	const doing = "pushing the authorization request"
	body, err := p.credentials(meta, method, meta.PushedRequestEndpoint)
	if err != nil {
		return "", err
	}
	for name, values := range asked {
		body[name] = values
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, meta.PushedRequestEndpoint, strings.NewReader(body.Encode()))
	if err != nil {
		return "", asFault(FaultDiscovery, doing, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	p.setBasic(request, method)
	response, err := p.http.Do(request)
	if err != nil {
		return "", asFault(FaultUnreachable, doing, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", asFault(FaultOther, doing, err)
	}
	var answer struct {
		RequestURI  string      `json:"request_uri"`
		ExpiresIn   json.Number `json:"expires_in"`
		Error       string      `json:"error"`
		Description string      `json:"error_description"`
	}
	err = json.Unmarshal(text, &answer)
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusOK || err == nil && answer.Error != "" {
		secrets := []string{p.secret, body.Get("client_assertion"), asked.Get("nonce"), asked.Get("state")}
		return "", endpointFault(doing, "endpoint for pushed requests", response.StatusCode, answer.Error, answer.Description, secrets...)
	}
	if err != nil {
		return "", faultf(FaultOther, "%s: the answer cannot be read: %w", doing, err)
	}
	lifetime, err := answer.ExpiresIn.Float64()
	switch {
	case answer.RequestURI == "", len(answer.RequestURI) > maxRequestURI:
		return "", faultf(FaultOther, "%s: the answer has no request_uri, or one longer than %d bytes", doing, maxRequestURI)
	case answer.ExpiresIn != "" && (err != nil || lifetime <= 0):
		return "", faultf(FaultOther, "%s: the request_uri is over before anybody could use it (expires_in is %s)", doing, words(answer.ExpiresIn.String(), 20, nil))
	}
	return answer.RequestURI, nil
}

// pushedAddress is where the browser goes with a request that was pushed
// (RFC 9126 section 4).
func pushedAddress(endpoint, clientID, requestURI string) string {
	separator := "?"
	if strings.Contains(endpoint, "?") {
		separator = "&"
	}
	return endpoint + separator + url.Values{"client_id": {clientID}, "request_uri": {requestURI}}.Encode()
}
