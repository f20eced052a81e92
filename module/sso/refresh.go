package sso

import (
	"context"
	"crypto/subtle"
	"errors"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Grant is what Refresh has to know of a sign-in.
type Grant struct {
	// RefreshToken is the last one that the provider gave. It is a secret.
	RefreshToken string
	// Subject is who signed in.
	Subject string
	// Nonce of the sign-in.
	Nonce string
}

// Refreshed is what came of asking a provider again.
type Refreshed struct {
	// RefreshToken is the one to ask with the next time: a new one, or the
	// same again. "" if the provider gave no answer to go by; the one that
	// was sent may then still be good.
	RefreshToken string

	// Assertion is what the provider says of the person now; nil if nothing
	// beyond that the grant still holds. Email is "" where it told none, and
	// RawIDToken where it sent no ID token.
	Assertion *Assertion
}

// Refresh asks the provider whether what it granted at a sign-in still holds,
// and what it says of the person now (RFC 6749 section 6, OpenID Connect Core
// 12.2). Attributes come from the ID token in the answer, if there is one, and
// where a mapped one is lacking from userinfo.
//
// Every error is a *Fault; its Denies tells a no from not having been told
// anything. What is Refreshed is good even beside an error: a provider may give
// a new refresh token, end the old one, and fail after that. For the same
// reason the token endpoint's answer is waited for when ctx ends.
//
// That userinfo is refused, or cannot be believed, is no answer either: the
// token endpoint has just said yes, and will say no when there is cause.
func (p *Provider) Refresh(ctx context.Context, grant Grant) (Refreshed, error) {
	var refreshed Refreshed
	err := p.refresh(ctx, grant, &refreshed)
	if err != nil {
		return refreshed, p.fault(asFault(FaultOther, "refreshing", err))
	}
	return refreshed, nil
}

func (p *Provider) refresh(ctx context.Context, grant Grant, refreshed *Refreshed) error {
	const doing = "refreshing"
	if grant.RefreshToken == "" || grant.Subject == "" {
		return faultf(FaultOther, "%s: there is no refresh token, or nobody that it is about", doing)
	}
	meta, err := p.meta(ctx)
	if err != nil {
		return asFault(FaultDiscovery, "reading the discovery document", err)
	}
	token, err := p.renew(ctx, meta, doing, grant.RefreshToken)
	if err != nil {
		return err
	}
	refreshed.RefreshToken = token.RefreshToken
	if err := checkTokenType(doing, token); err != nil {
		return err
	}

	assertion := &Assertion{Issuer: p.config.Issuer, Subject: grant.Subject}
	var told []map[string]any
	switch raw := token.Extra("id_token").(type) {
	case nil: // it need not send one
	case string:
		claims, err := p.verifyIDToken(ctx, meta, raw, token.AccessToken, sameAs(grant))
		if err != nil {
			return err
		}
		assertion = claims.assertion(p.config.Issuer, raw)
		told = append(told, claims.told)
	default:
		return faultf(FaultToken, "%s: the ID token of the answer is none", doing)
	}
	if told, err = p.lookUp(ctx, meta, token.AccessToken, grant.Subject, told...); err != nil {
		return err
	}
	if len(told) > 0 {
		assertion.take(p.mapping.Read(told...))
		refreshed.Assertion = assertion
	}
	return nil
}

// renew hands the refresh token in, once. golang.org/x/oauth2 refreshes without
// a way to add parameters, which private_key_jwt needs; with another grant_type
// its clientcredentials sends the same request.
func (p *Provider) renew(ctx context.Context, meta *metadata, doing, refreshToken string) (*oauth2.Token, error) {
	method, err := p.authMethod(meta)
	if err != nil {
		return nil, err
	}
	asked, err := p.credentials(meta, method, meta.TokenEndpoint)
	if err != nil {
		return nil, err
	}
	asked.Set("grant_type", "refresh_token")
	asked.Set("refresh_token", refreshToken)
	client := p.client(meta, method, "")
	request := &clientcredentials.Config{
		ClientID:       client.ClientID,
		ClientSecret:   client.ClientSecret,
		TokenURL:       client.Endpoint.TokenURL,
		AuthStyle:      client.Endpoint.AuthStyle,
		EndpointParams: asked,
	}
	token, err := p.tokens(context.WithoutCancel(ctx), doing, request.Token, refreshToken, asked.Get("client_assertion"))
	var fault *Fault
	if errors.As(err, &fault) && (fault.ProviderError == "invalid_grant" || fault.ProviderError == "invalid_request") {
		// There is no callback here that it could mean, and nothing that
		// could be wrong with the request but the refresh token: some say so
		// of one that they do not know any more.
		fault.Kind = FaultGrant
	}
	return token, err
}

// sameAs wants an ID token about the person of the grant. A nonce need not be
// there, but is that of the sign-in if it is (OpenID Connect Core 12.2).
func sameAs(grant Grant) func(*idTokenClaims) error {
	return func(c *idTokenClaims) error {
		if c.Subject != "" && c.Subject != grant.Subject {
			return faultf(FaultSubject, "ID token: sub is not that of the sign-in: it is about somebody else")
		}
		if c.Nonce != "" && subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(grant.Nonce)) != 1 {
			return errors.New("nonce is not that of the sign-in: it was made for another one")
		}
		return nil
	}
}
