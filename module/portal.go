package module

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/signin"
)

// portal is the one host that has the pages of every site of a configuration,
// and the sites that it sends people back to.
type portal struct {
	origin policy.Origin
	// sites are the gateways behind it by the origin of their site. It is
	// filled in by Start, when everything has been provisioned, and never
	// changes after it.
	sites map[string]*Gateway
	// ranged: the way in to one of them depends on the client's address.
	ranged bool
}

// door implements signin.Portal.
func (p *portal) door(origin, path string) *policy.Door {
	if gateway := p.sites[origin]; gateway != nil {
		return gateway.rules.door(path)
	}
	return nil
}

// signInSite is what the conversation is told of the gateway's site.
func (g *Gateway) signInSite(a arrival) signin.Site {
	site := signin.Site{Door: g.rules.door, Ranged: g.rules.ranged}
	if p := g.app.portal; p != nil {
		site.Portal = &signin.Portal{Origin: p.origin.String(), Here: a.portal, Door: p.door}
		site.Ranged = site.Ranged || a.portal && p.ranged
	}
	return site
}

// findSites finds out at which addresses people are at the sites behind the
// portal: exact names only, since whatever a wildcard takes in may be somebody
// else's.
func (p *portal) findSites(gateways []*Gateway, servers map[string]*caddyhttp.Server) error {
	hosts := make(map[*Gateway][]string)
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		w := hostWalk{server: servers[name], found: hosts}
		w.routes(servers[name].Routes, nil, 0)
	}
	p.sites = make(map[string]*Gateway)
	served := false
	for _, gateway := range gateways {
		origins, err := p.originsOf(gateway, hosts[gateway])
		if err != nil {
			return err
		}
		for _, origin := range origins {
			if origin == p.origin {
				served = true
				continue
			}
			if other := p.sites[origin.String()]; other != nil && !other.sameAudiences(gateway) {
				return fmt.Errorf("portal: two auth_gateway of different audiences guard %s, and it cannot be told which one people come from: "+
					"write one, with `audience <name> <path>...` for the paths of other people", origin)
			}
			p.sites[origin.String()] = gateway
			p.ranged = p.ranged || gateway.rules.ranged
		}
	}
	if !served {
		return p.unserved()
	}
	return nil
}

// originsOf are the origins at which people are at the site of a gateway.
func (p *portal) originsOf(g *Gateway, hosts []string) (origins []policy.Origin, err error) {
	for _, text := range g.Origins {
		origin, err := policy.ParseOrigin(text)
		if err != nil {
			return nil, err
		}
		origins = append(origins, origin)
	}
	if slices.ContainsFunc(hosts, p.origin.IsName) {
		origins = append(origins, p.origin)
	}
	if len(g.Origins) > 0 {
		return origins, nil
	}
	for _, host := range hosts {
		if origin, ok := p.origin.Beside(host); ok && !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	if len(origins) == 0 {
		return nil, errors.New("auth_gateway: with a portal people are sent back to exact names only, and the site of one auth_gateway has none: " +
			"it takes any host, or those of a wildcard; add `origin https://…`, the site's own address")
	}
	return origins, nil
}

// sameAudiences reports whether the doors of two gateways are the same ones.
func (g *Gateway) sameAudiences(other *Gateway) bool {
	return g.Audience == other.Audience && maps.Equal(g.AudiencePaths, other.AudiencePaths)
}

// hostWalk goes through the routes of a server and finds the exact names by
// which gateways are reached.
type hostWalk struct {
	server *caddyhttp.Server
	found  map[*Gateway][]string
}

// routes looks at routes inside of others that are reached by those hosts: the
// innermost decide.
func (w hostWalk) routes(routes caddyhttp.RouteList, hosts []string, depth int) {
	if depth > maxNesting {
		return
	}
	for _, route := range routes {
		inner := hosts
		if named, restricted := exactHosts(route.MatcherSets); restricted {
			inner = named
		}
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *Gateway:
				for _, host := range inner {
					if !slices.Contains(w.found[h], host) {
						w.found[h] = append(w.found[h], host)
					}
				}
			case *caddyhttp.Subroute:
				w.routes(h.Routes, inner, depth+1)
			case *caddyhttp.Invoke:
				if named := w.server.NamedRoutes[h.Name]; named != nil {
					w.routes(caddyhttp.RouteList{*named}, inner, depth+1)
				}
			}
		}
	}
}

// exactHosts are the names in a route's host matchers, without patterns and
// placeholders. restricted: there is a host matcher at all.
func exactHosts(sets caddyhttp.MatcherSets) (named []string, restricted bool) {
	for _, set := range sets {
		for _, matcher := range set {
			hosts, ok := matcher.(*caddyhttp.MatchHost)
			if !ok {
				continue
			}
			restricted = true
			for _, host := range *hosts {
				if host != "" && !strings.ContainsAny(host, "*{") {
					named = append(named, host)
				}
			}
		}
	}
	return named, restricted
}
