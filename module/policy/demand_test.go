package policy

import (
	"slices"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

const month = caddy.Duration(30 * 24 * time.Hour)

func trusted(m *Made)   { m.Trusted = true }
func byMail(m *Made)    { m.SecondFactor, m.Factors = Email, m.Factors|Email }
func recovered(m *Made) { m.SecondFactor = Recovery }
func hasMail(m *Made)   { m.Factors |= Email }
func hasApp(m *Made)    { m.Factors |= App }

// Which methods count, and where browsers may be trusted.
func TestDemand(t *testing.T) {
	required := func(passcode ...string) Audience {
		return Audience{SecondFactor: SecondFactorRequired, Passcode: passcode}
	}
	trusting := func(a Audience) Audience { a.TrustDevice = month; return a }
	for _, tc := range []struct {
		name     string
		audience Audience
		made     Made
		want     Verdict
	}{
		{"a method that counts", required("app", "email"), byPassword.with(byMail), Opens},
		{"a method that does not count, beside one that does", required("app"), byPassword.with(byMail).with(hasApp), NeedsPasscode},
		{"a method that does not count, and no other: shown first", required("app"), byPassword.with(hasMail), NeedsPasscode},
		{"then one that counts is set up", required("app"), byPassword.with(byMail), NeedsEnrollment},
		{"no factor, though a passcode was given once", required("app"), Made{SecondFactor: App}, NeedsEnrollment},
		{"a recovery code stands in for one that counts", required("app"), byPassword.with(hasApp).with(recovered), Opens},
		{"and not for one that does not", required("app"), byPassword.with(hasMail).with(recovered), NeedsEnrollment},
		{"where none is required, any of the person's counts", Audience{Passcode: []string{"app"}}, byPassword.with(byMail).with(choice), Opens},

		{"trusted where browsers are", trusting(required("app")), byPassword.with(gave).with(trusted), Opens},
		{"trusted where none is", required("app"), byPassword.with(gave).with(trusted), NeedsPasscode},
		{"trusted by a method that does not count", trusting(required("app")), byPassword.with(byMail).with(hasApp).with(trusted), NeedsPasscode},
		{"trusted by choice where none is", Audience{}, byPassword.with(gave).with(choice).with(trusted), NeedsPasscode},
		{"trusted by choice where browsers are", trusting(Audience{}), byPassword.with(gave).with(choice).with(trusted), Opens},
		{"trusted where nothing is asked", Audience{SecondFactor: Off}, byPassword.with(gave).with(trusted), Opens},
		{"an SSO session is asked for nothing", required("app"), byOkta.with(trusted), Opens},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := door(t, tc.audience, ranged("okta", "")).Opens(tc.made); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func choice(m *Made) { m.ChoseFactor = true }

// Whatever the passcode page asks for lets in what it asks for, or leads on to
// the wizard: nobody goes round in circles.
func TestAsksWhatCounts(t *testing.T) {
	all := []Methods{App, Email, SMS}
	for _, passcode := range [][]string{{"app"}, {"email"}, {"sms"}, {"app", "email"}, {"app", "email", "sms"}} {
		for _, second := range []string{Off, SecondFactorOptional, SecondFactorRequired} {
			for _, trust := range []caddy.Duration{0, month} {
				d := door(t, Audience{SecondFactor: second, Passcode: passcode, TrustDevice: trust})
				for factors := Methods(0); factors < Recovery; factors++ {
					for _, chose := range []bool{true, false} {
						m := Made{Factors: factors, ChoseFactor: chose && factors != 0}
						if d.Opens(m) != NeedsPasscode {
							continue
						}
						asks := d.Demand().Asks(factors)
						if asks == 0 || asks&^factors != 0 {
							t.Fatalf("%s %v asks %b of %b", second, passcode, asks, factors)
						}
						for _, method := range append(all, Recovery) {
							if method != Recovery && !asks.Has(method) {
								continue
							}
							m.SecondFactor = method
							want := Opens
							if d.Demand().Missing(factors) {
								want = NeedsEnrollment
							}
							if got := d.Opens(m); got != want {
								t.Errorf("%s %v trust %v: %b of %b, chosen %t: got %v, want %v", second, passcode, trust, method, factors, m.ChoseFactor, got, want)
							}
						}
					}
				}
			}
		}
	}
}

func TestStrictestDemand(t *testing.T) {
	doors := map[string]*Door{
		"customers": door(t, Audience{TrustDevice: 2 * month}),
		"team":      door(t, Audience{SecondFactor: SecondFactorRequired, Passcode: []string{"email"}, TrustDevice: month, Roles: []string{"agent", "admin"}}),
		"board":     door(t, Audience{SecondFactor: SecondFactorRequired, Passcode: []string{"sms", "email"}, Roles: []string{"admin"}}),
		"partners":  door(t, Audience{Password: Off, SecondFactor: SecondFactorRequired, Passcode: []string{"app"}}, ranged("okta", "")),
		"silent":    door(t, Audience{SecondFactor: Off, Passcode: []string{"sms"}, Roles: []string{"end-user"}, TrustDevice: month}),
	}
	for _, tc := range []struct {
		role     identity.Role
		required bool
		offered  []string
		trust    time.Duration
	}{
		{identity.EndUser, false, []string{"app"}, time.Duration(month)},
		{identity.Agent, true, []string{"email"}, time.Duration(month)},
		{identity.Admin, true, []string{"sms", "email"}, 0},
	} {
		got := StrictestDemand(doors, tc.role)
		if got.Required != tc.required || !slices.Equal(got.Offered, tc.offered) || got.TrustDevice != tc.trust {
			t.Errorf("%s: %+v", tc.role, got)
		}
	}
	// Two audiences that have no method in common do not lock anyone out.
	one, other := door(t, Audience{SecondFactor: SecondFactorRequired, Passcode: []string{"app"}}), door(t, Audience{SecondFactor: SecondFactorRequired, Passcode: []string{"email"}})
	disjoint := map[string]*Door{"one": one, "other": other}
	if got := Strictest(disjoint, byPassword.with(byMail)); got != Opens {
		t.Errorf("got %v", got)
	}
	if got := Strictest(map[string]*Door{"off": door(t, Audience{SecondFactor: Off})}, byPassword.with(gave)); got != Opens {
		t.Errorf("got %v", got)
	}
	if demand := StrictestDemand(map[string]*Door{"off": door(t, Audience{SecondFactor: Off})}, identity.EndUser); demand.Offered != nil {
		t.Errorf("off offers %v", demand.Offered)
	}
}
