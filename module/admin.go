package module

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/console"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func init() {
	caddy.RegisterModule(new(Admin))
}

// commandLine is the actor in the audit trail of what is done through the
// admin endpoint.
const commandLine = "command line"

// maxActBody bounds what an administrative act may be sent.
const maxActBody = 16 << 10 // bytes

// Admin serves administrative acts at Caddy's admin endpoint, below
// /auth-gateway/. `caddy auth-gateway` is its client. Whoever reaches the admin
// endpoint may do anything there: Caddy decides who does.
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (*Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.auth_gateway",
		New: func() caddy.Module { return new(Admin) },
	}
}

// Routes implements caddy.AdminRouter.
func (*Admin) Routes() []caddy.AdminRoute { return actRoutes(runningDesk) }

// desk is where administrative acts are done: what they need of an app at work.
type desk struct {
	people *account.People
	store  store.Store
	trail  *audit.Trail
	doors  map[string]*policy.Door
	words  []string // that no password may contain

	providers map[string]*sso.Provider // by the name of the SSO config

	console  *console.Console
	letters  *letter.Writer
	sites    *sites
	language string // of letters, "" if none is configured
	// invite mails an invitation, and reports whether it could; nil where
	// none are mailed.
	invite func(store.Account, string, time.Time) bool
	// tell mails people what was done to their account, as far as it can.
	tell func(store.Account, letter.Notice)
}

// newDesk returns the desk of an app that has started.
func newDesk(a *App, s *service) *desk {
	d := &desk{
		people: s.people, store: a.engine.store, trail: s.trail, doors: a.doors, words: []string{a.Brand.Name},
		providers: s.providers,
		console:   s.console, letters: s.letters, sites: &a.sites, language: a.Language,
	}
	d.tell = func(of store.Account, n letter.Notice) {
		if origin, ok := a.sites.forRole(of.Attributes.Role); ok {
			n.Host, n.Language = origin.Host, a.Language
			s.letters.Tell(of, n)
		}
	}
	if s.letters.Mails() && *a.Mail.Invitations {
		d.invite = func(made store.Account, token string, expires time.Time) bool {
			origin, ok := a.sites.forPassword(made.Attributes.Role)
			if ok {
				s.letters.Invitation(letter.Wanted{Account: made, Token: token, Expires: expires}, origin, a.Language)
			}
			return ok
		}
	}
	return d
}

// runningDesk returns the desk of the app that runs. Admin routers are
// provisioned before apps and outlive reloads that fail, so it is looked up for
// each request.
func runningDesk() (*desk, error) {
	active := caddy.ActiveContext()
	if active.Context == nil {
		return nil, caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Message: "Caddy has not started yet: try again in a moment"}
	}
	module, err := active.AppIfConfigured("auth_gateway")
	switch {
	case errors.Is(err, caddy.ErrNotConfigured):
		return nil, caddy.APIError{
			HTTPStatus: http.StatusNotFound,
			Message:    "the configuration that Caddy runs does not use auth_gateway: put the directive into a site and reload",
		}
	case err != nil:
		return nil, err
	}
	app := module.(*App)
	s := app.service.Load()
	if s == nil {
		return nil, caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Message: errNotStarted.Error() + " yet: try again in a moment"}
	}
	return newDesk(app, s), nil
}

// act is one administrative act: what it returns is sent as JSON, unless it is
// a stream.
type act func(d *desk, r *http.Request) (any, error)

// acts are the administrative acts by path and method.
var acts = map[string]map[string]act{
	"/auth-gateway/users":                           {http.MethodGet: (*desk).listUsers, http.MethodPost: (*desk).addUser},
	"/auth-gateway/users/{who}":                     {http.MethodGet: (*desk).showUser, http.MethodPatch: (*desk).setUser, http.MethodDelete: (*desk).removeUser},
	"/auth-gateway/users/{who}/suspend":             {http.MethodPost: (*desk).suspendUser},
	"/auth-gateway/users/{who}/resume":              {http.MethodPost: (*desk).resumeUser},
	"/auth-gateway/users/{who}/unlock":              {http.MethodPost: (*desk).unlockUser},
	"/auth-gateway/users/{who}/reset-password":      {http.MethodPost: (*desk).resetPassword},
	"/auth-gateway/users/{who}/reset-second-factor": {http.MethodPost: (*desk).resetSecondFactor},
	"/auth-gateway/users/{who}/sessions":            {http.MethodGet: (*desk).listSessions, http.MethodDelete: (*desk).endSessions},
	"/auth-gateway/sessions/{id}":                   {http.MethodDelete: (*desk).endSession},
	"/auth-gateway/sso/{name}/check":                {http.MethodPost: (*desk).checkSSO},
	"/auth-gateway/explain":                         {http.MethodGet: (*desk).explain},
	"/auth-gateway/reports/second-factor":           {http.MethodGet: (*desk).reportSecondFactors},
	"/auth-gateway/reports/second-factor/mail":      {http.MethodPost: (*desk).mailSecondFactors},
}

// actRoutes are the routes of all acts, done at the desk that find returns.
func actRoutes(find func() (*desk, error)) []caddy.AdminRoute {
	routes := make([]caddy.AdminRoute, 0, len(acts))
	for _, pattern := range slices.Sorted(maps.Keys(acts)) {
		routes = append(routes, caddy.AdminRoute{Pattern: pattern, Handler: actHandler(find, acts[pattern])})
	}
	return routes
}

func actHandler(find func() (*desk, error), byMethod map[string]act) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		do, ok := byMethod[r.Method]
		if !ok {
			allowed := strings.Join(slices.Sorted(maps.Keys(byMethod)), ", ")
			w.Header().Set("Allow", allowed)
			return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Message: fmt.Sprintf("%s is not for this address: use %s", r.Method, allowed)}
		}
		// Caddy looks at Origin and Host. No page has any business here,
		// whatever a browser sends of those.
		if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
			return caddy.APIError{HTTPStatus: http.StatusForbidden, Message: "this address is not for browsers: use caddy auth-gateway"}
		}
		d, err := find()
		if err != nil {
			return err
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxActBody)
		result, err := do(d, r)
		if err != nil {
			return apiError(err)
		}
		if parts, ok := result.(stream); ok {
			return parts.answer(w)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		return json.NewEncoder(w).Encode(result)
	}
}

// mistaken says that what was asked for is wrong in itself.
type mistaken struct{ error }

func (m mistaken) Unwrap() error { return m.error }

// apiError finds the status for what went wrong, and the words that say what
// to do.
func apiError(err error) error {
	var (
		done  caddy.APIError
		wrong mistaken
		weak  *account.Weak
		busy  *account.Busy
	)
	answer := func(status int, message string) error {
		return caddy.APIError{HTTPStatus: status, Err: err, Message: message}
	}
	switch {
	case errors.As(err, &done):
		return done
	case errors.As(err, &wrong):
		return answer(http.StatusBadRequest, wrong.Error())
	case errors.As(err, &weak):
		return answer(http.StatusBadRequest, weak.Error())
	case errors.As(err, &busy):
		return answer(http.StatusServiceUnavailable, busy.Error())
	case errors.Is(err, account.ErrLastAdministrator):
		return answer(http.StatusConflict, account.ErrLastAdministrator.Error()+", or do it all the same with --force")
	case errors.Is(err, account.ErrSuspended):
		return answer(http.StatusConflict, account.ErrSuspended.Error()+", with `caddy auth-gateway user resume`")
	case errors.Is(err, store.ErrNotFound):
		return answer(http.StatusNotFound, "the account has been removed meanwhile")
	}
	return answer(http.StatusInternalServerError, err.Error())
}

// readBody reads the one JSON object that an act is sent.
func readBody(r *http.Request, to any) error {
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return caddy.APIError{HTTPStatus: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)}
	case err != nil:
		return mistaken{fmt.Errorf("reading the body: %w", err)}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		return mistaken{fmt.Errorf("the body is not the JSON object that belongs here: %w", err)}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return mistaken{errors.New("the body has more than one JSON object")}
	}
	return nil
}

// event begins the entry of an act in the audit trail.
func (d *desk) event(r *http.Request, action, detail string) store.Event {
	// A unix socket has no address.
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = ""
	}
	return store.Event{Action: action, Outcome: audit.Success, Actor: commandLine, Address: address, Detail: detail}
}

// Interface guards.
var (
	_ caddy.AdminRouter = (*Admin)(nil)
	_ error             = mistaken{}
)
