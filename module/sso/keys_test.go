package sso_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// TestUnknownKeys: however many unknown key ids arrive, the keys are fetched
// at most every 30 seconds (rule 18).
func TestUnknownKeys(t *testing.T) {
	s := newScene(t)
	stranger := providertest.NewKey(t, jose.ES256, "")
	n := 0
	s.behave(func(b *providertest.Behaviour) {
		b.Sign = func(claims map[string]any) string {
			n++
			return (&providertest.Key{Algorithm: jose.ES256, ID: fmt.Sprint("unknown-", n), Private: stranger.Private}).Sign(claims, nil)
		}
	})
	last := 0
	for i := range 1000 {
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultToken, "does not publish")
		if most := 1 + i/300; s.fetched(providertest.PathKeys) > most {
			t.Fatalf("token %d, %s after the first: keys fetched %d times, at most %d allowed",
				i, time.Duration(i)*100*time.Millisecond, s.fetched(providertest.PathKeys), most)
		}
		last = s.fetched(providertest.PathKeys)
		s.clock.Add(100 * time.Millisecond)
	}
	if last < 3 {
		t.Errorf("keys fetched %d times in 100 seconds: new keys would not be found", last)
	}
	s.behave(func(b *providertest.Behaviour) { b.Sign = nil })
	if _, err := s.signIn(t); err != nil {
		t.Errorf("a good token among the bad: %v", err)
	}
}

// TestKeyRotation: new keys are found by themselves.
func TestKeyRotation(t *testing.T) {
	for _, id := range []string{"key-2", "key-1", ""} {
		t.Run("new key with id "+id, func(t *testing.T) {
			s := newScene(t)
			if _, err := s.signIn(t); err != nil {
				t.Fatal(err)
			}
			next := providertest.NewKey(t, jose.ES256, id)
			s.behave(func(b *providertest.Behaviour) { b.Key = next })
			s.clock.Add(30 * time.Second)
			if _, err := s.signIn(t); err != nil {
				t.Error(err)
			}
		})
	}

	t.Run("a key that was withdrawn", func(t *testing.T) {
		s := newScene(t)
		if _, err := s.signIn(t); err != nil {
			t.Fatal(err)
		}
		next := providertest.NewKey(t, jose.ES256, "key-2")
		s.behave(func(b *providertest.Behaviour) { b.Published = append(b.Published, next.Public()) })
		s.clock.Add(time.Hour)
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultToken, "does not publish")
	})
}

// TestUnreadableKeys: one key that cannot be read does not spoil the others
// (rule 17).
func TestUnreadableKeys(t *testing.T) {
	bad := map[string]string{
		"unknown type":              `{"kty":"lattice","kid":"key-1","use":"sig"}`,
		"no type":                   `{"kid":"x"}`,
		"unknown curve":             `{"kty":"EC","crv":"secp256k1","kid":"x","x":"AA","y":"AA"}`,
		"point not on the curve":    `{"kty":"EC","crv":"P-256","kid":"x","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`,
		"broken base64":             `{"kty":"RSA","kid":"x","n":"***","e":"AQAB"}`,
		"broken certificate":        `{"kty":"RSA","kid":"x","n":"AQAB","e":"AQAB","x5c":["no"]}`,
		"alg is a number":           `{"kty":"EC","alg":7}`,
		"unknown algorithm":         `{"kty":"EC","alg":"ES256K","crv":"secp256k1","x":"AA","y":"AA"}`,
		"other key agreement curve": `{"kty":"OKP","crv":"X25519","kid":"x","x":"AA"}`,
		"not an object":             `7`,
		"symmetric":                 `{"kty":"oct","kid":"key-1","alg":"HS256","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}`,
		"RSA of 512 bits":           `{"kty":"RSA","kid":"x","e":"AQAB","n":"` + strings.Repeat("w", 86) + `"}`,
		"for encryption":            `{"kty":"EC","use":"enc","crv":"P-256","kid":"x","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
	}
	for name, key := range bad {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Published = append(b.Published, []byte(key), b.Key.Public())
			})
			if _, err := s.signIn(t); err != nil {
				t.Error(err)
			}
		})
		t.Run("nothing but "+name, func(t *testing.T) {
			s := newScene(t)
			s.behave(func(b *providertest.Behaviour) { b.Published = append(b.Published, []byte(key)) })
			_, err := s.signIn(t)
			wantFault(t, err, sso.FaultKeys, "no key that can check a signature")
		})
	}

	t.Run("a private key that is published is nobody's signature", func(t *testing.T) {
		s := newScene(t)
		key := providertest.NewKey(t, jose.ES256, "key-1")
		s.behave(func(b *providertest.Behaviour) {
			b.Key = key
			raw, err := jose.JSONWebKey{Key: key.Private, KeyID: key.ID}.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			b.Published = append(b.Published, raw)
		})
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultKeys, "no key that can check a signature")
	})

	t.Run("a key for another algorithm", func(t *testing.T) {
		s := newScene(t)
		s.behave(func(b *providertest.Behaviour) {
			other := *b.Key
			other.Algorithm = jose.ES384
			b.Published = append(b.Published, other.Public())
		})
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultToken, "signature is wrong")
	})
}
