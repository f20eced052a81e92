package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// provider is a small OpenID Provider for the demo: whoever presses a button is
// believed. One public client, the authorization code flow with PKCE only.
type provider struct {
	issuer       string
	clientID     string
	redirectURIs []string
	key          jose.JSONWebKey
	signer       jose.Signer
	mux          *http.ServeMux

	mu     sync.Mutex
	codes  map[string]grant // by authorization code
	tokens map[string]grant // by access token
}

// grant is what a code or an access token stands for.
type grant struct {
	person      idClaims
	redirectURI string
	challenge   string // of PKCE, S256
	nonce       string
	expires     time.Time
}

// idClaims is what the provider says of a person.
type idClaims struct {
	Subject       string `json:"sub"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name"`
}

var people = []idClaims{
	{"8f1c", "bob@example.test", true, "Bob Example"},
	{"d27a", "mallory@elsewhere.test", true, "Mallory Elsewhere"},
}

var choicePage = template.Must(template.New("choice").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>The office's identity provider</title><style>` + style + `</style>
<h1>The office's identity provider</h1>
<p>It believes whoever presses a button.</p>
<form method="post">
{{range .}}<button name="sub" value="{{.Subject}}">Continue as {{.Email}}</button>
{{end}}<button name="sub" value="">Cancel</button>
</form>
</html>
`))

// newProvider makes a provider with a key of its own.
func newProvider(issuer, clientID string, redirectURIs ...string) (*provider, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	key := jose.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: string(jose.RS256), Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	p := &provider{
		issuer: issuer, clientID: clientID, redirectURIs: redirectURIs, key: key, signer: signer,
		mux: http.NewServeMux(), codes: map[string]grant{}, tokens: map[string]grant{},
	}
	p.mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	p.mux.HandleFunc("GET /jwks", p.jwks)
	p.mux.HandleFunc("GET /authorize", p.authorize)
	p.mux.HandleFunc("POST /authorize", p.authorize)
	p.mux.HandleFunc("POST /token", p.token)
	p.mux.HandleFunc("GET /userinfo", p.userinfo)
	return p, nil
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

func (p *provider) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                         p.issuer,
		"authorization_endpoint":                         p.issuer + "/authorize",
		"token_endpoint":                                 p.issuer + "/token",
		"userinfo_endpoint":                              p.issuer + "/userinfo",
		"jwks_uri":                                       p.issuer + "/jwks",
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"RS256"},
		"token_endpoint_auth_methods_supported":          []string{"none"},
		"code_challenge_methods_supported":               []string{"S256"},
		"scopes_supported":                               []string{"openid", "email", "profile"},
		"claims_supported":                               []string{"sub", "email", "email_verified", "name"},
		"authorization_response_iss_parameter_supported": true,
	})
}

func (p *provider) jwks(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key.Public()}})
}

// authorize shows the choice and sends the person back with a code.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	redirectURI := query.Get("redirect_uri")
	if query.Get("client_id") != p.clientID || !slices.Contains(p.redirectURIs, redirectURI) {
		// Nobody is sent to an address that is not registered.
		http.Error(w, "unknown client_id or redirect_uri", http.StatusBadRequest)
		return
	}
	back := func(answer url.Values) {
		answer.Set("state", query.Get("state"))
		answer.Set("iss", p.issuer)
		http.Redirect(w, r, redirectURI+"?"+answer.Encode(), http.StatusSeeOther)
	}
	switch {
	case query.Get("response_type") != "code":
		back(url.Values{"error": {"unsupported_response_type"}})
	case query.Get("code_challenge") == "" || query.Get("code_challenge_method") != "S256":
		back(url.Values{"error": {"invalid_request"}, "error_description": {"PKCE with S256 is required"}})
	case r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = choicePage.Execute(w, people)
	default:
		i := slices.IndexFunc(people, func(c idClaims) bool { return c.Subject == r.PostFormValue("sub") })
		if i < 0 {
			back(url.Values{"error": {"access_denied"}})
			return
		}
		code := rand.Text()
		p.keep(p.codes, code, grant{
			person: people[i], redirectURI: redirectURI,
			challenge: query.Get("code_challenge"), nonce: query.Get("nonce"),
			expires: time.Now().Add(time.Minute),
		})
		back(url.Values{"code": {code}})
	}
}

// token exchanges a code, once, for an ID token and an access token.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	g, ok := p.take(p.codes, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case r.PostFormValue("grant_type") != "authorization_code":
		tokenError(w, "unsupported_grant_type")
		return
	case r.PostFormValue("client_id") != p.clientID:
		tokenError(w, "invalid_client")
		return
	case !ok, r.PostFormValue("redirect_uri") != g.redirectURI,
		base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge:
		tokenError(w, "invalid_grant")
		return
	}
	now := time.Now()
	idToken, err := jwt.Signed(p.signer).
		Claims(jwt.Claims{
			Issuer: p.issuer, Audience: jwt.Audience{p.clientID},
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(10 * time.Minute)),
		}).
		Claims(map[string]any{"nonce": g.nonce}).
		Claims(g.person).
		Serialize()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	access := rand.Text()
	g.expires = now.Add(10 * time.Minute)
	p.keep(p.tokens, access, g)
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": 600, "id_token": idToken,
	})
}

func (p *provider) userinfo(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	g, ok := p.tokens[bearer(r)]
	p.mu.Unlock()
	if !ok || time.Now().After(g.expires) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "invalid token", http.StatusUnauthorized)
		return
	}
	writeJSON(w, http.StatusOK, g.person)
}

// keep stores a grant and forgets those that have expired.
func (p *provider) keep(in map[string]grant, id string, g grant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, old := range in {
		if time.Now().After(old.expires) {
			delete(in, id)
		}
	}
	in[id] = g
}

// take returns a grant that has not expired and forgets it.
func (p *provider) take(from map[string]grant, id string) (grant, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, ok := from[id]
	delete(from, id)
	return g, ok && time.Now().Before(g.expires)
}

func bearer(r *http.Request) string {
	const scheme = "Bearer "
	if value := r.Header.Get("Authorization"); len(value) > len(scheme) && value[:len(scheme)] == scheme {
		return value[len(scheme):]
	}
	return ""
}

func tokenError(w http.ResponseWriter, code string) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": code})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// Interface guard.
var _ http.Handler = (*provider)(nil)
