package sso

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// asymmetric are the signature algorithms that are believed at all. With a
// symmetric one the client secret would sign, with "none" anybody.
var asymmetric = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512,
	jose.EdDSA,
}

// metadata is what the gateway needs of a discovery document (OpenID Connect
// Discovery 1.0 section 3). It is decoded with go-jose's JSON, which takes
// names with their case and refuses a name given twice.
type metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint"`
	JWKSURI               string `json:"jwks_uri"`

	TokenAuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs    []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IDTokenAlgs      []string `json:"id_token_signing_alg_values_supported"`
	UserinfoAlgs     []string `json:"userinfo_signing_alg_values_supported"`

	// OpenID Connect Prompt Create 1.0 section 4.1.1.
	Prompts []string `json:"prompt_values_supported"`
	Claims  []string `json:"claims_supported"`

	// What a check looks at, and nothing else. The last two: OpenID Connect
	// Back-Channel Logout 1.0 section 2.1.
	Scopes              []string `json:"scopes_supported"`
	ChallengeMethods    []string `json:"code_challenge_methods_supported"`
	GrantTypes          []string `json:"grant_types_supported"`
	BackchannelLogout   bool     `json:"backchannel_logout_supported"`
	BackchannelSessions bool     `json:"backchannel_logout_session_supported"`

	// RFC 9126 section 5.
	PushedRequestEndpoint  string `json:"pushed_authorization_request_endpoint"`
	RequiresPushedRequests bool   `json:"require_pushed_authorization_requests"`

	// OpenID Connect RP-Initiated Logout 1.0 section 2.1.
	EndSessionEndpoint string `json:"end_session_endpoint"`

	// IssInResponse: RFC 9207 section 3.
	IssInResponse bool `json:"authorization_response_iss_parameter_supported"`
}

// discover fetches the discovery document.
func (p *Provider) discover(ctx context.Context) (*metadata, http.Header, error) {
	address := strings.TrimSuffix(p.config.Issuer, "/") + "/.well-known/openid-configuration"
	body, header, err := p.get(ctx, FaultDiscovery, "discovery document", address, "")
	if err != nil {
		return nil, nil, err
	}
	var m metadata
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, nil, faultf(FaultDiscovery, "%s is not a discovery document: %w", address, err)
	}
	if err := m.check(p.config.Issuer); err != nil {
		return nil, nil, err
	}
	return &m, header, nil
}

// check refuses metadata that cannot be used, or is another provider's.
func (m *metadata) check(issuer string) error {
	switch {
	case m.Issuer == "":
		return faultf(FaultDiscovery, "the discovery document has no issuer")
	case strings.ContainsAny(m.Issuer, "{}"):
		return faultf(FaultIssuer, "the issuer %q of the discovery document speaks for many tenants: configure the issuer of your own tenant", words(m.Issuer, 200, nil))
	case m.Issuer != issuer:
		return faultf(FaultIssuer, "the discovery document is of issuer %q, but %q is configured: they have to be the same to the letter, a slash at the end included",
			words(m.Issuer, 200, nil), issuer)
	}
	for _, endpoint := range []struct {
		name, address string
		optional      bool
	}{
		{"authorization_endpoint", m.AuthorizationEndpoint, false},
		{"token_endpoint", m.TokenEndpoint, false},
		{"jwks_uri", m.JWKSURI, false},
		{"userinfo_endpoint", m.UserinfoEndpoint, true},
		{"pushed_authorization_request_endpoint", m.PushedRequestEndpoint, true},
		{"end_session_endpoint", m.EndSessionEndpoint, true},
	} {
		if endpoint.optional && endpoint.address == "" {
			continue
		}
		if err := validateEndpoint(issuer, endpoint.name, endpoint.address); err != nil {
			return faultf(FaultDiscovery, "the discovery document is of no use: %w", err)
		}
	}
	if len(m.IDTokenAlgs) > 0 && len(allowed(m.IDTokenAlgs)) == 0 {
		return faultf(FaultDiscovery, "the provider signs ID tokens with %s only; an asymmetric algorithm such as RS256 is needed",
			words(strings.Join(m.IDTokenAlgs, ", "), 200, nil))
	}
	return nil
}

// idTokenAlgs returns the algorithms an ID token may be signed with.
func (m *metadata) idTokenAlgs() []jose.SignatureAlgorithm {
	if algs := allowed(m.IDTokenAlgs); len(algs) > 0 {
		return algs
	}
	return []jose.SignatureAlgorithm{jose.RS256} // OpenID Connect Core 3.1.3.7, rule 7
}

// userinfoAlgs returns the algorithms that userinfo may be signed with.
func (m *metadata) userinfoAlgs() []jose.SignatureAlgorithm {
	if algs := allowed(m.UserinfoAlgs); len(algs) > 0 {
		return algs
	}
	return m.idTokenAlgs()
}

// allowed returns those algorithms that are asymmetric.
func allowed(names []string) []jose.SignatureAlgorithm {
	var algs []jose.SignatureAlgorithm
	for _, alg := range asymmetric {
		if slices.Contains(names, string(alg)) {
			algs = append(algs, alg)
		}
	}
	return algs
}
