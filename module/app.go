// Package module is what Caddy loads: the app that holds what all sites
// share, the handler that guards one site, the admin endpoint and the command.
package module

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
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

	// Portal is the origin of one host that has the pages of every site, so
	// that providers need to know of one redirect address only. A site with
	// that host must have a gateway. People are sent back to the exact names
	// of the sites of this configuration, and to nothing else: sites that are
	// chosen by a wildcard need origins. The placeholders {env.NAME} and
	// {file.PATH} are resolved. Default: each site has its own pages.
	Portal string `json:"portal,omitempty"`

	// Language is the BCP 47 tag of the language of every page; "en" and
	// "ja" are complete. Default: what the browser asks for.
	Language string `json:"language,omitempty"`

	// Mail is the mail server. With it people can have a link for a new
	// password mailed, and new accounts are mailed their invitation. Every
	// gateway then needs an origin, which links in mails are built from.
	// Default: no mail is sent.
	Mail *deliver.MailConfig `json:"mail,omitempty"`

	// SMS is the service that sends text messages, with passcodes in them.
	// Default: no text message is sent.
	SMS *deliver.SMSConfig `json:"sms,omitempty"`

	// Brand is how the pages show whose they are.
	Brand pages.Brand `json:"brand,omitzero"`

	// Organizations are the known organizations: external id by name, "" for
	// one without. Of those that a provider names for a person only these are
	// kept. Default: all are kept, as they come.
	Organizations identity.Organizations `json:"organizations,omitempty"`

	// SSO are the OpenID Connect identity providers by name. Names are a-z,
	// 0-9, "_" and "-" with a letter first, here and of audiences.
	SSO map[string]*sso.Config `json:"sso,omitempty"`

	// Audiences are the populations by name. Default: one audience, with
	// password sign-in and without SSO.
	Audiences map[string]*policy.Audience `json:"audiences,omitempty"`

	ctx     caddy.Context
	log     *zap.Logger
	engine  *engine
	doors   map[string]*policy.Door
	keys    map[string]*sso.ClientKey // of SSO configs that have one, by name
	answers *answer.Answers
	sites   sites
	portal  *portal       // nil without one
	asserts atomic.Bool   // a gateway signs assertions
	started chan struct{} // closed by Start
	service atomic.Pointer[service]
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "auth_gateway",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision checks the configuration. It opens nothing and asks nobody, so
// that `caddy validate` changes nothing.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.log = ctx, ctx.Logger()
	a.started = make(chan struct{})
	if err := a.configure(a.log); err != nil {
		return err
	}
	look, err := pages.New(a.Brand, a.Language)
	if err != nil {
		return fmt.Errorf("brand: %w", err)
	}
	a.answers = &answer.Answers{Pages: look, Log: a.log}
	if a.doors, err = a.hangDoors(); err != nil {
		return err
	}
	if a.keys, err = a.readClientKeys(); err != nil {
		return err
	}
	if a.Portal != "" {
		a.portal = new(portal)
		if a.portal.origin, err = policy.ParseOrigin(a.Portal); err != nil {
			return fmt.Errorf("portal: %w", err)
		}
		a.sites.portal = a.portal.origin
	}
	if a.engine, err = borrowEngine(a.databasePath()); err != nil {
		return err
	}
	return nil
}

// hangDoors makes a door of each audience and the SSO configs assigned to it.
func (a *App) hangDoors() (map[string]*policy.Door, error) {
	doors := make(map[string]*policy.Door, len(a.Audiences))
	for name, audience := range a.Audiences {
		assigned := make([]policy.Provider, 0, len(audience.SSO))
		for _, name := range audience.SSO {
			config := a.SSO[name]
			provider := policy.Provider{Name: name, Button: config.Button}
			for _, text := range config.IPRanges {
				prefix, err := policy.ParseRange(text)
				if err != nil {
					return nil, fmt.Errorf("sso %s: ip_ranges: %w", name, err)
				}
				provider.Ranges = append(provider.Ranges, prefix)
			}
			assigned = append(assigned, provider)
		}
		door, err := policy.NewDoor(name, *audience, assigned)
		if err != nil {
			return nil, err
		}
		doors[name] = door
	}
	return doors, nil
}

// readClientKeys reads the key files of SSO configs, so that `caddy validate`
// tells what is wrong with them.
func (a *App) readClientKeys() (map[string]*sso.ClientKey, error) {
	keys := make(map[string]*sso.ClientKey)
	for name, config := range sorted(a.SSO) {
		if config.ClientAuth != sso.AuthPrivateKey {
			continue
		}
		key, err := sso.ReadClientKey(config.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("sso %s: client_auth: %w", name, err)
		}
		keys[name] = key
	}
	return keys, nil
}

// databasePath is where the database is, the same however it is spelled.
func (a *App) databasePath() string {
	path := a.Store.Path
	if path == "" {
		path = filepath.Join(caddy.AppDataDir(), "auth_gateway", "auth_gateway.db")
	}
	if absolute, err := filepath.Abs(path); err == nil {
		return absolute
	}
	return path
}

// Start opens the store and begins to answer.
func (a *App) Start() error {
	if a.portal != nil {
		if err := a.findSites(); err != nil {
			return err
		}
	}
	ring, err := a.loadRing()
	if err != nil {
		return err
	}
	if err := a.engine.open(a.ctx); err != nil {
		return err
	}
	s, err := a.newService(ring)
	if err != nil {
		return err
	}
	a.service.Store(s)
	close(a.started)
	return nil
}

// findSites tells the portal of the sites that there are.
func (a *App) findSites() error {
	var servers map[string]*caddyhttp.Server
	if loaded, err := a.ctx.AppIfConfigured("http"); err == nil {
		servers = loaded.(*caddyhttp.App).Servers
	}
	return a.portal.findSites(a.sites.gateways(), servers)
}

// Stop ends what Start began. Requests that are still under way keep what they
// hold.
func (a *App) Stop() error {
	if s := a.service.Load(); s != nil {
		return s.close()
	}
	return nil
}

// Cleanup gives back the store; gateways that still serve hold their own part.
func (a *App) Cleanup() error {
	if a.engine == nil {
		return nil
	}
	return returnEngine(a.engine)
}

// startLimit is how long a request waits for the app to start: a new
// configuration may take requests a moment before all of it has started.
const startLimit = 10 * time.Second

// errNotStarted: the app is not there yet, or never will be.
var errNotStarted = errors.New("the auth_gateway app has not started")

// serving returns the app at work, waiting a while for it to start.
func (a *App) serving(ctx context.Context) (*service, error) {
	if s := a.service.Load(); s != nil {
		return s, nil
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	select {
	case <-a.started:
		return a.service.Load(), nil
	case <-ctx.Done():
		return nil, errNotStarted
	}
}

// Interface guards.
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
