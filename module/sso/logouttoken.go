package sso

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// MaxTokenID is how many bytes the identifier of a token, and that of a
// provider's session, may have.
const MaxTokenID = 255

// logoutEvent declares that a token is a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// LogoutToken is a provider's word that sessions have ended there (OpenID
// Connect Back-Channel Logout 1.0). Subject or SID may be "", never both.
type LogoutToken struct {
	Issuer string
	// Subject is whose sessions end: all of them if SID is "".
	Subject string
	// SID is the one session at the provider that has ended.
	SID string
	// ID is the token's own, not used before if the provider is honest. The
	// caller sees to it that it counts once.
	ID string
	// Expires is until when ID has to be remembered.
	Expires time.Time
}

// logoutClaims is what the gateway reads of a logout token.
type logoutClaims struct {
	dates

	Issuer   string                     `json:"iss"`
	Audience audience                   `json:"aud"`
	Subject  *string                    `json:"sub"`
	SID      *string                    `json:"sid"`
	ID       string                     `json:"jti"`
	Events   map[string]json.RawMessage `json:"events"`
}

// VerifyLogoutToken returns what a logout token says if it is to be believed
// (section 2.6). It has to be typed logout+jwt, so that no other thing that the
// provider signs for this client is ever taken for one (RFC 8725 section 3.11).
//
// Every error is a *Fault. BadToken tells a token that never will be believed
// from a provider whose keys cannot be had at the moment.
func (p *Provider) VerifyLogoutToken(ctx context.Context, raw string) (*LogoutToken, error) {
	token, err := p.verifyLogoutToken(ctx, raw)
	if err != nil {
		return nil, p.fault(asFault(FaultToken, "logout token", err))
	}
	return token, nil
}

func (p *Provider) verifyLogoutToken(ctx context.Context, raw string) (*LogoutToken, error) {
	meta, err := p.meta(ctx)
	if err != nil {
		return nil, asFault(FaultDiscovery, "reading the discovery document", err)
	}
	algs := meta.idTokenAlgs() // signed as ID tokens are, section 2.4
	jws, err := jose.ParseSignedCompact(raw, algs)
	if err != nil {
		return nil, unsigned(err)
	}
	payload, err := p.keys.verify(ctx, raw, algs)
	if err != nil {
		return nil, err
	}
	// Only from here on it is the provider whose words are repeated. Anybody may
	// post a token, and failures that all differ are not added up.
	typ, _ := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
	// A media type, without case and its first part (RFC 7515 section 4.1.9).
	if strings.TrimPrefix(strings.ToLower(typ), "application/") != "logout+jwt" {
		return nil, fmt.Errorf("typ is %q, want logout+jwt", words(typ, 64, nil))
	}
	var claims logoutClaims
	var told map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(payload, &claims), json.Unmarshal(payload, &told)); err != nil {
		return nil, err
	}
	if _, ok := told["nonce"]; ok {
		return nil, errors.New("it has a nonce, which makes it no logout token")
	}
	return claims.check(p.config.Issuer, p.config.ClientID, p.clock())
}

// unsigned says why something cannot be a token that the provider has signed, in
// words of our own: whatever it says, a stranger may have written it.
func unsigned(err error) error {
	unexpected := (*jose.ErrUnexpectedSignatureAlgorithm)(nil)
	if errors.As(err, &unexpected) {
		switch unexpected.Got {
		case "none", jose.HS256, jose.HS384, jose.HS512, jose.EdDSA, jose.RS256, jose.RS384, jose.RS512,
			jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512:
			return err
		}
		return errors.New("it is signed with an algorithm that nobody knows")
	}
	return errors.New("it is no signed token (RFC 7515)")
}

// check holds the claims against what is expected.
func (c *logoutClaims) check(issuer, clientID string, now time.Time) (*LogoutToken, error) {
	if c.Issuer != issuer {
		return nil, fmt.Errorf("iss is %q, want %q", words(c.Issuer, 200, nil), issuer)
	}
	if err := c.Audience.check(clientID); err != nil {
		return nil, err
	}
	expiry, err := c.dates.check("logout token", now)
	if err != nil {
		return nil, err
	}
	event, ok := c.Events[logoutEvent]
	if !ok {
		return nil, errors.New("events does not name a back-channel logout")
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(event, &members) != nil || members == nil {
		return nil, errors.New("events: the back-channel logout is not an object")
	}
	token := &LogoutToken{Issuer: c.Issuer, ID: c.ID}
	switch {
	case c.ID == "":
		return nil, errors.New("jti is missing or empty")
	case len(c.ID) > MaxTokenID:
		return nil, fmt.Errorf("jti is longer than %d bytes", MaxTokenID)
	case c.Subject == nil && c.SID == nil:
		return nil, errors.New("it has neither sub nor sid")
	}
	if c.Subject != nil {
		if err := checkSubject(*c.Subject); err != nil {
			return nil, err
		}
		token.Subject = *c.Subject
	}
	if c.SID != nil {
		if *c.SID == "" || len(*c.SID) > MaxTokenID {
			return nil, fmt.Errorf("sid is empty or longer than %d bytes", MaxTokenID)
		}
		token.SID = *c.SID
	}
	// However far off exp is, iat will be too long ago by then.
	token.Expires = now.Add(maxTokenAge + skew)
	if expiry.Before(token.Expires) {
		token.Expires = expiry
	}
	return token, nil
}

// BadToken reports whether a token that this package was given never will be
// believed, as opposed to one about which nothing can be told for now.
func (f *Fault) BadToken() bool {
	return f.Kind == FaultToken || f.Kind == FaultClock
}
