//go:build integration

package provider

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// telling has the ID token say something else.
func telling(change func(claims map[string]any)) behaviour {
	return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) { b.Claims = change }
}

// set and without are the commonest changes.
func set(name string, value any) func(map[string]any) {
	return func(claims map[string]any) { claims[name] = value }
}

func without(name string) func(map[string]any) {
	return func(claims map[string]any) { delete(claims, name) }
}

// renamed has a claim under a name that a careless reader takes for its own.
func renamed(name, to string) func(map[string]any) {
	return func(claims map[string]any) {
		claims[to] = claims[name]
		delete(claims, name)
	}
}

// in is the time after that long, as claims have it.
func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// Rule 17: ID tokens with the right signature that say something wrong (OpenID
// Connect Core 3.1.3.7).
func TestIDTokenClaims(t *testing.T) {
	t.Parallel()
	foreign := []string{providertest.ClientID, "another-client"}
	var attacks []attack
	for _, test := range []struct {
		name, suite string
		change      func(claims map[string]any)
		reason      string
	}{
		{"nonce of another sign-in", "oidcc-client-test-nonce-invalid", set("nonce", "another"), "ID token: nonce is not the one that was sent"},
		{"nonce missing", "", without("nonce"), "ID token: nonce is not the one that was sent"},
		{"nonce empty", "", set("nonce", ""), "ID token: nonce is not the one that was sent"},
		{"nonce in capitals", "", renamed("nonce", "NONCE"), "ID token: nonce is not the one that was sent"},
		{"nonce in a list", "", func(c map[string]any) { c["nonce"] = []any{c["nonce"]} }, "idToken.nonce of type string"},

		{"iss of another provider", "oidcc-client-test-invalid-iss", set("iss", "https://evil.test"), `ID token: iss is`},
		{"iss missing", "", without("iss"), `ID token: iss is`},
		{"iss with a slash at the end", "", func(c map[string]any) { c["iss"] = c["iss"].(string) + "/" }, `ID token: iss is`},
		{"iss without its scheme", "", func(c map[string]any) { c["iss"] = strings.TrimPrefix(c["iss"].(string), "http://") }, `ID token: iss is`},

		{"aud missing", "oidcc-client-test-missing-aud", without("aud"), "ID token: oidc: expected audience"},
		{"aud of another client", "oidcc-client-test-invalid-aud", set("aud", "another-client"), "ID token: oidc: expected audience"},
		{"aud empty", "", set("aud", []string{}), "ID token: oidc: expected audience"},
		{"aud a part of ours", "", set("aud", providertest.ClientID[:4]), "ID token: oidc: expected audience"},
		{"aud both in one text", "", set("aud", strings.Join(foreign, " ")), "ID token: oidc: expected audience"},
		{"aud with a foreign one", "", set("aud", foreign), `ID token: aud: it was also made for "another-client", which is not trusted`},
		{"aud with a foreign one and azp ours", "", func(c map[string]any) { c["aud"], c["azp"] = foreign, providertest.ClientID }, "which is not trusted"},
		{"azp of another client", "", set("azp", "another-client"), `ID token: azp is "another-client": it was made for another client`},
		{"azp empty", "", set("azp", ""), "ID token: azp is"},
		{"azp a list", "", set("azp", foreign), "ID token: json: cannot unmarshal array"},

		{"sub missing", "oidcc-client-test-missing-sub", without("sub"), "ID token: sub is missing or empty"},
		{"sub empty", "", set("sub", ""), "ID token: sub is missing or empty"},
		{"sub null", "", set("sub", nil), "ID token: sub is missing or empty"},
		{"sub a number", "", set("sub", 1001), "ID token: oidc: failed to unmarshal claims"},
		{"sub a list", "", set("sub", []string{"a"}), "ID token: oidc: failed to unmarshal claims"},
		{"sub of 256 bytes", "", set("sub", strings.Repeat("s", 256)), "ID token: sub is longer than 255 bytes"},
		{"sub with NUL", "", set("sub", "boss\x00"), "ID token: sub holds control characters"},
		{"sub with a line break", "", set("sub", "boss\nadmin"), "ID token: sub holds control characters"},

		{"iat missing", "oidcc-client-test-missing-iat", without("iat"), "ID token: iat is missing"},
		{"iat yesterday", "", func(c map[string]any) { c["iat"] = in(-24 * time.Hour) }, "ID token: iat is 24h0m"},
		{"iat tomorrow", "", func(c map[string]any) { c["iat"], c["exp"] = in(24*time.Hour), in(25*time.Hour) }, "in the future: a clock is wrong, here or at the provider"},
		{"iat in milliseconds", "", func(c map[string]any) { c["iat"] = time.Now().UnixMilli() }, "ID token: iat is"},
		{"iat zero", "", set("iat", 0), "ID token: iat is not a time"},
		{"iat negative", "", set("iat", -1), "ID token: iat is not a time"},
		{"iat a word", "", set("iat", "now"), "ID token: "},

		{"exp missing", "", without("exp"), "ID token: exp is missing"},
		{"exp a minute ago", "", func(c map[string]any) { c["exp"] = in(-time.Minute) }, "ID token: exp: it expired at"},
		{"exp a word", "", set("exp", "never"), "ID token: oidc: failed to unmarshal claims"},
		{"exp beyond all time", "", set("exp", 1e300), "ID token: "},
		{"exp before iat", "", func(c map[string]any) { c["iat"], c["exp"] = in(80*time.Second), in(70*time.Second) }, "ID token: exp is before iat"},
		{"nbf in an hour", "", func(c map[string]any) { c["nbf"] = in(time.Hour) }, "nbf"},
		{"auth_time in an hour", "", func(c map[string]any) { c["auth_time"] = in(time.Hour) }, "ID token: auth_time is in the future"},

		{"at_hash of another access token", "oidcc-client-test-invalid-at-hash", set("at_hash", (&providertest.Key{}).HalfHash("another")), "ID token: at_hash is not that of the access token"},
		{"at_hash empty", "", set("at_hash", ""), "ID token: at_hash is not that of the access token"},
		{"at_hash a number", "", set("at_hash", 7), "at_hash"},
	} {
		attacks = append(attacks, attack{
			situation: situation{name: test.name, behave: telling(test.change)},
			suite:     test.suite,
			refusal:   refusal{http.StatusBadGateway, kindOf(test.name), test.reason},
		})
	}
	repel(t, attacks)
}

// kindOf is the page for an ID token that is wrong in what the name of the case
// begins with.
func kindOf(name string) string {
	switch {
	case strings.HasPrefix(name, "iss "):
		return "unexpected_issuer"
	case slices.Contains([]string{
		"iat yesterday", "iat tomorrow", "exp a minute ago", "nbf in an hour", "auth_time in an hour",
	}, name):
		return "clock_skew"
	}
	return "provider_refused"
}
