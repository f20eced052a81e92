package providertest

import (
	"crypto/rand"
	"maps"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// LogoutEvent declares that a token is a logout token (OpenID Connect
// Back-Channel Logout 1.0 section 2.4).
const LogoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// LogoutClaims are those of a logout token that is as it should be, but for sub
// and sid: it has neither.
func (p *Provider) LogoutClaims() map[string]any {
	b := p.now()
	now := b.Clock()
	return map[string]any{
		"iss":    p.URL,
		"aud":    ClientID,
		"iat":    now.Unix(),
		"exp":    now.Add(2 * time.Minute).Unix(),
		"jti":    rand.Text(),
		"events": map[string]any{LogoutEvent: map[string]any{}},
	}
}

// LogoutToken returns a logout token with these claims beside those of
// LogoutClaims, or in their place.
func (p *Provider) LogoutToken(claims map[string]any) string {
	b := p.now()
	all := p.LogoutClaims()
	maps.Copy(all, claims)
	return b.Key.Sign(all, LogoutHeader())
}

// LogoutHeader is what the header of a logout token has beside alg and kid.
func LogoutHeader() map[jose.HeaderKey]any {
	return map[jose.HeaderKey]any{jose.HeaderType: "logout+jwt"}
}
