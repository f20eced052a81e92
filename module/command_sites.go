package module

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// The ports of the HTTP app when nothing is configured.
const (
	defaultHTTPPort  = 80
	defaultHTTPSPort = 443
)

// maxNesting bounds how deep routes are looked for in routes: named routes can
// invoke each other in a circle.
const maxNesting = 32

// site is a site that a gateway stands in, as far as the configuration tells.
type site struct {
	origin   string // "https://app.example.com"; "" if it cannot be told
	audience string // "" if there is only one
}

// configuration is what of Caddy's JSON tells the addresses of sites. It is
// read, not loaded: nothing in it is provisioned.
type configuration struct {
	Apps struct {
		HTTP struct {
			HTTPPort int                   `json:"http_port"`
			Servers  map[string]httpServer `json:"servers"`
		} `json:"http"`
		AuthGateway *struct {
			Portal    string                      `json:"portal"`
			Audiences map[string]*policy.Audience `json:"audiences"`
		} `json:"auth_gateway"`
	} `json:"apps"`
}

type httpServer struct {
	Listen         []string             `json:"listen"`
	Routes         []httpRoute          `json:"routes"`
	NamedRoutes    map[string]httpRoute `json:"named_routes"`
	TLS            []json.RawMessage    `json:"tls_connection_policies"`
	AutomaticHTTPS struct {
		Disable bool     `json:"disable"`
		Skip    []string `json:"skip"`
	} `json:"automatic_https"`
}

type httpRoute struct {
	Match []struct {
		Host []string `json:"host"`
	} `json:"match"`
	Handle []httpHandler `json:"handle"`
}

type httpHandler struct {
	Handler string `json:"handler"`
	// Routes of a subroute.
	Routes []httpRoute `json:"routes"`
	// Name of the named route that is invoked.
	Name string `json:"name"`
	// What a gateway says of its site.
	Origins  []string `json:"origins"`
	Audience string   `json:"audience"`
}

// readConfiguration reads Caddy's JSON.
func readConfiguration(text []byte) (configuration, error) {
	var c configuration
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	return c, nil
}

// sites are the sites that gateways stand in, in the order of the servers'
// names and of their routes. Behind a portal the origin of each is the portal's:
// what they are asked for is there.
func (c configuration) sites() []site {
	var found []site
	for _, name := range slices.Sorted(maps.Keys(c.Apps.HTTP.Servers)) {
		server := c.Apps.HTTP.Servers[name]
		server.walk(server.Routes, nil, 0, func(gateway httpHandler, hosts []string) {
			origin, ok := c.portal()
			if !ok {
				origin = c.origin(server, gateway, hosts)
			}
			found = append(found, site{origin: origin, audience: gateway.Audience})
		})
	}
	return found
}

// portal is the origin of the portal, if there is one.
func (c configuration) portal() (string, bool) {
	if c.Apps.AuthGateway == nil || c.Apps.AuthGateway.Portal == "" {
		return "", false
	}
	resolved, err := resolve(c.Apps.AuthGateway.Portal)
	if err != nil {
		return "", false // a variable of Caddy's that this process does not have
	}
	origin, err := policy.ParseOrigin(resolved)
	return origin.String(), err == nil
}

// walk calls visit for each gateway in routes, with the hosts that it is
// reached by, as far as they are names: the innermost decide.
func (s httpServer) walk(routes []httpRoute, hosts []string, depth int, visit func(httpHandler, []string)) {
	if depth > maxNesting {
		return
	}
	for _, route := range routes {
		inner := hosts
		if named := route.hosts(); len(named) > 0 {
			inner = named
		}
		for _, handler := range route.Handle {
			switch handler.Handler {
			case "auth_gateway":
				visit(handler, inner)
			case "invoke":
				if named, ok := s.NamedRoutes[handler.Name]; ok {
					s.walk([]httpRoute{named}, inner, depth+1, visit)
				}
			default:
				s.walk(handler.Routes, inner, depth+1, visit)
			}
		}
	}
}

// hosts are the names in a route's host matchers, without patterns and
// placeholders.
func (r httpRoute) hosts() []string {
	var named []string
	for _, match := range r.Match {
		for _, host := range match.Host {
			if host != "" && !strings.ContainsAny(host, "*{") {
				named = append(named, host)
			}
		}
	}
	return named
}

// origin is the address of the site that a gateway stands in: its first origin
// line, or else the first of its hosts at the port that the server listens on.
func (c configuration) origin(server httpServer, gateway httpHandler, hosts []string) string {
	for _, text := range gateway.Origins {
		resolved, err := resolve(text)
		if err != nil {
			continue // a variable of Caddy's that this process does not have
		}
		if origin, err := policy.ParseOrigin(resolved); err == nil {
			return origin.String()
		}
	}
	loopback := ""
	for _, host := range hosts {
		origin, ok := c.originOf(server, host)
		switch {
		case !ok:
		case !isLoopbackHost(host):
			return origin
		case loopback == "":
			loopback = origin
		}
	}
	return loopback
}

// originOf is the address of a host on a server. Plain HTTP tells none unless
// the host is loopback: it is a proxy in front that people see.
func (c configuration) originOf(server httpServer, host string) (string, bool) {
	httpPort := c.Apps.HTTP.HTTPPort
	if httpPort == 0 {
		httpPort = defaultHTTPPort
	}
	ports := server.ports()
	secure := len(server.TLS) > 0 ||
		!server.AutomaticHTTPS.Disable && !slices.Contains(server.AutomaticHTTPS.Skip, host) &&
			slices.ContainsFunc(ports, func(port int) bool { return port != httpPort })
	scheme, usual := "http", defaultHTTPPort
	if secure {
		scheme, usual = "https", defaultHTTPSPort
		ports = slices.DeleteFunc(ports, func(port int) bool { return port == httpPort && len(ports) > 1 })
	}
	if len(ports) == 0 {
		return "", false
	}
	port := ports[0]
	if slices.Contains(ports, usual) {
		port = usual
	}
	origin, err := policy.ParseOrigin(scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return "", false
	}
	return origin.String(), true
}

// ports are the TCP ports that a server listens on, without ranges.
func (s httpServer) ports() []int {
	var ports []int
	for _, listen := range s.Listen {
		resolved, err := resolve(listen)
		if err != nil {
			continue
		}
		address, err := caddy.ParseNetworkAddress(resolved)
		if err != nil || !strings.HasPrefix(address.Network, "tcp") || address.PortRangeSize() != 1 || address.StartPort == 0 {
			continue
		}
		ports = append(ports, int(address.StartPort))
	}
	return ports
}

// origins are the addresses, each once, of the sites where somebody with that
// role can sign in with a password; all that are known if there is no such
// site.
func (c configuration) origins(role identity.Role) []string {
	var all, open []string
	for _, s := range c.sites() {
		if s.origin == "" {
			continue
		}
		if !slices.Contains(all, s.origin) {
			all = append(all, s.origin)
		}
		if c.opens(s.audience, role) && !slices.Contains(open, s.origin) {
			open = append(open, s.origin)
		}
	}
	if len(open) > 0 {
		return open
	}
	return all
}

// opens reports whether people with the role may sign in to the audience with
// a password.
func (c configuration) opens(audience string, role identity.Role) bool {
	if c.Apps.AuthGateway == nil || len(c.Apps.AuthGateway.Audiences) == 0 {
		return true
	}
	for name, a := range c.Apps.AuthGateway.Audiences {
		if a == nil || name != audience && (audience != "" || len(c.Apps.AuthGateway.Audiences) > 1) {
			continue
		}
		return a.Password != policy.Off && (len(a.Roles) == 0 || slices.Contains(a.Roles, string(role)))
	}
	return false
}

// isLoopbackHost reports whether a host is the machine itself: only then may it
// be plain HTTP.
func isLoopbackHost(host string) bool {
	_, err := policy.ParseOrigin("http://" + net.JoinHostPort(host, "1"))
	return err == nil
}
