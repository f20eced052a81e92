package module

import (
	"context"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
)

// reachesPages reports whether requests for the gateway's own pages come to
// the gateway that ctx provisions. They do not where a route around it is
// chosen by path, as in `handle /admin/*`.
func reachesPages(ctx caddy.Context) bool {
	request, err := http.NewRequest(http.MethodGet, answer.Root+"/sign-in", nil)
	if err != nil {
		return true
	}
	request = request.WithContext(context.WithValue(request.Context(), caddy.ReplacerCtxKey, caddy.NewEmptyReplacer()))

	for _, ancestor := range ctx.Modules() {
		subroute, ok := ancestor.(*caddyhttp.Subroute)
		if !ok {
			continue
		}
		// Handlers are provisioned one route after the other, so the route
		// around this gateway is the first that has none yet.
		for _, route := range subroute.Routes {
			if route.Handlers != nil || len(route.HandlersRaw) == 0 {
				continue
			}
			if !pathMatches(route.MatcherSets, request) {
				return false
			}
			break
		}
	}
	return true
}

// pathMatches reports whether any of the sets has no path matcher that stands
// against the request.
func pathMatches(sets caddyhttp.MatcherSets, request *http.Request) bool {
	for _, set := range sets {
		matches := true
		for _, matcher := range set {
			if path, ok := matcher.(*caddyhttp.MatchPath); ok {
				found, err := path.MatchWithError(request)
				matches = matches && (found || err != nil)
			}
		}
		if matches {
			return true
		}
	}
	return len(sets) == 0
}
