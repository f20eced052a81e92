package module

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// checkServed returns an error if no gateway stands in a site at the portal's
// host, so that `caddy validate` says so. It is asked while the gateways are
// provisioned, one after the other: some handlers are loaded by then and others
// are still JSON. Where that cannot tell, it is left to findSites.
func (p *portal) checkServed(ctx caddy.Context) error {
	for _, ancestor := range ctx.Modules() {
		app, ok := ancestor.(*caddyhttp.App)
		if !ok {
			continue
		}
		for _, server := range app.Servers {
			if p.mayServe(server.Routes, nil, 0) {
				return nil
			}
			for _, route := range server.NamedRoutes {
				// Who invokes it is not looked for.
				if p.mayServe(caddyhttp.RouteList{*route}, nil, 0) {
					return nil
				}
			}
		}
		return p.unserved()
	}
	return nil
}

func (p *portal) unserved() error {
	return fmt.Errorf("portal: no site with auth_gateway is served at %s, so nobody could sign in: add one, `%s { auth_gateway … }`", p.origin, p.origin)
}

// mayServe reports whether one of the routes, which are reached by those hosts,
// may have a gateway that serves the portal.
func (p *portal) mayServe(routes caddyhttp.RouteList, hosts []string, depth int) bool {
	if depth > maxNesting {
		return true
	}
	for _, route := range routes {
		inner := hosts
		if named := hostsOf(route); len(named) > 0 {
			inner = named
		}
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *Gateway:
				if p.mayBe(inner, h.Origins) {
					return true
				}
			case *caddyhttp.Subroute:
				if p.mayServe(h.Routes, inner, depth+1) {
					return true
				}
			}
		}
		for _, raw := range route.HandlersRaw {
			var handler httpHandler
			if json.Unmarshal(raw, &handler) != nil {
				return true // Caddy will say what is wrong with it
			}
			found := false
			httpServer{}.walk([]httpRoute{{Handle: []httpHandler{handler}}}, inner, depth+1, func(gateway httpHandler, hosts []string) {
				found = found || p.mayBe(hosts, gateway.Origins)
			})
			if found {
				return true
			}
		}
	}
	return false
}

// hostsOf are the hosts in a route's matchers, loaded or not.
func hostsOf(route caddyhttp.Route) (hosts []string) {
	for _, set := range route.MatcherSets {
		for _, matcher := range set {
			if named, ok := matcher.(*caddyhttp.MatchHost); ok {
				hosts = append(hosts, *named...)
			}
		}
	}
	for _, set := range route.MatcherSetsRaw {
		var named []string
		if json.Unmarshal(set["host"], &named) == nil {
			hosts = append(hosts, named...)
		}
	}
	return hosts
}

// mayBe reports whether a gateway that is reached by those hosts, and has those
// origins, may be the portal's. No host is any.
func (p *portal) mayBe(hosts, origins []string) bool {
	if slices.Contains(origins, p.origin.String()) || len(hosts) == 0 {
		return true
	}
	return slices.ContainsFunc(hosts, func(host string) bool {
		return strings.ContainsAny(host, "*{") || p.origin.IsName(host)
	})
}
