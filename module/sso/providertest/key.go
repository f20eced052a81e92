package providertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Key signs tokens.
type Key struct {
	Algorithm jose.SignatureAlgorithm
	ID        string // may be empty
	Private   crypto.Signer
}

// rsaKey is made once: RSA keys are slow to make.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// NewKey returns a key for an algorithm. All RSA keys are the same.
func NewKey(t testing.TB, algorithm jose.SignatureAlgorithm, id string) *Key {
	t.Helper()
	key := &Key{Algorithm: algorithm, ID: id}
	var err error
	switch algorithm {
	case jose.ES256:
		key.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		key.Private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jose.ES512:
		key.Private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case jose.EdDSA:
		_, key.Private, err = ed25519.GenerateKey(rand.Reader)
	default:
		key.Private, err = rsaKey()
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Public returns the public half as it is published.
func (k *Key) Public() json.RawMessage {
	raw, err := json.Marshal(jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"})
	if err != nil {
		panic(err)
	}
	return raw
}

// DER returns the public half as a certificate has it.
func (k *Key) DER() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.Private.Public())
	if err != nil {
		panic(err)
	}
	return der
}

// Sign returns the claims as a JWT; header adds to its protected header.
func (k *Key) Sign(claims map[string]any, header map[jose.HeaderKey]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return k.SignRaw(payload, header)
}

// SignRaw signs a payload that need not be proper JSON.
func (k *Key) SignRaw(payload []byte, header map[jose.HeaderKey]any) string {
	options := (&jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{}}).WithType("JWT")
	for name, value := range header {
		options.WithHeader(name, value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: k.Algorithm,
		Key:       jose.JSONWebKey{Key: k.Private, KeyID: k.ID},
	}, options)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return compact
}

// HalfHash returns what at_hash says of an access token that comes along with a
// token of this key, and c_hash of a code (OpenID Connect Core 3.1.3.6).
func (k *Key) HalfHash(text string) string {
	sum := sha256.New()
	switch k.Algorithm {
	case jose.RS384, jose.PS384, jose.ES384:
		sum = sha512.New384()
	case jose.RS512, jose.PS512, jose.ES512, jose.EdDSA:
		sum = sha512.New()
	}
	sum.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:sum.Size()/2])
}
