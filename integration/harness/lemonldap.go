package harness

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// RelyingParty is a client as a provider knows it.
type RelyingParty struct {
	ID string
	// Secret is empty for a public client.
	Secret      string
	RedirectURI string
	// PKCE: the provider insists on a code challenge.
	PKCE bool

	// What only a [Provider] can do: Auth is how the client says who it is,
	// if not as OpenID Connect has it by default; Key its public key, as a
	// JWK; PushOnly: it has to push its authorization requests; Trusted: nobody
	// is asked whether it may know who they are, so that whoever has signed in
	// for another client is there without a word.
	Auth     string
	Key      []byte
	PushOnly bool
	Trusted  bool
	// SignOutURI is where people come back to who have signed out there.
	SignOutURI string
	// LogoutURI is told when a session ends there: which one if
	// LogoutBySession, otherwise only whose. Only a [Provider] does.
	LogoutURI       string
	LogoutBySession bool
}

// LemonLDAP is Debian's LemonLDAP::NG portal as an OpenID Provider, with its
// demonstration accounts: dwho, rtyler and msmith, whose passwords are their
// names. It marks no e-mail address as verified. For the scopes attributes and
// address it tells what an organization's directory would: app_role, groups,
// organization and resource_access; address.locality.
type LemonLDAP struct {
	Issuer string
}

const (
	lemonPortal = "/usr/share/lemonldap-ng/portal/htdocs/index.psgi"
	lemonINI    = `[all]
logLevel = warn
[configuration]
type = File
dirName = %[1]s/conf
localStorage = Cache::FileCache
localStorageOptions = {'namespace'=>'conf','default_expires_in'=>600,'directory_umask'=>'007','cache_root'=>'%[1]s/cache','cache_depth'=>3}
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
`
)

// StartLemonLDAP starts the portal on a port of its own.
func StartLemonLDAP(t testing.TB, parties ...RelyingParty) *LemonLDAP {
	t.Helper()
	plackup := tool(t, "plackup")
	if _, err := os.Stat(lemonPortal); err != nil {
		t.Fatalf("%v: ./xcaddy.sh test installs what the tests need", err)
	}
	dir, port := t.TempDir(), Port(t)
	l := &LemonLDAP{Issuer: fmt.Sprintf("http://localhost:%d/", port)}
	for _, sub := range []string{"conf", "cache", "sessions/lock", "psessions/lock"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config, err := json.Marshal(l.configuration(t, dir, parties))
	if err != nil {
		t.Fatal(err)
	}
	ini := filepath.Join(dir, "lemonldap-ng.ini")
	for path, content := range map[string]string{
		ini: fmt.Sprintf(lemonINI, dir),
		filepath.Join(dir, "conf", "lmConf-1.json"): string(config),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(plackup, "-s", "HTTP::Server::PSGI", "-E", "deployment",
		"--host", "127.0.0.1", "--port", fmt.Sprint(port), lemonPortal)
	cmd.Env = append(os.Environ(), "LLNG_DEFAULTCONFFILE="+ini)
	p := startProcess(t, "LemonLDAP::NG", cmd)
	p.serves(t, l.Issuer+".well-known/openid-configuration")
	return l
}

// configuration is what LemonLDAP::NG's manager would save.
func (l *LemonLDAP) configuration(t testing.TB, dir string, parties []RelyingParty) map[string]any {
	t.Helper()
	private, public := rsaPEM(t)
	options, exported, macros, scopes := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	for _, party := range parties {
		options[party.ID] = map[string]any{
			"oidcRPMetaDataOptionsClientID":       party.ID,
			"oidcRPMetaDataOptionsClientSecret":   party.Secret,
			"oidcRPMetaDataOptionsPublic":         flag(party.Secret == ""),
			"oidcRPMetaDataOptionsRequirePKCE":    flag(party.PKCE),
			"oidcRPMetaDataOptionsRedirectUris":   party.RedirectURI,
			"oidcRPMetaDataOptionsIDTokenSignAlg": "RS256",
			"oidcRPMetaDataOptionsBypassConsent":  1,
			"oidcRPMetaDataOptionsRefreshToken":   1, // as long as the session there

			"oidcRPMetaDataOptionsPostLogoutRedirectUris": party.SignOutURI,
		}
		exported[party.ID] = map[string]any{
			"email": "mail", "name": "cn", "groups": "groups;string;always", "app_role": "app_role",
			"organization": "organization", "resource_access": "resource_access", "locality": "locality",
		}
		// What its directory does not have is made of what it has, in Perl.
		macros[party.ID] = map[string]any{
			"app_role":        `$uid eq "dwho" ? "admin" : $uid eq "rtyler" ? "agent" : "companion"`,
			"organization":    `$uid eq "dwho" ? "Gallifrey, Torchwood" : ""`,
			"resource_access": `{ tardis => { roles => [ "pilot", $uid eq "dwho" ? "owner" : "guest" ] } }`,
			"locality":        `$uid eq "dwho" ? "Gallifrey" : "London"`,
		}
		scopes[party.ID] = map[string]any{"attributes": "app_role groups organization resource_access"}
	}
	sessions := func(folder string) map[string]any {
		return map[string]any{
			"Directory":      filepath.Join(dir, folder),
			"LockDirectory":  filepath.Join(dir, folder, "lock"),
			"generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256",
		}
	}
	return map[string]any{
		"cfgNum": 1, "cfgVersion": "2.16.1", "cfgAuthor": "harness", "cfgDate": "1700000000",
		"portal": l.Issuer, "domain": "localhost", "cookieName": "lemonldap", "securedCookie": 0,
		"authentication": "Demo", "userDB": "Same", "passwordDB": "Demo", "registerDB": "Null",
		"demoExportedVars": map[string]any{"cn": "cn", "mail": "mail", "uid": "uid"},
		"exportedVars":     map[string]any{}, "groups": map[string]any{}, "macros": map[string]any{},
		"whatToTrace":   "uid",
		"globalStorage": "Apache::Session::File", "globalStorageOptions": sessions("sessions"),
		"persistentStorage": "Apache::Session::File", "persistentStorageOptions": sessions("psessions"),
		"localSessionStorage": "Cache::FileCache",
		"localSessionStorageOptions": map[string]any{
			"namespace": "sessions", "cache_root": filepath.Join(dir, "cache"), "cache_depth": 3,
			"default_expires_in": 600, "directory_umask": "007",
		},
		"locationRules":   map[string]any{"localhost": map[string]any{"default": "accept"}},
		"exportedHeaders": map[string]any{},
		"portalSkin":      "bootstrap", "timeout": 72000, "requireToken": 0,
		"issuerDBOpenIDConnectActivation": 1, "issuerDBOpenIDConnectPath": "^/oauth2/",
		"issuerDBOpenIDConnectRule": 1, "oidcServiceAllowAuthorizationCodeFlow": 1,
		"oidcServicePrivateKeySig": private, "oidcServicePublicKeySig": public,
		"oidcServiceKeyIdSig":              "harness",
		"oidcRPMetaDataOptions":            options,
		"oidcRPMetaDataExportedVars":       exported,
		"oidcServiceMetaDataIssuer":        l.Issuer,
		"oidcRPMetaDataMacros":             macros,
		"oidcRPMetaDataOptionsExtraClaims": scopes,
	}
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}

func rsaPEM(t testing.TB) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	public = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER}))
	return private, public
}
