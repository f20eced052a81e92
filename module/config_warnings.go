package module

import (
	"slices"
	"strings"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// Warnings reports what works, but hardly as it was meant. It looks at the
// configuration before defaults are filled in: only what is written can be meant
// otherwise.
func (a *App) Warnings() (odd mistake.List) {
	assigned := make(map[string]time.Duration) // how long its sessions last at most
	for _, audience := range a.Audiences {
		lifetime := time.Duration(audience.SessionLifetime)
		if lifetime == 0 {
			lifetime = policy.DefaultSessionLifetime
		}
		for _, name := range audience.SSO {
			assigned[name] = max(assigned[name], lifetime)
		}
	}
	for name := range sorted(a.SSO) {
		lifetime, ok := assigned[name]
		if !ok {
			odd.Addf("sso "+name, "is assigned to no audience and therefore inactive: add `sso %s` to an audience", name)
		} else if every := time.Duration(a.SSO[name].Revalidate); every*3/4 >= lifetime {
			odd.Addf("sso "+name, "revalidate never asks about anybody: sessions end before, after %s at most", lifetime)
		}
		odd.Within("sso "+name, a.SSO[name].Warnings())
	}
	for name, audience := range sorted(a.Audiences) {
		target := a.SSO[audience.RedirectTo]
		if target != nil && len(target.IPRanges) > 0 &&
			audience.Password != policy.Off && audience.SecondFactor != policy.SecondFactorRequired {
			odd.Addf("audience "+name, "redirects to %s, which has ip_ranges: everyone outside them meets the password form, "+
				"without a required second factor; set `second_factor required` or `password off`", audience.RedirectTo)
		}
		odd.Within("audience "+name, withoutEffect(audience))
	}
	if a.SMS != nil {
		odd.Within("sms", a.SMS.Warnings())
		if a.nobodyIsTexted() {
			odd.Addf("sms", "is offered to nobody: no audience has sms among its passcodes")
		}
	}
	return odd
}

// withoutEffect reports words of an audience that others leave without effect.
func withoutEffect(audience *policy.Audience) (odd mistake.List) {
	if audience.Password == policy.Off {
		var idle []string
		for _, word := range []struct {
			name  string
			given bool
		}{
			{"second_factor", audience.SecondFactor != "" && audience.SecondFactor != policy.Off},
			{"passcode", len(audience.Passcode) > 0},
			{"trust_device", audience.TrustDevice > 0},
			{"api_password", audience.APIPassword == policy.On},
		} {
			if word.given {
				idle = append(idle, word.name)
			}
		}
		if len(idle) > 0 {
			odd.Addf("password", "is off, which leaves %s without effect: passcodes are asked for after a password, never after SSO",
				strings.Join(idle, ", "))
		}
		return odd
	}
	if audience.SecondFactor == policy.Off && len(audience.Passcode) > 0 {
		// Who has set up a second factor by choice is still asked, whatever
		// its method, so trust_device keeps its effect.
		odd.Addf("passcode", "has no effect where second_factor is off: nobody is offered to set one up")
	}
	if audience.SecondFactor == policy.SecondFactorRequired && audience.APIPassword == policy.On {
		odd.Addf("api_password", "lets nobody in where second_factor is required: it is refused to everyone to whom a second factor applies")
	}
	return odd
}

// nobodyIsTexted reports whether every audience leaves text messages out.
func (a *App) nobodyIsTexted() bool {
	for _, audience := range a.Audiences {
		if len(audience.Passcode) == 0 || slices.Contains(audience.Passcode, policy.SMSName) {
			return false
		}
	}
	return len(a.Audiences) > 0
}
