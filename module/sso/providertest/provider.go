// Package providertest is an OpenID Provider for tests, as misbehaved as a test
// wants it. It listens on a loopback port, so that what it talks to may be a
// package under test or a whole Caddy.
//
// A new Provider behaves. A test changes a field of its Behaviour and looks at
// what the gateway makes of it.
package providertest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The client that a Provider knows.
const (
	ClientID     = "gateway"
	ClientSecret = "the-client-secret/+& of 2026"
)

// The endpoints, as paths.
const (
	PathDiscovery     = "/.well-known/openid-configuration"
	PathAuthorization = "/authorize"
	PathToken         = "/token"
	PathUserinfo      = "/userinfo"
	PathKeys          = "/keys"
	PathPush          = "/push"
)

// Provider is a provider that listens on a loopback port.
type Provider struct {
	*httptest.Server

	mu        sync.Mutex
	behaviour Behaviour
	grants    map[string]*grant
	pushed    map[string]url.Values // by request_uri
	requests  map[string][]*Request
}

// Request is a request that reached a Provider.
type Request struct {
	Method string
	Header http.Header
	Query  url.Values
	Form   url.Values // of the body
}

type grant struct {
	redirectURI, nonce, challenge string
	spent                         bool
	accessToken                   string
	refreshToken                  string
	refreshed                     int // refresh tokens so far
}

// New starts a provider that ends with the test.
func New(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{grants: map[string]*grant{}, pushed: map[string]url.Values{}, requests: map[string][]*Request{}}
	p.behaviour = Behaviour{
		Clock: time.Now,
		Key:   NewKey(t, jose.RS256, "key-1"),
		Person: map[string]any{
			"sub":            "248289761001",
			"name":           "Alice Example",
			"email":          "alice@example.test",
			"email_verified": true,
		},
		Handlers: map[string]http.HandlerFunc{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc(PathDiscovery, p.serveDiscovery)
	mux.HandleFunc(PathAuthorization, p.serveAuthorization)
	mux.HandleFunc(PathToken, p.serveToken)
	mux.HandleFunc(PathUserinfo, p.serveUserinfo)
	mux.HandleFunc(PathKeys, p.serveKeys)
	mux.HandleFunc(PathPush, p.servePush)
	p.Server = httptest.NewServer(p.record(mux))
	t.Cleanup(p.Close)
	return p
}

// Issuer is the issuer identifier.
func (p *Provider) Issuer() string { return p.URL }

// Behave changes the behaviour.
func (p *Provider) Behave(change func(*Behaviour)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.behaviour)
}

// Requests returns what has reached an endpoint, by path.
func (p *Provider) Requests(path string) []*Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[path]
}

// Authorize does what a browser and a willing person do with the address that
// starts a sign-in, and returns the query they come back with.
func (p *Provider) Authorize(t testing.TB, address string) url.Values {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	back, err := response.Location()
	if err != nil {
		t.Fatalf("the provider answers %s without sending the person back", response.Status)
	}
	return back.Query()
}

func (p *Provider) now() Behaviour {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.behaviour
}

// record keeps each request and lets a Behaviour's own handlers go first.
func (p *Provider) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		p.mu.Lock()
		p.requests[r.URL.Path] = append(p.requests[r.URL.Path],
			&Request{Method: r.Method, Header: r.Header.Clone(), Query: r.URL.Query(), Form: r.PostForm})
		handler := p.behaviour.Handlers[r.URL.Path]
		p.mu.Unlock()
		if handler != nil {
			handler(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (p *Provider) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	b := p.now()
	document := map[string]any{
		"issuer":                                p.URL,
		"authorization_endpoint":                p.URL + PathAuthorization,
		"token_endpoint":                        p.URL + PathToken,
		"userinfo_endpoint":                     p.URL + PathUserinfo,
		"jwks_uri":                              p.URL + PathKeys,
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"HS256", string(b.Key.Algorithm)},
		"code_challenge_methods_supported":      []string{"S256"},
	}
	if b.Push || b.PushOnly {
		document["pushed_authorization_request_endpoint"] = p.URL + PathPush
		document["require_pushed_authorization_requests"] = b.PushOnly
	}
	if b.Discovery != nil {
		b.Discovery(document)
	}
	b.send(w, PathDiscovery, b.CacheControl, document)
}

func (p *Provider) serveKeys(w http.ResponseWriter, _ *http.Request) {
	b := p.now()
	keys := b.Published
	if keys == nil {
		keys = []json.RawMessage{b.Key.Public()}
	}
	b.send(w, PathKeys, b.CacheControl, map[string]any{"keys": keys})
}

func (p *Provider) serveAuthorization(w http.ResponseWriter, r *http.Request) {
	b, query := p.now(), r.URL.Query()
	if query.Has("request_uri") || b.PushOnly {
		query = p.spend(query)
	}
	if query.Get("client_id") != ClientID || query.Get("redirect_uri") == "" {
		http.Error(w, "no such client or callback", http.StatusBadRequest)
		return
	}
	code := fmt.Sprintf("code-%d-%x", len(p.Requests(PathAuthorization)), sha256.Sum256([]byte(query.Get("state"))))
	p.mu.Lock()
	p.grants[code] = &grant{
		redirectURI: query.Get("redirect_uri"),
		nonce:       query.Get("nonce"),
		challenge:   query.Get("code_challenge"),
		accessToken: "access-" + code,
	}
	p.mu.Unlock()
	b.secret("an authorization code", code)
	answer := url.Values{"state": {query.Get("state")}, "code": {code}}
	if b.Response != nil {
		b.Response(answer)
	}
	http.Redirect(w, r, query.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	b := p.now()
	if problem := b.authenticate(r); problem != "" {
		sendError(w, http.StatusUnauthorized, "invalid_client", problem)
		return
	}
	form := r.PostForm
	if form.Get("grant_type") == "refresh_token" {
		p.serveRefresh(w, r, b)
		return
	}
	b.secret("a PKCE verifier", form.Get("code_verifier"))
	p.mu.Lock()
	grant := p.grants[form.Get("code")]
	known := grant != nil && !grant.spent
	if known {
		grant.spent = true
	}
	p.mu.Unlock()
	switch {
	case form.Get("grant_type") != "authorization_code":
		sendError(w, http.StatusBadRequest, "unsupported_grant_type", "")
		return
	case !known:
		sendError(w, http.StatusBadRequest, "invalid_grant", "the code "+form.Get("code")+" is not known or was used")
		return
	case form.Get("redirect_uri") != grant.redirectURI:
		sendError(w, http.StatusBadRequest, "invalid_grant", "redirect_uri is another one")
		return
	case !grant.verified(form.Get("code_verifier")):
		sendError(w, http.StatusBadRequest, "invalid_grant", "PKCE verification failed")
		return
	}
	answer := map[string]any{
		"access_token": grant.accessToken,
		"token_type":   "Bearer",
		"expires_in":   300,
		"id_token":     b.idToken(p.URL, grant),
	}
	p.giveRefresh(b, grant, answer)
	if b.TokenResponse != nil {
		b.TokenResponse(answer)
	}
	p.tell(b, answer)
	b.send(w, PathToken, "no-store", answer)
}

func (p *Provider) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	b := p.now()
	known := false
	p.mu.Lock()
	for _, grant := range p.grants {
		known = known || r.Header.Get("Authorization") == "Bearer "+grant.accessToken
	}
	p.mu.Unlock()
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	claims := map[string]any{}
	for name, value := range b.Person {
		claims[name] = value
	}
	if b.SignUserinfo {
		claims["iss"], claims["aud"] = p.URL, ClientID
	}
	if b.Userinfo != nil {
		b.Userinfo(claims)
	}
	if b.SignUserinfo {
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(b.Key.Sign(claims, nil)))
		return
	}
	b.send(w, PathUserinfo, "", claims)
}

// verified reports whether the verifier is that of the challenge (RFC 7636).
func (g *grant) verified(verifier string) bool {
	if g.challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:]) == g.challenge
}

// send sends an answer that is as it should be.
func (b *Behaviour) send(w http.ResponseWriter, path, cacheControl string, value any) {
	if b.Expires != 0 && (path == PathDiscovery || path == PathKeys) {
		now := time.Now()
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		w.Header().Set("Expires", now.Add(b.Expires).UTC().Format(http.TimeFormat))
	}
	if kind := b.ContentType[path]; kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	sendJSON(w, http.StatusOK, cacheControl, value)
}

func sendJSON(w http.ResponseWriter, status int, cacheControl string, value any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	if cacheControl != "" {
		w.Header().Set("Cache-Control", cacheControl)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func sendError(w http.ResponseWriter, status int, code, description string) {
	sendJSON(w, status, "no-store", map[string]string{"error": code, "error_description": description})
}
