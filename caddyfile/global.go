package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/auth-gateway/caddy-auth-gateway/module"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
)

// name is what the directive, the global option and the app are called.
const name = "auth_gateway"

func init() {
	httpcaddyfile.RegisterGlobalOption(name, parseGlobal)
}

// parseGlobal reads the global option. Syntax:
//
//	auth_gateway {
//		store    sqlite [<path>]
//		secret   <placeholder> [<older placeholder>...]
//		portal   <url>
//		language <tag>
//		mail smtp <host:port> {
//			...
//		}
//		sms webhook <url> {
//			...
//		}
//		brand {
//			name   <text>
//			logo   <file>
//			accent <colour>
//		}
//		organizations {
//			<name> [<external id>]
//		}
//		sso <name> {
//			...
//		}
//		audience <name> {
//			...
//		}
//	}
//
// <placeholder> is {env.NAME} or {file.PATH}. See
// parser.mail, parser.sms, parser.sso and parser.audience for what they hold.
func parseGlobal(d *caddyfile.Dispenser, existing any) (any, error) {
	p := &parser{Dispenser: d, places: newPlaces()}
	p.Next() // the name of the option
	at := p.Token()
	if existing != nil {
		return nil, errAt(at, "there is a second global auth_gateway block: put everything into one")
	}
	if p.NextArg() {
		return nil, p.Errf("the global auth_gateway takes no value: found %q", p.Val())
	}

	app := new(module.App)
	if err := p.block(nil, p.globalWords(app)); err != nil {
		return nil, err
	}
	mistakes := append(app.CheckSecrets(), p.places.settled(app.Check())...)
	if err := p.places.first(mistakes); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: name, Value: caddyconfig.JSON(app, nil)}, nil
}

// secretHint is told where a secret is missing.
const secretHint = "; {$NAME} of a variable that is not set leaves nothing behind, {env.NAME} is read when the configuration is loaded"

func (p *parser) globalWords(app *module.App) words {
	secret := anyValues("{env.NAME} [<older secret>...]", &app.Secrets)
	secret.hint = secretHint
	known := words{
		"store":    p.store(app),
		"mail":     p.mail(app),
		"sms":      p.sms(app),
		"secret":   secret,
		"portal":   oneValue("<url>", &app.Portal),
		"language": oneValue("<tag>", &app.Language),
		"brand": {block: true, read: func(caddyfile.Token, []caddyfile.Token) error {
			accent := oneValue("<colour>", &app.Brand.Accent)
			accent.hint = `; a colour that begins with # must be in quotes, "#1a73e8", since # begins a comment`
			return p.block([]string{"brand"}, words{
				"name":   oneValue("<text>", &app.Brand.Name),
				"logo":   oneValue("<file>", &app.Brand.Logo),
				"accent": accent,
			})
		}},
		"organizations": {block: true, read: func(caddyfile.Token, []caddyfile.Token) error {
			app.Organizations = make(identity.Organizations)
			return p.block([]string{"organizations"}, words{
				anyWord: {max: 1, usage: "[<external id>]", read: func(at caddyfile.Token, values []caddyfile.Token) error {
					app.Organizations[at.Text] = ""
					if len(values) > 0 {
						app.Organizations[at.Text] = values[0].Text
					}
					return nil
				}},
			})
		}},
		"sso": {min: 1, max: 1, usage: "<name>", repeats: true, block: true,
			read: func(at caddyfile.Token, values []caddyfile.Token) error {
				if app.SSO == nil {
					app.SSO = make(map[string]*sso.Config)
				}
				config := new(sso.Config)
				return object(p, at, values[0], app.SSO, config, p.sso(at.Text+" "+values[0].Text, config))
			}},
		"audience": {min: 1, max: 1, usage: "<name>", repeats: true, block: true,
			read: func(at caddyfile.Token, values []caddyfile.Token) error {
				if app.Audiences == nil {
					app.Audiences = make(map[string]*policy.Audience)
				}
				audience := new(policy.Audience)
				return object(p, at, values[0], app.Audiences, audience, p.audience(audience))
			}},
	}
	return known
}

// store sqlite [<path>]
func (p *parser) store(app *module.App) word {
	return word{min: 1, max: 2, usage: "sqlite [<path>]", read: func(at caddyfile.Token, values []caddyfile.Token) error {
		switch values[0].Text {
		case "sqlite":
			app.Store.Driver = "sqlite"
			if len(values) > 1 {
				app.Store.Path = values[1].Text
			}
			return nil
		case "postgres":
			return laterPostgres(at, values)
		default:
			return unknown(values[0], "kind of store", []string{"sqlite", "postgres"})
		}
	}}
}

// object reads a named block and keeps what it describes under its name.
func object[T any](p *parser, kind, name caddyfile.Token, into map[string]*T, what *T, known words) error {
	part := kind.Text + " " + name.Text
	if _, twice := into[name.Text]; twice {
		return errAt(name, "%s is there twice", part)
	}
	into[name.Text] = what
	p.places.note([]string{part}, name, nil)
	return p.block([]string{part}, known)
}
