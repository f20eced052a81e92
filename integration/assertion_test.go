//go:build integration

package integration

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

const assertionHeader = "X-Auth-Gateway-Assertion"

// verify is what an app in Go does; README.md shows it.
func verify(ctx context.Context, issuer, audience, assertion string) (*oidc.IDToken, error) {
	keys := oidc.NewRemoteKeySet(ctx, issuer+"/auth-gateway/jwks.json")
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256}})
	return verifier.Verify(ctx, assertion)
}

// An app verifies with the libraries that people use, for the audience that is
// meant; keys and signatures outlive restart and reload, and what a client sends
// in the header goes no further.
func TestAssertion(t *testing.T) {
	t.Parallel()
	g := start(t, "", "assertion")
	g.AddUser(alice, "--name", "Alice Ångström", "--role", "agent")
	b := g.signedIn(t, alice)
	site := b.Base.Scheme + "://" + b.Base.Host

	received := func() string {
		t.Helper()
		r := b.Request(http.MethodGet, "/private", nil)
		r.Header.Set(assertionHeader, "forged")
		r.Header.Set("Connection", assertionHeader)
		texts := b.Send(r).App().Header[assertionHeader]
		if len(texts) != 1 || texts[0] == "forged" {
			t.Fatalf("the app received %q", texts)
		}
		return texts[0]
	}
	holds := func(audience, text string) {
		t.Helper()
		token, err := verify(t.Context(), site, audience, text)
		if err != nil {
			t.Fatalf("go-oidc: %v", err)
		}
		if left := token.Expiry.Sub(token.IssuedAt); left.Minutes() != 5 {
			t.Errorf("it is good for %v", left)
		}
		claims, err := harness.VerifyWithJose(t, site, audience, text)
		if err != nil {
			t.Fatalf("jose: %v", err)
		}
		who := b.Whoami()
		if claims["sub"] != who["id"] || token.Subject != who["id"] || claims["email"] != alice || claims["name"] != "Alice Ångström" || claims["role"] != "agent" {
			t.Errorf("got %v, whoami is %v", claims, who)
		}
	}
	first := received()
	holds(site, first)
	if again := received(); again != first {
		t.Error("the next request has another one")
	}
	for name, refused := range map[string]struct{ audience, text string }{
		"for another app": {"https://other.example.test", first},
		"changed":         {site, first[:len(first)-8] + "AAAAAAAA"},
	} {
		if _, err := verify(t.Context(), site, refused.audience, refused.text); err == nil {
			t.Errorf("go-oidc takes one that is %s", name)
		}
		if _, err := harness.VerifyWithJose(t, site, refused.audience, refused.text); err == nil {
			t.Errorf("jose takes one that is %s", name)
		}
	}

	g.Restart()
	holds(site, first)
	holds(site, received())

	g.configure("", "assertion wiki\npublic /public")
	if text := received(); text == first {
		t.Error("the reload changed nothing")
	} else {
		holds("wiki", text)
	}
	r := b.Request(http.MethodGet, "/public", nil)
	r.Header.Set(assertionHeader, "forged")
	if got := b.Send(r).App().Header[assertionHeader]; got != nil {
		t.Errorf("on a public path the app received %q", got)
	}

	keys := g.Program().Get("/auth-gateway/jwks.json").Want(http.StatusOK)
	if strings.Contains(string(keys.Body), `"d"`) || keys.Header.Get("Cache-Control") != "public, max-age=3600" || keys.Header.Get("Set-Cookie") != "" {
		t.Errorf("keys: %v %s", keys.Header, keys.Body)
	}
	g.configure("", "")
	g.Program().Get("/auth-gateway/jwks.json").Want(http.StatusNotFound)
	if got := b.Get("/private").App().Header[assertionHeader]; got != nil {
		t.Errorf("without assertion the app received %q", got)
	}
}
