// Package secret turns the operator's secrets into keys: one per purpose, for
// what is sealed at rest, for cookies, and for the tokens that are handed out.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

const (
	// MinSecretSize is the least number of bytes of an operator's secret.
	MinSecretSize = 32

	// KeyIDSize is the number of bytes at the start of a sealed value that
	// name the key it was sealed with.
	KeyIDSize = 4
)

var (
	// ErrUnknownKey: the value was sealed with a secret that the ring does
	// not hold.
	ErrUnknownKey = errors.New("sealed with a secret that is not configured: " +
		"give the earlier secret again, after the one in use")

	// ErrNotSealed: the value was changed, cut, or belongs to another row.
	ErrNotSealed = errors.New("sealed value cannot be opened: it was changed or belongs to another row")
)

// Ring holds the operator's secrets, newest first. The newest one seals; all
// of them open. It does not change and may be used by many at once.
type Ring struct {
	keys []key
}

// key is what becomes of one secret.
type key struct {
	secret []byte
	id     [KeyIDSize]byte
	seal   cipher.AEAD
}

// NewRing returns a ring of the secrets, the one in use first. White space
// around a secret does not count, since files end in a newline. Errors name a
// secret by its place, never by its text.
func NewRing(secrets ...string) (*Ring, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no secret: make one with `openssl rand -base64 32`")
	}
	ring := &Ring{keys: make([]key, 0, len(secrets))}
	for i, text := range secrets {
		text = strings.TrimSpace(text)
		if len(text) < MinSecretSize {
			return nil, fmt.Errorf("secret %d has %d bytes, at least %d are needed: make one with `openssl rand -base64 32`",
				i+1, len(text), MinSecretSize)
		}
		k, err := newKey([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		for j, earlier := range ring.keys {
			if k.id == earlier.id {
				return nil, fmt.Errorf("secret %d is the same as secret %d: leave one out", i+1, j+1)
			}
		}
		ring.keys = append(ring.keys, k)
	}
	return ring, nil
}

func newKey(secret []byte) (key, error) {
	k := key{secret: secret}
	copy(k.id[:], k.derive("key id", KeyIDSize))
	block, err := aes.NewCipher(k.derive("seal", 32))
	if err != nil {
		return key{}, err
	}
	k.seal, err = cipher.NewGCMWithRandomNonce(block)
	return k, err
}

// Derive returns size bytes that depend on the newest secret and the purpose
// (HKDF-SHA256, RFC 5869). Size is at most 255*32.
func (r *Ring) Derive(purpose string, size int) []byte {
	return r.keys[0].derive("derive/"+purpose, size)
}

// KeyID names the key that Seal uses: what a sealed value begins with.
func (r *Ring) KeyID() []byte {
	id := r.keys[0].id
	return id[:]
}

// Knows reports whether the ring can open what was sealed with that key.
func (r *Ring) Knows(keyID []byte) bool {
	_, ok := r.find(keyID)
	return ok
}

// Seal encrypts plain for the row it will be stored in, so that it cannot be
// moved to another: key id, nonce and AES-256-GCM ciphertext.
func (r *Ring) Seal(plain []byte, row string) []byte {
	k := &r.keys[0]
	sealed := make([]byte, 0, KeyIDSize+k.seal.Overhead()+len(plain))
	return k.seal.Seal(append(sealed, k.id[:]...), nil, plain, []byte(row))
}

// Open decrypts what Seal returned for the same row. Errors are ErrUnknownKey
// and ErrNotSealed.
func (r *Ring) Open(sealed []byte, row string) ([]byte, error) {
	if len(sealed) < KeyIDSize {
		return nil, ErrNotSealed
	}
	k, ok := r.find(sealed[:KeyIDSize])
	if !ok {
		return nil, ErrUnknownKey
	}
	plain, err := k.seal.Open(nil, nil, sealed[KeyIDSize:], []byte(row))
	if err != nil {
		return nil, ErrNotSealed
	}
	return plain, nil
}

func (r *Ring) find(keyID []byte) (*key, bool) {
	for i := range r.keys {
		if subtle.ConstantTimeCompare(r.keys[i].id[:], keyID) == 1 {
			return &r.keys[i], true
		}
	}
	return nil, false
}

// derive panics if more bytes are asked for than HKDF can give, which only a
// mistake in a caller can bring about.
func (k *key) derive(info string, size int) []byte {
	out, err := hkdf.Key(sha256.New, k.secret, nil, "caddy-auth-gateway/"+info, size)
	if err != nil {
		panic(fmt.Sprintf("deriving %d bytes for %q: %v", size, info, err))
	}
	return out
}
