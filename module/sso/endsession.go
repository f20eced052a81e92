package sso

import (
	"context"
	"net/url"
	"time"
)

// endSessionTimeout limits how long somebody who signs out waits for a discovery
// document that is not in memory: signing out here has happened by then.
const endSessionTimeout = 2 * time.Second

// maxHint is how long an ID token may be that goes along in an address, in
// bytes. Many servers take no address of more than 8 KiB; without the token the
// provider asks the person.
const maxHint = 6 << 10

// OffersEndSession reports whether the provider ends its own sessions at the
// wish of a client (OpenID Connect RP-Initiated Logout 1.0), as far as that is
// known without asking it. After Finish it is.
func (p *Provider) OffersEndSession() bool {
	if p.manual != nil {
		return p.manual.EndSessionEndpoint != ""
	}
	meta, ok := p.metadata.known()
	return ok && meta.EndSessionEndpoint != ""
}

// EndSession returns the address at the provider at which the person's session
// there ends, and from which they come back to postLogoutRedirectURI with the
// state (OpenID Connect RP-Initiated Logout 1.0 section 2). idTokenHint is the
// ID token of the sign-in, a secret, or ""; one that is too long is left out. ok is false if the provider offers
// no such thing. If nothing is known of the provider it is asked, which takes
// two seconds at most; an error is a *Fault and means that nobody can tell.
func (p *Provider) EndSession(ctx context.Context, idTokenHint, postLogoutRedirectURI, state string) (address string, ok bool, err error) {
	endpoint, err := p.endSessionEndpoint(ctx)
	if err != nil || endpoint == nil {
		return "", false, err
	}
	query := url.Values{}
	if idTokenHint != "" && len(idTokenHint) <= maxHint {
		query.Set("id_token_hint", idTokenHint)
	}
	query.Set("client_id", p.config.ClientID)
	query.Set("post_logout_redirect_uri", postLogoutRedirectURI)
	query.Set("state", state)
	if endpoint.RawQuery != "" {
		endpoint.RawQuery += "&"
	}
	endpoint.RawQuery += query.Encode()
	return endpoint.String(), true, nil
}

// EndSessionOrigin returns the origin to which EndSession leads, "" if there is
// none. It may ask the provider, as EndSession does.
func (p *Provider) EndSessionOrigin(ctx context.Context) (string, error) {
	endpoint, err := p.endSessionEndpoint(ctx)
	if err != nil || endpoint == nil {
		return "", err
	}
	return endpoint.Scheme + "://" + endpoint.Host, nil
}

// StartOrigin returns the origin to which Start leads. It may ask the provider,
// as EndSession does.
func (p *Provider) StartOrigin(ctx context.Context) (string, error) {
	endpoint, err := p.endpoint(ctx, func(m *metadata) string { return m.AuthorizationEndpoint })
	if err != nil || endpoint == nil {
		return "", err
	}
	return endpoint.Scheme + "://" + endpoint.Host, nil
}

func (p *Provider) endSessionEndpoint(ctx context.Context) (*url.URL, error) {
	return p.endpoint(ctx, func(m *metadata) string { return m.EndSessionEndpoint })
}

// endpoint returns the address of an endpoint, or nil if there is none. Whoever
// asks does not wait long.
func (p *Provider) endpoint(ctx context.Context, which func(*metadata) string) (*url.URL, error) {
	ctx, cancel := context.WithTimeout(ctx, endSessionTimeout)
	defer cancel()
	meta, err := p.meta(ctx)
	if err != nil {
		return nil, p.fault(asFault(FaultDiscovery, "reading the discovery document", err))
	}
	address := which(meta)
	if address == "" {
		return nil, nil
	}
	endpoint, err := url.Parse(address)
	if err != nil {
		return nil, p.fault(faultf(FaultDiscovery, "an endpoint: %w", err))
	}
	return endpoint, nil
}
