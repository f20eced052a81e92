package identity

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// AssertionHeader is the header of the signed assertion.
const AssertionHeader = "X-Auth-Gateway-Assertion"

const (
	// AssertionLifetime is how long an assertion is good after it was signed.
	AssertionLifetime = 5 * time.Minute

	// AssertionInterval is how long one and the same assertion is handed to
	// the app with the requests of a session, before another one is signed.
	// It always has AssertionLifetime less AssertionInterval left.
	AssertionInterval = 3 * time.Minute
)

// Assertion is who stands behind a request, as it is told to the app in a form
// that it can verify: a JWT (RFC 7519) with the registered claims iss, aud, sub,
// iat, exp and jti, and the attributes by their names.
type Assertion struct {
	// Issuer is the origin of the site. Its keys are at the site's own
	// address /auth-gateway/jwks.json.
	Issuer string

	// Audience is the app that the assertion is for. One that is for another
	// app must be refused.
	Audience string

	// Identity is told: the account's own id is sub.
	Identity
}

// Sign returns the assertion in its compact form (RFC 7515, section 7.1),
// signed with the key that signs at now.
func (k AssertionKeys) Sign(a Assertion, now time.Time) (string, error) {
	claims := a.Named()
	claims["iss"] = a.Issuer
	claims["aud"] = a.Audience
	claims["sub"] = a.Account
	claims["iat"] = now.Unix()
	claims["exp"] = now.Add(AssertionLifetime).Unix()
	claims["jti"] = rand.Text()
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("writing an assertion: %w", err)
	}
	key, err := k.at(now)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.private, KeyID: key.ID}},
		new(jose.SignerOptions).WithType("JWT"),
	)
	if err != nil {
		return "", fmt.Errorf("signing an assertion with key %s: %w", key.ID, err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing an assertion with key %s: %w", key.ID, err)
	}
	return signed.CompactSerialize()
}
