package policy

import (
	"path"
	"strings"
)

// ReturnToSite takes an address apart that leads from a portal to one of the
// sites behind it: "https://app.example.com/x?y#z" has origin, path (with its
// query) and fragment. raw comes from the client. ok is false for everything
// that is not plainly the address of a site that known reports: browsers read an
// origin in many ways, so it counts only as they write it themselves. The path
// follows the rules of ReturnTo, and is none of the gateway's own. What the
// fragment says is not looked at: it is never part of a place to go.
func ReturnToSite(raw string, known func(origin string) bool) (origin, path, fragment string, ok bool) {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found || scheme != "https" && scheme != "http" {
		return "", "", "", false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	origin, rest = raw[:len(scheme)+len("://")+end], rest[end:]
	if !known(origin) {
		return "", "", "", false
	}
	rest, fragment, _ = strings.Cut(rest, "#")
	if rest == "" || rest[0] == '?' {
		rest = "/" + rest
	}
	path = ReturnTo(rest, "")
	where, _, _ := strings.Cut(path, "?")
	if path == "/" && rest != "/" || isGateways(where) {
		return "", "", "", false
	}
	return origin, path, fragment, true
}

// isGateways reports whether a path is one of the gateway's own addresses.
func isGateways(where string) bool {
	_, ok := belowGateway(where)
	return ok
}

// belowGateway returns what of a path is below the gateway's own root, however
// it is spelled.
func belowGateway(where string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(fold(path.Clean(decodeUnreserved(where))), gatewayRoot)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// IsHost reports whether a request's Host is that of the origin.
func (o Origin) IsHost(host string) bool {
	read, ok := readHost(host, o.Secure)
	return ok && read == o.Host
}

// IsName reports whether a host without a port is that of the origin.
func (o Origin) IsName(host string) bool {
	beside, ok := o.Beside(host)
	return ok && beside == o
}

// Beside is the origin of another host with the same scheme and port. ok is
// false if a browser would not send cookies there that can be trusted, or host
// is none.
func (o Origin) Beside(host string) (beside Origin, ok bool) {
	_, port := splitPort(o.Host)
	if strings.Contains(host, ":") {
		host = "[" + strings.Trim(host, "[]") + "]"
	}
	scheme, _, _ := strings.Cut(o.String(), "://")
	beside, err := ParseOrigin(scheme + "://" + host + port)
	return beside, err == nil
}

// splitPort cuts the port, with its colon, from a host as readHost returns it.
func splitPort(host string) (name, port string) {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || strings.HasSuffix(host, "]") {
		return host, ""
	}
	return host[:colon], host[colon:]
}
