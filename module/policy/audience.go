package policy

import "github.com/caddyserver/caddy/v2"

// Audience is a named population that shares sign-in rules.
type Audience struct {
	// SignIn is "choose" (a page offers what is available) or "redirect"
	// (straight to RedirectTo). Default: choose.
	SignIn string `json:"sign_in,omitempty"`

	// RedirectTo is the SSO config of sign_in "redirect".
	RedirectTo string `json:"redirect_to,omitempty"`

	// SSO are the names of the SSO configs assigned to this audience, in the
	// order in which their buttons are shown.
	SSO []string `json:"sso,omitempty"`

	// Password is "on" or "off": whether people may sign in with a password.
	// Default: on.
	Password string `json:"password,omitempty"`

	// PasswordChange is "on" or "off": whether people may change and reset
	// their own password. Default: on.
	PasswordChange string `json:"password_change,omitempty"`

	// SecondFactor is "off", "optional" or "required". Default: optional.
	SecondFactor string `json:"second_factor,omitempty"`

	// Passcode are the methods of the second factor that are offered.
	// Only "app" is available. Default: app.
	Passcode []string `json:"passcode,omitempty"`

	// Roles are the roles that belong to this audience. Default: everyone.
	Roles []string `json:"roles,omitempty"`

	// IdleTimeout ends a session that was not used for so long. Default: 8h.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// SessionLifetime ends a session that long after signing in. Default: 24h.
	SessionLifetime caddy.Duration `json:"session_lifetime,omitempty"`
}
