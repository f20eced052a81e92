package sso

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// Mode is how the authorization code is protected on its way.
type Mode string

// The modes.
const (
	// ModePKCE sends a code challenge (RFC 7636), with or without a secret.
	ModePKCE Mode = "pkce"
	// ModeCode sends the client secret and no code challenge.
	ModeCode Mode = "code"
)

// Words that may stand alone in Admit.
const (
	// AdmitAny gives everyone who comes an account.
	AdmitAny = "any"
	// AdmitExisting gives nobody a new account.
	AdmitExisting = "existing"
)

// LinkVerifiedEmail is the one value of Config.Link.
const LinkVerifiedEmail = "verified_email"

// MaxButton is how many characters the label of a button may have: what fits
// one line on a phone.
const MaxButton = 40

// Config is one OpenID Connect identity provider. Placeholders {env.NAME} and
// {file.PATH} are resolved when the configuration is loaded.
type Config struct {
	// Issuer is the provider's issuer identifier, exactly as its discovery
	// document and ID tokens spell it. Required.
	Issuer string `json:"issuer,omitempty"`

	// ClientID is the client identifier at the provider. Required.
	ClientID string `json:"client_id,omitempty"`

	// ClientSecret is a placeholder, {env.NAME} or {file.PATH}, for the
	// client secret; a literal is refused, since the configuration can be
	// read by many. Mode "code" needs it or ClientKey; "pkce" works without.
	ClientSecret string `json:"client_secret,omitempty"`

	// ClientAuth is how the client says who it is where codes are exchanged
	// and authorization requests are pushed: "client_secret_basic",
	// "client_secret_post" or "private_key_jwt". Default: with a secret what
	// the provider's metadata names, basic before post and where it names
	// nothing; without a secret the client is a public one.
	ClientAuth ClientAuth `json:"client_auth,omitempty"`

	// ClientKey is the file of the client's private key, PEM (PKCS #8,
	// PKCS #1 or SEC 1, not encrypted, perhaps with the key's certificate)
	// or a private JWK. It is read when the configuration is loaded. Required
	// with ClientAuth "private_key_jwt", a mistake without.
	ClientKey string `json:"client_key,omitempty"`

	// ClientKeyAudience is whom the assertions signed with ClientKey are for:
	// "issuer", or "endpoint" for providers that take the address they are
	// sent to and nothing else. Default: issuer.
	ClientKeyAudience Audience `json:"client_key_audience,omitempty"`

	// PushedRequests is "on", where authorization requests are handed to the
	// provider itself if it offers that (RFC 9126; a public client does so
	// only if the provider requires it), or "off", where they go through the
	// browser. Default: on.
	PushedRequests string `json:"pushed_requests,omitempty"`

	// Scopes to ask for. "openid" and "email" must be among them.
	// Default: openid, email, profile.
	Scopes []string `json:"scopes,omitempty"`

	// Mode is "pkce" or "code". Default: pkce.
	Mode Mode `json:"mode,omitempty"`

	// Admit says who may get an account through this provider: the single
	// word "any", the single word "existing", or mail domains. Required.
	Admit []string `json:"admit,omitempty"`

	// TrustEmail: the provider vouches for addresses that it does not mark
	// as verified. Default: false.
	TrustEmail bool `json:"trust_email,omitempty"`

	// Link is "verified_email", where somebody whom this provider sends for
	// the first time joins the account that has their verified address, if it
	// is an end user's without a second factor and linked to nobody else of
	// the issuer. Whoever has the mailbox has the account then. Default:
	// nobody joins an account by its address; people link providers on their
	// account page.
	Link string `json:"link,omitempty"`

	// IPRanges are the CIDRs and addresses of the clients that may use this
	// provider. Default: every client.
	IPRanges []string `json:"ip_ranges,omitempty"`

	// Button is the label of the button on the sign-in page, at most 40
	// characters. Without a label the people for whom this provider is a
	// candidate go straight to it.
	Button string `json:"button,omitempty"`

	// Claims says which claims become which attributes, attribute to claim:
	// the claim's name, or the path to it through objects, such as
	// "resource_access.app.roles". They come from the ID token, or from
	// userinfo where it lacks one. "field.*" maps a whole family:
	// "user_field_*" is every claim whose name begins so, with the rest as
	// the field's key. "email_verified" stands for the claim that says
	// whether the address is the person's.
	// Default: email, email_verified and name from the claims of that name;
	// nothing else is kept.
	Claims map[string]string `json:"claims,omitempty"`

	// Discovery is "on", where the provider publishes a document that tells
	// its endpoints (OpenID Connect Discovery 1.0), or "off", where Endpoints
	// tells them. Default: on.
	Discovery string `json:"discovery,omitempty"`

	// Endpoints is where the provider is reached. Required with discovery
	// "off", a mistake with "on".
	Endpoints *Endpoints `json:"endpoints,omitempty"`

	// MaxRole is the highest role a claim can give: "end-user", "agent" or
	// "admin". Default: agent.
	MaxRole string `json:"max_role,omitempty"`

	// Revalidate is how often the provider is asked again, in the background
	// and with the refresh token that it gave, whether somebody who is signed
	// in may still be: from 1 minute to 30 days. When it says no the session
	// ends; when it cannot be reached, or cannot be understood, the session
	// goes on and the provider is asked again soon. What it tells of the
	// person is taken over as at a sign-in.
	//
	// Only sessions in use are asked about, each after three quarters of this
	// time up to all of it, and one that comes back after longer as soon as it
	// is used: that first request is not held up. A session for which there is
	// no refresh token, since the provider gave none or it began before there
	// was this word, lasts this long at most; its person then signs in again,
	// mostly without noticing. Many providers give one only with the scope
	// offline_access.
	// Default: 0, nobody is asked about again.
	Revalidate caddy.Duration `json:"revalidate,omitempty"`
}

// SetDefaults puts the default into every field that says nothing.
func (c *Config) SetDefaults() {
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "email", "profile"}
	}
	if c.Mode == "" {
		c.Mode = ModePKCE
	}
	if c.ClientAuth == AuthPrivateKey && c.ClientKeyAudience == "" {
		c.ClientKeyAudience = AudienceIssuer
	}
	if c.PushedRequests == "" {
		c.PushedRequests = PushedRequestsOn
	}
	if c.Discovery == "" {
		c.Discovery = DiscoveryOn
	}
	if c.MaxRole == "" {
		c.MaxRole = string(identity.Agent)
	}
}

var (
	// scopePattern is a scope-token (RFC 6749, section 3.3).
	scopePattern = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)

	// domainPattern is a host name with at least one dot.
	domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// Validate reports what is wrong with c.
func (c Config) Validate() (wrong mistake.List) {
	if c.Issuer == "" {
		wrong.Addf("issuer", "is required: the address of the provider, as its discovery document spells it")
	} else {
		wrong.Add("issuer", ValidateIssuer(c.Issuer))
	}

	switch {
	case c.ClientID == "":
		wrong.Addf("client_id", "is required: the client's identifier at the provider")
	case strings.ContainsFunc(c.ClientID, func(r rune) bool { return r < ' ' || r > '~' }):
		// VSCHAR, RFC 6749 appendix A.1.
		wrong.Addf("client_id", "has a character that no client identifier has (RFC 6749 allows printable ASCII)")
	}

	wrong.OneOf("mode", string(c.Mode), string(ModePKCE), string(ModeCode))
	if c.Mode == ModeCode && c.ClientSecret == "" && c.ClientAuth != AuthPrivateKey {
		wrong.Addf("mode", "code needs a client_secret or client_auth private_key_jwt: without a secret and without PKCE anyone could use a stolen code")
	}

	wrong = append(wrong, c.validateClientAuth()...)
	wrong.OneOf("pushed_requests", c.PushedRequests, PushedRequestsOn, PushedRequestsOff)

	wellFormed := true
	for i, scope := range c.Scopes {
		if !scopePattern.MatchString(scope) {
			wrong.AddItemf("scopes", i, "%q cannot be a scope: give each scope as a word of its own", scope)
			wellFormed = false
		}
	}
	if len(c.Scopes) > 0 && wellFormed {
		for _, needed := range []string{"openid", "email"} {
			if !slices.Contains(c.Scopes, needed) {
				wrong.Addf("scopes", "%s is missing: without it nobody could sign in", needed)
			}
		}
	}
	wrong.Repeated("scopes", c.Scopes)

	if len(c.Admit) == 0 {
		wrong.Addf("admit", "is required: say who may get an account through this provider: any, existing, or mail domains")
	}
	for i, who := range c.Admit {
		switch {
		case who == AdmitAny || who == AdmitExisting:
			if len(c.Admit) > 1 {
				wrong.AddItemf("admit", i, "%s must stand alone", who)
			}
		case !domainPattern.MatchString(strings.ToLower(who)):
			wrong.AddItemf("admit", i, "%q is neither any nor existing nor a mail domain such as example.com", who)
		}
	}
	wrong.Repeated("admit", c.Admit)

	wrong.OneOf("link", c.Link, LinkVerifiedEmail)

	ranges := make(map[netip.Prefix]bool, len(c.IPRanges))
	for i, text := range c.IPRanges {
		prefix, err := policy.ParseRange(text)
		if err == nil && ranges[prefix] {
			err = fmt.Errorf("%s is there twice", text)
		}
		wrong.AddItem("ip_ranges", i, err)
		ranges[prefix] = true
	}

	if utf8.RuneCountInString(c.Button) > MaxButton {
		wrong.Addf("button", "is longer than %d characters", MaxButton)
	}
	if strings.ContainsFunc(c.Button, unicode.IsControl) {
		wrong.Addf("button", "has a line break or another control character in it")
	}
	var claims mistake.List
	for attribute, claim := range c.Claims {
		claims.Add(attribute, identity.CheckMapping(attribute, claim))
	}
	slices.SortFunc(claims, func(a, b mistake.Mistake) int { return strings.Compare(a.Path[0], b.Path[0]) })
	wrong.Within("claims", claims)
	wrong.OneOf("discovery", c.Discovery, DiscoveryOn, DiscoveryOff)
	switch manual := c.Discovery == DiscoveryOff; {
	case manual && c.Endpoints == nil:
		wrong.Addf("discovery", "off needs endpoints: authorization, token, userinfo and jwks")
	case manual:
		wrong.Within("endpoints", c.Endpoints.Validate())
	case c.Endpoints != nil:
		wrong.Addf("endpoints", "are for discovery off: otherwise the provider's discovery document tells them")
	}
	if c.MaxRole != "" {
		_, err := identity.ParseRole(c.MaxRole)
		wrong.Add("max_role", err)
	}
	return append(wrong, c.validateRevalidate()...)
}

// Warnings reports what works, but hardly as it was meant. It looks at c before
// defaults are filled in.
func (c *Config) Warnings() (odd mistake.List) {
	role := c.Claims["role"] != ""
	switch {
	case role && c.MaxRole == "":
		odd.Addf("claims", "role gives at most agent; set `max_role` to say so or otherwise")
	case !role && c.MaxRole != "":
		odd.Addf("max_role", "has no effect: claims maps no role")
	}
	if c.Link != "" && c.TrustEmail {
		odd.Addf("link", "verified_email with trust_email: whoever can give themselves an address at this provider gets into the account that has it; "+
			"be sure that people cannot choose theirs there, or leave `trust_email` out")
	}
	if email := c.Claims["email"]; email != "" && email != "email" && c.Claims["email_verified"] == "" && !c.TrustEmail {
		odd.Addf("claims", "email: addresses of the claim %s are taken as verified only where they are those of the claim email, which email_verified is about: "+
			"map email_verified too, or set `trust_email` if the provider only ever sends addresses that it has checked", email)
	}
	return append(odd, c.warnRevalidate()...)
}
