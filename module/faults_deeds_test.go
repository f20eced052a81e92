package module

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso/providertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const newPassword = "another correct horse battery"

// deeds are those of TestStoreFaults.
var deeds = []deed{
	{
		name: "a signed-in request",
		prepare: func(v *visitor) func() reply {
			v.signIn()
			return func() reply { return v.get("/") }
		},
		done: func(_ *visitor, r reply) bool { return r.app },
		after: func(v *visitor, _ bool, again func() reply) {
			if !again().app {
				v.t.Error("the session did not come back with the store")
			}
		},
	}, {
		name: "whoami",
		prepare: func(v *visitor) func() reply {
			v.signIn()
			return func() reply { return v.get("/auth-gateway/whoami") }
		},
		done:  func(_ *visitor, r reply) bool { return r.Code == http.StatusOK },
		after: worksAgain(http.StatusOK),
	}, {
		name: "the account page",
		prepare: func(v *visitor) func() reply {
			v.enrolled(false)
			r := v.password(visitorPassword, "/")
			v.post("/auth-gateway/passcode", "flow", v.step(r, "/auth-gateway/passcode"), "passcode", v.code())
			return func() reply { return v.get("/auth-gateway/account") }
		},
		done:  func(_ *visitor, r reply) bool { return r.Code == http.StatusOK },
		after: worksAgain(http.StatusOK),
	}, {
		name: "the sign-in page with a session",
		prepare: func(v *visitor) func() reply {
			v.signIn()
			return func() reply { return v.get("/auth-gateway/sign-in?return_to=/x") }
		},
		done:  func(_ *visitor, r reply) bool { return r.Header().Get("Location") == "/x" },
		after: worksAgain(http.StatusFound),
	}, {
		name: "a password",
		prepare: func(v *visitor) func() reply {
			return func() reply { return v.password(visitorPassword, "/") }
		},
		done: signedIn,
		after: func(v *visitor, done bool, again func() reply) {
			if v.in() != done {
				v.t.Errorf("in: %v, done: %v", !done, done)
			}
			if r := again(); !signedIn(v, r) || !v.in() {
				v.t.Errorf("another try: %d", r.Code)
			}
		},
	}, {
		name: "a password in a browser with a session",
		prepare: func(v *visitor) func() reply {
			v.signIn()
			return func() reply { return v.password(visitorPassword, "/") }
		},
		done: func(v *visitor, r reply) bool {
			return r.Code == http.StatusSeeOther && r.Header().Get("Set-Cookie") != ""
		},
		after: func(v *visitor, done bool, again func() reply) {
			if n := v.sessions(); n != 1 {
				v.t.Errorf("%d sessions, done: %v", n, done)
			}
			again()
			if !v.in() {
				v.t.Error("another try does not let in")
			}
		},
	}, {
		name: "a wrong password, the tenth",
		prepare: func(v *visitor) func() reply {
			for range 9 {
				v.password("a wrong password", "/")
			}
			return func() reply { return v.password("a wrong password", "/") }
		},
		done: func(_ *visitor, r reply) bool { return r.Code == http.StatusUnauthorized },
		after: func(v *visitor, done bool, again func() reply) {
			// One more at most, and then it waits, right or wrong.
			if r := again(); r.Code != http.StatusTooManyRequests && (done || r.Code != http.StatusUnauthorized) {
				v.t.Errorf("the next: %d, counted: %v", r.Code, done)
			}
			if r := v.password(visitorPassword, "/"); r.Code != http.StatusTooManyRequests {
				v.t.Errorf("%d after ten wrong passwords", r.Code)
			}
		},
	}, {
		name: "the password before a passcode",
		prepare: func(v *visitor) func() reply {
			v.enrolled(false)
			return func() reply { return v.password(visitorPassword, "/") }
		},
		done: func(_ *visitor, r reply) bool {
			return r.Code == http.StatusSeeOther && strings.HasPrefix(r.Header().Get("Location"), "/auth-gateway/passcode")
		},
		after: func(v *visitor, _ bool, again func() reply) {
			if v.hasSession() || v.in() {
				v.t.Error("in without a passcode")
			}
			v.post("/auth-gateway/passcode", "flow", v.step(again(), "/auth-gateway/passcode"), "passcode", v.code())
			if !v.in() {
				v.t.Error("another try does not let in")
			}
		},
	}, {
		name:    "a code of the authenticator app",
		prepare: func(v *visitor) func() reply { v.enrolled(false); return v.passcode(v.code()) },
		done:    signedIn,
		after:   usedUp,
	}, {
		name:    "a recovery code",
		prepare: func(v *visitor) func() reply { v.enrolled(false); return v.passcode(v.codes[0]) },
		done:    signedIn,
		after: func(v *visitor, done bool, again func() reply) {
			kept := v.sessions() == 1
			if _, left := v.factors(); done && left != 9 || (left == 9) != kept {
				v.t.Errorf("%d codes left, a session: %v, done: %v", left, kept, done)
			}
			usedUp(v, done, again)
		},
	}, {
		name: "setting up a second factor",
		prepare: func(v *visitor) func() reply {
			flow := v.step(v.password(visitorPassword, "/vault"), "/auth-gateway/enroll")
			page := v.get("/auth-gateway/enroll?flow=" + flow)
			v.holds(markup.ReplaceAllString(shownKey.FindString(page.Body.String()), ""))
			code := v.code()
			return func() reply { return v.post("/auth-gateway/enroll", "flow", flow, "passcode", code) }
		},
		done: func(v *visitor, r reply) bool {
			return r.Code == http.StatusOK && strings.Contains(r.Body.String(), `id="recovery-codes"`) && v.hasSession()
		},
		after: func(v *visitor, done bool, again func() reply) {
			set, left := v.factors()
			if done && !set || set != (left == 10) || set != (v.sessions() == 1) {
				v.t.Errorf("second factor: %v, %d recovery codes, %d sessions, done: %v", set, left, v.sessions(), done)
			}
			if v.get("/vault").app != done {
				v.t.Errorf("in: %v, done: %v", !done, done)
			}
			if !set {
				if r := again(); r.Code != http.StatusOK || !v.get("/vault").app {
					v.t.Errorf("another try: %d", r.Code)
				}
				return
			}
			// It counts from now on, at every sign-in.
			other := v.elsewhere()
			r := other.password(visitorPassword, "/vault")
			other.post("/auth-gateway/passcode", "flow", other.step(r, "/auth-gateway/passcode"), "passcode", other.code())
			if !other.get("/vault").app {
				v.t.Error("the app that was set up does not let in")
			}
		},
	}, {
		name: "the step up to a passcode",
		prepare: func(v *visitor) func() reply {
			v.enrolled(true)
			v.signIn()
			return func() reply { return v.get("/auth-gateway/sign-in?return_to=/vault") }
		},
		done: func(_ *visitor, r reply) bool {
			return r.Code == http.StatusFound && strings.HasPrefix(r.Header().Get("Location"), "/auth-gateway/passcode")
		},
		after: func(v *visitor, _ bool, again func() reply) {
			if !v.in() || v.get("/vault").app {
				v.t.Error("the session opens more or less than it did")
			}
			v.post("/auth-gateway/passcode", "flow", v.step(again(), "/auth-gateway/passcode"), "passcode", v.code())
			if !v.get("/vault").app {
				v.t.Error("another try does not let in")
			}
		},
	}, {
		name: "the passcode of a step up",
		prepare: func(v *visitor) func() reply {
			v.enrolled(true)
			v.signIn()
			flow, code := v.step(v.get("/auth-gateway/sign-in?return_to=/vault"), "/auth-gateway/passcode"), v.code()
			return func() reply { return v.post("/auth-gateway/passcode", "flow", flow, "passcode", code) }
		},
		done: func(_ *visitor, r reply) bool {
			return r.Code == http.StatusSeeOther && r.Header().Get("Location") == "/vault"
		},
		after: func(v *visitor, done bool, _ func() reply) {
			if n := v.sessions(); n != 1 {
				v.t.Errorf("%d sessions in place of one", n)
			}
			if v.get("/vault").app != done {
				v.t.Errorf("the vault is open: %v, done: %v", !done, done)
			}
		},
	}, {
		name: "a new password by a link",
		prepare: func(v *visitor) func() reply {
			v.signIn()
			token, _, err := v.people().IssueLink(v.t.Context(), v.account.ID, store.PurposeReset, nil)
			must(v.t, err)
			other := v.elsewhere()
			return func() reply { return other.post("/auth-gateway/reset", "token", token, "password", newPassword) }
		},
		done: func(_ *visitor, r reply) bool { return r.Code == http.StatusOK },
		after: func(v *visitor, done bool, again func() reply) {
			takes := func(password string) bool {
				other := v.elsewhere()
				return signedIn(other, other.password(password, "/"))
			}
			alive := v.in()
			before, after := takes(visitorPassword), takes(newPassword)
			if before == after || alive != before || done && !after {
				v.t.Errorf("the old password counts: %v, the new one: %v, the session: %v, done: %v", before, after, alive, done)
			}
			// The link is used up with the new password, neither alone.
			if r := again(); before && r.Code != http.StatusOK || after && r.Code != http.StatusGone {
				v.t.Errorf("another try: %d, new password: %v", r.Code, after)
			}
			if !takes(newPassword) || takes(visitorPassword) {
				v.t.Error("the new password does not count in the end")
			}
		},
	}, {
		name: "signing out",
		prepare: func(v *visitor) func() reply {
			v.signIn()
			stolen := v.cookies["auth_gateway"]
			return func() reply {
				r := v.post("/auth-gateway/sign-out")
				v.cookies["auth_gateway"] = stolen
				return r
			}
		},
		done: func(_ *visitor, r reply) bool { return r.Code == http.StatusSeeOther },
		after: func(v *visitor, done bool, again func() reply) {
			alive := v.in()
			if done && alive || alive != (v.sessions() == 1) {
				v.t.Errorf("the session lives: %v, %d sessions, done: %v", alive, v.sessions(), done)
			}
			if r := again(); r.Code != http.StatusSeeOther || v.in() {
				v.t.Errorf("another try: %d", r.Code)
			}
		},
	}, {
		name: "suspending",
		prepare: func(v *visitor) func() reply {
			v.signIn()
			if !v.in() {
				v.t.Fatal("not in")
			}
			return func() reply {
				w := httptest.NewRecorder()
				if err := v.people().Suspend(context.WithValue(v.t.Context(), markKey{}, true), v.account.ID, nil); err != nil {
					w.Header().Set("Retry-After", "1")
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return reply{ResponseRecorder: w}
			}
		},
		done: func(_ *visitor, r reply) bool { return r.Code == http.StatusOK },
		after: func(v *visitor, done bool, again func() reply) {
			a, err := v.people().Account(v.t.Context(), v.account.ID)
			must(v.t, err)
			if in := v.in(); in == a.Suspended || done && in {
				v.t.Errorf("in: %v, suspended: %v, done: %v", in, a.Suspended, done)
			}
			if r := again(); r.Code != http.StatusOK || v.in() {
				v.t.Errorf("another try: %d", r.Code)
			}
		},
	}, {
		name: "coming back from a provider",
		prepare: func(v *visitor) func() reply {
			email := "okta-" + v.account.Attributes.Email
			v.okta.Behave(func(b *providertest.Behaviour) {
				b.Person = map[string]any{"sub": email, "email": email, "email_verified": true, "name": "Alice"}
			})
			return v.callback()
		},
		done: signedIn,
		after: func(v *visitor, done bool, again func() reply) {
			if v.in() != done {
				v.t.Errorf("in: %v, done: %v", !done, done)
			}
			if r := again(); r.app || signedIn(v, r) && done {
				v.t.Errorf("the same answer of the provider counts twice: %d", r.Code)
			}
			other := v.elsewhere()
			if r := other.callback()(); !signedIn(other, r) || !other.in() {
				v.t.Errorf("another sign-in: %d", r.Code)
			}
			found, err := v.people().Find(v.t.Context(), "okta-"+v.account.Attributes.Email)
			must(v.t, err)
			v.account = found
			if n := v.sessions(); n < 1 || n > 2 {
				v.t.Errorf("%d sessions", n)
			}
		},
	},
}

// signedIn reports whether an answer hands out a session.
func signedIn(v *visitor, r reply) bool {
	return (r.Code == http.StatusSeeOther || r.Code == http.StatusFound) && v.hasSession()
}

// worksAgain is for requests that change nothing.
func worksAgain(status int) func(*visitor, bool, func() reply) {
	return func(v *visitor, _ bool, again func() reply) {
		if r := again(); r.Code != status {
			v.t.Errorf("another try: %d, want %d", r.Code, status)
		}
	}
}

// passcode is the second step of a sign-in.
func (v *visitor) passcode(code string) func() reply {
	flow := v.step(v.password(visitorPassword, "/"), "/auth-gateway/passcode")
	return func() reply { return v.post("/auth-gateway/passcode", "flow", flow, "passcode", code) }
}

// usedUp expects of a code that it counts once: it was used up and let somebody
// in, or neither.
func usedUp(v *visitor, done bool, again func() reply) {
	v.t.Helper()
	kept := v.sessions() == 1
	if v.in() != done || done && !kept {
		v.t.Errorf("in: %v, a session: %v, done: %v", !done, kept, done)
	}
	v.cookies["auth_gateway"] = ""
	switch r := again(); {
	case kept && signedIn(v, r):
		v.t.Error("the code counts twice")
	case !kept && !signedIn(v, r):
		v.t.Errorf("the code is lost: %d %s", r.Code, r.Header().Get("Location"))
	}
	// Nobody is locked out.
	other := v.elsewhere()
	if r := other.passcode(v.codes[9])(); !signedIn(other, r) || !other.in() {
		v.t.Errorf("another sign-in: %d", r.Code)
	}
}

// callback goes to the provider and returns with its answer.
func (v *visitor) callback() func() reply {
	r := v.get("/auth-gateway/sso/okta/start")
	query := v.okta.Authorize(v.t, r.Header().Get("Location"))
	return func() reply { return v.get("/auth-gateway/sso/okta/callback?" + url.Values(query).Encode()) }
}
