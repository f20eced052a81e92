package sso

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// ClientAuth is how the client says who it is where codes are exchanged and
// authorization requests are pushed (OpenID Connect Core 9).
type ClientAuth string

// The ways to say it.
const (
	// AuthBasic sends the secret in the Authorization header.
	AuthBasic ClientAuth = "client_secret_basic"
	// AuthPost sends the secret in the body.
	AuthPost ClientAuth = "client_secret_post"
	// AuthPrivateKey sends an assertion signed with the client's own key.
	AuthPrivateKey ClientAuth = "private_key_jwt"

	// authNone is a public client: client_id in the body and nothing else.
	authNone ClientAuth = "none"
)

// Audience is whom a client assertion is made for.
type Audience string

// The audiences.
const (
	// AudienceIssuer is the issuer identifier and nothing else: then no
	// other provider can be made to send for an assertion that is good here
	// (draft-ietf-oauth-rfc7523bis, RFC 9126 section 2).
	AudienceIssuer Audience = "issuer"
	// AudienceEndpoint is the address that the assertion is sent to, for
	// providers that know only that (OpenID Connect Core 9).
	AudienceEndpoint Audience = "endpoint"
)

// assertionType is the client_assertion_type of a JWT (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// validateClientAuth reports what is wrong with how the client says who it is.
func (c Config) validateClientAuth() (wrong mistake.List) {
	wrong.OneOf("client_auth", string(c.ClientAuth), string(AuthBasic), string(AuthPost), string(AuthPrivateKey))
	wrong.OneOf("client_auth", string(c.ClientKeyAudience), string(AudienceIssuer), string(AudienceEndpoint))
	switch c.ClientAuth {
	case AuthBasic, AuthPost:
		if c.ClientSecret == "" {
			wrong.Addf("client_auth", "%s needs a client_secret", c.ClientAuth)
		}
	case AuthPrivateKey:
		switch {
		case c.ClientKey == "":
			wrong.Addf("client_auth", "private_key_jwt needs the file of the client's private key")
		case strings.Contains(c.ClientKey, "-----BEGIN") || strings.HasPrefix(strings.TrimSpace(c.ClientKey), "{\""):
			wrong.Addf("client_auth", "private_key_jwt needs the path of the key file, not the key itself")
		}
		if c.ClientSecret != "" {
			wrong.AddItemf("client_auth", 0, "private_key_jwt goes without a client_secret: leave one of them out")
		}
	}
	if c.ClientAuth != AuthPrivateKey && (c.ClientKey != "" || c.ClientKeyAudience != "") {
		wrong.Addf("client_auth", "a key file is for private_key_jwt only")
	}
	return wrong
}

// authMethod returns how the client says who it is. It is configured or chosen,
// never tried out, for trying sends the code twice.
func (p *Provider) authMethod(meta *metadata) (ClientAuth, error) {
	offered := meta.TokenAuthMethods
	switch {
	case p.config.ClientAuth != "":
		return p.config.ClientAuth, nil
	case p.secret == "":
		return authNone, nil
	case len(offered) == 0, slices.Contains(offered, string(AuthBasic)):
		return AuthBasic, nil // OpenID Connect Discovery 1.0 section 3
	case slices.Contains(offered, string(AuthPost)):
		return AuthPost, nil
	}
	return "", faultf(FaultDiscovery, "the provider takes no client secret at the token endpoint, only %s; client_secret_basic or client_secret_post is needed",
		words(strings.Join(offered, ", "), 200, nil))
}

// credentials returns what of the client's credentials goes into the body of a
// request to an endpoint.
func (p *Provider) credentials(meta *metadata, method ClientAuth, endpoint string) (url.Values, error) {
	body := url.Values{}
	switch method {
	case AuthPost:
		body.Set("client_secret", p.secret)
	case AuthPrivateKey:
		alg, err := p.key.choose(meta.TokenAuthAlgs)
		if err != nil {
			return nil, err
		}
		audience := p.config.Issuer
		if p.config.ClientKeyAudience == AudienceEndpoint {
			audience = endpoint
		}
		assertion, err := p.key.assert(p.config.ClientID, audience, alg, p.clock())
		if err != nil {
			return nil, faultf(FaultOther, "signing the client assertion: %w", err)
		}
		body.Set("client_assertion_type", assertionType)
		body.Set("client_assertion", assertion)
	}
	return body, nil
}

// setBasic puts the credentials of client_secret_basic into a request. They are
// encoded as in a form first (RFC 6749 section 2.3.1), which providers that do
// not decode them get wrong with a secret that has special characters in it:
// for those there is client_secret_post.
func (p *Provider) setBasic(request *http.Request, method ClientAuth) {
	if method == AuthBasic {
		request.SetBasicAuth(url.QueryEscape(p.config.ClientID), url.QueryEscape(p.secret))
	}
}
