// Package sso is the OpenID Connect relying party: it sends people to their
// identity provider and decides whether to believe what they come back with.
//
// It speaks to providers only. Cookies, pages and accounts are other
// packages'; nothing in here runs while nobody signs in.
package sso

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"go.uber.org/zap"
	"golang.org/x/oauth2"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

// defaultTimeout limits each call to a provider.
const defaultTimeout = 10 * time.Second

// Options is what a Provider needs besides its configuration.
type Options struct {
	// Clock tells the time. Default: time.Now.
	Clock func() time.Time

	// HTTPClient lends its Transport; redirects, size and time are limited
	// all the same. Default: one of the Provider's own, which follows the
	// proxy settings of the environment.
	HTTPClient *http.Client

	// Organizations are the known ones. Default: any is taken as it comes.
	Organizations identity.Organizations

	// Timeout limits each call to the provider. Default: 10 seconds.
	Timeout time.Duration

	// ClientKey is the key of client_auth private_key_jwt, as read from
	// Config.ClientKey. Required with it.
	ClientKey *ClientKey

	// Log tells of what does not fail a sign-in: a key that cannot be read,
	// a discovery document that is out of date, a claim that cannot be an
	// attribute. Default: nobody.
	Log *zap.Logger
}

// Provider is one SSO config at work. Its methods may be called at once.
type Provider struct {
	name   string
	config Config
	secret string
	key    *ClientKey
	clock  func() time.Time
	log    *zap.Logger

	mapping  *identity.Mapping
	http     *http.Client
	metadata *document[metadata]
	manual   *metadata // with discovery off
	keys     *keySet
}

// Pending is what Finish has to know of a sign-in that Start began. It holds
// secrets: the caller seals it into a cookie of the browser that started.
type Pending struct {
	SSO    string `json:"sso"`
	Issuer string `json:"iss"`
	State  string `json:"state"`
	Nonce  string `json:"nonce"`
	// Verifier is the PKCE code verifier (RFC 7636); empty without PKCE.
	Verifier string `json:"ver,omitempty"`
}

// Assertion is what a provider says of a person, once it is believed.
type Assertion struct {
	// Issuer and Subject together are who it is; nothing else is.
	Issuer, Subject string

	// SID is the provider's session, or "" (OpenID Connect Front-Channel
	// Logout 1.0 section 3).
	SID string

	// Email is the address as the provider spells it, never empty.
	Email string

	// EmailVerified: the provider says that the address is the person's.
	EmailVerified bool

	// Attributes that the provider told: email, name and role.
	Attributes identity.Attributes

	// Changes are the other attributes that the provider told.
	Changes identity.Changes

	// AuthTime is when the person proved who they are to the provider;
	// zero if it did not say.
	AuthTime time.Time

	// RawIDToken is a secret; it is handed back at sign-out.
	RawIDToken string

	// RefreshToken is a secret, with which Refresh asks again; "" if the
	// provider gave none, or nobody will ask.
	RefreshToken string

	// Nonce of the sign-in, which ID tokens have that come later, if any.
	Nonce string
}

// NewProvider returns the provider of the SSO config with that name. It does
// not use the network. The client secret is the resolved one, "" for none.
func NewProvider(name string, config Config, clientSecret string, opts Options) (*Provider, error) {
	if err := ValidateIssuer(config.Issuer); err != nil {
		return nil, fmt.Errorf("sso %s: issuer: %w", name, err)
	}
	if config.ClientID == "" {
		return nil, fmt.Errorf("sso %s: client_id is empty", name)
	}
	config.SetDefaults()
	switch config.Mode {
	case ModePKCE:
	case ModeCode:
		if clientSecret == "" && config.ClientAuth != AuthPrivateKey {
			return nil, fmt.Errorf("sso %s: mode code needs a client_secret", name)
		}
	default:
		return nil, fmt.Errorf("sso %s: unknown mode %q: use pkce or code", name, config.Mode)
	}
	switch config.ClientAuth {
	case "":
	case AuthBasic, AuthPost:
		if clientSecret == "" {
			return nil, fmt.Errorf("sso %s: client_auth %s needs a client_secret", name, config.ClientAuth)
		}
	case AuthPrivateKey:
		if opts.ClientKey == nil {
			return nil, fmt.Errorf("sso %s: client_auth private_key_jwt needs a key", name)
		}
	default:
		return nil, fmt.Errorf("sso %s: unknown client_auth %q", name, config.ClientAuth)
	}
	if config.Discovery == DiscoveryOff {
		if config.Endpoints == nil {
			return nil, fmt.Errorf("sso %s: discovery off needs endpoints", name)
		}
		if err := config.Endpoints.Validate().Err(); err != nil {
			return nil, fmt.Errorf("sso %s: endpoints: %w", name, err)
		}
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	log := opts.Log.With(zap.String("sso", name))

	mapping, err := identity.NewMapping(config.Claims, opts.Organizations)
	if err != nil {
		return nil, fmt.Errorf("sso %s: claims: %w", name, err)
	}

	p := &Provider{name: name, config: config, secret: clientSecret, key: opts.ClientKey, clock: opts.Clock, log: log, mapping: mapping}
	p.http = newClient(opts.HTTPClient, opts.Timeout)
	if config.Discovery == DiscoveryOff {
		p.manual = config.Endpoints.metadata(config.Issuer)
	}
	p.metadata = newDocument("discovery document", p.discover, opts, log)
	p.keys = newKeySet(p, opts, log)
	return p, nil
}

// Start returns the address at the provider to send a person to, and what
// Finish needs when the person is back. The state is the caller's, unguessable
// and used once. Every error is a *Fault.
func (p *Provider) Start(ctx context.Context, redirectURI, state string) (string, Pending, error) {
	return p.start(ctx, redirectURI, state, nil)
}

// start is Start with what further parameters the provider is to be asked with,
// nil for none.
func (p *Provider) start(ctx context.Context, redirectURI, state string, ask func(*metadata) []oauth2.AuthCodeOption) (string, Pending, error) {
	if state == "" {
		return "", Pending{}, p.fault(faultf(FaultOther, "starting without a state"))
	}
	meta, err := p.meta(ctx)
	if err != nil {
		return "", Pending{}, p.fault(asFault(FaultDiscovery, "reading the discovery document", err))
	}
	pending := Pending{SSO: p.name, Issuer: p.config.Issuer, State: state, Nonce: rand.Text()}
	options := []oauth2.AuthCodeOption{oidc.Nonce(pending.Nonce)}
	if p.config.Mode == ModePKCE {
		pending.Verifier = oauth2.GenerateVerifier()
		options = append(options, oauth2.S256ChallengeOption(pending.Verifier))
	}
	if ask != nil {
		options = append(options, ask(meta)...)
	}
	method, err := p.authMethod(meta)
	if err != nil {
		return "", Pending{}, p.fault(asFault(FaultDiscovery, "reading the discovery document", err))
	}
	client := p.client(meta, method, redirectURI)
	if !p.pushes(meta, method) {
		return client.AuthCodeURL(state, options...), pending, nil
	}
	address, err := p.pushed(ctx, meta, method, client, state, options)
	if err != nil {
		return "", Pending{}, p.fault(asFault(FaultOther, "pushing the authorization request", err))
	}
	return address, pending, nil
}

// Finish returns what the provider says of the person who came back with the
// query. The caller has marked the state as used before. Every error is a
// *Fault.
func (p *Provider) Finish(ctx context.Context, pending Pending, redirectURI string, query url.Values) (*Assertion, error) {
	assertion, err := p.finish(ctx, pending, redirectURI, query)
	if err != nil {
		return nil, p.fault(asFault(FaultOther, "finishing the sign-in", err))
	}
	return assertion, nil
}

func (p *Provider) finish(ctx context.Context, pending Pending, redirectURI string, query url.Values) (*Assertion, error) {
	if pending.SSO != p.name || pending.Issuer != p.config.Issuer {
		return nil, faultf(FaultResponse, "the sign-in was started at another provider (%s, %s)", pending.SSO, pending.Issuer)
	}
	if p.config.Mode == ModePKCE && pending.Verifier == "" {
		return nil, faultf(FaultResponse, "the sign-in was started without PKCE: the mode has changed meanwhile")
	}
	meta, err := p.meta(ctx)
	if err != nil {
		return nil, asFault(FaultDiscovery, "reading the discovery document", err)
	}
	code, err := p.checkResponse(meta, pending, query)
	if err != nil {
		return nil, err
	}
	token, rawIDToken, err := p.exchange(ctx, meta, redirectURI, code, pending.Verifier)
	if err != nil {
		return nil, err
	}
	claims, err := p.verifyIDToken(ctx, meta, rawIDToken, token.AccessToken, withNonce(pending.Nonce))
	if err != nil {
		return nil, err
	}
	told, err := p.lookUp(ctx, meta, token.AccessToken, claims.Subject, claims.told)
	if err != nil {
		return nil, err
	}
	known := p.mapping.Read(told...)
	if len(known.Ignored) > 0 {
		p.log.Warn("claims are left out that cannot be attributes",
			zap.String("subject", claims.Subject), zap.Strings("claims", known.Ignored))
	}
	assertion := claims.assertion(p.config.Issuer, rawIDToken)
	assertion.take(known)
	assertion.Nonce = pending.Nonce
	if p.config.Revalidate > 0 {
		assertion.RefreshToken = token.RefreshToken
	}
	if assertion.Email == "" {
		return nil, faultf(FaultNoEmail, "neither ID token nor userinfo has an e-mail address; the scope email and the person's profile decide that at the provider")
	}
	return assertion, nil
}

// lookUp adds to the claims of an ID token those of userinfo, where a mapped one
// is lacking.
func (p *Provider) lookUp(ctx context.Context, meta *metadata, accessToken, subject string, told ...map[string]any) ([]map[string]any, error) {
	if meta.UserinfoEndpoint == "" || len(told) > 0 && !p.mapping.Lacks(told[0], p.config.TrustEmail) {
		return told, nil
	}
	info, err := p.userinfo(ctx, meta, accessToken, subject)
	if err != nil {
		return nil, err
	}
	return append(told, info.told), nil
}

// checkResponse returns the code of an authorization response that is the
// answer to what Start asked (RFC 6749 section 4.1.2, RFC 9207).
func (p *Provider) checkResponse(meta *metadata, pending Pending, query url.Values) (code string, err error) {
	for name, values := range query {
		if len(values) > 1 {
			return "", faultf(FaultResponse, "the response has the parameter %q %d times", words(name, 64, nil), len(values))
		}
	}
	if pending.State == "" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(pending.State)) != 1 {
		return "", faultf(FaultResponse, "the response has another state than the request")
	}
	if iss := query.Get("iss"); query.Has("iss") && iss != p.config.Issuer {
		return "", faultf(FaultResponse, "the response is another issuer's: iss is %q, want %q", words(iss, 200, nil), p.config.Issuer)
	} else if meta.IssInResponse && !query.Has("iss") {
		return "", faultf(FaultResponse, "the response has no iss, which the provider announces to send")
	}
	if query.Has("error") {
		return "", providerFault("the provider refused", query.Get("error"), query.Get("error_description"), p.secret, query.Get("code"))
	}
	code = query.Get("code")
	if code == "" {
		return "", faultf(FaultResponse, "the response has neither a code nor an error")
	}
	return code, nil
}

// client returns the OAuth 2.0 client as this provider wants it.
func (p *Provider) client(meta *metadata, method ClientAuth, redirectURI string) *oauth2.Config {
	secret, style := "", oauth2.AuthStyleInParams
	switch method {
	case AuthBasic:
		secret, style = p.secret, oauth2.AuthStyleInHeader
	case AuthPost:
		secret = p.secret
	}
	return &oauth2.Config{
		ClientID:     p.config.ClientID,
		ClientSecret: secret,
		RedirectURL:  redirectURI,
		Scopes:       p.config.Scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL:   meta.AuthorizationEndpoint,
			TokenURL:  meta.TokenEndpoint,
			AuthStyle: style,
		},
	}
}

// meta returns what the provider says of itself, or the configuration of it.
func (p *Provider) meta(ctx context.Context) (*metadata, error) {
	if p.manual != nil {
		return p.manual, nil
	}
	return p.metadata.get(ctx)
}

// Name returns the name of the SSO config.
func (p *Provider) Name() string { return p.name }

// Config returns the configuration, defaults filled in.
func (p *Provider) Config() Config { return p.config }

// Close lets go of idle connections. The Provider still works afterwards, so
// requests that are under way may end.
func (p *Provider) Close() error {
	p.http.CloseIdleConnections()
	return nil
}

func (p *Provider) fault(f *Fault) error {
	named := *f
	named.SSO = p.name
	return &named
}
