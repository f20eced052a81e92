package module

import (
	"sync"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// sites are the origins of the gateways of a configuration, for links in mails
// that no request of the person led to.
type sites struct {
	mu    sync.Mutex
	known []guarded
}

// guarded is a site with the door of its main audience.
type guarded struct {
	origin policy.Origin
	door   *policy.Door
}

// add notes a site. One whose origin is told from each request has none.
func (s *sites) add(origins []string, door *policy.Door) error {
	if len(origins) == 0 {
		return nil
	}
	origin, err := policy.ParseOrigin(origins[0])
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = append(s.known, guarded{origin, door})
	return nil
}

// forPassword returns a site where people of that role sign in with a password.
func (s *sites) forPassword(role identity.Role) (policy.Origin, bool) {
	return s.find(func(door *policy.Door) bool { return door.Admits(role) && door.Password() })
}

// forRole returns a site where people of that role sign in.
func (s *sites) forRole(role identity.Role) (policy.Origin, bool) {
	return s.find(func(door *policy.Door) bool { return door.Admits(role) })
}

// find returns the first site whose door will do.
func (s *sites) find(will func(*policy.Door) bool) (policy.Origin, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, site := range s.known {
		if will(site.door) {
			return site.origin, true
		}
	}
	return policy.Origin{}, false
}
