package sso

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	// maxKeyFile bounds what is read of a key file, in bytes.
	maxKeyFile = 64 << 10

	// assertionLifetime is how long a client assertion is good for: as long
	// as two clocks that tokens are accepted from may be apart, and a little.
	assertionLifetime = 2 * time.Minute
)

// ClientKey signs the assertions by which a client says who it is
// (private_key_jwt, OpenID Connect Core 9).
type ClientKey struct {
	private crypto.Signer
	algs    []jose.SignatureAlgorithm // that it can sign with, the usual one first
	headers map[jose.HeaderKey]any    // that tell the provider which key it is
}

// ReadClientKey reads a key file: PEM with a private key in PKCS #8, PKCS #1 or
// SEC 1, unencrypted, and the certificate of that key where the provider wants
// to be told it (x5t), or a private JWK, whose kid is told and whose alg is
// kept to. RSA of at least 2048 bits, P-256, P-384, P-521 and Ed25519 will do.
// Errors never hold what is in the file.
func ReadClientKey(path string) (*ClientKey, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err != nil {
		return nil, err
	}
	key, err := parseClientKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

func parseClientKey(text []byte) (*ClientKey, error) {
	if strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		return parseClientJWK(text)
	}
	var private crypto.Signer
	var certificate *x509.Certificate
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY", block.Headers["DEK-Info"] != "":
			return nil, errors.New("the key is encrypted: store it without a passphrase, readable by Caddy's user only")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if private != nil {
				return nil, errors.New("there is more than one private key in it")
			}
			var err error
			if private, err = parsePrivateKey(block.Bytes); err != nil {
				return nil, err
			}
		case block.Type == "CERTIFICATE" && certificate == nil: // those after it are its chain
			var err error
			if certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
				return nil, errors.New("the certificate in it cannot be read")
			}
		}
	}
	if private == nil {
		return nil, errors.New("there is no private key in it: PEM (BEGIN PRIVATE KEY) or a private JWK is needed")
	}
	key, err := newClientKey(private)
	if err != nil {
		return nil, err
	}
	if certificate != nil {
		public, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(certificate.PublicKey) {
			return nil, errors.New("the certificate in it is of another key")
		}
		// Some providers, Microsoft Entra among them, know a client's key
		// by its certificate only. x5t is SHA-1 by definition (RFC 7515
		// section 4.1.7); it names the key and protects nothing.
		short, long := sha1.Sum(certificate.Raw), sha256.Sum256(certificate.Raw)
		key.headers["x5t"] = base64.RawURLEncoding.EncodeToString(short[:])
		key.headers["x5t#S256"] = base64.RawURLEncoding.EncodeToString(long[:])
	}
	return key, nil
}

func parseClientJWK(text []byte) (*ClientKey, error) {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(text); err != nil || !jwk.Valid() {
		return nil, errors.New("it is not a valid JWK")
	}
	private, ok := jwk.Key.(crypto.Signer)
	if !ok {
		return nil, errors.New("it is not a private JWK of the kinds RSA, EC or OKP")
	}
	key, err := newClientKey(private)
	if err != nil {
		return nil, err
	}
	if jwk.KeyID != "" {
		key.headers["kid"] = jwk.KeyID
	}
	if alg := jose.SignatureAlgorithm(jwk.Algorithm); alg != "" {
		if !slices.Contains(key.algs, alg) {
			return nil, fmt.Errorf("its alg %q is none that such a key signs with", words(jwk.Algorithm, 20, nil))
		}
		key.algs = []jose.SignatureAlgorithm{alg}
	}
	return key, nil
}

// parsePrivateKey reads DER, whatever the PEM around it called it.
func parsePrivateKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if private, ok := key.(crypto.Signer); ok {
			return private, nil
		}
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("the private key in it cannot be read: PKCS #8, PKCS #1 or SEC 1 is needed")
}

// newClientKey finds what a key signs with (RFC 7518 section 3.1, RFC 8037).
func newClientKey(private crypto.Signer) (*ClientKey, error) {
	key := &ClientKey{private: private, headers: map[jose.HeaderKey]any{}}
	switch k := private.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < minRSABits {
			return nil, fmt.Errorf("an RSA key of %d bits is too short: 2048 at least", k.N.BitLen())
		}
		// Where nothing is said, RS256 is what every provider takes.
		key.algs = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.RS384, jose.PS384, jose.RS512, jose.PS512}
	case *ecdsa.PrivateKey:
		switch k.Curve {
		case elliptic.P256():
			key.algs = []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			key.algs = []jose.SignatureAlgorithm{jose.ES384}
		case elliptic.P521():
			key.algs = []jose.SignatureAlgorithm{jose.ES512}
		default:
			return nil, errors.New("an EC key is needed on P-256, P-384 or P-521")
		}
	case ed25519.PrivateKey:
		key.algs = []jose.SignatureAlgorithm{jose.EdDSA}
	default:
		return nil, errors.New("an RSA, EC or Ed25519 key is needed")
	}
	return key, nil
}

// choose returns the algorithm to sign with for a provider that takes these;
// any, if it does not say.
func (k *ClientKey) choose(taken []string) (jose.SignatureAlgorithm, error) {
	for _, alg := range k.algs {
		if len(taken) == 0 || slices.Contains(taken, string(alg)) {
			return alg, nil
		}
	}
	return "", faultf(FaultClient, "client_auth: the provider takes assertions signed with %s, and the key file's key signs with %v",
		words(strings.Join(taken, ", "), 200, nil), k.algs)
}

// assert returns an assertion that this is the client (RFC 7523 section 3), for
// one use.
func (k *ClientKey) assert(clientID, audience string, alg jose.SignatureAlgorithm, now time.Time) (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	for name, value := range k.headers {
		options.WithHeader(name, value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: k.private}, options)
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": clientID,
		"sub": clientID,
		"aud": audience,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(assertionLifetime).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
