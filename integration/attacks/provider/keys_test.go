//go:build integration

package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// publishing replaces the keys that a provider publishes.
func publishing(keys ...string) behaviour {
	return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
		b.Published = []json.RawMessage{}
		for _, key := range keys {
			b.Published = append(b.Published, json.RawMessage(key))
		}
	}
}

// Keys that nobody can check a signature with, or nobody should.
const (
	latticeKey   = `{"kty":"lattice","kid":"key-1","use":"sig"}`
	symmetricKey = `{"kty":"oct","kid":"key-1","alg":"HS256","k":"dGhlLWNsaWVudC1zZWNyZXQvKyYgb2YgMjAyNi0tLS0"}`
	brokenKey    = `{"kty":"EC","crv":"P-256","kid":"key-1","x":"***","y":"***"}`
	offCurveKey  = `{"kty":"EC","crv":"P-256","kid":"key-1","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`
	shortKey     = `{"kty":"RSA","kid":"key-1","e":"AQAB","n":"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"}`
)

// Rules 17 and 18: keys that cannot be had, or are none.
func TestKeys(t *testing.T) {
	t.Parallel()
	unusable := func(reason string) refusal { return refusal{http.StatusBadGateway, "unusable_keys", reason} }
	unreachable := func(reason string) refusal { return refusal{http.StatusBadGateway, "provider_unreachable", reason} }
	keys := func(handler http.HandlerFunc) behaviour { return at(providertest.PathKeys, handler) }
	const noKey = "has no key that can check a signature"
	var attacks []attack
	for _, test := range []struct {
		name   string
		behave behaviour
		refusal
	}{
		{"broken", keys(answering(http.StatusInternalServerError, "text/html", "sorry")), unreachable("fetching the keys")},
		{"not there", keys(answering(http.StatusNotFound, "text/html", "nothing")), unusable("answers with status 404")},
		{"cut", keys(cut), unreachable("EOF")},
		{"endless", keys(endless), unusable("the answer is larger than 1 MiB")},
		{"a web page", keys(answering(http.StatusOK, "text/html", "<h1>keys</h1>")), unusable("is not a set of keys")},
		{"a list", keys(answering(http.StatusOK, "application/json", "[]")), unusable("is not a set of keys")},
		{"under another name", keys(answering(http.StatusOK, "application/json", `{"KEYS":[{}]}`)), unusable(noKey)},
		{"redirected to plain http", keys(redirecting(http.StatusFound, "http://idp.example.test/keys")), unusable("is not https")},
		{"redirected in circles", keys(redirecting(http.StatusFound, providertest.PathKeys)), unusable("redirects (302)")},
		{"none", publishing(), unusable(noKey)},
		{"only one of an unknown type", publishing(latticeKey), unusable(noKey)},
		{"only a symmetric one", publishing(symmetricKey), unusable(noKey)},
		{"only a broken one", publishing(brokenKey), unusable(noKey)},
		{"only one beside its curve", publishing(offCurveKey), unusable(noKey)},
		{"only a short one", publishing(shortKey), unusable(noKey)},
		{"only the private one", func(t testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			raw, err := jose.JSONWebKey{Key: b.Key.Private, KeyID: b.Key.ID}.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			b.Published = []json.RawMessage{raw}
		}, unusable(noKey)},
		{"only one for encryption", func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Published = []json.RawMessage{withMember(b.Key.Public(), "use", "enc")}
		}, unusable(noKey)},
		{"one for another algorithm", func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Published = []json.RawMessage{withMember(b.Key.Public(), "alg", "ES512")}
		}, believedNot("ID token: the signature is wrong")},
		{"the right one withdrawn", func(t testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Published = []json.RawMessage{providertest.NewKey(t, jose.ES256, "key-2").Public()}
		}, believedNot("ID token: signed with a key that the provider does not publish")},
	} {
		attacks = append(attacks, attack{situation: situation{name: "keys " + test.name, behave: test.behave}, refusal: test.refusal})
	}
	repel(t, attacks)
}

// withMember returns a key with a member replaced.
func withMember(key json.RawMessage, name, value string) json.RawMessage {
	var members map[string]any
	if err := json.Unmarshal(key, &members); err != nil {
		panic(err)
	}
	members[name] = value
	changed, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return changed
}

// Rule 18: however many unknown key ids arrive, the keys are fetched at most
// every 30 seconds, and people with a good token get in all the while.
func TestUnknownKeyIDs(t *testing.T) {
	t.Parallel()
	const name = "a new key id each time"
	var n atomic.Int64
	s := newStage(t, "", "", situation{name: name, behave: forging(func(own *providertest.Key, claims map[string]any) string {
		if n.Add(1)%20 == 0 {
			return own.Sign(claims, nil)
		}
		return (&providertest.Key{Algorithm: own.Algorithm, ID: fmt.Sprint("unknown-", n.Load()), Private: own.Private}).Sign(claims, nil)
	})})
	began := time.Now()
	for i := range 60 {
		b := s.Browser()
		page := b.Open(start(name))
		if i%20 == 19 {
			page.App()
			continue
		}
		s.wantRefused(t, b, page, believedNot("ID token: signed with a key that the provider does not publish"))
	}
	fetched := len(s.providers[name].Requests(providertest.PathKeys))
	if most := 1 + int(time.Since(began)/(30*time.Second)); fetched > most {
		t.Errorf("keys fetched %d times in %s, at most %d allowed", fetched, time.Since(began), most)
	}
}
