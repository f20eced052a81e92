package policy

import (
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

// How sessions were made.
var (
	byOkta     = Made{SSO: "okta", Role: identity.EndUser}
	byPassword = Made{Role: identity.EndUser}
)

// with changes how a session was made.
func (m Made) with(change func(*Made)) Made { change(&m); return m }

func chose(m *Made)     { m.Factors, m.ChoseFactor = App, true }
func hadTo(m *Made)     { m.Factors = App }
func gave(m *Made)      { m.SecondFactor, m.Factors = App, App }
func agent(m *Made)     { m.Role = identity.Agent }
func admin(m *Made)     { m.Role = identity.Admin }
func nameless(m *Made)  { m.Role = "" }
func elsewhere(m *Made) { m.SSO = "google" }

func TestOpens(t *testing.T) {
	okta := []Provider{ranged("okta", "", "10.0.0.0/8")}
	for _, tc := range []struct {
		name     string
		audience Audience
		assigned []Provider
		made     Made
		want     Verdict
	}{
		{"F4: SSO is never asked for a passcode", Audience{SecondFactor: SecondFactorRequired}, okta, byOkta, Opens},
		{"F4: nor is one who chose a second factor", Audience{SecondFactor: SecondFactorRequired}, okta, byOkta.with(chose), Opens},
		{"SSO config assigned elsewhere", Audience{}, okta, byOkta.with(elsewhere), NeedsSignIn},
		{"SSO where none is assigned", Audience{}, nil, byOkta, NeedsSignIn},
		{"SSO where the password is off", Audience{Password: Off}, okta, byOkta, Opens},
		{"password where it is off", Audience{Password: Off}, okta, byPassword, NeedsSignIn},
		{"password with second factor where it is off", Audience{Password: Off}, okta, byPassword.with(gave), NeedsSignIn},
		{"password next to SSO", Audience{}, okta, byPassword, Opens},
		{"password beside a redirect", Audience{SignIn: SignInRedirect, RedirectTo: "okta"}, okta, byPassword, Opens},

		{"F1: required, not given", Audience{SecondFactor: SecondFactorRequired}, nil, byPassword.with(hadTo), NeedsPasscode},
		{"F1: required, chosen, not given", Audience{SecondFactor: SecondFactorRequired}, nil, byPassword.with(chose), NeedsPasscode},
		{"F2: required, none set up", Audience{SecondFactor: SecondFactorRequired}, nil, byPassword, NeedsEnrollment},
		{"required and given", Audience{SecondFactor: SecondFactorRequired}, nil, byPassword.with(gave), Opens},
		{"F3: optional, none set up", Audience{SecondFactor: SecondFactorOptional}, nil, byPassword, Opens},
		{"F3: optional, chosen", Audience{SecondFactor: SecondFactorOptional}, nil, byPassword.with(chose), NeedsPasscode},
		{"F3: optional, chosen and given", Audience{SecondFactor: SecondFactorOptional}, nil, byPassword.with(chose).with(gave), Opens},
		{"optional is the default", Audience{}, nil, byPassword.with(chose), NeedsPasscode},
		{"F8: turned down to optional, set up when required", Audience{SecondFactor: SecondFactorOptional}, nil, byPassword.with(hadTo), Opens},
		{"F8: turned off, set up when required", Audience{SecondFactor: Off}, nil, byPassword.with(hadTo), Opens},
		{"F8: turned off, chosen", Audience{SecondFactor: Off}, nil, byPassword.with(chose), NeedsPasscode},
		{"F8: turned off, chosen and given", Audience{SecondFactor: Off}, nil, byPassword.with(chose).with(gave), Opens},

		{"role belongs", Audience{Roles: []string{"agent", "admin"}}, nil, byPassword.with(admin), Opens},
		{"role does not belong", Audience{Roles: []string{"agent", "admin"}}, nil, byPassword, NotMember},
		{"a higher role is another role", Audience{Roles: []string{"end-user"}}, nil, byPassword.with(admin), NotMember},
		{"no role", Audience{Roles: []string{"end-user"}}, nil, byPassword.with(nameless), NotMember},
		{"no way in helps one who does not belong", Audience{Roles: []string{"agent"}}, okta, byOkta.with(elsewhere), NotMember},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := door(t, tc.audience, tc.assigned...).Opens(tc.made); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	if (Verdict(0)) == Opens {
		t.Error("a verdict nobody gave opens")
	}
}

func TestEveryDoorRequires(t *testing.T) {
	required := door(t, Audience{SecondFactor: SecondFactorRequired})
	optional := door(t, Audience{})
	agents := door(t, Audience{Roles: []string{"agent"}})
	sso := door(t, Audience{Password: Off}, ranged("okta", ""))
	for _, tc := range []struct {
		name  string
		doors map[string]*Door
		role  identity.Role
		want  bool
	}{
		{"every one does", map[string]*Door{"a": required}, identity.EndUser, true},
		{"one does not", map[string]*Door{"a": required, "b": optional}, identity.EndUser, false},
		{"the one that does not is for others", map[string]*Door{"a": required, "b": agents}, identity.EndUser, true},
		{"the one that does not is for them", map[string]*Door{"a": required, "b": agents}, identity.Agent, false},
		{"the one that does not takes no passwords", map[string]*Door{"a": required, "b": sso}, identity.EndUser, true},
		{"none takes passwords", map[string]*Door{"b": sso}, identity.EndUser, false},
		{"none is open to them", map[string]*Door{"b": agents}, identity.EndUser, false},
		{"none at all", nil, identity.EndUser, false},
	} {
		if got := EveryDoorRequires(tc.doors, tc.role); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestStrictest(t *testing.T) {
	doors := map[string]*Door{
		"customers": door(t, Audience{}),
		"team":      door(t, Audience{SecondFactor: SecondFactorRequired, Roles: []string{"agent", "admin"}}, ranged("okta", "")),
		"board":     door(t, Audience{Password: Off, Roles: []string{"admin"}}, ranged("google", "")),
	}
	for _, tc := range []struct {
		name string
		made Made
		want Verdict
	}{
		{"one audience asks for nothing", byPassword, Opens},
		{"one of two requires a second factor", byPassword.with(agent), NeedsEnrollment},
		{"which is set up", byPassword.with(agent).with(hadTo), NeedsPasscode},
		{"which is given", byPassword.with(agent).with(gave), Opens},
		{"one that takes no passwords has nothing to ask", byPassword.with(admin).with(gave), Opens},
		{"SSO of one of them", byOkta.with(agent), Opens},
		{"SSO of an audience for others", byOkta, NeedsSignIn},
		{"SSO of none", byOkta.with(agent).with(func(m *Made) { m.SSO = "github" }), NeedsSignIn},
	} {
		if got := Strictest(doors, tc.made); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
	delete(doors, "customers")
	if got := Strictest(doors, byPassword); got != NotMember {
		t.Errorf("no audience is theirs: got %v, want %v", got, NotMember)
	}
}

func BenchmarkOpens(b *testing.B) {
	d := door(b, Audience{SecondFactor: SecondFactorRequired, Roles: []string{"agent", "end-user"}}, ranged("entra", "Entra"), ranged("okta", "Okta"))
	for name, made := range map[string]Made{"sso": byOkta, "password": byPassword.with(gave)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Opens(made)
			}
		})
	}
}

func TestOffersNewPassword(t *testing.T) {
	okta := Provider{Name: "okta"}
	doors := func(audiences ...Audience) map[string]*Door {
		m := make(map[string]*Door)
		for i, a := range audiences {
			var assigned []Provider
			if a.SSO != nil {
				assigned, a.SSO = []Provider{okta}, nil
			}
			m[string(rune('a'+i))] = door(t, a, assigned...)
		}
		return m
	}
	agents := []string{"agent"}
	for _, tc := range []struct {
		name        string
		doors       map[string]*Door
		hasPassword bool
		sso         []string
		want        bool
	}{
		{"a password", doors(Audience{}), true, nil, true},
		{"invited and never set one", doors(Audience{}), false, nil, true},
		{"no passwords there", doors(Audience{Password: Off, SSO: []string{"okta"}}), true, nil, false},
		{"changing is off", doors(Audience{PasswordChange: Off}), true, nil, false},
		{"off in one of two", doors(Audience{PasswordChange: Off}, Audience{}), true, nil, true},
		{"another role's audience", doors(Audience{Roles: agents}), true, nil, false},
		{"only ever through a provider that still serves", doors(Audience{SSO: []string{"okta"}}), false, []string{"okta"}, false},
		{"only ever through one that serves no more", doors(Audience{}), false, []string{"okta"}, true},
		{"through one that serves others", doors(Audience{}, Audience{Roles: agents, SSO: []string{"okta"}}), false, []string{"okta"}, true},
		{"a provider and a password", doors(Audience{SSO: []string{"okta"}}), true, []string{"okta"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := OffersNewPassword(tc.doors, identity.EndUser, tc.hasPassword, tc.sso); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
