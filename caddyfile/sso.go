package caddyfile

import (
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
)

// sso returns the words of an SSO config. Syntax:
//
//	sso <name> {
//		issuer        <url>
//		client_id     <id>
//		client_secret <placeholder>
//		scopes        <scope>...
//		mode          pkce | code
//		admit         any | existing | <mail domain>...
//		trust_email
//		ip_ranges     <CIDR or address>...
//		button        <label>
//		discovery     on
//		max_role      end-user | agent | admin
//	}
//
// and the words of later.go. issuer, client_id and admit are required.
func (p *parser) sso(config *sso.Config) words {
	secret := oneValue("{env.NAME}", &config.ClientSecret)
	secret.hint = secretHint
	return words{
		"issuer":        oneValue("<url>", &config.Issuer),
		"client_id":     oneValue("<id>", &config.ClientID),
		"client_secret": secret,
		"scopes":        anyValues("<scope>...", &config.Scopes),
		"mode":          oneValue("pkce | code", &config.Mode),
		"admit":         anyValues("any | existing | <mail domain>...", &config.Admit),
		"trust_email":   noValue(&config.TrustEmail),
		"ip_ranges":     anyValues("<CIDR or address>...", &config.IPRanges),
		"button":        oneValue("<label>", &config.Button),
		"max_role":      oneValue("end-user | agent | admin", &config.MaxRole),

		"discovery":  laterUnless("on", "on | off"),
		"endpoints":  p.laterEndpoints(),
		"claims":     p.laterClaims(),
		"link":       laterOneOf("verified_email"),
		"revalidate": laterDuration(),
	}
}
