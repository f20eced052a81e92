package sso_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// encoded returns DER as PEM.
func encoded(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// pkcs8 returns a key as PEM.
func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return encoded("PRIVATE KEY", der)
}

// certificate returns a certificate of a key as PEM.
func certificate(t *testing.T, key crypto.Signer) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return encoded("CERTIFICATE", der)
}

// keyFile writes a key file and returns its path.
func keyFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newKey returns a key for an algorithm.
func newKey(t *testing.T, algorithm jose.SignatureAlgorithm) crypto.Signer {
	t.Helper()
	return providertest.NewKey(t, algorithm, "").Private
}

// withKey is a scene whose client has the key of a file, and the assertion that
// the provider wants.
func withKey(t *testing.T, content string, public crypto.PublicKey, algorithms []jose.SignatureAlgorithm, changes ...func(*sso.Config)) (*scene, *providertest.Assertion) {
	t.Helper()
	s := newScene(t)
	key, err := sso.ReadClientKey(keyFile(t, content))
	if err != nil {
		t.Fatal(err)
	}
	config := sso.Config{Issuer: s.idp.Issuer(), ClientID: providertest.ClientID, ClientAuth: sso.AuthPrivateKey}
	for _, change := range changes {
		change(&config)
	}
	s.sso, err = sso.NewProvider("okta", config, "", sso.Options{Clock: s.clock.Now, Timeout: 10 * time.Second, ClientKey: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.sso.Close() })
	wanted := &providertest.Assertion{Key: public, Algorithms: algorithms, Audiences: []string{s.idp.Issuer()}}
	s.behave(func(b *providertest.Behaviour) { b.Assertion = wanted })
	return s, wanted
}

// taking has the provider's metadata say which algorithms it takes.
func taking(algorithms ...string) func(*providertest.Behaviour) {
	return func(b *providertest.Behaviour) {
		b.Discovery = func(d map[string]any) {
			d["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"}
			d["token_endpoint_auth_signing_alg_values_supported"] = algorithms
		}
	}
}

// TestPrivateKeyJWT: each kind of key, in each way that it may be kept
// (requirement S4, OpenID Connect Core 9).
func TestPrivateKeyJWT(t *testing.T) {
	p256, rsaKey := newKey(t, jose.ES256), newKey(t, jose.RS256)
	sec1, err := x509.MarshalECPrivateKey(p256.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	parameters := encoded("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7})
	p384, p521, ed := newKey(t, jose.ES384), newKey(t, jose.ES512), newKey(t, jose.EdDSA)
	jwk, err := jose.JSONWebKey{Key: rsaKey, KeyID: "mine", Algorithm: "PS384"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		content string
		key     crypto.Signer
		takes   []string // as the metadata says
		want    jose.SignatureAlgorithm
		headers []jose.HeaderKey
	}{
		{"PKCS #8, P-256", pkcs8(t, p256), p256, nil, jose.ES256, nil},
		{"SEC 1, as openssl ecparam writes it", parameters + encoded("EC PRIVATE KEY", sec1), p256, []string{"RS256", "ES256"}, jose.ES256, nil},
		{"P-384", pkcs8(t, p384), p384, nil, jose.ES384, nil},
		{"P-521", pkcs8(t, p521), p521, nil, jose.ES512, nil},
		{"Ed25519", pkcs8(t, ed), ed, nil, jose.EdDSA, nil},
		{"PKCS #1, nothing said", encoded("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey.(*rsa.PrivateKey))), rsaKey, nil, jose.RS256, nil},
		{"RSA, both taken", pkcs8(t, rsaKey), rsaKey, []string{"PS256", "RS256"}, jose.RS256, nil},
		{"RSA, PS256 taken", pkcs8(t, rsaKey), rsaKey, []string{"ES256", "PS256"}, jose.PS256, nil},
		{"with its certificate", pkcs8(t, rsaKey) + certificate(t, rsaKey), rsaKey, nil, jose.RS256, []jose.HeaderKey{"x5t", "x5t#S256"}},
		{"JWK with alg and kid", string(jwk), rsaKey, []string{"RS256", "PS384"}, jose.PS384, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, wanted := withKey(t, test.content, test.key.Public(), []jose.SignatureAlgorithm{test.want})
			if test.takes != nil {
				s.behave(taking(test.takes...))
			}
			for range 2 { // each has an assertion of its own
				if _, err := s.signIn(t); err != nil {
					t.Fatal(err)
				}
			}
			for _, header := range test.headers {
				if text, _ := wanted.Header.ExtraHeaders[header].(string); len(text) < 27 {
					t.Errorf("header %s: %q", header, text)
				}
			}
			if wantID := map[bool]string{true: "mine"}[strings.HasPrefix(test.name, "JWK")]; wanted.Header.KeyID != wantID {
				t.Errorf("kid %q, want %q", wanted.Header.KeyID, wantID)
			}
			for _, request := range s.idp.Requests(providertest.PathToken) {
				if request.Header.Get("Authorization") != "" || request.Form.Has("client_secret") {
					t.Errorf("a secret was sent: %v", request.Form)
				}
			}
		})
	}

	t.Run("for the endpoint, where it is set", func(t *testing.T) {
		s, wanted := withKey(t, pkcs8(t, p256), p256.Public(), []jose.SignatureAlgorithm{jose.ES256},
			func(c *sso.Config) { c.ClientKeyAudience = sso.AudienceEndpoint })
		wanted.Audiences = []string{s.idp.Issuer() + providertest.PathToken}
		if _, err := s.signIn(t); err != nil {
			t.Error(err)
		}
	})
	t.Run("mode code", func(t *testing.T) {
		s, _ := withKey(t, pkcs8(t, p256), p256.Public(), []jose.SignatureAlgorithm{jose.ES256}, func(c *sso.Config) { c.Mode = sso.ModeCode })
		if _, err := s.signIn(t); err != nil {
			t.Error(err)
		}
	})
	t.Run("an algorithm that is not taken", func(t *testing.T) {
		s, _ := withKey(t, pkcs8(t, p256), p256.Public(), []jose.SignatureAlgorithm{jose.ES256})
		s.behave(taking("RS256"))
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultClient, "takes assertions signed with RS256")
		if n := s.fetched(providertest.PathToken); n != 0 {
			t.Errorf("the code was sent %d times", n)
		}
	})
	t.Run("another key than the registered one", func(t *testing.T) {
		s, _ := withKey(t, pkcs8(t, p256), newKey(t, jose.ES256).Public(), []jose.SignatureAlgorithm{jose.ES256})
		_, err := s.signIn(t)
		wantFault(t, err, sso.FaultClient, "invalid_client")
	})
}

// TestReadClientKey: what cannot be a client's key is refused with a reason
// that repeats nothing of it.
func TestReadClientKey(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := newKey(t, jose.ES256)
	public, err := x509.MarshalPKIXPublicKey(good.Public())
	if err != nil {
		t.Fatal(err)
	}
	symmetric, err := jose.JSONWebKey{Key: []byte("a symmetric key of thirty-two bytes")}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	publicJWK, err := jose.JSONWebKey{Key: good.Public()}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	wrongAlg, err := jose.JSONWebKey{Key: good, Algorithm: "RS256"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ content, reason string }{
		"empty":                      {"", "no private key"},
		"a web page":                 {"<html>", "no private key"},
		"a public key":               {encoded("PUBLIC KEY", public), "no private key"},
		"a certificate alone":        {certificate(t, good), "no private key"},
		"encrypted":                  {encoded("ENCRYPTED PRIVATE KEY", []byte("x")), "is encrypted"},
		"encrypted as before":        {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"DEK-Info": "AES"}, Bytes: []byte("x")})), "is encrypted"},
		"broken":                     {encoded("PRIVATE KEY", []byte("secret bytes")), "cannot be read"},
		"RSA of 1024 bits":           {pkcs8(t, small), "too short"},
		"P-224":                      {pkcs8(t, p224), "P-256"},
		"two keys":                   {pkcs8(t, good) + pkcs8(t, other), "more than one"},
		"another key's certificate":  {pkcs8(t, good) + certificate(t, other), "of another key"},
		"a broken certificate":       {pkcs8(t, good) + encoded("CERTIFICATE", []byte("x")), "certificate in it cannot be read"},
		"a symmetric JWK":            {string(symmetric), "JWK"},
		"a public JWK":               {string(publicJWK), "not a private JWK"},
		"a JWK with another's alg":   {string(wrongAlg), "none that such a key signs with"},
		"JSON that is no key at all": {"{}", "not a valid JWK"},
	} {
		t.Run(name, func(t *testing.T) {
			path := keyFile(t, test.content)
			_, err := sso.ReadClientKey(path)
			if err == nil || !strings.Contains(err.Error(), test.reason) || !strings.HasPrefix(err.Error(), path) {
				t.Fatalf("error %v, want one that names the file and says %q", err, test.reason)
			}
			if strings.Contains(err.Error(), "secret bytes") {
				t.Errorf("the error repeats what is in the file: %v", err)
			}
		})
	}
	if _, err := sso.ReadClientKey(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a missing file is a key")
	}
}

// TestClientAuthSet: what is configured is done, whatever the metadata says
// (rule 18), and secrets are encoded as the specification has it.
func TestClientAuthSet(t *testing.T) {
	for _, test := range []struct {
		auth    sso.ClientAuth
		offered []string
		post    bool
	}{
		{sso.AuthPost, []string{"client_secret_basic", "client_secret_post"}, true},
		{sso.AuthPost, nil, true},
		{sso.AuthBasic, []string{"client_secret_post"}, false},
	} {
		t.Run(string(test.auth)+" of "+strings.Join(test.offered, ","), func(t *testing.T) {
			s := newScene(t, func(c *sso.Config) { c.ClientAuth = test.auth })
			s.behave(func(b *providertest.Behaviour) {
				b.Post = test.post
				if test.offered != nil {
					b.Discovery = func(d map[string]any) { d["token_endpoint_auth_methods_supported"] = test.offered }
				}
			})
			if _, err := s.signIn(t); err != nil {
				t.Error(err)
			}
			if n := s.fetched(providertest.PathToken); n != 1 {
				t.Errorf("the code was sent %d times", n)
			}
		})
	}
}

func TestValidateClientAuth(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*sso.Config)
		want   string // "" for no mistake
	}{
		"basic": {func(c *sso.Config) { c.ClientAuth, c.ClientSecret = "client_secret_basic", "s" }, ""},
		"key":   {func(c *sso.Config) { c.ClientAuth, c.ClientKey = "private_key_jwt", "/key.pem" }, ""},
		"key for the endpoint": {func(c *sso.Config) {
			c.ClientAuth, c.ClientKey, c.ClientKeyAudience = "private_key_jwt", "k", "endpoint"
		}, ""},
		"key with mode code":         {func(c *sso.Config) { c.ClientAuth, c.ClientKey, c.Mode = "private_key_jwt", "k", "code" }, ""},
		"unknown":                    {func(c *sso.Config) { c.ClientAuth = "client_secret_jwt" }, `client_auth: unknown value "client_secret_jwt"`},
		"none":                       {func(c *sso.Config) { c.ClientAuth = "none" }, `client_auth: unknown value "none"`},
		"post without a secret":      {func(c *sso.Config) { c.ClientAuth = "client_secret_post" }, "client_auth: client_secret_post needs a client_secret"},
		"key without a file":         {func(c *sso.Config) { c.ClientAuth = "private_key_jwt" }, "client_auth: private_key_jwt needs the file"},
		"key written out":            {func(c *sso.Config) { c.ClientAuth, c.ClientKey = "private_key_jwt", "-----BEGIN PRIVATE KEY-----\nMII" }, "needs the path of the key file, not the key itself"},
		"key and secret":             {func(c *sso.Config) { c.ClientAuth, c.ClientKey, c.ClientSecret = "private_key_jwt", "k", "s" }, "client_auth: private_key_jwt goes without a client_secret"},
		"file without the method":    {func(c *sso.Config) { c.ClientKey = "k" }, "client_auth: a key file is for private_key_jwt only"},
		"unknown audience":           {func(c *sso.Config) { c.ClientAuth, c.ClientKey, c.ClientKeyAudience = "private_key_jwt", "k", "all" }, `client_auth: unknown value "all": use issuer or endpoint`},
		"unknown word for pushing":   {func(c *sso.Config) { c.PushedRequests = "maybe" }, `pushed_requests: unknown value "maybe"`},
		"mode code without anything": {func(c *sso.Config) { c.Mode = "code" }, "mode: code needs a client_secret or client_auth private_key_jwt"},
	} {
		t.Run(name, func(t *testing.T) {
			c := sso.Config{Issuer: "https://idp.example.com", ClientID: "x", Admit: []string{"any"}}
			test.change(&c)
			err := c.Validate().Err()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "MII") {
				t.Errorf("the error repeats the key: %v", err)
			}
		})
	}
}
