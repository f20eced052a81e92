package module

import (
	"encoding/hex"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// userView is an account as the admin endpoint and --json show it.
type userView struct {
	ID string `json:"id"`
	identity.Attributes
	Suspended  bool      `json:"suspended"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	LastSignIn time.Time `json:"last_sign_in,omitzero"`
}

func viewUser(a store.Account) userView {
	return userView{
		ID: a.ID, Attributes: a.Attributes, Suspended: a.Suspended,
		CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt, LastSignIn: a.LastSignIn,
	}
}

// personView is an account with what hangs on it.
type personView struct {
	userView
	HasPassword       bool          `json:"has_password"`
	SecondFactors     []factorView  `json:"second_factors"`
	RecoveryCodesLeft int           `json:"recovery_codes_left"`
	SSOLinks          []ssoLinkView `json:"sso_links"`
	Sessions          int           `json:"sessions"`
	PasswordHeld      *heldView     `json:"password_held,omitempty"`
	PasscodeHeld      *heldView     `json:"passcode_held,omitempty"`
}

// factorView is a second factor.
type factorView struct {
	Method store.Method `json:"method"`
	// Required: set up because an audience required it, not by choice.
	Required  bool      `json:"required"`
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at,omitzero"`
}

// ssoLinkView is an identity of a provider.
type ssoLinkView struct {
	SSO       string    `json:"sso"`
	Issuer    string    `json:"issuer"`
	Subject   string    `json:"subject"`
	Email     string    `json:"email,omitempty"` // as the provider had it last
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at,omitzero"`
}

// heldView says how long guesses of strangers have to wait.
type heldView struct {
	Until       time.Time `json:"until,omitzero"`
	UntilUnlock bool      `json:"until_unlock,omitempty"`
}

func viewPerson(p account.Person, now time.Time) personView {
	view := personView{
		userView:          viewUser(p.Account),
		HasPassword:       p.HasPassword,
		SecondFactors:     make([]factorView, 0, len(p.Factors)),
		RecoveryCodesLeft: p.RecoveryCodes,
		SSOLinks:          make([]ssoLinkView, 0, len(p.SSOLinks)),
		Sessions:          len(session.Browsers(p.Sessions)),
		PasswordHeld:      viewHeld(p.PasswordHeld, now),
		PasscodeHeld:      viewHeld(p.PasscodeHeld, now),
	}
	for _, f := range p.Factors {
		view.SecondFactors = append(view.SecondFactors, factorView{Method: f.Method, Required: f.Required, CreatedAt: f.CreatedAt, UsedAt: f.UsedAt})
	}
	for _, l := range p.SSOLinks {
		view.SSOLinks = append(view.SSOLinks, ssoLinkView{SSO: l.SSO, Issuer: l.Issuer, Subject: l.Subject, Email: l.Email, CreatedAt: l.CreatedAt, UsedAt: l.UsedAt})
	}
	return view
}

func viewHeld(h *account.Held, now time.Time) *heldView {
	switch {
	case h == nil:
		return nil
	case h.UntilUnlock:
		return &heldView{UntilUnlock: true}
	}
	return &heldView{Until: now.Add(h.RetryAfter).Truncate(time.Second)}
}

// issuedView is an account with the one-time link that was made for it.
type issuedView struct {
	userView
	// LinkPath is the link without the site: path and query. Empty if there
	// is no link.
	LinkPath      string    `json:"link_path,omitempty"`
	LinkExpiresAt time.Time `json:"link_expires_at,omitzero"`
	// Mailed: the link is on its way to the person by mail.
	Mailed bool `json:"mailed,omitempty"`
}

// sessionView is a session.
type sessionView struct {
	// ID is the hash of what is in the cookie: it ends a session and opens
	// nothing.
	ID             string    `json:"id"`
	Audience       string    `json:"audience"`
	SSO            string    `json:"sso,omitempty"` // "" for a password
	SignedInAt     time.Time `json:"signed_in_at"`
	SecondFactorAt time.Time `json:"second_factor_at,omitzero"`
	SeenAt         time.Time `json:"seen_at"`
	ExpiresAt      time.Time `json:"expires_at"`
	Address        string    `json:"address,omitempty"`
	Browser        string    `json:"browser,omitempty"`
}

func viewSession(s store.Session) sessionView {
	return sessionView{
		ID: hex.EncodeToString(s.ID), Audience: s.Audience, SSO: s.SSO, SignedInAt: s.SignedInAt,
		SecondFactorAt: s.SecondFactorAt, SeenAt: s.SeenAt, ExpiresAt: s.ExpiresAt, Address: s.Address, Browser: s.Browser,
	}
}

// endedView says how many sessions were ended.
type endedView struct {
	Ended int `json:"ended"`
}

// wayInView is the way in that an audience gives an address.
type wayInView struct {
	Audience string `json:"audience"`
	// SSO is the SSO config that people are sent straight to, if any.
	SSO string `json:"sso,omitempty"`
	// Password says whether the page has the password form.
	Password bool `json:"password"`
	// Buttons are the SSO configs that have a button on the page.
	Buttons []string `json:"buttons,omitempty"`
	// Refused says that there is no way in.
	Refused bool   `json:"refused"`
	Reason  string `json:"reason"`
}
