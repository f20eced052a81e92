package sso

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"go.uber.org/zap"
)

// minRSABits is the smallest RSA key that is believed (RFC 7518 section 3.3).
const minRSABits = 2048

// keySet is the provider's keys. Unlike go-oidc's own it fetches them at most
// every 30 seconds however many unknown key ids arrive, and works with the
// keys it can read when there is one that it cannot.
type keySet struct {
	provider *Provider
	log      *zap.Logger
	document *document[[]jose.JSONWebKey]
}

func newKeySet(p *Provider, opts Options, log *zap.Logger) *keySet {
	k := &keySet{provider: p, log: log}
	k.document = newDocument("keys", k.fetch, opts, log)
	return k
}

// verify returns the payload of a JWT signed with one of the algorithms by
// one of the provider's keys.
func (k *keySet) verify(ctx context.Context, jwt string, algs []jose.SignatureAlgorithm) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(jwt, algs)
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Header
	for _, extension := range []jose.HeaderKey{"crit", "b64"} {
		// None is understood here (RFC 7515 section 4.1.11), and a JWT may
		// not be signed without its encoding (RFC 7797 section 7).
		if _, asked := header.ExtraHeaders[extension]; asked {
			return nil, fmt.Errorf("the header %s asks for what is not understood", extension)
		}
	}
	keys, err := k.document.get(ctx)
	if err != nil {
		return nil, asFault(FaultKeys, "reading the provider's keys", err)
	}
	if payload, ok := tryKeys(jws, header, *keys); ok {
		return payload, nil
	}
	// The provider may have new keys since (OpenID Connect Core 10.1.1),
	// under a new id, the same id or none.
	newer, err := k.document.renew(ctx)
	if err != nil {
		return nil, asFault(FaultKeys, "reading the provider's keys", err)
	}
	if newer != keys {
		if payload, ok := tryKeys(jws, header, *newer); ok {
			return payload, nil
		}
	}
	if err := k.document.failing(); err != nil {
		// It may have been made with a key that is newer than all of these.
		return nil, asFault(FaultKeys, "reading the provider's newest keys", err)
	}
	if header.KeyID != "" && !slices.ContainsFunc(*newer, func(key jose.JSONWebKey) bool { return key.KeyID == header.KeyID }) {
		return nil, errors.New("signed with a key that the provider does not publish")
	}
	return nil, errors.New("the signature is wrong")
}

// tryKeys returns the payload if one of the keys made the signature. Keys in
// the token itself count for nothing.
func tryKeys(jws *jose.JSONWebSignature, header jose.Header, keys []jose.JSONWebKey) ([]byte, bool) {
	for _, key := range keys {
		if header.KeyID != "" && key.KeyID != header.KeyID {
			continue
		}
		if key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// fetch returns the keys that can be used.
func (k *keySet) fetch(ctx context.Context) (*[]jose.JSONWebKey, http.Header, error) {
	meta, err := k.provider.meta(ctx)
	if err != nil {
		return nil, nil, err
	}
	return k.fetchFrom(ctx, meta)
}

// fetchFrom returns the keys that can be used of those that meta leads to.
func (k *keySet) fetchFrom(ctx context.Context, meta *metadata) (*[]jose.JSONWebKey, http.Header, error) {
	body, header, err := k.provider.get(ctx, FaultKeys, "keys", meta.JWKSURI, "")
	if err != nil {
		return nil, nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, nil, faultf(FaultKeys, "%s is not a set of keys: %w", meta.JWKSURI, err)
	}
	var keys []jose.JSONWebKey
	for i, raw := range set.Keys {
		key, err := readKey(raw)
		if err != nil {
			k.log.Warn("a key of the provider is left out; tokens signed with it will not be believed",
				zap.Int("index", i), zap.String("kid", words(key.KeyID, 100, nil)), zap.Error(err))
			continue
		}
		if key.Use == "" || key.Use == "sig" {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, nil, faultf(FaultKeys, "%s has no key that can check a signature", meta.JWKSURI)
	}
	return &keys, header, nil
}

// readKey returns one key of a set (RFC 7517 section 5: those that cannot be
// understood are passed over).
func readKey(raw json.RawMessage) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(raw); err != nil {
		return key, err
	}
	if !key.IsPublic() || !key.Valid() {
		return key, errors.New("not a valid public key")
	}
	if public, ok := key.Key.(*rsa.PublicKey); ok && public.N.BitLen() < minRSABits {
		return key, errors.New("an RSA key of less than 2048 bits")
	}
	return key, nil
}

// verification is one use of a key set by go-oidc's verifier, which turns
// errors into text: the error is kept here.
type verification struct {
	keys *keySet
	algs []jose.SignatureAlgorithm
	err  error
}

// VerifySignature implements oidc.KeySet.
func (v *verification) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := v.keys.verify(ctx, jwt, v.algs)
	v.err = err
	return payload, err
}

// Interface guards.
var _ oidc.KeySet = (*verification)(nil)
