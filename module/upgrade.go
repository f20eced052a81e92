package module

import (
	"net/http"
	"strings"
)

// settleUpgrade leaves of what a request wants to switch to only what the
// gateway can answer for: a WebSocket. Any other protocol would be a tunnel to
// the app, in which whole requests pass unseen (HTTP/2 without TLS is one), with
// whatever paths and identity headers the client likes. A server may ignore the
// wish (RFC 9110, section 7.8), and the request goes on as an ordinary one.
func settleUpgrade(header http.Header) {
	wanted, ok := header["Upgrade"]
	if !ok {
		return
	}
	if wantsWebSocket(wanted) {
		header["Upgrade"] = []string{"websocket"}
		return
	}
	delete(header, "Upgrade")
	delete(header, "Http2-Settings")
}

// isUpgrade reports whether the request opens a WebSocket, in HTTP/1.1 or as
// an extended CONNECT (RFC 8441).
func isUpgrade(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		return r.Header.Get(":protocol") == "websocket"
	}
	return wantsWebSocket(r.Header["Upgrade"])
}

// wantsWebSocket reports whether a WebSocket is among the protocols of Upgrade,
// in whatever version.
func wantsWebSocket(upgrade []string) bool {
	for _, line := range upgrade {
		for protocol := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(protocol, "/")
			if strings.EqualFold(strings.TrimSpace(name), "websocket") {
				return true
			}
		}
	}
	return false
}

// fromHere reports whether the site's own pages sent the request.
func (g *Gateway) fromHere(r *http.Request, a arrival) bool {
	origins := r.Header["Origin"]
	return len(origins) == 1 && origins[0] == a.origin.String()
}
