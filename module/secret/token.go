package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// tokenSize is the number of random bytes of a token: 256 bits.
const tokenSize = 32

// NewToken returns a secret to hand out (base64url without padding, 43
// characters) and the id under which it is kept. The token cannot be told
// from its id.
func NewToken() (token string, id []byte) {
	random := make([]byte, tokenSize)
	rand.Read(random) // never fails, see its documentation
	token = base64.RawURLEncoding.EncodeToString(random)
	return token, TokenID(token)
}

// TokenID returns the id of a token: the SHA-256 of its text. Tokens have
// enough randomness that a plain hash keeps them secret.
func TokenID(token string) []byte {
	id := sha256.Sum256([]byte(token))
	return id[:]
}
