package sso

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4/json"
	"golang.org/x/oauth2"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

const (
	// skew is how far a provider's clock may be ahead.
	skew = 90 * time.Second

	// maxTokenAge is how old an ID token may be that was asked for minutes
	// ago: more is a clock that is wrong, here or there.
	maxTokenAge = time.Hour

	// maxSubject is the length of a subject in bytes (OpenID Connect Core 2).
	maxSubject = 255
)

// exchange spends the code (RFC 6749 section 4.1.3). It is sent once, to the
// token endpoint, in one way.
func (p *Provider) exchange(ctx context.Context, meta *metadata, redirectURI, code, verifier string) (*oauth2.Token, string, error) {
	const doing = "exchanging the code"
	method, err := p.authMethod(meta)
	if err != nil {
		return nil, "", err
	}
	credentials, err := p.credentials(meta, method, meta.TokenEndpoint)
	if err != nil {
		return nil, "", err
	}
	var options []oauth2.AuthCodeOption
	for name := range credentials {
		options = append(options, oauth2.SetAuthURLParam(name, credentials.Get(name)))
	}
	if verifier != "" {
		options = append(options, oauth2.VerifierOption(verifier))
	}
	token, err := p.tokens(ctx, doing, func(ctx context.Context) (*oauth2.Token, error) {
		return p.client(meta, method, redirectURI).Exchange(ctx, code, options...)
	}, code, verifier, credentials.Get("client_assertion"))
	if err != nil {
		return nil, "", err
	}
	if err := checkTokenType(doing, token); err != nil {
		return nil, "", err
	}
	rawIDToken, ok := token.Extra("id_token").(string)
	if !ok || rawIDToken == "" {
		return nil, "", faultf(FaultToken, "%s: the answer has no ID token; is the scope openid granted?", doing)
	}
	return token, rawIDToken, nil
}

// tokens asks the token endpoint. secrets are what was sent there, beside the
// client's own.
func (p *Provider) tokens(ctx context.Context, doing string, ask func(context.Context) (*oauth2.Token, error), secrets ...string) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, p.http.Timeout)
	defer cancel()
	token, err := ask(oidc.ClientContext(ctx, p.http))
	if refused := new(oauth2.RetrieveError); errors.As(err, &refused) {
		// Its text has the whole answer in it, and with that perhaps tokens.
		return nil, endpointFault(doing, "token endpoint", refused.Response.StatusCode,
			refused.ErrorCode, refused.ErrorDescription, append(secrets, p.secret)...)
	}
	if err != nil {
		kind := FaultToken
		if deadline, _ := ctx.Deadline(); !time.Now().Before(deadline) {
			kind = FaultTimeout // oauth2 turns what ends an answer halfway into text
		}
		return nil, asFault(kind, doing, err)
	}
	return token, nil
}

// checkTokenType refuses a token that is bound to a key that nobody here has.
func checkTokenType(doing string, token *oauth2.Token) error {
	if token.TokenType != "" && !strings.EqualFold(token.TokenType, "Bearer") {
		return faultf(FaultToken, "%s: the token type is %q, want Bearer", doing, words(token.TokenType, 64, nil))
	}
	return nil
}

// endpointFault returns the fault for a refusal by an endpoint that the gateway
// itself posts to. Of the provider's words the secrets are left out.
func endpointFault(doing, endpoint string, status int, code, description string, secrets ...string) *Fault {
	if code != "" {
		return providerFault(doing, code, description, secrets...)
	}
	switch {
	case status == http.StatusUnauthorized:
		return faultf(FaultClient, "%s: the %s answers with status 401: check client_id and client_secret", doing, endpoint)
	case status >= 300 && status < 400:
		return faultf(FaultOther, "%s: the %s redirects (%d), which is not followed: what is secret would go along", doing, endpoint, status)
	case status >= 500, status == http.StatusTooManyRequests:
		return faultf(FaultUnavailable, "%s: the %s answers with status %d", doing, endpoint, status)
	default:
		return faultf(FaultOther, "%s: the %s answers with status %d", doing, endpoint, status)
	}
}

// idTokenClaims is what the gateway reads of an ID token.
type idTokenClaims struct {
	profile
	dates

	Issuer          string      `json:"iss"`
	Audience        audience    `json:"aud"`
	AuthorizedParty *string     `json:"azp"`
	AuthTime        json.Number `json:"auth_time"`
	Nonce           string      `json:"nonce"`
	AtHash          *string     `json:"at_hash"`
	SID             string      `json:"sid"`
}

// verifyIDToken returns the claims of an ID token that is to be believed
// (OpenID Connect Core 3.1.3.7). go-oidc checks signature and
// audience; the rest is checked here. belongs says whether it is an answer to
// what was asked.
func (p *Provider) verifyIDToken(ctx context.Context, meta *metadata, raw, accessToken string, belongs func(*idTokenClaims) error) (*idTokenClaims, error) {
	algs := meta.idTokenAlgs()
	// Issuer and times are checked below, to tell those mistakes from others.
	config := &oidc.Config{ClientID: p.config.ClientID, SkipIssuerCheck: true, SkipExpiryCheck: true}
	for _, alg := range algs {
		config.SupportedSigningAlgs = append(config.SupportedSigningAlgs, string(alg))
	}
	signature := &verification{keys: p.keys, algs: algs}
	token, err := oidc.NewVerifier(p.config.Issuer, signature, config).Verify(ctx, raw)
	if signature.err != nil {
		return nil, asFault(FaultToken, "ID token", signature.err)
	}
	if err != nil {
		return nil, faultf(FaultToken, "ID token: %w", err)
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, faultf(FaultToken, "ID token: %w", err)
	}
	claims := new(idTokenClaims)
	if err := decodeClaims(payload, claims, &claims.profile); err != nil {
		return nil, faultf(FaultToken, "ID token: %w", err)
	}
	if err := claims.check(p.config.Issuer, p.config.ClientID, belongs, p.clock()); err != nil {
		return nil, asFault(FaultToken, "ID token", err)
	}
	if claims.AtHash != nil {
		if *claims.AtHash != token.AccessTokenHash {
			return nil, faultf(FaultToken, "ID token: at_hash is there in two spellings")
		}
		if err := token.VerifyAccessToken(accessToken); err != nil {
			return nil, faultf(FaultToken, "ID token: at_hash is not that of the access token")
		}
	}
	return claims, nil
}

// withNonce wants an ID token of the sign-in with that nonce.
func withNonce(nonce string) func(*idTokenClaims) error {
	return func(c *idTokenClaims) error {
		if nonce == "" || subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(nonce)) != 1 {
			return errors.New("nonce is not the one that was sent: it was made for another sign-in")
		}
		return nil
	}
}

// check holds the claims against what is expected.
func (c *idTokenClaims) check(issuer, clientID string, belongs func(*idTokenClaims) error, now time.Time) error {
	if c.Issuer != issuer {
		return faultf(FaultIssuer, "ID token: iss is %q, want %q", words(c.Issuer, 200, nil), issuer)
	}
	if err := belongs(c); err != nil {
		return err
	}
	if err := checkSubject(c.Subject); err != nil {
		return err
	}

	if err := c.Audience.check(clientID); err != nil { // rule 3
		return err
	}
	if c.AuthorizedParty != nil && *c.AuthorizedParty != clientID {
		return fmt.Errorf("azp is %q: it was made for another client", words(*c.AuthorizedParty, 100, nil))
	}

	if _, err := c.dates.check("ID token", now); err != nil { // rules 9 and 10
		return err
	}
	if c.AuthTime != "" {
		if at, err := instant("auth_time", c.AuthTime); err != nil {
			return err
		} else if at.After(now.Add(skew)) {
			return faultf(FaultClock, "ID token: auth_time is in the future: a clock is wrong, here or at the provider")
		}
	}
	return nil
}

// assertion returns what the claims say of the person, attributes apart.
func (c *idTokenClaims) assertion(issuer, raw string) *Assertion {
	a := &Assertion{Issuer: issuer, Subject: c.Subject, SID: c.SID, RawIDToken: raw}
	if c.AuthTime != "" {
		a.AuthTime, _ = instant("auth_time", c.AuthTime)
	}
	return a
}

// take puts the attributes into the assertion.
func (a *Assertion) take(known identity.Claims) {
	a.Email, a.EmailVerified = known.Email, known.EmailVerified
	a.Attributes = identity.Attributes{Email: known.Email, Name: known.Name, Role: known.Role}
	a.Changes = known.Changes
}

// checkSubject refuses what cannot be the name of a person at a provider.
func checkSubject(subject string) error {
	switch {
	case subject == "":
		return errors.New("sub is missing or empty")
	case len(subject) > maxSubject:
		return errors.New("sub is longer than 255 bytes")
	case !utf8.ValidString(subject), strings.ContainsFunc(subject, unicode.IsControl):
		return errors.New("sub holds control characters")
	}
	return nil
}
