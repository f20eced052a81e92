package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// audience returns the words of an audience. Syntax:
//
//	audience <name> {
//		sign_in          choose | redirect <sso>
//		sso              <name>...
//		password         on | off
//		password_change  on | off
//		second_factor    off | optional | required
//		passcode         app | email | sms ...
//		trust_device     off | <duration>
//		roles            <role>...
//		idle_timeout     <duration>
//		session_lifetime <duration>
//		api_password     on | off
//	}
func (p *parser) audience(audience *policy.Audience) words {
	return words{
		"sign_in": {min: 1, max: 2, usage: "choose | redirect <sso>", read: func(at caddyfile.Token, values []caddyfile.Token) error {
			audience.SignIn = values[0].Text
			if len(values) > 1 {
				if audience.SignIn != policy.SignInRedirect {
					return errAt(values[1], "sign_in: only redirect takes the name of an SSO config: found %q", values[1].Text)
				}
				audience.RedirectTo = values[1].Text
			}
			return nil
		}},
		"sso":              anyValues("<name>...", &audience.SSO),
		"password":         oneValue("on | off", &audience.Password),
		"password_change":  oneValue("on | off", &audience.PasswordChange),
		"second_factor":    oneValue("off | optional | required", &audience.SecondFactor),
		"passcode":         anyValues("app | email | sms ...", &audience.Passcode),
		"roles":            anyValues("<role>...", &audience.Roles),
		"idle_timeout":     duration(&audience.IdleTimeout),
		"session_lifetime": duration(&audience.SessionLifetime),
		"trust_device":     durationOrOff(&audience.TrustDevice),
		"api_password":     oneValue("on | off", &audience.APIPassword),
	}
}
