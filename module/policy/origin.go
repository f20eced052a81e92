package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Faults that leave a site without an origin. The errors that wrap them name
// the remedy, for the log.
var (
	// ErrNoOrigin: the request came in plain, and nothing that can be
	// believed says that people use https.
	ErrNoOrigin = errors.New("the site's own address cannot be told")

	// ErrBadHost: the request names no host, or something that is none.
	ErrBadHost = errors.New("the request's Host is not a host")
)

// Origin is the scheme and host of a site.
type Origin struct {
	// Secure says whether the scheme is https; otherwise it is http, which
	// only ever happens on loopback.
	Secure bool

	// Host is the host in lower case, with the port if it is not the
	// scheme's own.
	Host string
}

// String is the origin as browsers write it: "https://app.example.com".
func (o Origin) String() string {
	if o.Secure {
		return "https://" + o.Host
	}
	return "http://" + o.Host
}

// Arrival is how a request came in.
type Arrival struct {
	// TLS says whether Caddy itself terminated TLS.
	TLS bool

	// Host is the request's own Host, never X-Forwarded-Host.
	Host string

	// Peer is the address at the other end of the connection; the zero value
	// stands for a unix socket.
	Peer netip.Addr

	// PeerIsTrustedProxy says whether Caddy trusts the peer as a proxy.
	PeerIsTrustedProxy bool

	// ForwardedProto are the values of X-Forwarded-Proto.
	ForwardedProto []string
}

// Site tells the origin of a protected site.
type Site struct {
	origins []Origin
}

// NewSite returns a site with the origins that are configured for it, if any.
func NewSite(origins []string) (*Site, error) {
	s := new(Site)
	for _, text := range origins {
		origin, err := ParseOrigin(text)
		if err != nil {
			return nil, err
		}
		s.origins = append(s.origins, origin)
	}
	return s, nil
}

// ParseOrigin reads an origin: https and a host, with a port or without. Plain
// http is only for loopback, since anyone on the way could take the cookies.
func ParseOrigin(text string) (Origin, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "https" && scheme != "http" {
		return Origin{}, fmt.Errorf("%q is not an origin: write it like https://app.example.com", text)
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#") {
		return Origin{}, fmt.Errorf("%q has more than an origin: leave out what follows the host and port", text)
	}
	host, ok := readHost(rest, scheme == "https")
	if !ok {
		return Origin{}, fmt.Errorf("%q is not an origin: %q is not a host (write other alphabets as punycode, xn--…)", text, rest)
	}
	if scheme == "http" && !isLoopback(host) {
		return Origin{}, fmt.Errorf("%q is plain http, where anyone on the way could take over sessions: use https", text)
	}
	return Origin{Secure: scheme == "https", Host: host}, nil
}

// Origin tells the site's own origin for a request. Where origins are
// configured it is always one of them: the one with the request's host, or
// else the first, whatever Host a client makes up.
func (s *Site) Origin(a Arrival) (Origin, error) {
	if len(s.origins) > 0 {
		for _, origin := range s.origins {
			if host, ok := readHost(a.Host, origin.Secure); ok && host == origin.Host {
				return origin, nil
			}
		}
		return s.origins[0], nil
	}

	secure := a.TLS || a.PeerIsTrustedProxy && saysHTTPS(a.ForwardedProto)
	host, ok := readHost(a.Host, secure)
	switch {
	case !ok:
		return Origin{}, fmt.Errorf("%w: %.100q", ErrBadHost, a.Host)
	case secure, a.Peer.Unmap().IsLoopback() && isLoopback(host):
		return Origin{Secure: secure, Host: host}, nil
	case a.PeerIsTrustedProxy:
		return Origin{}, fmt.Errorf("%w: the trusted proxy %s does not say https in X-Forwarded-Proto: "+
			"have it send X-Forwarded-Proto: https, or name the address with `origin https://…`", ErrNoOrigin, a.Peer)
	}
	return Origin{}, fmt.Errorf("%w: %s asked for %s over plain HTTP: serve the site with https; "+
		"or, if that is a proxy that does, list it in `trusted_proxies` and have it send X-Forwarded-Proto: https, "+
		"or name the address with `origin https://…`", ErrNoOrigin, peerName(a.Peer), host)
}

// peerName is how an error calls the peer.
func peerName(peer netip.Addr) string {
	if peer.IsValid() {
		return peer.String()
	}
	return "a unix socket"
}

// saysHTTPS reports whether X-Forwarded-Proto says https and nothing else. A
// list of several is what proxies in a row leave behind; with http among them
// somebody on the way sees everything.
func saysHTTPS(values []string) bool {
	for _, value := range values {
		for proto := range strings.SplitSeq(value, ",") {
			// Not strings.EqualFold, to which "httpſ" is the same.
			if strings.ToLower(strings.TrimSpace(proto)) != "https" {
				return false
			}
		}
	}
	return len(values) > 0
}

// readHost reads a Host: a name, an IPv4 address or an IPv6 address in
// brackets, with a port or without. It returns it as a browser would write it
// in an origin: in lower case, without the scheme's own port. Anything else is
// not ok, and so is what browsers would turn into something else.
func readHost(text string, secure bool) (host string, ok bool) {
	if len(text) == 0 || len(text) > 255 {
		return "", false
	}
	name, port := text, ""
	if end := strings.LastIndexByte(text, ']'); text[0] == '[' {
		if end < 0 {
			return "", false
		}
		name, port = text[:end+1], text[end+1:]
	} else if colon := strings.IndexByte(text, ':'); colon >= 0 {
		name, port = text[:colon], text[colon:]
	}
	if port != "" && !isPort(port) {
		return "", false
	}

	if name != "" && name[0] == '[' {
		addr, err := netip.ParseAddr(name[1 : len(name)-1])
		if err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" {
			return "", false
		}
		if written := addr.String(); written != name[1:len(name)-1] {
			name, text = "["+written+"]", ""
		}
	} else {
		if !isHostName(name) {
			return "", false
		}
		if lower := strings.ToLower(name); lower != name {
			name, text = lower, ""
		}
	}

	if secure && port == ":443" || !secure && port == ":80" {
		return name, true
	}
	if text != "" {
		return text, true // as it is, without copying
	}
	return name + port, true
}

// isPort reports whether s is a colon and a port as browsers write it.
func isPort(s string) bool {
	if len(s) < 2 || s[0] != ':' || s[1] < '1' || s[1] > '9' {
		return false
	}
	_, err := strconv.ParseUint(s[1:], 10, 16)
	return err == nil
}

// isHostName reports whether name is a domain name in ASCII (underscores, which
// internal names have, and a dot at the end included) or an IPv4 address in
// full. Browsers take a name whose last label is a number for an address.
func isHostName(name string) bool {
	rest := strings.TrimSuffix(name, ".")
	var label string
	for more := true; more; {
		label, rest, more = strings.Cut(rest, ".")
		if label == "" || len(label) > 63 {
			return false
		}
		for i := 0; i < len(label); i++ {
			if c := label[i]; !isUnreserved(c) || c == '.' || c == '~' {
				return false
			}
		}
	}
	if label[0] >= '0' && label[0] <= '9' && isNumber(label) {
		addr, err := netip.ParseAddr(name)
		return err == nil && addr.Is4()
	}
	return true
}

// isNumber reports whether browsers read a host's last label as a number
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// isLoopback reports whether a host as readHost returns it always means the
// machine itself: 127.0.0.0/8, ::1, localhost and the names under it.
func isLoopback(host string) bool {
	if host[0] != '[' {
		host, _, _ = strings.Cut(host, ":")
		if host == "localhost" || strings.HasSuffix(host, ".localhost") {
			return true
		}
	} else {
		host = host[1:strings.IndexByte(host, ']')]
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
