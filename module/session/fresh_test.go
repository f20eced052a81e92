package session

import (
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Who has shown a moment ago that it is them, and who has shown it with a
// password.
func TestFresh(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 5, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	app := policy.Method("app")
	for _, tc := range []struct {
		name            string
		session         store.Session
		factors         policy.Methods
		fresh, password bool
	}{
		{"a password a moment ago", store.Session{SignedInAt: ago(FreshSignIn)}, 0, true, true},
		{"a password too long ago", store.Session{SignedInAt: ago(FreshSignIn + 1)}, 0, false, false},
		{"a password without the passcode", store.Session{SignedInAt: now}, app, false, false},
		{"with a passcode", store.Session{SignedInAt: now, SecondFactor: store.MethodApp, SecondFactorAt: now}, app, true, true},
		{"in a trusted browser", store.Session{SignedInAt: now, SecondFactor: store.MethodApp, SecondFactorAt: now, Trusted: true}, app, false, false},
		{"through a provider that does not say when it asked", store.Session{SSO: "okta", SignedInAt: now}, 0, false, false},
		{"through one that asked hours ago", store.Session{SSO: "okta", SignedInAt: now, ProvedAt: ago(3 * time.Hour)}, 0, false, false},
		{"through one that asked a moment ago", store.Session{SSO: "okta", SignedInAt: now, ProvedAt: ago(FreshSignIn)}, 0, true, false},
		{"through one, with a second factor here that it is not asked for", store.Session{SSO: "okta", SignedInAt: now, ProvedAt: now}, app, true, false},
		{"through one, too long ago", store.Session{SSO: "okta", SignedInAt: ago(FreshSignIn), ProvedAt: ago(FreshSignIn + 1)}, 0, false, false},
		{"a password too long ago, whatever a provider said", store.Session{SignedInAt: ago(time.Hour), ProvedAt: now}, 0, false, false},
	} {
		live := &Live{Session: tc.session, Factors: tc.factors}
		if fresh, password := live.FreshAnyWay(now), live.Fresh(now); fresh != tc.fresh || password != tc.password {
			t.Errorf("%s: fresh %t, with a password %t", tc.name, fresh, password)
		}
	}
}
