package deliver

import (
	"net"
	"net/mail"
	"net/netip"
	"strconv"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// TLS says how the conversation with a mail server is protected.
type TLS string

// The ways to protect it.
const (
	// StartTLS begins in the clear and goes no further without TLS
	// (RFC 3207), mostly on port 587.
	StartTLS TLS = "starttls"
	// ImplicitTLS is TLS from the first byte (RFC 8314), mostly on port 465.
	ImplicitTLS TLS = "implicit"
	// NoTLS is for a relay on the same machine or a network of one's own.
	NoTLS TLS = "off"
)

// MailConfig is the mail server. Placeholders {env.NAME} and {file.PATH} are
// resolved when the configuration is loaded.
type MailConfig struct {
	// Server is host and port of the SMTP server. Required.
	Server string `json:"server,omitempty"`

	// From is who mails are from: an address, with a name or without.
	// Required.
	From string `json:"from,omitempty"`

	// Username signs in to the server. Default: nobody does.
	Username string `json:"username,omitempty"`

	// Password is a placeholder, {env.NAME} or {file.PATH}, for the
	// password that goes with Username; a literal is refused, since the
	// configuration can be read by many.
	Password string `json:"password,omitempty"`

	// TLS is "starttls", "implicit" or "off". Without TLS there is no
	// signing in, but to a server on the same machine. Default: starttls.
	TLS TLS `json:"tls,omitempty"`

	// Invitations: a new account is mailed the link with which its person
	// sets a password. Default: true.
	Invitations *bool `json:"invitations,omitempty"`
}

// SetDefaults puts the default into every field that says nothing.
func (c *MailConfig) SetDefaults() {
	if c.TLS == "" {
		c.TLS = StartTLS
	}
	if c.Invitations == nil {
		c.Invitations = new(true)
	}
}

// Validate reports what is wrong with c.
func (c MailConfig) Validate() (wrong mistake.List) {
	host, port, err := net.SplitHostPort(c.Server)
	n, portErr := strconv.Atoi(port)
	switch {
	case c.Server == "":
		wrong.Addf("server", "is required: host and port of the SMTP server, such as mail.example.com:587")
	case err != nil || portErr != nil || host == "" || n < 1 || n > 65535:
		wrong.Addf("server", "%q is not a host and a port, such as mail.example.com:587", c.Server)
	}

	if c.From == "" {
		wrong.Addf("from", "is required: the address that mails are from")
	} else if _, err := mail.ParseAddress(c.From); err != nil {
		wrong.Addf("from", "%q is not a mail address", c.From)
	}

	wrong.OneOf("tls", string(c.TLS), string(StartTLS), string(ImplicitTLS), string(NoTLS))
	switch {
	case c.Username != "" && c.Password == "":
		wrong.Addf("password", "is missing, and goes with the username")
	case c.Password != "" && c.Username == "":
		wrong.Addf("username", "is missing, and goes with the password")
	case c.Password != "" && c.TLS == NoTLS && !isLoopback(host):
		wrong.Addf("tls", "off would send the password in the clear to %s: use starttls or implicit", host)
	}
	return wrong
}

func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
