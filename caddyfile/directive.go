package caddyfile

import (
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/auth-gateway/caddy-auth-gateway/module"
)

func init() {
	httpcaddyfile.RegisterDirective(name, parseDirective)

	// The gateway sees the address as it came: redirects, rewrites and
	// try_files happen behind the gate.
	httpcaddyfile.RegisterDirectiveOrder(name, httpcaddyfile.Before, "redir")
}

// parseDirective reads the directive. Syntax:
//
//	auth_gateway [<audience>] {
//		audience  <name> <path>...
//		public    <path>...
//		api       <path>...
//		allow     <attribute> <value>...
//		deny      <attribute> <value>...
//		origin    <url>...
//		headers   remote | x_forwarded | x_auth_request | none
//		header    <Header-Name> <attribute>
//		assertion [<aud>]
//	}
//
// and the word console, which is not available yet. It takes no matcher: a
// matcher would leave the rest of the site unguarded.
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	p := &parser{Dispenser: h.Dispenser, places: newPlaces()}
	p.Next() // the name of the directive
	at := p.Token()

	gateway := new(module.Gateway)
	arguments := p.RemainingArgsAsTokens()
	for _, argument := range arguments {
		if argument.Text == "*" || strings.HasPrefix(argument.Text, "/") || strings.HasPrefix(argument.Text, "@") {
			return nil, errAt(argument, "auth_gateway takes no matcher, and %q looks like one: it guards the whole block it stands in; "+
				"write `public <path>...` for paths that need no sign-in, `audience <name> <path>...` for paths of other people", argument.Text)
		}
	}
	switch {
	case len(arguments) > 1:
		return nil, errAt(arguments[1], "auth_gateway takes the name of one audience: write `audience %s <path>...` for paths of another", arguments[1].Text)
	case len(arguments) == 1 && arguments[0].Text == "":
		return nil, errAt(arguments[0], "the name of the audience is empty")
	case len(arguments) == 1:
		gateway.Audience = arguments[0].Text
	}
	p.places.note([]string{name}, at, arguments)

	if err := checkSite(h); err != nil {
		return nil, err
	}
	if err := p.block(nil, p.directiveWords(gateway)); err != nil {
		return nil, err
	}
	app := new(module.App)
	if option, ok := h.Option(name).(httpcaddyfile.App); ok {
		if err := json.Unmarshal(option.Value, app); err != nil {
			return nil, err
		}
	}
	if err := p.places.first(p.places.settled(gateway.Check(app))); err != nil {
		return nil, err
	}
	if app.Portal != "" && len(gateway.Origins) == 0 {
		if err := checkNamed(h, at); err != nil {
			return nil, err
		}
	}
	return h.NewRoute(nil, gateway), nil
}

func (p *parser) directiveWords(gateway *module.Gateway) words {
	return words{
		"audience": {min: 2, max: -1, usage: "<name> <path>...", repeats: true,
			read: func(at caddyfile.Token, values []caddyfile.Token) error {
				if gateway.AudiencePaths == nil {
					gateway.AudiencePaths = make(map[string]string)
				}
				for _, path := range values[1:] {
					for earlier, audience := range gateway.AudiencePaths {
						if strings.EqualFold(earlier, path.Text) {
							return errAt(path, "audience: %s is there twice, first as %s for %s; case does not count here", path.Text, earlier, audience)
						}
					}
					gateway.AudiencePaths[path.Text] = values[0].Text
					p.places.note([]string{"audience " + path.Text}, values[0], []caddyfile.Token{path})
				}
				return nil
			}},
		"public":  anyValues("<path>...", &gateway.Public),
		"api":     anyValues("<path>...", &gateway.API),
		"allow":   p.rule(&gateway.Allow),
		"deny":    p.rule(&gateway.Deny),
		"origin":  anyValues("<url>...", &gateway.Origins),
		"headers": oneValue("remote | x_forwarded | x_auth_request | none", &gateway.Headers),
		"header": {min: 2, max: 2, usage: "<Header-Name> <attribute>", repeats: true,
			read: func(at caddyfile.Token, values []caddyfile.Token) error {
				if gateway.ExtraHeaders == nil {
					gateway.ExtraHeaders = make(map[string]string)
				}
				header := values[0].Text
				for earlier := range gateway.ExtraHeaders {
					if strings.EqualFold(earlier, header) {
						return errAt(values[0], "header: %s is there twice", header)
					}
				}
				gateway.ExtraHeaders[header] = values[1].Text
				p.places.note([]string{"header " + header}, values[0], values[1:])
				return nil
			}},

		"assertion": {max: 1, usage: "[<aud>]", read: func(_ caddyfile.Token, values []caddyfile.Token) error {
			gateway.Assertion = new(module.Assertion)
			if len(values) > 0 {
				gateway.Assertion.Audience = values[0].Text
			}
			return nil
		}},

		"console": laterAfter(0, 0, "", nil),
	}
}

// rule is the word allow or deny. Each line is a rule of its own.
func (p *parser) rule(rules *[]module.AttributeRule) word {
	return word{min: 2, max: -1, usage: "<attribute> <value>...", repeats: true,
		read: func(at caddyfile.Token, values []caddyfile.Token) error {
			rule := module.AttributeRule{Attribute: values[0].Text}
			for _, value := range values[1:] {
				rule.Values = append(rule.Values, value.Text)
			}
			*rules = append(*rules, rule)
			return nil
		}}
}
