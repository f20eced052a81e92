package caddyfile

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/auth-gateway/caddy-auth-gateway/module"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
)

// sms returns the word of the service for text messages. Syntax:
//
//	sms webhook <url> {
//		header <name> <value>
//		body   <template>
//	}
//
// What is filled in for each message, {phone}, {phone_digits}, {code} and {text}
// in the body, are no placeholders of Caddy's.
func (p *parser) sms(app *module.App) word {
	return word{min: 2, max: 2, usage: "webhook <url>", block: true,
		read: func(at caddyfile.Token, values []caddyfile.Token) error {
			if values[0].Text != "webhook" {
				return unknown(values[0], "kind of sms", []string{"webhook"})
			}
			app.SMS = &deliver.SMSConfig{Webhook: values[1].Text}
			p.places.note([]string{"sms", "webhook"}, at, values[1:])
			body := oneValue("<template>", &app.SMS.Body)
			body.hint = "; backquotes around it keep the quotes in it"
			return p.block([]string{"sms"}, words{
				"header": {min: 2, max: 2, usage: "<name> <value>", repeats: true, hint: secretHint, read: p.smsHeader(app.SMS)},
				"body":   body,
			})
		}}
}

func (p *parser) smsHeader(config *deliver.SMSConfig) func(caddyfile.Token, []caddyfile.Token) error {
	return func(_ caddyfile.Token, values []caddyfile.Token) error {
		name := values[0].Text
		for earlier := range config.Headers {
			if strings.EqualFold(earlier, name) {
				return errAt(values[0], "sms: header %s is there twice", name)
			}
		}
		if config.Headers == nil {
			config.Headers = make(map[string]string)
		}
		config.Headers[name] = values[1].Text
		p.places.note([]string{"sms", "header " + name}, values[0], values[1:])
		return nil
	}
}
