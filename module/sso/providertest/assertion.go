package providertest

import (
	"crypto"
	"encoding/json"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Assertion is what a Provider wants to see of a client that signs in with a
// key of its own (RFC 7523 section 3).
type Assertion struct {
	// Key that the client registered.
	Key crypto.PublicKey
	// Algorithms that are taken.
	Algorithms []jose.SignatureAlgorithm
	// Audiences that are taken; the assertion names one and only that.
	Audiences []string

	mu     sync.Mutex
	used   []string
	Header jose.Header // of the newest one that was right
}

// wrong returns what is wrong with the assertion in a form.
func (a *Assertion) wrong(form url.Values, now time.Time) string {
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return "the client_assertion_type is another one"
	}
	signed, err := jose.ParseSignedCompact(form.Get("client_assertion"), a.Algorithms)
	if err != nil {
		return "not signed with what is taken"
	}
	payload, err := signed.Verify(a.Key)
	if err != nil {
		return "the signature is wrong"
	}
	var claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ID       string `json:"jti"`
		Issued   int64  `json:"iat"`
		Expiry   int64  `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "the claims cannot be read; is there more than one audience?"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case claims.Issuer != ClientID || claims.Subject != ClientID || form.Has("client_id") && form.Get("client_id") != ClientID:
		return "it is about another client"
	case !slices.Contains(a.Audiences, claims.Audience):
		return "it is for " + claims.Audience
	case claims.Issued > now.Unix() || claims.Expiry <= now.Unix() || claims.Expiry > now.Add(5*time.Minute).Unix():
		return "it is not for now, or for too long"
	case len(claims.ID) < 16 || slices.Contains(a.used, claims.ID):
		return "it was used before"
	}
	a.used = append(a.used, claims.ID)
	a.Header = signed.Signatures[0].Header
	return ""
}
