package sso_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
)

// mappedScene is a scene with claims that are mapped, and what is logged.
func mappedScene(t *testing.T, claims map[string]string, known identity.Organizations) (*scene, *observer.ObservedLogs) {
	t.Helper()
	s := newScene(t)
	core, logs := observer.New(zap.WarnLevel)
	config := sso.Config{Issuer: s.idp.Issuer(), ClientID: providertest.ClientID, Claims: claims}
	provider, err := sso.NewProvider("okta", config, providertest.ClientSecret,
		sso.Options{Clock: s.clock.Now, Timeout: 10 * time.Second, Organizations: known, Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Close() })
	s.sso = provider
	return s, logs
}

// TestMappedClaims: attributes come from the ID token, or from userinfo where it
// lacks one, and from nowhere else.
func TestMappedClaims(t *testing.T) {
	claims := map[string]string{"role": "realm.roles", "external_id": "staff", "groups": "https://example.test/groups", "organizations": "org"}
	person := func(b *providertest.Behaviour) {
		b.Person["realm"] = map[string]any{"roles": []string{"offline_access", "agent"}}
		b.Person["staff"] = uint64(12345678901234567890)
		b.Person["https://example.test/groups"] = []string{"dev"}
		b.Person["org"] = "Acme, Elsewhere"
		b.Person["salary"] = 1
	}
	for name, tc := range map[string]struct {
		behave func(*providertest.Behaviour)
		asked  int // how often userinfo is
	}{
		"in the ID token": {func(*providertest.Behaviour) {}, 0},
		"one in userinfo": {func(b *providertest.Behaviour) { b.InUserinfo = []string{"staff"} }, 1},
		"all in userinfo": {func(b *providertest.Behaviour) {
			b.InUserinfo = []string{"staff", "realm", "org", "https://example.test/groups"}
		}, 1},
		"in signed userinfo": {func(b *providertest.Behaviour) { b.InUserinfo = []string{"realm", "staff"}; b.SignUserinfo = true }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, logs := mappedScene(t, claims, identity.Organizations{"Acme": "17"})
			s.behave(person)
			s.behave(tc.behave)
			got, err := s.signIn(t)
			if err != nil {
				t.Fatal(err)
			}
			if got.Attributes.Role != identity.Agent {
				t.Errorf("role %q", got.Attributes.Role)
			}
			for attribute, want := range map[string]string{
				"external_id": "12345678901234567890", "groups": "dev", "organizations": "Acme", "organization_ids": "17",
			} {
				if value := strings.Join(got.Changes[attribute], "|"); value != want {
					t.Errorf("%s: %q, want %q", attribute, value, want)
				}
			}
			if len(got.Changes) != 4 {
				t.Errorf("changes: %v", got.Changes)
			}
			if n := s.fetched(providertest.PathUserinfo); n != tc.asked {
				t.Errorf("userinfo was asked %d times", n)
			}
			if lines := logs.All(); len(lines) != 1 || !strings.Contains(lines[0].Message, "cannot be attributes") {
				t.Errorf("the unknown organization is not logged: %v", lines)
			}
		})
	}

	t.Run("without userinfo", func(t *testing.T) {
		s, _ := mappedScene(t, claims, nil)
		s.behave(func(b *providertest.Behaviour) {
			b.Discovery = func(d map[string]any) { delete(d, "userinfo_endpoint") }
		})
		got, err := s.signIn(t)
		if err != nil || len(got.Changes) != 0 || got.Attributes.Role != "" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// TestMappedUserinfoAttacks: userinfo that is asked for no more than an attribute
// is still believed only as one that decides who it is (rule 17).
func TestMappedUserinfoAttacks(t *testing.T) {
	claims := map[string]string{"role": "role"}
	for name, tc := range map[string]struct {
		behave func(*providertest.Behaviour)
		kind   sso.FaultKind
		reason string
	}{
		"about somebody else": {func(b *providertest.Behaviour) {
			b.Userinfo = func(c map[string]any) { c["sub"] = "the-boss" }
		}, sso.FaultSubject, "somebody else"},
		"about nobody": {func(b *providertest.Behaviour) {
			b.Userinfo = func(c map[string]any) { delete(c, "sub") }
		}, sso.FaultToken, "about nobody"},
		"signed for another client": {func(b *providertest.Behaviour) {
			b.SignUserinfo = true
			b.Userinfo = func(c map[string]any) { c["aud"] = "another-client" }
		}, sso.FaultToken, "aud"},
		"signed with somebody else's key": {func(b *providertest.Behaviour) {
			stranger := providertest.NewKey(t, jose.ES256, "key-1")
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/jwt")
				_, _ = w.Write([]byte(stranger.Sign(map[string]any{"sub": "248289761001", "role": "admin"}, nil)))
			}
		}, sso.FaultToken, "signature is wrong"},
		"a role twice": {func(b *providertest.Behaviour) {
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"sub":"248289761001","role":"end-user","role":"admin"}`))
			}
		}, sso.FaultToken, "duplicate"},
		"deeper than anything": {func(b *providertest.Behaviour) {
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"sub":"248289761001","role":` + strings.Repeat("[", 400_000)))
			}
		}, sso.FaultToken, "userinfo"},
		"larger than anything": {func(b *providertest.Behaviour) {
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"sub":"248289761001","role":"` + strings.Repeat("x", 2<<20) + `"}`))
			}
		}, sso.FaultToken, "userinfo"},
		"down": {func(b *providertest.Behaviour) {
			b.Handlers[providertest.PathUserinfo] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		}, sso.FaultUnreachable, "status 502"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := mappedScene(t, claims, nil)
			s.behave(tc.behave)
			_, err := s.signIn(t)
			wantFault(t, err, tc.kind, tc.reason)
		})
	}
}
