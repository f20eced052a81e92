//go:build integration

package integration

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// keyFile writes a private key as operators keep it, and returns its path and
// what is registered at the provider.
func keyFile(t *testing.T, key crypto.Signer) (path string, public []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	public, err = jose.JSONWebKey{Key: key.Public(), KeyID: "registered", Use: "sig"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return path, public
}

// S3, S4: every kind of client signs people in with oidc-provider, which is
// certified to check what they send; each pushes its authorization requests
// where it may.
func TestOIDCClients(t *testing.T) {
	t.Parallel()
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecFile, ecPublic := keyFile(t, p256)
	rsaFile, rsaPublic := keyFile(t, rsa2048)
	const secret = "client_secret {env.CLIENT_SECRET}"
	party := func(id string) harness.RelyingParty {
		return harness.RelyingParty{ID: id, Secret: clientSecret, PKCE: true}
	}
	post, only := party("post"), party("only")
	post.Auth = "client_secret_post"
	only.PushOnly = true
	ec := harness.RelyingParty{ID: "ec", PKCE: true, Auth: "private_key_jwt", Key: ecPublic, PushOnly: true}
	rs := harness.RelyingParty{ID: "rs", Auth: "private_key_jwt", Key: rsaPublic}
	endpoint := harness.RelyingParty{ID: "endpoint", PKCE: true, Auth: "private_key_jwt", Key: ecPublic}
	kinds := []sso{
		{"public", "mode pkce", harness.RelyingParty{ID: "public", PKCE: true}},
		{"basic", secret, party("basic")},
		{"post", secret + "\nclient_auth client_secret_post", post},
		{"only", secret, only},
		{"plain", "mode code\n" + secret, harness.RelyingParty{ID: "plain", Secret: clientSecret}},
		{"ec", "client_auth private_key_jwt " + ecFile, ec},
		{"rs", "mode code\nclient_auth private_key_jwt " + rsaFile, rs},
		{"endpoint", "client_auth private_key_jwt " + ecFile + " endpoint", endpoint},
	}
	g := prepare(t, "", "", withSecret)
	p := harness.NewProvider(t, append(g.parties(kinds...), g.parties(sso{"manual", "", party("manual")})...)...)
	p.Start()
	manual := sso{"manual", secret + fmt.Sprintf(`
		discovery off
		endpoints {
			authorization %[1]s/auth
			token %[1]s/token
			userinfo %[1]s/me
			jwks %[1]s/jwks
		}`, p.Issuer), party("manual")}
	kinds = append(kinds, manual)
	g.Configure(option(words(p.Issuer, "admit any\nbutton Go\nrevalidate 1h", "", kinds...)), site(""))
	g.Run()
	g.Secret("the client secret", clientSecret)
	browsers := map[string]*harness.Client{}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			to := b.Get("/auth-gateway/sso/" + kind.name + "/start?return_to=/private").Want(http.StatusFound).Location()
			query := to.Query()
			pushes := kind.name != "public" && kind.name != "manual"
			if got := query.Has("request_uri") && len(query) == 2; got != pushes {
				t.Errorf("pushed: %t, the browser carries %v", got, query)
			}
			got := through(b, b.Open(to.String()), "bob").App()
			if got.URI != "/private" || got.Header.Get("Remote-User") != "bob@example.test" {
				t.Errorf("at %q as %v", got.URI, got.Header)
			}
			browsers[kind.name] = b
		})
	}
	if !t.Failed() {
		g.revalidated(t, p, browsers)
	}
}
