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
//		client_auth   client_secret_basic | client_secret_post
//		client_auth   private_key_jwt <key file> [issuer | endpoint]
//		scopes        <scope>...
//		mode          pkce | code
//		pushed_requests on | off
//		admit         any | existing | <mail domain>...
//		trust_email
//		link          verified_email
//		ip_ranges     <CIDR or address>...
//		button        <label>
//		discovery     on | off
//		endpoints {
//			authorization <url>
//			token         <url>
//			userinfo      <url>
//			jwks          <url>
//			end_session   <url>
//		}
//		claims {
//			<attribute> <claim>
//		}
//		max_role      end-user | agent | admin
//		revalidate    <duration>
//	}
//
// and the words of later.go. issuer, client_id and admit are required; so are
// endpoints, all of them but end_session, with discovery off. part is the name
// of the object in messages.
func (p *parser) sso(part string, config *sso.Config) words {
	secret := oneValue("{env.NAME}", &config.ClientSecret)
	secret.hint = secretHint
	return words{
		"issuer":          oneValue("<url>", &config.Issuer),
		"client_id":       oneValue("<id>", &config.ClientID),
		"client_secret":   secret,
		"client_auth":     clientAuth(config),
		"scopes":          anyValues("<scope>...", &config.Scopes),
		"mode":            oneValue("pkce | code", &config.Mode),
		"pushed_requests": oneValue("on | off", &config.PushedRequests),
		"admit":           anyValues("any | existing | <mail domain>...", &config.Admit),
		"trust_email":     noValue(&config.TrustEmail),
		"ip_ranges":       anyValues("<CIDR or address>...", &config.IPRanges),
		"button":          oneValue("<label>", &config.Button),
		"max_role":        oneValue("end-user | agent | admin", &config.MaxRole),

		"discovery": oneValue("on | off", &config.Discovery),
		"endpoints": p.endpoints(part, config),

		"claims":     p.claims(part, config),
		"link":       oneValue("verified_email", &config.Link),
		"revalidate": duration(&config.Revalidate),
	}
}

// endpoints is the word endpoints of an SSO config.
func (p *parser) endpoints(part string, config *sso.Config) word {
	return word{block: true, read: func(caddyfile.Token, []caddyfile.Token) error {
		config.Endpoints = new(sso.Endpoints)
		return p.block([]string{part, "endpoints"}, words{
			"authorization": oneValue("<url>", &config.Endpoints.Authorization),
			"token":         oneValue("<url>", &config.Endpoints.Token),
			"userinfo":      oneValue("<url>", &config.Endpoints.Userinfo),
			"jwks":          oneValue("<url>", &config.Endpoints.JWKS),
			"end_session":   oneValue("<url>", &config.Endpoints.EndSession),
		})
	}}
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

// clientAuth is the word client_auth of an SSO config: how the client says who
// it is, and with what.
func clientAuth(config *sso.Config) word {
	const usage = "client_secret_basic | client_secret_post | private_key_jwt <key file> [issuer | endpoint]"
	return word{min: 1, max: 3, usage: usage, read: func(at caddyfile.Token, values []caddyfile.Token) error {
		switch config.ClientAuth = sso.ClientAuth(values[0].Text); {
		case config.ClientAuth == sso.AuthPrivateKey:
			if len(values) < 2 {
				return errAt(at, "client_auth: a value is missing: client_auth private_key_jwt <key file> [issuer | endpoint]")
			}
			config.ClientKey = values[1].Text
			if len(values) > 2 {
				config.ClientKeyAudience = sso.Audience(values[2].Text)
			}
		case len(values) > 1:
			// The value is not told: it may be a secret.
			return errAt(values[1], "client_auth: %s takes no further value: the secret is client_secret", values[0].Text)
		}
		return nil
	}}
}
