package module

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(Gateway))
}

// Gateway stands in a route, in front of one protected app.
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
	Public []string `json:"public,omitempty"`

	// API are path patterns that answer 401 without a session, never a
	// redirect. Case does not count.
	API []string `json:"api,omitempty"`

	// Allow are the people let in: any rule that holds is enough.
	// Default: the whole audience.
	Allow []AttributeRule `json:"allow,omitempty"`

	// Deny are the people kept out; wins over Allow.
	Deny []AttributeRule `json:"deny,omitempty"`

	// Origins are this site's own origins (scheme, host and port), where
	// they cannot be told from the request.
	Origins []string `json:"origins,omitempty"`

	// Headers is the preset of identity headers: "remote", "x_forwarded",
	// "x_auth_request" or "none". Default: remote.
	Headers string `json:"headers,omitempty"`

	// ExtraHeaders are further identity headers: header name to attribute.
	ExtraHeaders map[string]string `json:"extra_headers,omitempty"`
}

// AttributeRule holds for people of whom one of the values is true.
type AttributeRule struct {
	// Attribute is its name, for example "email", "role" or "field.team".
	Attribute string `json:"attribute"`

	// Values that it is compared with: exactly, e-mail addresses without
	// case, lists by any member.
	Values []string `json:"values"`
}

// CaddyModule returns the Caddy module information.
func (*Gateway) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth_gateway",
		New: func() caddy.Module { return new(Gateway) },
	}
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}

// Interface guards.
var (
	_ caddyhttp.MiddlewareHandler = (*Gateway)(nil)
)
