package sso_test

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-jose/go-jose/v4"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// again has the provider asked again, which gives refresh tokens.
func again(c *sso.Config) { c.Revalidate = caddy.Duration(time.Hour) }

// granted is a scene in which somebody has signed in through a provider that
// gives refresh tokens, and what is kept of that.
func granted(t *testing.T, changes ...func(*sso.Config)) (*scene, sso.Grant) {
	t.Helper()
	s := newScene(t, append(changes, again)...)
	return s, s.grant(t)
}

// grant signs somebody in.
func (s *scene) grant(t *testing.T) sso.Grant {
	t.Helper()
	s.behave(func(b *providertest.Behaviour) { b.Refresh = true })
	signedIn, err := s.signIn(t)
	if err != nil {
		t.Fatal(err)
	}
	if signedIn.RefreshToken == "" || signedIn.Nonce == "" {
		t.Fatalf("refresh token %q, nonce %q", signedIn.RefreshToken, signedIn.Nonce)
	}
	return sso.Grant{RefreshToken: signedIn.RefreshToken, Subject: signedIn.Subject, Nonce: signedIn.Nonce}
}

// refreshRequests are the refresh tokens that have reached the provider.
func (s *scene) refreshRequests() (tokens []string) {
	for _, request := range s.idp.Requests(providertest.PathToken) {
		if request.Form.Get("grant_type") == "refresh_token" {
			tokens = append(tokens, request.Form.Get("refresh_token"))
		}
	}
	return tokens
}

// TestRefresh: every kind of client asks again, with every kind of answer.
func TestRefresh(t *testing.T) {
	key := newKey(t, jose.ES256)
	for name, make := range map[string]func(t *testing.T) *scene{
		"client_secret_basic": func(t *testing.T) *scene { return newScene(t, again) },
		"client_secret_post": func(t *testing.T) *scene {
			s := newScene(t, again, func(c *sso.Config) { c.ClientAuth = sso.AuthPost })
			s.behave(func(b *providertest.Behaviour) { b.Post = true })
			return s
		},
		"public": func(t *testing.T) *scene {
			s := newScene(t, again, func(c *sso.Config) { c.ClientSecret = "none" })
			s.behave(func(b *providertest.Behaviour) { b.Public = true })
			return s
		},
		"private_key_jwt": func(t *testing.T) *scene {
			s, _ := withKey(t, pkcs8(t, key), key.(*ecdsa.PrivateKey).Public(), []jose.SignatureAlgorithm{jose.ES256}, again)
			return s
		},
		"mode code":         func(t *testing.T) *scene { return newScene(t, again, func(c *sso.Config) { c.Mode = sso.ModeCode }) },
		"endpoints by hand": func(t *testing.T) *scene { return newScene(t, again, manual) },
	} {
		t.Run(name, func(t *testing.T) {
			s := make(t)
			grant := s.grant(t)
			sent := []string{grant.RefreshToken}
			for _, rotate := range []bool{false, true, true} {
				s.behave(func(b *providertest.Behaviour) { b.Rotate = rotate })
				refreshed, err := s.sso.Refresh(t.Context(), grant)
				if err != nil {
					t.Fatal(err)
				}
				if changed := refreshed.RefreshToken != grant.RefreshToken; changed != rotate || refreshed.RefreshToken == "" {
					t.Errorf("rotating %t: the refresh token %q becomes %q", rotate, grant.RefreshToken, refreshed.RefreshToken)
				}
				if a := refreshed.Assertion; a == nil || a.Email != "alice@example.test" || !a.EmailVerified || a.Attributes.Name != "Alice Example" ||
					a.Subject != grant.Subject || a.Issuer != s.idp.Issuer() || a.RawIDToken == "" {
					t.Errorf("the provider says %+v", a)
				}
				grant.RefreshToken = refreshed.RefreshToken
				sent = append(sent, grant.RefreshToken)
			}
			if got := s.refreshRequests(); !slices.Equal(got, sent[:3]) {
				t.Errorf("sent %q, want %q", got, sent[:3])
			}
			for _, request := range s.idp.Requests(providertest.PathToken) {
				if request.Form.Get("grant_type") == "refresh_token" && (request.Form.Has("code") || request.Form.Has("scope") || request.Form.Has("redirect_uri")) {
					t.Errorf("sent along: %v", request.Form)
				}
			}
		})
	}

	t.Run("nobody who is not asked for keeps a refresh token", func(t *testing.T) {
		s := newScene(t)
		s.behave(func(b *providertest.Behaviour) { b.Refresh = true })
		if signedIn, err := s.signIn(t); err != nil || signedIn.RefreshToken != "" {
			t.Errorf("%q, %v", signedIn.RefreshToken, err)
		}
	})
}

// TestRefreshTells: the provider stays the source of the attributes, whichever
// way it tells them (requirement S8).
func TestRefreshTells(t *testing.T) {
	withoutIDToken := func(b *providertest.Behaviour) {
		b.RefreshResponse = func(answer map[string]any) { delete(answer, "id_token") }
	}
	for name, tc := range map[string]struct {
		behave   func(*providertest.Behaviour)
		userinfo int
		email    string // "" where the provider tells nothing
		role     string
	}{
		"in the ID token": {func(b *providertest.Behaviour) { b.Person["role"] = "admin" }, 0, "alice@example.test", "admin"},
		"another address": {func(b *providertest.Behaviour) { b.Person["email"] = "smith@example.test"; b.Person["role"] = "agent" }, 0, "smith@example.test", "agent"},
		"in userinfo": {func(b *providertest.Behaviour) {
			b.InUserinfo = []string{"role"}
			b.Person["role"] = "admin"
		}, 1, "alice@example.test", "admin"},
		"without an ID token": {func(b *providertest.Behaviour) { withoutIDToken(b); b.Person["role"] = "admin" }, 1, "alice@example.test", "admin"},
		"not at all": {func(b *providertest.Behaviour) {
			withoutIDToken(b)
			b.Discovery = func(d map[string]any) { delete(d, "userinfo_endpoint") }
		}, 0, "", ""},
		"no address, which is no answer to who somebody is": {func(b *providertest.Behaviour) {
			delete(b.Person, "email")
			b.Person["role"] = "admin"
		}, 1, "", "admin"},
	} {
		t.Run(name, func(t *testing.T) {
			s, grant := granted(t, func(c *sso.Config) { c.Claims = map[string]string{"role": "role"} })
			before := s.fetched(providertest.PathUserinfo)
			s.clock.Add(time.Hour * 24) // the discovery document is read anew
			s.behave(tc.behave)
			refreshed, err := s.sso.Refresh(t.Context(), grant)
			if err != nil {
				t.Fatal(err)
			}
			var email, role string
			if refreshed.Assertion != nil {
				email, role = refreshed.Assertion.Email, string(refreshed.Assertion.Attributes.Role)
			}
			if email != tc.email || role != tc.role {
				t.Errorf("told %q, %q; want %q, %q", email, role, tc.email, tc.role)
			}
			if n := s.fetched(providertest.PathUserinfo) - before; n != tc.userinfo {
				t.Errorf("userinfo was asked %d times, want %d", n, tc.userinfo)
			}
		})
	}
}

// answer is an endpoint that answers just that.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// TestRefreshFaults: a no is told from everything that says nothing about the
// person. A refresh token that came along is kept either way.
func TestRefreshFaults(t *testing.T) {
	token := func(handler http.HandlerFunc) func(*providertest.Behaviour) {
		return func(b *providertest.Behaviour) { b.Handlers[providertest.PathToken] = handler }
	}
	refuse := func(code string) func(*providertest.Behaviour) {
		return func(b *providertest.Behaviour) { b.RefreshError = code }
	}
	claim := func(name string, value any) func(*providertest.Behaviour) {
		return func(b *providertest.Behaviour) {
			b.RefreshClaims = func(c map[string]any) { c[name] = value }
		}
	}
	edit := func(name string, value any) func(*providertest.Behaviour) {
		return func(b *providertest.Behaviour) {
			b.RefreshResponse = func(a map[string]any) { a[name] = value }
		}
	}
	userinfo := func(handler http.HandlerFunc) func(*providertest.Behaviour) {
		return func(b *providertest.Behaviour) {
			b.RefreshResponse = func(a map[string]any) { delete(a, "id_token") }
			b.Handlers[providertest.PathUserinfo] = handler
		}
	}
	stranger := providertest.NewKey(t, jose.ES256, "key-1")
	for _, tc := range []struct {
		name   string
		behave func(*providertest.Behaviour)
		denies bool
		keeps  bool // the new refresh token
		kind   sso.FaultKind
		reason string
	}{
		{"over", refuse("invalid_grant"), true, false, sso.FaultGrant, "invalid_grant"},
		{"over, with other words", token(answer(400, `{"error":"invalid_grant","error_description":"expired, revoked or of another redirect URI"}`)), true, false, sso.FaultGrant, "redirect URI"},
		{"over, in LemonLDAP::NG's words", token(answer(400, `{"error":"invalid_request"}`)), true, false, sso.FaultGrant, "invalid_request"},
		{"a rule there", refuse("access_denied"), true, false, sso.FaultDenied, "access_denied"},
		{"the person is wanted there", refuse("interaction_required"), true, false, sso.FaultInteraction, "interaction_required"},
		{"somebody else", claim("sub", "the-boss"), true, true, sso.FaultSubject, "somebody else"},
		{"somebody else in userinfo", userinfo(answer(200, `{"sub":"the-boss"}`)), true, true, sso.FaultSubject, "somebody else"},

		{"client", refuse("invalid_client"), false, false, sso.FaultClient, "invalid_client"},
		{"client that may not", refuse("unauthorized_client"), false, false, sso.FaultUnauthorized, "unauthorized_client"},
		{"no refreshing", refuse("unsupported_grant_type"), false, false, sso.FaultUnauthorized, "unsupported_grant_type"},
		{"scope", refuse("invalid_scope"), false, false, sso.FaultScope, "invalid_scope"},
		{"an error of its own making", refuse("computer_says_no"), false, false, sso.FaultOther, "computer_says_no"},
		{"its own problem", refuse("temporarily_unavailable"), false, false, sso.FaultUnavailable, "temporarily_unavailable"},
		{"400 without a word", token(answer(400, "")), false, false, sso.FaultOther, "status 400"},
		{"401 without a word", token(answer(401, "")), false, false, sso.FaultClient, "status 401"},
		{"403 without a word", token(answer(403, "")), false, false, sso.FaultOther, "status 403"},
		{"404", token(answer(404, "")), false, false, sso.FaultOther, "status 404"},
		{"429", token(answer(429, "")), false, false, sso.FaultUnavailable, "status 429"},
		{"500", token(answer(500, "")), false, false, sso.FaultUnavailable, "status 500"},
		{"503", token(answer(503, "")), false, false, sso.FaultUnavailable, "status 503"},
		{"connection cut", token(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), false, false, sso.FaultUnreachable, "EOF"},
		{"garbage", token(answer(200, "<html>")), false, false, sso.FaultToken, "cannot parse json"},
		{"nothing", token(answer(200, "")), false, false, sso.FaultToken, "cannot parse json"},
		{"larger than anything", token(answer(200, `{"access_token":"`+strings.Repeat("x", 2<<20)+`"}`)), false, false, sso.FaultToken, "larger than 1 MiB"},
		{"no access token", edit("access_token", ""), false, false, sso.FaultToken, "missing access_token"},
		{"bound to a key", edit("token_type", "DPoP"), false, true, sso.FaultToken, "token type"},
		{"ID token is a number", edit("id_token", 7), false, true, sso.FaultToken, "the ID token of the answer is none"},
		{"ID token is nothing of the kind", edit("id_token", "x"), false, true, sso.FaultToken, "ID token"},
		{"ID token signed with nothing", func(b *providertest.Behaviour) {
			b.Sign = func(c map[string]any) string { return providertest.Forge(`{"alg":"none"}`, c, nil) }
		}, false, true, sso.FaultToken, `"none"`},
		{"ID token signed with the client secret", func(b *providertest.Behaviour) {
			b.Sign = func(c map[string]any) string { return providertest.ForgeHS256([]byte(providertest.ClientSecret), c) }
		}, false, true, sso.FaultToken, "HS256"},
		{"ID token signed by a stranger", func(b *providertest.Behaviour) {
			b.Sign = func(c map[string]any) string { c["sub"] = "the-boss"; return stranger.Sign(c, nil) }
		}, false, true, sso.FaultToken, "signature is wrong"},
		{"another issuer", claim("iss", "https://evil.test"), false, true, sso.FaultIssuer, "iss is"},
		{"for another client", claim("aud", "another-client"), false, true, sso.FaultToken, "audience"},
		{"for another client too", claim("aud", []string{providertest.ClientID, "another-client"}), false, true, sso.FaultToken, "not trusted"},
		{"azp", claim("azp", "another-client"), false, true, sso.FaultToken, "azp"},
		{"expired", claim("exp", 1), false, true, sso.FaultClock, "expired"},
		{"from the first sign-in", claim("iat", 1), false, true, sso.FaultClock, "ago: a clock"},
		{"nobody", claim("sub", ""), false, true, sso.FaultToken, "sub is missing"},
		{"nonce of another sign-in", claim("nonce", "another"), false, true, sso.FaultToken, "nonce is not that of the sign-in"},
		{"at_hash of another access token", claim("at_hash", es256.HalfHash("another")), false, true, sso.FaultToken, "at_hash"},
		{"userinfo refuses", userinfo(answer(401, "")), false, true, sso.FaultToken, "status 401"},
		{"userinfo lacks a scope", userinfo(answer(403, "")), false, true, sso.FaultToken, "status 403"},
		{"userinfo is down", userinfo(answer(502, "")), false, true, sso.FaultUnreachable, "status 502"},
		{"userinfo is about nobody", userinfo(answer(200, `{}`)), false, true, sso.FaultToken, "about nobody"},
		{"a key that is not published", func(b *providertest.Behaviour) {
			other := providertest.NewKey(t, jose.ES256, "key-2")
			b.Key = other
			b.Published = []json.RawMessage{providertest.NewKey(t, jose.ES256, "key-3").Public()}
		}, false, true, sso.FaultToken, "does not publish"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, grant := granted(t)
			s.behave(func(b *providertest.Behaviour) { b.Rotate = true })
			s.behave(tc.behave)
			s.clock.Add(time.Minute)
			refreshed, err := s.sso.Refresh(t.Context(), grant)
			fault := wantFault(t, err, tc.kind, tc.reason)
			if fault.Denies() != tc.denies {
				t.Errorf("denies %t, want %t: %v", fault.Denies(), tc.denies, err)
			}
			if kept := refreshed.RefreshToken != ""; kept != tc.keeps || kept && refreshed.RefreshToken == grant.RefreshToken {
				t.Errorf("the refresh token for the next time is %q", refreshed.RefreshToken)
			}
			if refreshed.Assertion != nil {
				t.Errorf("nothing is believed, and yet %+v", refreshed.Assertion)
			}
			if n := len(s.refreshRequests()); n != 1 {
				t.Errorf("the refresh token was sent %d times", n)
			}
			if strings.Contains(err.Error(), grant.RefreshToken) {
				t.Errorf("the error tells the refresh token: %v", err)
			}
		})
	}

	t.Run("the nonce of the sign-in", func(t *testing.T) {
		s, grant := granted(t)
		s.behave(claim("nonce", grant.Nonce))
		if _, err := s.sso.Refresh(t.Context(), grant); err != nil {
			t.Error(err)
		}
	})
	t.Run("a token that was replaced", func(t *testing.T) {
		s, grant := granted(t)
		s.behave(func(b *providertest.Behaviour) { b.Rotate = true })
		if _, err := s.sso.Refresh(t.Context(), grant); err != nil {
			t.Fatal(err)
		}
		_, err := s.sso.Refresh(t.Context(), grant)
		if fault := wantFault(t, err, sso.FaultGrant, "invalid_grant"); !fault.Denies() {
			t.Error(err)
		}
	})
	t.Run("nothing to ask with", func(t *testing.T) {
		s, grant := granted(t)
		grant.RefreshToken = ""
		_, err := s.sso.Refresh(t.Context(), grant)
		wantFault(t, err, sso.FaultOther, "there is no refresh token")
	})
}

// TestRefreshRedirects: the refresh token and the client's secret go nowhere
// else (rule 18).
func TestRefreshRedirects(t *testing.T) {
	for _, status := range []int{302, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			s, grant := granted(t)
			s.behave(func(b *providertest.Behaviour) {
				b.Handlers[providertest.PathToken] = func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, "/elsewhere?"+url.Values{"told": {grant.RefreshToken}}.Encode(), status)
				}
			})
			_, err := s.sso.Refresh(t.Context(), grant)
			if fault := wantFault(t, err, sso.FaultOther, "which is not followed"); fault.Denies() || strings.Contains(err.Error(), grant.RefreshToken) {
				t.Error(err)
			}
			if n := s.fetched("/elsewhere"); n != 0 {
				t.Error("the redirect was followed")
			}
		})
	}
}

// TestRefreshHangs: a provider that does not answer has said nothing. One that
// is answering is waited for even when whoever asked is about to end, for its
// answer may replace the refresh token.
func TestRefreshHangs(t *testing.T) {
	t.Run("for ever", func(t *testing.T) {
		s, grant := granted(t)
		end := make(chan struct{})
		defer close(end)
		hasty, err := sso.NewProvider("okta", s.sso.Config(), providertest.ClientSecret, sso.Options{Clock: s.clock.Now, Timeout: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer hasty.Close()
		s.behave(func(b *providertest.Behaviour) {
			b.Handlers[providertest.PathToken] = func(http.ResponseWriter, *http.Request) { <-end }
		})
		_, err = hasty.Refresh(t.Context(), grant)
		if fault := wantFault(t, err, sso.FaultTimeout, "refreshing"); fault.Denies() {
			t.Error("silence is taken for a no")
		}
	})
	t.Run("until nobody waits", func(t *testing.T) {
		s, grant := granted(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.behave(func(b *providertest.Behaviour) {
			b.Rotate = true
			b.RefreshResponse = func(map[string]any) { cancel() }
			b.InUserinfo = []string{"name"}
		})
		refreshed, err := s.sso.Refresh(ctx, grant)
		if fault := new(sso.Fault); !errors.As(err, &fault) || fault.Denies() || !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if refreshed.RefreshToken == "" || refreshed.RefreshToken == grant.RefreshToken {
			t.Errorf("the new refresh token is lost: %q", refreshed.RefreshToken)
		}
	})
}
