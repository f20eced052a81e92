// Package module is what Caddy loads: the app that holds what all sites
// share, the handler that guards one site, the admin endpoint and the command.
package module

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App is what every gateway of a configuration shares: the store, the keys,
// the SSO configs and the audiences.
type App struct {
	// Store is the database. Default: SQLite in Caddy's data directory.
	Store store.Config `json:"store,omitzero"`

	// Secrets are placeholders, {env.NAME} or {file.PATH}, for the secrets
	// that seal cookies and what is kept at rest: the one in use first, then
	// older ones that are still accepted. Default: one is made at the first
	// start and kept in Caddy's storage.
	Secrets []string `json:"secrets,omitempty"`

	// Language is the BCP 47 tag of the language of every page; "en" and
	// "ja" are complete. Default: what the browser asks for.
	Language string `json:"language,omitempty"`

	// Brand is how the pages show whose they are.
	Brand pages.Brand `json:"brand,omitzero"`

	// SSO are the OpenID Connect identity providers by name.
	SSO map[string]*sso.Config `json:"sso,omitempty"`

	// Audiences are the populations by name. Default: one audience with
	// password sign-in.
	Audiences map[string]*policy.Audience `json:"audiences,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "auth_gateway",
		New: func() caddy.Module { return new(App) },
	}
}

// Start implements caddy.App.
func (a *App) Start() error { return nil }

// Stop implements caddy.App.
func (a *App) Stop() error { return nil }
