package module

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
)

func init() {
	caddy.RegisterModule(new(Gateway))
}

// Gateway stands in a route, in front of one protected app. Everything behind
// it in the route is reached only by people who have signed in.
//
// The placeholders {env.NAME} and {file.PATH} in paths, values and origins are
// resolved when the configuration is loaded.
type Gateway struct {
	// Audience is who signs in here. Required when several audiences are
	// configured.
	Audience string `json:"audience,omitempty"`

	// AudiencePaths are paths that belong to another audience: path pattern
	// to audience name. A pattern is a path, or a prefix that ends in "*";
	// the longest one wins; case does not count.
	AudiencePaths map[string]string `json:"audience_paths,omitempty"`

	// Public are path patterns that need no sign-in. Identity headers are
	// still removed from requests and none are added. Case counts.
	// Default: none.
	Public []string `json:"public,omitempty"`

	// API are path patterns that answer 401 without a session, never a
	// redirect. Case does not count. Default: told from the request.
	API []string `json:"api,omitempty"`

	// Allow are the people let in: any rule that holds is enough.
	// Default: the whole audience.
	Allow []AttributeRule `json:"allow,omitempty"`

	// Deny are the people kept out; wins over Allow.
	Deny []AttributeRule `json:"deny,omitempty"`

	// Origins are this site's own origins (scheme, host and port), where
	// they cannot be told from the request. Plain http is for loopback only.
	// Default: told from the request.
	Origins []string `json:"origins,omitempty"`

	// Headers is the preset of identity headers: "remote", "x_forwarded",
	// "x_auth_request" or "none". Default: remote.
	Headers string `json:"headers,omitempty"`

	// ExtraHeaders are further identity headers: header name to attribute,
	// which like every identity header are removed from requests first.
	ExtraHeaders map[string]string `json:"extra_headers,omitempty"`

	// Assertion has a signed assertion of who is there sent along, for apps
	// that verify it. An empty object will do. Default: none is sent.
	Assertion *Assertion `json:"assertion,omitempty"`

	app    *App
	engine *engine
	rules  rules
}

// AttributeRule holds for people of whom one of the values is true.
type AttributeRule struct {
	// Attribute is its name, for example "email", "role" or "field.team".
	Attribute string `json:"attribute"`

	// Values are what it is compared with: exactly, e-mail addresses without
	// case, lists by any member. At least one.
	Values []string `json:"values"`
}

// CaddyModule returns the Caddy module information.
func (*Gateway) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth_gateway",
		New: func() caddy.Module { return new(Gateway) },
	}
}

// Provision holds the configuration against that of the app.
func (g *Gateway) Provision(ctx caddy.Context) error {
	loaded, err := ctx.App("auth_gateway")
	if err != nil {
		return fmt.Errorf("loading the auth_gateway app: %w", err)
	}
	app := loaded.(*App)
	if app.portal != nil {
		if err := app.portal.checkServed(ctx); err != nil {
			return err
		}
	}
	if !reachesPages(ctx) {
		ctx.Logger().Warn("auth_gateway stands in a route that is chosen by path, so its own pages under " + answer.Root + " cannot be reached: " +
			"let the route match " + answer.Root + "/* too, or move auth_gateway out of it and name the public paths")
	}
	return g.provision(app)
}

func (g *Gateway) provision(app *App) (err error) {
	g.app = app
	if err := g.configure(g.app); err != nil {
		return err
	}
	if g.rules, err = g.newRules(); err != nil {
		return err
	}
	if g.Assertion != nil {
		g.app.asserts.Store(true)
	}
	if err := g.app.sites.add(g); err != nil {
		return err
	}
	// The store must not close while this gateway serves, even if the app
	// of its configuration has gone.
	g.engine, err = borrowEngine(g.app.engine.path)
	return err
}

// Cleanup gives back the store.
func (g *Gateway) Cleanup() error {
	if g.engine == nil {
		return nil
	}
	return returnEngine(g.engine)
}

// ServeHTTP implements caddyhttp.MiddlewareHandler. It is the whole life of a
// request: what only the gateway may say is taken off it, then it is decided
// whether it goes on, then what the gateway says is put on it.
//
// Every refusal is answered here and no error is returned, because a site's
// handle_errors may well lead to the app.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	g.rules.headers.Strip(r)
	settleUpgrade(r.Header)

	a, refusal := g.arrive(r)
	if a.own {
		return g.converse(w, r, a, refusal)
	}
	if refusal != nil {
		return g.refuse(w, r, a, *refusal)
	}
	if a.public {
		session.StripCookies(r.Header)
		setPlaceholders(r, nobody)
		return next.ServeHTTP(w, r)
	}

	s, err := g.app.serving(r.Context())
	if err != nil {
		return g.refuse(w, r, a, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
	}
	live, err := s.sessions.Find(r, a.origin.Secure)
	if err != nil {
		return g.refuse(w, r, a, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
	}
	if live == nil {
		if live, err = g.program(r, a, s); err != nil {
			return g.refuseProgram(w, r, a, err)
		}
	}
	if live == nil {
		return g.challenge(w, r, a)
	}
	switch a.door.Opens(live.Made()) {
	case policy.Opens:
	case policy.NotMember:
		return g.keepOut(w, r, a, s, live, "the account's role does not belong to audience "+a.door.Name())
	default:
		return g.challenge(w, r, a)
	}
	standing := g.standing(live)
	if !standing.admitted {
		return g.keepOut(w, r, a, s, live, "an allow or deny rule of the site keeps the account out")
	}
	if isUpgrade(r) && !g.fromHere(r, a) {
		return g.refuse(w, r, a, answer.Refusal{
			Kind:  pages.CrossSite,
			Cause: fmt.Errorf("a websocket was opened from origin %.200q, this site is %s", r.Header.Get("Origin"), a.origin),
		})
	}

	if g.Assertion != nil {
		if err := g.assert(r, s, live, &standing.asserted, a.origin); err != nil {
			return g.refuse(w, r, a, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
		}
	}
	session.StripCookies(r.Header)
	g.rules.headers.Set(r.Header, standing.headers)
	setPlaceholders(r, standing.placeholders)
	return next.ServeHTTP(w, r)
}

// converse answers at the gateway's own addresses. None of them ever reaches
// the app.
func (g *Gateway) converse(w http.ResponseWriter, r *http.Request, a arrival, refusal *answer.Refusal) error {
	setPlaceholders(r, nobody)
	defer keepQueryFromLog(w, r, a)
	if refusal != nil {
		return g.refuse(w, r, a, *refusal)
	}
	s, err := g.app.serving(r.Context())
	if err != nil {
		return g.refuse(w, r, a, answer.Refusal{Kind: pages.StoreUnavailable, Cause: err})
	}
	if a.path == answer.JWKS && g.Assertion != nil {
		return g.publishKeys(w, r, a, s)
	}
	visit, site := g.visit(r, a), g.signInSite(a)
	if site.Portal != nil && !site.Portal.Here {
		s.conversation.ServeHTTP(w, r, a.path, visit, site)
		return nil
	}
	below := func(address string) bool { return a.path == address || strings.HasPrefix(a.path, address+"/") }
	switch {
	case below(answer.Account):
		s.profile.ServeHTTP(w, r, a.path, visit)
		return nil
	case below(answer.Admin):
		s.console.ServeHTTP(w, r, a.path, visit, func(live *session.Live, refusal *answer.Refusal) {
			s.conversation.SwitchAccount(w, r, visit, site, live, refusal)
		})
		return nil
	}
	s.conversation.ServeHTTP(w, r, a.path, visit, site)
	return nil
}

// challenge sends a person to sign in, and tells a program to.
func (g *Gateway) challenge(w http.ResponseWriter, r *http.Request, a arrival) error {
	setPlaceholders(r, nobody)
	g.app.answers.Challenge(w, r, g.visit(r, a), answer.Challenged{
		Original: a.original,
		Program:  g.rules.isAPI(a.path),
		Basic:    a.door.APIPassword(),
	})
	return nil
}

// keepOut answers somebody who is signed in and may not enter all the same.
func (g *Gateway) keepOut(w http.ResponseWriter, r *http.Request, a arrival, s *service, live *session.Live, why string) error {
	refusal := answer.Refusal{
		Kind:   pages.NotAllowed,
		Cause:  errors.New(why),
		Detail: pages.Detail{Email: live.Account.Attributes.Email},
	}
	s.conversation.SwitchAccount(w, r, g.visit(r, a), g.signInSite(a), live, &refusal)
	return g.refuse(w, r, a, refusal)
}

// refuse answers with a page or a problem.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, a arrival, refusal answer.Refusal) error {
	setPlaceholders(r, nobody)
	g.app.answers.Refuse(w, r, g.visit(r, a), refusal)
	return nil
}

// Interface guards.
var (
	_ caddyhttp.MiddlewareHandler = (*Gateway)(nil)
	_ caddy.Provisioner           = (*Gateway)(nil)
	_ caddy.CleanerUpper          = (*Gateway)(nil)
)
