package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

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
//		claims {
//			<attribute> <claim>
//		}
//		max_role      end-user | agent | admin
//	}
//
// and the words of later.go. issuer, client_id and admit are required.
// part is the name of the object in messages.
func (p *parser) sso(part string, config *sso.Config) words {
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
		"claims":     p.claims(part, config),
		"link":       laterOneOf("verified_email"),
		"revalidate": laterDuration(),
	}
}

// claims is the word claims of an SSO config.
func (p *parser) claims(part string, config *sso.Config) word {
	return word{block: true, read: func(caddyfile.Token, []caddyfile.Token) error {
		config.Claims = make(map[string]string)
		return p.block([]string{part, "claims"}, words{
			anyWord: {min: 1, max: 1, usage: "<claim>", read: func(at caddyfile.Token, values []caddyfile.Token) error {
				config.Claims[at.Text] = values[0].Text
				return nil
			}},
		})
	}}
}
