package sso

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// Values of Config.Discovery.
const (
	// DiscoveryOn: the provider's document tells where everything is.
	DiscoveryOn = "on"
	// DiscoveryOff: the configuration tells it.
	DiscoveryOff = "off"
)

// Endpoints is where a provider without a discovery document is reached. Each
// is an https address, or http on a loopback host.
type Endpoints struct {
	// Authorization is where people are sent to. Required.
	Authorization string `json:"authorization,omitempty"`

	// Token is where codes are exchanged. Required.
	Token string `json:"token,omitempty"`

	// Userinfo is asked for what the ID token does not tell. Required.
	Userinfo string `json:"userinfo,omitempty"`

	// JWKS is where the keys are that sign ID tokens. Required.
	JWKS string `json:"jwks,omitempty"`

	// EndSession is where people are sent to who sign out, so that their
	// session at the provider ends too (OpenID Connect RP-Initiated Logout
	// 1.0). Default: that session is left alone.
	EndSession string `json:"end_session,omitempty"`
}

// Validate reports what is wrong with e.
func (e Endpoints) Validate() (wrong mistake.List) {
	for _, endpoint := range []struct{ word, address string }{
		{"authorization", e.Authorization}, {"token", e.Token}, {"userinfo", e.Userinfo}, {"jwks", e.JWKS},
	} {
		wrong.Add(endpoint.word, validateManual(endpoint.address))
	}
	if e.EndSession != "" {
		wrong.Add("end_session", validateManual(e.EndSession))
	}
	return wrong
}

// metadata returns what a discovery document would say. Nothing tells the
// algorithms, so any asymmetric one will do: which of them a signature has, the
// key that made it decides.
func (e Endpoints) metadata(issuer string) *metadata {
	m := &metadata{
		Issuer:                issuer,
		AuthorizationEndpoint: e.Authorization,
		TokenEndpoint:         e.Token,
		UserinfoEndpoint:      e.Userinfo,
		JWKSURI:               e.JWKS,
		EndSessionEndpoint:    e.EndSession,
	}
	for _, alg := range asymmetric {
		m.IDTokenAlgs = append(m.IDTokenAlgs, string(alg))
	}
	return m
}

// validateManual returns an error unless address may be called as an endpoint.
// Who writes a configuration may name a loopback host, whatever the issuer is.
func validateManual(address string) error {
	if address == "" {
		return errors.New("is required with discovery off")
	}
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || unicode.IsSpace(r) }) {
		return fmt.Errorf("%q holds a character that no address has", address)
	}
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return fmt.Errorf("%q is not an address such as https://idp.example.com/token", address)
	}
	switch {
	case u.User != nil:
		return fmt.Errorf("%q: an endpoint has no user name or password", u.Redacted())
	case strings.Contains(address, "#"):
		return fmt.Errorf("%q: an endpoint has no fragment", address)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return fmt.Errorf("%q: use https; http is for loopback hosts only", address)
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%q: use https", address)
	case !validPort(u):
		return fmt.Errorf("%q: there is no such port", address)
	}
	return nil
}
