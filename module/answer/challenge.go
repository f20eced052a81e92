package answer

import (
	"net/http"

	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// Challenge answers a request that needs a session and has none that opens its
// path: a page navigation is sent to sign in, and everything else is told in a
// way that it can read. original is the address as it was asked for, path and
// query; program says that the path belongs to programs, which are never
// redirected.
func (a *Answers) Challenge(w http.ResponseWriter, r *http.Request, original string, visit policy.Visit, program bool) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Cookie, Accept, Sec-Fetch-Mode")
	address := SignInFor(policy.ReturnTo(original, visit.Origin))
	if !program && IsNavigation(r) {
		h.Set("Location", address)
		w.WriteHeader(http.StatusFound)
		return
	}
	h.Set("WWW-Authenticate", `Bearer realm="auth_gateway"`)
	if !program && wantsPage(r) {
		// A form was sent to the app by somebody whose session has ended.
		// The address may not be one that can be asked for with GET.
		a.Refuse(w, r, visit, Refusal{Kind: pages.NothingSent, Way: pages.Way{Kind: pages.WaySignIn, Href: SignIn}})
		return
	}
	WriteProblem(w, Problem{
		Type:   "about:blank",
		Title:  http.StatusText(http.StatusUnauthorized),
		Status: http.StatusUnauthorized,
		Detail: "no session: sign in with a browser at sign_in and send the session cookie along",
		SignIn: visit.Origin + SignIn,
	})
}
