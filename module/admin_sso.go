package module

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// maxCallbacks bounds how many redirect addresses are tried at once.
const maxCallbacks = 20

// checkRequest is what the check of an SSO config is sent.
type checkRequest struct {
	// Callbacks are the redirect addresses of the sites.
	Callbacks []string `json:"callbacks"`
}

// checkSSO asks the provider of an SSO config what is wrong with it.
func (d *desk) checkSSO(r *http.Request) (any, error) {
	var asked checkRequest
	if err := readBody(r, &asked); err != nil {
		return nil, err
	}
	if len(asked.Callbacks) > maxCallbacks {
		return nil, mistaken{fmt.Errorf("more than %d callbacks", maxCallbacks)}
	}
	name := r.PathValue("name")
	provider := d.providers[name]
	if provider == nil {
		known := slices.Sorted(maps.Keys(d.providers))
		return nil, caddy.APIError{
			HTTPStatus: http.StatusNotFound,
			Message:    fmt.Sprintf("there is no SSO config %q%s", name, mistake.DidYouMean(name, known)),
		}
	}
	return provider.Check(r.Context(), asked.Callbacks), nil
}
