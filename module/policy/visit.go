// Package policy holds the rules: which audience a path belongs to, which way
// in people get from where they are, what a session opens, whom a site lets
// in, and what address the site itself has. It is pure: everything it decides
// on is handed to it, and nothing it decides is done here.
package policy

import "net/netip"

// Visit is what the gateway established about a request before anything was
// decided. Nothing in it is taken from the client unchecked.
type Visit struct {
	// Client is the client's address as Caddy established it. The zero value
	// means that it is unknown, as on a unix socket.
	Client netip.Addr

	// Forgeable says that Client is what the client may have written
	// itself, so that no range can be held against it.
	Forgeable bool

	// Origin is the site's own origin, for example
	// "https://app.example.com": no path, no slash at the end.
	Origin string

	// Host is the host of Origin, with the port if it is not the scheme's
	// own, to be shown to people.
	Host string

	// Portal is the origin of the portal that has the pages of this site; ""
	// where the site has its own. A form may end up there.
	Portal string

	// Asked is the path and query as they were asked for.
	Asked string

	// Secure says whether the scheme of Origin is https, and with it which
	// cookies are set.
	Secure bool
}
