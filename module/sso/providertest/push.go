package providertest

import (
	"fmt"
	"net/http"
	"net/url"
)

// servePush takes an authorization request over from the client itself (RFC
// 9126 section 2).
func (p *Provider) servePush(w http.ResponseWriter, r *http.Request) {
	b, form := p.now(), r.PostForm
	switch problem := b.authenticate(r); {
	case !b.Push && !b.PushOnly:
		http.NotFound(w, r)
		return
	case problem != "":
		sendError(w, http.StatusUnauthorized, "invalid_client", problem)
		return
	case form.Has("request_uri"):
		sendError(w, http.StatusBadRequest, "invalid_request", "a request_uri is not for here")
		return
	}
	asked := url.Values{}
	for _, name := range []string{"client_id", "response_type", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method"} {
		if form.Has(name) {
			asked.Set(name, form.Get(name))
		}
	}
	p.mu.Lock()
	uri := fmt.Sprintf("urn:ietf:params:oauth:request_uri:%d", len(p.requests[PathPush]))
	p.pushed[uri] = asked
	p.mu.Unlock()
	answer := map[string]any{"request_uri": uri, "expires_in": 60}
	if b.PushResponse != nil {
		b.PushResponse(answer)
	}
	sendJSON(w, http.StatusCreated, "no-store", answer)
}

// spend returns the request that was pushed under a request_uri, once, and
// nothing if anything else comes along.
func (p *Provider) spend(query url.Values) url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	uri := query.Get("request_uri")
	asked := p.pushed[uri]
	delete(p.pushed, uri)
	if asked.Get("client_id") != query.Get("client_id") || len(query) != 2 {
		return nil
	}
	return asked
}
