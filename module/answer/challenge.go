package answer

import (
	"net/http"

	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// Challenged is a request that needs a session and has none that opens its path.
type Challenged struct {
	// Original is the address as it was asked for, path and query.
	Original string
	// Program: the path belongs to programs, which are never redirected.
	Program bool
	// Basic: a password that is sent along would do as well.
	Basic bool
	// Detail says to a program what would work. Default: signing in with a
	// browser, or with a password where Basic says so.
	Detail string
}

// Challenge answers such a request: a page navigation is sent to sign in, and
// everything else is told in a way that it can read.
func (a *Answers) Challenge(w http.ResponseWriter, r *http.Request, visit policy.Visit, c Challenged) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Cookie, Accept, Sec-Fetch-Mode")
	address := SignInFor(policy.ReturnTo(c.Original, visit.Origin))
	if !c.Program && IsNavigation(r) {
		h.Set("Location", address)
		w.WriteHeader(http.StatusFound)
		return
	}
	h.Add("WWW-Authenticate", `Bearer realm="auth_gateway"`)
	if c.Basic && !sentByBrowser(r) {
		h.Add("WWW-Authenticate", `Basic realm="auth_gateway", charset="UTF-8"`)
	}
	if !c.Program && wantsPage(r) {
		// A form was sent to the app by somebody whose session has ended.
		// The address may not be one that can be asked for with GET.
		a.Refuse(w, r, visit, Refusal{Kind: pages.NothingSent, Way: pages.Way{Kind: pages.WaySignIn, Href: SignIn}})
		return
	}
	detail := c.Detail
	switch {
	case detail != "":
	case c.Basic:
		detail = "no session and no password: send e-mail address and password with Basic authentication, or sign in with a browser at sign_in and send the session cookie along"
	default:
		detail = "no session: sign in with a browser at sign_in and send the session cookie along"
	}
	WriteProblem(w, Problem{
		Type:   "about:blank",
		Title:  http.StatusText(http.StatusUnauthorized),
		Status: http.StatusUnauthorized,
		Detail: detail,
		SignIn: visit.Origin + SignIn,
	})
}

// sentByBrowser reports whether a browser sent the request. To one that hears of
// Basic a script's request is reason enough to ask the person for a password,
// in a window of its own that nobody can tell from a forged one.
func sentByBrowser(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") != "" || r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != ""
}
