//go:build integration

package provider

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// granting edits the answer of the token endpoint.
func granting(change func(answer map[string]any)) behaviour {
	return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) { b.TokenResponse = change }
}

// failing has the token endpoint answer with an error (RFC 6749 section 5.2).
func failing(code, description string) http.HandlerFunc {
	body, err := json.Marshal(map[string]string{"error": code, "error_description": description})
	if err != nil {
		panic(err)
	}
	return answering(http.StatusBadRequest, "application/json", string(body))
}

// Rule 18: a token endpoint at fault gets the code once, and the person an
// explanation.
func TestTokenEndpoint(t *testing.T) {
	t.Parallel()
	nowhere := trap(t)
	token := func(handler http.HandlerFunc) behaviour { return at(providertest.PathToken, handler) }
	page := func(status int, kind, reason string) refusal { return refusal{status, kind, reason} }
	const bad = http.StatusBadGateway
	attacks := []attack{
		{situation: situation{name: "broken", behave: token(answering(500, "text/html", "sorry"))},
			refusal: page(bad, "temporarily_unavailable", "the token endpoint answers with status 500")},
		{situation: situation{name: "overrun", behave: token(answering(429, "text/html", "sorry"))},
			refusal: page(bad, "temporarily_unavailable", "the token endpoint answers with status 429")},
		{situation: situation{name: "unauthorized without a word", behave: token(answering(401, "text/html", "no"))},
			refusal: page(bad, "invalid_client", "status 401: check client_id and client_secret")},
		{situation: situation{name: "not there", behave: token(answering(404, "text/html", "nothing"))},
			refusal: page(bad, "provider_refused", "the token endpoint answers with status 404")},
		{situation: situation{name: "cut", behave: token(cut)},
			refusal: page(bad, "provider_unreachable", "exchanging the code")},
		{situation: situation{name: "endless", behave: token(endless)},
			refusal: believedNot("the answer is larger than 1 MiB")},
		{situation: situation{name: "a web page", behave: token(answering(200, "text/html", "<h1>token</h1>"))},
			refusal: believedNot("cannot parse json")},
		{situation: situation{name: "a list", behave: token(answering(200, "application/json", "[]"))},
			refusal: believedNot("cannot parse json")},
		{situation: situation{name: "nothing", behave: token(answering(200, "application/json", ""))},
			refusal: believedNot("cannot parse json")},

		{situation: situation{name: "ID token missing", behave: granting(without("id_token"))},
			refusal: believedNot("the answer has no ID token; is the scope openid granted?")},
		{situation: situation{name: "ID token empty", behave: granting(set("id_token", ""))},
			refusal: believedNot("the answer has no ID token")},
		{situation: situation{name: "ID token a number", behave: granting(set("id_token", 7))},
			refusal: believedNot("the answer has no ID token")},
		{situation: situation{name: "ID token a list", behave: granting(func(a map[string]any) { a["id_token"] = []any{a["id_token"]} })},
			refusal: believedNot("the answer has no ID token")},
		{situation: situation{name: "access token missing", behave: granting(without("access_token"))},
			refusal: believedNot("server response missing access_token")},
		{situation: situation{name: "token type mac", behave: granting(set("token_type", "mac"))},
			refusal: believedNot(`the token type is "mac", want Bearer`)},
		{situation: situation{name: "token type DPoP", behave: granting(set("token_type", "DPoP"))},
			refusal: believedNot(`the token type is "DPoP", want Bearer`)},
		{situation: situation{name: "ID token of the answer before", behave: func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			b.Claims = set("nonce", "that-of-the-sign-in-before")
		}}, refusal: believedNot("nonce is not the one that was sent: it was made for another sign-in")},

		{situation: situation{name: "invalid_client", behave: token(failing("invalid_client", "no such secret"))},
			refusal: page(bad, "invalid_client", `the provider says "invalid_client" ("no such secret")`)},
		{situation: situation{name: "invalid_grant", behave: token(failing("invalid_grant", "the code was used"))},
			refusal: page(http.StatusBadRequest, "flow_expired", `the provider says "invalid_grant" ("the code was used")`)},
		{situation: situation{name: "invalid_grant for the callback", behave: token(failing("invalid_grant", "redirect_uri is another one"))},
			refusal: page(bad, "redirect_mismatch", `("redirect_uri is another one")`)},
		{situation: situation{name: "invalid_scope", behave: token(failing("invalid_scope", "no such scope"))},
			refusal: page(bad, "invalid_scope", `("no such scope")`)},
		{situation: situation{name: "an error nobody knows", behave: token(failing("bad_hair_day", ""))},
			refusal: believedNot(`the provider says "bad_hair_day"`)},
		{situation: situation{name: "an error as markup", behave: token(failing("<script>alert(1)</script>", "<img src=x onerror=alert(1)>{env.HOME}\r\n\x1b[31m"))},
			refusal: believedNot(`<img src=x onerror=alert(1)>{env.HOME}`)},
		{situation: situation{name: "an error without end", behave: token(failing("invalid_request", strings.Repeat("very long ", 10_000)))},
			refusal: believedNot("very long very long …")},
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		attacks = append(attacks, attack{
			situation: situation{name: "redirected with " + http.StatusText(status), behave: token(redirecting(status, nowhere))},
			refusal:   believedNot("which is not followed: what is secret would go along"),
		})
	}
	for i := range attacks {
		attacks[i].name = "token endpoint " + attacks[i].name
	}
	repel(t, attacks)
}

// Rule 26: a provider that repeats all that it was sent does not get it into the
// log. What is secret, the stage knows.
func TestSecretsRepeated(t *testing.T) {
	t.Parallel()
	repeating := func(answer func(w http.ResponseWriter, r *http.Request, told string)) behaviour {
		return func(_ testing.TB, _ *providertest.Provider, b *providertest.Behaviour) {
			secret := b.Secret
			b.Handlers[providertest.PathToken] = func(w http.ResponseWriter, r *http.Request) {
				secret("a PKCE verifier", r.PostForm.Get("code_verifier"))
				answer(w, r, r.PostForm.Encode()+" "+r.PostForm.Get("code")+" "+providertest.ClientSecret+" "+r.Header.Get("Authorization"))
			}
		}
	}
	var attacks []attack
	for _, test := range []struct {
		name   string
		behave behaviour
		refusal
	}{
		{"in error_description", repeating(func(w http.ResponseWriter, r *http.Request, told string) {
			failing("invalid_client", told)(w, r)
		}), refusal{http.StatusBadGateway, "invalid_client", "invalid_client"}},
		{"in error", repeating(func(w http.ResponseWriter, r *http.Request, told string) { failing(told, "")(w, r) }), believedNot("exchanging the code")},
		{"in a page", repeating(func(w http.ResponseWriter, r *http.Request, told string) { answering(400, "text/html", told)(w, r) }),
			believedNot("answers with status 400")},
		{"in what should be JSON", repeating(func(w http.ResponseWriter, r *http.Request, told string) {
			answering(200, "application/json", told)(w, r)
		}), believedNot("cannot parse json")},
		{"in the token type", repeating(func(w http.ResponseWriter, r *http.Request, told string) {
			body, _ := json.Marshal(map[string]string{"access_token": "x", "id_token": "y", "token_type": told})
			answering(200, "application/json", string(body))(w, r)
		}), believedNot("the token type is")},
		{"in a redirect", repeating(func(w http.ResponseWriter, r *http.Request, told string) {
			redirecting(http.StatusTemporaryRedirect, "https://evil.test/?"+url.Values{"told": {told}}.Encode())(w, r)
		}), believedNot("which is not followed")},
		{"in the ID token", repeating(func(w http.ResponseWriter, r *http.Request, told string) {
			body, _ := json.Marshal(map[string]string{"access_token": "x", "id_token": told, "token_type": "Bearer"})
			answering(200, "application/json", string(body))(w, r)
		}), believedNot("ID token: ")},
	} {
		attacks = append(attacks, attack{situation: situation{name: "repeated " + test.name, behave: test.behave}, refusal: test.refusal})
	}
	repel(t, attacks)
}

// Rule 18: a provider that does not answer, or answers a byte a second, costs
// 10 seconds and no more.
func TestSlowProvider(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drip := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
			}
		}
	}
	var situations []situation
	reasons := map[string]string{
		providertest.PathDiscovery: "fetching the discovery document",
		providertest.PathToken:     "exchanging the code",
		providertest.PathKeys:      "fetching the keys",
		providertest.PathUserinfo:  "fetching the userinfo",
	}
	want := map[string]refusal{}
	for path, reason := range reasons {
		for how, handler := range map[string]http.HandlerFunc{"hangs": hang, "drips": drip} {
			name := how + " at " + path
			situations = append(situations, situation{name: name, behave: inUserinfo(at(path, handler))})
			want[name] = refusal{http.StatusBadGateway, "provider_unreachable", reason}
		}
	}
	s := newStage(t, "", "", situations...)

	// All of them at once, from where each begins to wait.
	type wait struct {
		browser *harness.Client
		target  string
		page    *harness.Page
		err     error
		took    time.Duration
	}
	waits := map[string]*wait{}
	for _, situation := range situations {
		w := &wait{browser: s.Browser(), target: start(situation.name)}
		if want[situation.name].reason != reasons[providertest.PathDiscovery] {
			w.target = s.away(w.browser, situation.name).String()
		}
		waits[situation.name] = w
	}
	var all sync.WaitGroup
	for _, w := range waits {
		r := w.browser.Request(http.MethodGet, w.target, nil)
		all.Go(func() {
			began := time.Now()
			w.page, w.err = w.browser.TrySend(r)
			w.took = time.Since(began)
		})
	}
	all.Wait()
	for name, w := range waits {
		t.Run(name, func(t *testing.T) {
			s.For(t)
			if w.err != nil {
				t.Fatal(w.err)
			}
			if w.took < 9*time.Second || w.took > 25*time.Second {
				t.Errorf("answered after %s", w.took)
			}
			s.wantRefused(t, w.browser, w.page, want[name])
		})
	}
	if n := s.App.Count(); n != 0 {
		t.Errorf("the app received %d requests", n)
	}
	s.wantNobody(t)
}
