package module

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// arrival is what the gateway establishes about a request before it asks who
// sent it.
type arrival struct {
	original string // path and query as they came
	path     string // canonical
	own      bool   // one of the gateway's own addresses
	public   bool
	door     *policy.Door
	origin   policy.Origin
	portal   bool // the site is the portal
}

// arrive looks at a request as it came, before any rewrite, and refuses what
// cannot be judged.
func (g *Gateway) arrive(r *http.Request) (arrival, *answer.Refusal) {
	address, uri := r.URL, r.RequestURI
	if came, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		address, uri = came.URL, came.RequestURI
	}
	var a arrival
	path := policy.ReadPath(sentPath(address), address.Path)
	a.original, a.path = uri, path.Clean
	a.own = a.path == answer.Root || strings.HasPrefix(a.path, answer.Root+"/")

	var err error
	if p := g.app.portal; p != nil && p.origin.IsHost(r.Host) {
		a.origin, a.portal = p.origin, true
	} else if a.origin, err = g.rules.site.Origin(siteArrival(r)); err != nil {
		return a, &answer.Refusal{Kind: pages.OriginUnclear, Cause: err}
	}
	switch {
	case isEarly(r):
		return a, &answer.Refusal{Kind: pages.TooEarly, Cause: errors.New("sent as TLS early data, which can be played back")}
	case r.Method == http.MethodTrace, r.Method == http.MethodConnect && !isUpgrade(r):
		return a, &answer.Refusal{Kind: pages.MethodNotAllowed, Cause: fmt.Errorf("the method is %s", r.Method)}
	}
	ambiguous := path.Ambiguous || g.rules.endsEarly(a.path)
	if ambiguous && (a.own || g.rules.several) {
		return a, &answer.Refusal{Kind: pages.AmbiguousPath, Cause: errors.New("the path can be read in more than one way")}
	}
	a.door = g.rules.door(a.path)
	a.public = !a.own && !ambiguous && isUsual(r.Method) && !isUpgrade(r) && g.rules.isPublic(a.path)
	return a, nil
}

// sentPath is the path as it was sent. URL.EscapedPath is not where something
// in it should have been encoded: it encodes the whole anew, and hides what was
// hidden elsewhere in it.
func sentPath(address *url.URL) string {
	if address.RawPath != "" {
		return address.RawPath
	}
	return address.EscapedPath()
}

// visit is the arrival as the rooms below know it.
func (g *Gateway) visit(r *http.Request, a arrival) policy.Visit {
	visit := policy.Visit{Host: a.origin.Host, Secure: a.origin.Secure, Asked: a.original}
	if a.origin.Host != "" {
		visit.Origin = a.origin.String()
	}
	if p := g.app.portal; p != nil && !a.portal {
		visit.Portal = p.origin.String()
	}
	if text, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok {
		if client, err := netip.ParseAddr(text); err == nil {
			visit.Client = client.Unmap().WithZone("")
		}
	}
	visit.Forgeable = clientForgeable(r)
	return visit
}

// siteArrival is what the site's own address is told from. Nobody asks about
// the peer where Caddy terminated TLS.
func siteArrival(r *http.Request) policy.Arrival {
	arrived := policy.Arrival{TLS: r.TLS != nil, Host: r.Host}
	if arrived.TLS {
		return arrived
	}
	arrived.PeerIsTrustedProxy = peerIsTrusted(r)
	arrived.ForwardedProto = r.Header["X-Forwarded-Proto"]
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		arrived.Peer = peer.Addr()
	}
	return arrived
}

// peerIsTrusted reports whether the peer is one of the site's trusted_proxies.
func peerIsTrusted(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// clientForgeable reports whether the client's address is one that the client
// itself may have written: without trusted_proxies_strict Caddy takes the
// left-most address that a trusted proxy hands on.
func clientForgeable(r *http.Request) bool {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return ok && server.TrustedProxiesStrict == 0 && peerIsTrusted(r)
}

// isEarly reports whether the request came as TLS early data, here or at a
// proxy in front. Whatever the header says, repeated or not, means yes (RFC
// 8470, section 5.1).
func isEarly(r *http.Request) bool {
	return len(r.Header["Early-Data"]) > 0 || r.TLS != nil && !r.TLS.HandshakeComplete
}

// isUsual reports whether a method may ever be public.
func isUsual(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}

// keepQueryFromLog keeps the access log from writing the query of one of our
// own addresses, whether it was asked for or is where the answer leads: it may
// hold a provider's code or the token of a link. What happened there is in the
// audit trail.
func keepQueryFromLog(w http.ResponseWriter, r *http.Request, a arrival) {
	if strings.Contains(a.original, "?") || r.URL.RawQuery != "" || strings.Contains(w.Header().Get("Location"), "?") {
		caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	}
}
