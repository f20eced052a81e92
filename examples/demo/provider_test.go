package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// The provider must be one that a strict relying party accepts.
func TestProvider(t *testing.T) {
	var p *provider
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.ServeHTTP(w, r) }))
	defer server.Close()
	const redirectURI = "http://localhost/callback"
	var err error
	if p, err = newProvider(server.URL, "demo", redirectURI); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	discovered, err := oidc.NewProvider(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{
		ClientID: "demo", RedirectURL: redirectURI, Endpoint: discovered.Endpoint(),
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	verifier := oauth2.GenerateVerifier()

	// authorize presses a button and returns what comes back with the redirect.
	authorize := func(sub string, options ...oauth2.AuthCodeOption) url.Values {
		t.Helper()
		options = append(options, oidc.Nonce("once"))
		resp, err := client.PostForm(config.AuthCodeURL("state", options...), url.Values{"sub": {sub}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		location, err := resp.Location()
		if err != nil {
			t.Fatalf("status %d: %v", resp.StatusCode, err)
		}
		return location.Query()
	}

	back := authorize(people[0].Subject, oauth2.S256ChallengeOption(verifier))
	if back.Get("state") != "state" || back.Get("iss") != server.URL {
		t.Fatalf("back with %v", back)
	}
	if _, err := config.Exchange(t.Context(), back.Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("a code with another verifier counts")
	}
	if _, err := config.Exchange(t.Context(), back.Get("code"), oauth2.VerifierOption(verifier)); err == nil {
		t.Error("a code counts twice")
	}

	back = authorize(people[0].Subject, oauth2.S256ChallengeOption(verifier))
	token, err := config.Exchange(t.Context(), back.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := discovered.Verifier(&oidc.Config{ClientID: "demo"}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims idClaims
	if err := idToken.Claims(&claims); err != nil || claims != people[0] || idToken.Nonce != "once" {
		t.Errorf("%+v, nonce %q: %v", claims, idToken.Nonce, err)
	}
	info, err := discovered.UserInfo(t.Context(), config.TokenSource(t.Context(), token))
	if err != nil || info.Subject != people[0].Subject || info.Email != people[0].Email {
		t.Errorf("%+v: %v", info, err)
	}

	if back := authorize("", oauth2.S256ChallengeOption(verifier)); back.Get("error") != "access_denied" {
		t.Errorf("cancelled, back with %v", back)
	}
	if back := authorize(people[0].Subject); back.Get("error") != "invalid_request" {
		t.Errorf("without PKCE, back with %v", back)
	}
}
