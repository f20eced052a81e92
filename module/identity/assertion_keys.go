package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How keys follow one another. An app may hold on to the keys it fetched for
// KeysMaxAge, so a key is published for longer than that before it signs; and
// what was signed must be verifiable until it has expired, so a key is published
// for longer than AssertionLifetime after it has signed. Both leave room for
// clocks that differ.
const (
	// KeysMaxAge is how long published keys may be cached.
	KeysMaxAge = time.Hour

	assertionKeyLife = 90 * 24 * time.Hour // how long one signs
	publishedBefore  = 7 * 24 * time.Hour
	publishedAfter   = time.Hour
)

// AssertionKey is a key that signs assertions: ES256, of the curve P-256.
type AssertionKey struct {
	// ID is the thumbprint of its public part (RFC 7638) and, as kid, in the
	// header of what it signs.
	ID string

	// SignsFrom is when it begins to sign. It ends when the next one begins.
	SignsFrom time.Time

	private *ecdsa.PrivateKey
}

// NewAssertionKey makes a key.
func NewAssertionKey(signsFrom time.Time) (AssertionKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return AssertionKey{}, fmt.Errorf("making a key of assertions: %w", err)
	}
	return newAssertionKey(private, signsFrom)
}

// ReadAssertionKey is the reverse of Private.
func ReadAssertionKey(id string, private []byte, signsFrom time.Time) (AssertionKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return AssertionKey{}, fmt.Errorf("reading key %s of assertions: %w", id, err)
	}
	own, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || own.Curve != elliptic.P256() {
		return AssertionKey{}, fmt.Errorf("reading key %s of assertions: not a key for ES256", id)
	}
	key, err := newAssertionKey(own, signsFrom)
	if err == nil && key.ID != id {
		err = fmt.Errorf("reading key %s of assertions: it is another one, %s", id, key.ID)
	}
	return key, err
}

func newAssertionKey(private *ecdsa.PrivateKey, signsFrom time.Time) (AssertionKey, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return AssertionKey{}, fmt.Errorf("naming a key of assertions: %w", err)
	}
	return AssertionKey{ID: base64.RawURLEncoding.EncodeToString(thumbprint), SignsFrom: signsFrom, private: private}, nil
}

// Private is the private key (PKCS #8), to be sealed.
func (k AssertionKey) Private() ([]byte, error) {
	private, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("writing key %s of assertions: %w", k.ID, err)
	}
	return private, nil
}

// AssertionKeys are the keys that sign, will sign, or have signed what is still
// good, in the order in which they begin.
type AssertionKeys []AssertionKey

// NewAssertionKeys puts keys in order.
func NewAssertionKeys(keys []AssertionKey) AssertionKeys {
	ordered := slices.Clone(keys)
	slices.SortStableFunc(ordered, func(a, b AssertionKey) int { return a.SignsFrom.Compare(b.SignsFrom) })
	return ordered
}

// errNoKey: nothing can be signed before Rotation has been heeded.
var errNoKey = errors.New("there is no key that signs assertions")

// at returns the key that signs at now. The first one signs even before it
// begins, which it seems to on a machine whose clock is late.
func (k AssertionKeys) at(now time.Time) (AssertionKey, error) {
	if len(k) == 0 {
		return AssertionKey{}, errNoKey
	}
	for i := len(k) - 1; i > 0; i-- {
		if !k[i].SignsFrom.After(now) {
			return k[i], nil
		}
	}
	return k[0], nil
}

// Rotation is what has to be done about keys.
type Rotation struct {
	// Successor says that a key has to be made that succeeds the last one
	// and signs from SignsFrom on.
	Successor bool
	SignsFrom time.Time

	// Gone are the IDs of keys that nobody needs any more.
	Gone []string
}

// Due reports whether there is anything to do.
func (r Rotation) Due() bool { return r.Successor || len(r.Gone) > 0 }

// Rotation says what has to be done at now.
func (k AssertionKeys) Rotation(now time.Time) (r Rotation) {
	if len(k) == 0 {
		return Rotation{Successor: true, SignsFrom: now}
	}
	for i := range len(k) - 1 {
		if !now.Before(k[i+1].SignsFrom.Add(publishedAfter)) {
			r.Gone = append(r.Gone, k[i].ID)
		}
	}
	ends := k[len(k)-1].SignsFrom.Add(assertionKeyLife)
	if now.Before(ends.Add(-publishedBefore)) {
		return r
	}
	// Nobody may have been there to make it in time: the last one goes on
	// signing until the next one has been published long enough.
	r.Successor, r.SignsFrom = true, ends
	if earliest := now.Add(publishedBefore); ends.Before(earliest) {
		r.SignsFrom = earliest
	}
	return r
}

// Published is the JSON Web Key Set (RFC 7517, section 5) of the public keys.
func (k AssertionKeys) Published() ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, len(k))}
	for i, key := range k {
		set.Keys[i] = jose.JSONWebKey{Key: key.private.Public(), KeyID: key.ID, Algorithm: string(jose.ES256), Use: "sig"}
	}
	published, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("publishing the keys of assertions: %w", err)
	}
	return published, nil
}
