package providertest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Behaviour is what a Provider does. Functions that are nil change nothing;
// the others edit what is about to be sent.
type Behaviour struct {
	// Clock tells the provider's time. Default: time.Now.
	Clock func() time.Time

	// Person are the claims about whoever signs in. Those in InUserinfo
	// are left out of the ID token.
	Person     map[string]any
	InUserinfo []string

	Discovery func(document map[string]any)
	// Claims edits the claims of the ID token.
	Claims func(claims map[string]any)
	// Header edits the protected header of the ID token.
	Header func(header map[jose.HeaderKey]any)
	// Userinfo edits the userinfo.
	Userinfo func(claims map[string]any)
	// Response edits the query of the way back to the client.
	Response func(query url.Values)
	// TokenResponse edits the answer of the token endpoint.
	TokenResponse func(answer map[string]any)

	// Key signs; Published are the keys at PathKeys, as JSON. Default: the
	// public half of Key.
	Key       *Key
	Published []json.RawMessage
	// Sign replaces the signature altogether: claims in, ID token out.
	Sign func(claims map[string]any) string
	// SignUserinfo sends the userinfo as a JWT that is signed with Key.
	SignUserinfo bool

	// ContentType replaces application/json, by path.
	ContentType map[string]string
	// CacheControl is sent with the discovery document and the keys, and so is
	// Expires, that long after the time of the server's own clock.
	CacheControl string
	Expires      time.Duration
	// Public: the client has no secret. Post: the client sends it in the body.
	Public, Post bool
	// Assertion is what the client proves who it is with, in place of a
	// secret.
	Assertion *Assertion
	// Push: authorization requests may be pushed. PushOnly: they have to be.
	Push, PushOnly bool
	// PushResponse edits the answer to a pushed request.
	PushResponse func(answer map[string]any)

	// Refresh: the provider gives refresh tokens. Rotate: a new one with each
	// answer, where the one before is over.
	Refresh, Rotate bool
	// RefreshError is the code with which refresh tokens are refused.
	RefreshError string
	// RefreshClaims edits the claims of an ID token that comes with a
	// refreshed answer, after Claims. RefreshResponse edits that answer.
	RefreshClaims   func(claims map[string]any)
	RefreshResponse func(answer map[string]any)

	// Handlers replace whole endpoints, by path.
	Handlers map[string]http.HandlerFunc

	// Secret is told each code and token that the provider makes, and each PKCE
	// verifier that it receives.
	Secret func(what, value string)
}

// authenticate returns what is wrong with how the client says who it is.
func (b *Behaviour) authenticate(r *http.Request) string {
	id, secret, basic := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	form := r.PostForm
	switch {
	case r.Header.Get("Origin") != "":
		return "a cross-origin request is for single-page apps only"
	case b.Assertion != nil && (basic || form.Has("client_secret")):
		return "private_key_jwt is wanted"
	case b.Assertion != nil:
		return b.Assertion.wrong(form, b.Clock())
	case form.Has("client_assertion"):
		return "no assertion is wanted"
	case b.Public && (basic || form.Has("client_secret") || form.Get("client_id") != ClientID):
		return "a public client sends its client_id and no secret"
	case b.Public:
		return ""
	case b.Post && (basic || form.Get("client_id") != ClientID || form.Get("client_secret") != ClientSecret):
		return "client_secret_post is wanted"
	case b.Post:
		return ""
	case !basic || id != ClientID || secret != ClientSecret || form.Has("client_secret"):
		return "client_secret_basic is wanted"
	}
	return ""
}

// idToken returns a signed ID token for a grant.
func (b *Behaviour) idToken(issuer string, grant *grant) string {
	now := b.Clock()
	claims := map[string]any{
		"iss":   issuer,
		"aud":   ClientID,
		"iat":   now.Unix(),
		"exp":   now.Add(5 * time.Minute).Unix(),
		"nonce": grant.nonce,
	}
	for name, value := range b.Person {
		claims[name] = value
	}
	for _, name := range b.InUserinfo {
		delete(claims, name)
	}
	if b.Claims != nil {
		b.Claims(claims)
	}
	if b.Sign != nil {
		return b.Sign(claims)
	}
	header := map[jose.HeaderKey]any{}
	if b.Header != nil {
		b.Header(header)
	}
	return b.Key.Sign(claims, header)
}

// secret tells the test of a secret. What is too short to be one stands in any
// log.
func (b *Behaviour) secret(what, value string) {
	if b.Secret != nil && len(value) >= 16 {
		b.Secret(what, value)
	}
}
