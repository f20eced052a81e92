package module

import (
	"sync"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// sites are the gateways of a configuration, with their origins for links in
// mails that no request of the person led to.
type sites struct {
	// portal has the pages of them all; the zero value without one.
	portal policy.Origin

	mu    sync.Mutex
	known []guarded
}

// guarded is a gateway with the origin of its site; the zero value where that is
// told from each request.
type guarded struct {
	origin  policy.Origin
	gateway *Gateway
}

// add notes a gateway.
func (s *sites) add(g *Gateway) error {
	site := guarded{gateway: g}
	if len(g.Origins) > 0 {
		origin, err := policy.ParseOrigin(g.Origins[0])
		if err != nil {
			return err
		}
		site.origin = origin
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = append(s.known, site)
	return nil
}

// gateways are those that there are.
func (s *sites) gateways() (all []*Gateway) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, site := range s.known {
		all = append(all, site.gateway)
	}
	return all
}

// forPassword returns where people of that role sign in with a password.
func (s *sites) forPassword(role identity.Role) (policy.Origin, bool) {
	return s.find(func(door *policy.Door) bool { return door.Admits(role) && door.Password() })
}

// forRole returns where people of that role sign in.
func (s *sites) forRole(role identity.Role) (policy.Origin, bool) {
	return s.find(func(door *policy.Door) bool { return door.Admits(role) })
}

// find returns the portal, or the first site, if the door of a site will do.
func (s *sites) find(will func(*policy.Door) bool) (policy.Origin, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, site := range s.known {
		switch {
		case !will(site.gateway.rules.main):
		case s.portal.Host != "":
			return s.portal, true
		case site.origin.Host != "":
			return site.origin, true
		}
	}
	return policy.Origin{}, false
}
