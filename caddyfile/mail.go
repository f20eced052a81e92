package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/auth-gateway/caddy-auth-gateway/module"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
)

// mail returns the word of the mail server. Syntax:
//
//	mail smtp <host:port> {
//		from        <address>
//		username    <name>
//		password    <placeholder>
//		tls         starttls | implicit | off
//		invitations on | off
//	}
func (p *parser) mail(app *module.App) word {
	return word{min: 2, max: 2, usage: "smtp <host:port>", block: true,
		read: func(at caddyfile.Token, values []caddyfile.Token) error {
			if values[0].Text != "smtp" {
				return unknown(values[0], "kind of mail", []string{"smtp"})
			}
			app.Mail = &deliver.MailConfig{Server: values[1].Text}
			p.places.note([]string{"mail", "server"}, at, values[1:])
			password := oneValue("{env.NAME}", &app.Mail.Password)
			password.hint = secretHint
			return p.block([]string{"mail"}, words{
				"from":     oneValue("<address>", &app.Mail.From),
				"username": oneValue("<name>", &app.Mail.Username),
				"password": password,
				"tls":      oneValue("starttls | implicit | off", &app.Mail.TLS),
				"invitations": {min: 1, max: 1, usage: "on | off", read: func(_ caddyfile.Token, values []caddyfile.Token) error {
					switch values[0].Text {
					case "on", "off":
						app.Mail.Invitations = new(values[0].Text == "on")
						return nil
					}
					return unknown(values[0], "value of invitations", []string{"on", "off"})
				}},
			})
		}}
}
