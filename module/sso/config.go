package sso

// Mode is how the authorization code is protected on its way.
type Mode string

// The modes.
const (
	// ModePKCE sends a code challenge (RFC 7636), with or without a secret.
	ModePKCE Mode = "pkce"
	// ModeCode sends the client secret and no code challenge.
	ModeCode Mode = "code"
)

// Config is one OpenID Connect identity provider.
type Config struct {
	// Issuer is the provider's issuer identifier, exactly as its discovery
	// document and ID tokens spell it. Required.
	Issuer string `json:"issuer,omitempty"`

	// ClientID is the client identifier at the provider. Required.
	ClientID string `json:"client_id,omitempty"`

	// ClientSecret is a placeholder, {env.NAME} or {file.PATH}, for the
	// client secret. Required with mode "code", optional with "pkce".
	ClientSecret string `json:"client_secret,omitempty"`

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

	// IPRanges are the CIDRs and addresses of the clients that may use this
	// provider. Default: every client.
	IPRanges []string `json:"ip_ranges,omitempty"`

	// Button is the label of the button on the sign-in page. Without a
	// label the people for whom this provider is a candidate go straight to it.
	Button string `json:"button,omitempty"`

	// MaxRole is the highest role a claim can give: "end-user", "agent" or
	// "admin". Default: agent.
	MaxRole string `json:"max_role,omitempty"`
}
