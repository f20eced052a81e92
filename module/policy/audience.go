package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// Values of SignIn.
const (
	SignInChoose   = "choose"
	SignInRedirect = "redirect"
)

// Values of Password, PasswordChange and APIPassword.
const (
	On  = "on"
	Off = "off"
)

// Values of SecondFactor beside Off.
const (
	SecondFactorOptional = "optional"
	SecondFactorRequired = "required"
)

// How long sessions last when an audience does not say.
const (
	DefaultIdleTimeout     = 8 * time.Hour
	DefaultSessionLifetime = 24 * time.Hour

	// MaxSessionLifetime is the longest session an audience may have:
	// browsers keep no cookie for longer.
	MaxSessionLifetime = 400 * 24 * time.Hour
)

// Audience is a named population that shares sign-in rules.
type Audience struct {
	// SignIn is "choose" (a page offers what is available) or "redirect"
	// (straight to RedirectTo). Default: choose.
	SignIn string `json:"sign_in,omitempty"`

	// RedirectTo is the SSO config of sign_in "redirect"; it must be among
	// SSO. Clients outside its IPRanges get the password form instead.
	RedirectTo string `json:"redirect_to,omitempty"`

	// SSO are the names of the SSO configs assigned to this audience, in the
	// order in which their buttons are shown. Default: none.
	SSO []string `json:"sso,omitempty"`

	// Password is "on" or "off": whether people may sign in with a password.
	// Default: on.
	Password string `json:"password,omitempty"`

	// PasswordChange is "on" or "off": whether people may change and reset
	// their own password. Default: on.
	PasswordChange string `json:"password_change,omitempty"`

	// SecondFactor is "off", "optional" or "required": whether a passcode is
	// asked for after a password. It never applies to an SSO sign-in.
	// Default: optional.
	SecondFactor string `json:"second_factor,omitempty"`

	// Passcode are the methods of the second factor that people may set up,
	// and that count where one is required: "app" (an authenticator app),
	// "email" and "sms"; the first is offered first. email needs a mail
	// server, sms a service for text messages. Default: every one that has
	// what it needs.
	Passcode []string `json:"passcode,omitempty"`

	// TrustDevice is how long a browser in which a passcode was given is not
	// asked for one again, if the person says so; at most 400 days. People can
	// forget a browser on their account page; all are forgotten when their
	// password or a factor changes. Default: 0, it is asked at every sign-in.
	TrustDevice caddy.Duration `json:"trust_device,omitempty"`

	// APIPassword is "on" or "off": whether programs may send address and
	// password along with each request (Basic authentication). It lets in
	// nobody to whom a second factor applies. Default: off.
	APIPassword string `json:"api_password,omitempty"`

	// Roles are the roles that belong to this audience: "end-user", "agent",
	// "admin". Default: everyone.
	Roles []string `json:"roles,omitempty"`

	// IdleTimeout ends a session that was not used for so long.
	// Default: 8h, or SessionLifetime where that is shorter.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// SessionLifetime ends a session that long after signing in; at most
	// 400 days. Default: 24h.
	SessionLifetime caddy.Duration `json:"session_lifetime,omitempty"`
}

// SetDefaults puts the default into every field that says nothing.
func (a *Audience) SetDefaults() {
	orDefault := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	orDefault(&a.SignIn, SignInChoose)
	orDefault(&a.Password, On)
	orDefault(&a.PasswordChange, On)
	orDefault(&a.SecondFactor, SecondFactorOptional)
	orDefault(&a.APIPassword, Off)
	if len(a.Passcode) == 0 {
		a.Passcode = []string{AppName}
	}
	if a.SessionLifetime == 0 {
		a.SessionLifetime = caddy.Duration(DefaultSessionLifetime)
	}
	if a.IdleTimeout == 0 {
		a.IdleTimeout = min(caddy.Duration(DefaultIdleTimeout), a.SessionLifetime)
	}
}

// Validate reports what is wrong with a as far as a alone can tell.
func (a Audience) Validate() (wrong mistake.List) {
	wrong.OneOf("sign_in", a.SignIn, SignInChoose, SignInRedirect)
	wrong.OneOf("password", a.Password, On, Off)
	wrong.OneOf("password_change", a.PasswordChange, On, Off)
	wrong.OneOf("api_password", a.APIPassword, On, Off)
	wrong.OneOf("second_factor", a.SecondFactor, Off, SecondFactorOptional, SecondFactorRequired)

	switch {
	case a.SignIn == SignInRedirect && a.RedirectTo == "":
		wrong.Addf("sign_in", "redirect needs the name of an SSO config")
	case a.SignIn != SignInRedirect && a.RedirectTo != "":
		wrong.Addf("sign_in", "names the SSO config %s without sign_in redirect", a.RedirectTo)
	case a.RedirectTo != "" && !slices.Contains(a.SSO, a.RedirectTo):
		wrong.Addf("sign_in", "redirects to %s, which is not assigned here: add `sso %[1]s`", a.RedirectTo)
	}
	wrong.Repeated("sso", a.SSO)
	if a.Password == Off && len(a.SSO) == 0 {
		wrong.Addf("password", "is off and no SSO config is assigned: nobody could sign in")
	}

	for i, method := range a.Passcode {
		switch method {
		case AppName, EmailName, SMSName:
		default:
			wrong.AddItemf("passcode", i, "unknown method %q: use app, email or sms", method)
		}
	}
	wrong.Repeated("passcode", a.Passcode)
	for i, role := range a.Roles {
		_, err := identity.ParseRole(role)
		wrong.AddItem("roles", i, err)
	}
	wrong.Repeated("roles", a.Roles)

	if trust := time.Duration(a.TrustDevice); trust < 0 || trust > 0 && trust < time.Second {
		wrong.Addf("trust_device", "%s is too short: use 1s or more, or off", length(trust))
	} else if trust > MaxSessionLifetime {
		wrong.Addf("trust_device", "%s is longer than browsers keep a cookie: use 400d or less", length(trust))
	}
	idle, lifetime := time.Duration(a.IdleTimeout), time.Duration(a.SessionLifetime)
	if idle < 0 || idle > 0 && idle < time.Second {
		wrong.Addf("idle_timeout", "%s is too short: use 1s or more", length(idle))
	}
	if lifetime < 0 || lifetime > 0 && lifetime < time.Second {
		wrong.Addf("session_lifetime", "%s is too short: use 1s or more", length(lifetime))
	}
	if lifetime > MaxSessionLifetime {
		wrong.Addf("session_lifetime", "%s is longer than browsers keep a cookie: use 400d or less", length(lifetime))
	}
	if lifetime == 0 {
		lifetime = DefaultSessionLifetime
	}
	if idle > lifetime {
		wrong.Addf("idle_timeout", "%s is longer than session_lifetime (%s) and would never be reached", length(idle), length(lifetime))
	}
	return wrong
}

// length writes a length of time without the units that are zero: "8h".
func length(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
