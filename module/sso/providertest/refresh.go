package providertest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// giveRefresh adds a refresh token to an answer, if the provider gives any: the
// first, or with Rotate the next.
func (p *Provider) giveRefresh(b Behaviour, grant *grant, answer map[string]any) {
	if !b.Refresh {
		return
	}
	p.mu.Lock()
	if grant.refreshToken == "" || b.Rotate {
		grant.refreshed++
		grant.refreshToken = fmt.Sprintf("refresh-%s-%d", strings.TrimPrefix(grant.accessToken, "access-"), grant.refreshed)
	}
	answer["refresh_token"] = grant.refreshToken
	p.mu.Unlock()
}

// serveRefresh answers a refresh token (RFC 6749 section 6). One that has been
// replaced ends the grant altogether: somebody has stolen it (RFC 9700 section
// 4.14.2).
func (p *Provider) serveRefresh(w http.ResponseWriter, r *http.Request, b Behaviour) {
	token := r.PostForm.Get("refresh_token")
	p.mu.Lock()
	var grant *grant
	for _, g := range p.grants {
		if token != "" && strings.HasPrefix(token, "refresh-"+strings.TrimPrefix(g.accessToken, "access-")+"-") {
			grant = g
		}
	}
	known := grant != nil && token == grant.refreshToken
	if grant != nil && !known {
		grant.refreshToken = "ended"
	}
	p.mu.Unlock()
	switch {
	case b.RefreshError != "":
		status := http.StatusBadRequest
		if b.RefreshError == "invalid_client" {
			status = http.StatusUnauthorized
		}
		sendError(w, status, b.RefreshError, "the refresh token "+token+" is not taken")
		return
	case !known:
		sendError(w, http.StatusBadRequest, "invalid_grant", "the refresh token "+token+" is not known or was used")
		return
	}
	again := *grant
	again.nonce = ""
	original := b.Claims
	b.Claims = func(claims map[string]any) {
		delete(claims, "nonce") // OpenID Connect Core 12.2
		if original != nil {
			original(claims)
		}
		if b.RefreshClaims != nil {
			b.RefreshClaims(claims)
		}
	}
	answer := map[string]any{
		"access_token": grant.accessToken,
		"token_type":   "Bearer",
		"expires_in":   300,
		"id_token":     b.idToken(p.URL, &again),
	}
	before := token
	p.giveRefresh(b, grant, answer)
	if answer["refresh_token"] == before {
		delete(answer, "refresh_token") // it need not be told again
	}
	if b.RefreshResponse != nil {
		b.RefreshResponse(answer)
	}
	p.tell(b, answer)
	b.send(w, PathToken, "no-store", answer)
}

// tell tells the test of the tokens in an answer.
func (p *Provider) tell(b Behaviour, answer map[string]any) {
	for _, name := range []string{"access_token", "id_token", "refresh_token"} {
		if text, ok := answer[name].(string); ok {
			b.secret("the "+name, text)
		}
	}
}

// Refresh hands a refresh token in, as a thief does who has the client's secret
// too.
func (p *Provider) Refresh(t testing.TB, token string) {
	t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	request, err := http.NewRequest(http.MethodPost, p.URL+PathToken, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(ClientID), url.QueryEscape(ClientSecret))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the provider does not take %q: %s", token, response.Status)
	}
}
