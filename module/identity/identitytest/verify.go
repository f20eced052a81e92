// Package identitytest verifies assertions as an app would, with nothing but
// the standard library and the specifications.
package identitytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// Claims are those of an assertion.
type Claims map[string]any

// Text returns a claim that is a text, "" for any other.
func (c Claims) Text(name string) string {
	text, _ := c[name].(string)
	return text
}

// Seconds returns a claim that is a number of seconds, 0 for any other.
func (c Claims) Seconds(name string) int64 {
	seconds, _ := c[name].(float64)
	return int64(seconds)
}

// Verify returns the claims of an assertion (RFC 7515, RFC 7519) that one of
// the published keys (RFC 7517) has signed with ES256. What the claims say is
// not looked at.
func Verify(published []byte, assertion string) (Claims, error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%d parts, not 3", len(parts))
	}
	var header map[string]string
	if err := decode(parts[0], &header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if names := slices.Sorted(maps.Keys(header)); !slices.Equal(names, []string{"alg", "kid", "typ"}) || header["alg"] != "ES256" || header["typ"] != "JWT" {
		return nil, fmt.Errorf("header: %v", header)
	}
	key, err := find(published, header["kid"])
	if err != nil {
		return nil, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 { // RFC 7518, section 3.4
		return nil, fmt.Errorf("signature of %d bytes: %w", len(signature), err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return nil, errors.New("the signature is wrong")
	}
	var claims Claims
	return claims, decode(parts[1], &claims)
}

// Keys are the members of each published key by its kid. They are held to be
// what a public key for ES256 has, and nothing else: above all no "d".
func Keys(published []byte) (map[string]map[string]string, error) {
	var set map[string][]map[string]string
	if err := json.Unmarshal(published, &set); err != nil {
		return nil, err
	}
	if len(set) != 1 || len(set["keys"]) == 0 {
		return nil, fmt.Errorf("no set of keys: %s", published)
	}
	keys := make(map[string]map[string]string)
	for _, key := range set["keys"] {
		if names := slices.Sorted(maps.Keys(key)); !slices.Equal(names, []string{"alg", "crv", "kid", "kty", "use", "x", "y"}) {
			return nil, fmt.Errorf("a key has %v", names)
		}
		if key["kty"] != "EC" || key["crv"] != "P-256" || key["alg"] != "ES256" || key["use"] != "sig" || len(key["x"]) != 43 || len(key["y"]) != 43 {
			return nil, fmt.Errorf("no key for ES256: %v", key)
		}
		// RFC 7638, section 3.
		sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + key["x"] + `","y":"` + key["y"] + `"}`))
		if thumbprint := base64.RawURLEncoding.EncodeToString(sum[:]); key["kid"] != thumbprint || keys[thumbprint] != nil {
			return nil, fmt.Errorf("kid %s of the key with thumbprint %s", key["kid"], thumbprint)
		}
		keys[key["kid"]] = key
	}
	return keys, nil
}

func find(published []byte, kid string) (*ecdsa.PublicKey, error) {
	keys, err := Keys(published)
	if err != nil {
		return nil, err
	}
	key := keys[kid]
	if key == nil {
		return nil, fmt.Errorf("key %q is not published", kid)
	}
	point := []byte{4} // uncompressed (SEC 1, section 2.3.3)
	for _, name := range []string{"x", "y"} {
		coordinate, err := base64.RawURLEncoding.DecodeString(key[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		point = append(point, coordinate...)
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
