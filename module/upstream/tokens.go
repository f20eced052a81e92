package upstream

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// maxToken is the longest token that is kept, in bytes. Providers that put
// somebody's hundreds of groups into an ID token make longer ones, which no
// address could carry.
const maxToken = 16 << 10

// tokens are what the provider gave at sign-in, sealed at rest. Either may be
// missing.
type tokens struct {
	// IDToken is shown to the provider when its session is to end.
	IDToken string `json:"id_token,omitempty"`
	// RefreshToken asks the provider whether the person is still there.
	RefreshToken string `json:"refresh_token,omitempty"`
	// Nonce of the sign-in, which an ID token has that comes with an answer to
	// the refresh token, if it has any.
	Nonce string `json:"nonce,omitempty"`
}

// worthKeeping returns those tokens that will be of use.
func (s *Sessions) worthKeeping(name string, a *sso.Assertion) (t tokens) {
	provider := s.Providers[name]
	if provider == nil {
		return tokens{}
	}
	if provider.OffersEndSession() {
		t.IDToken = s.bounded(name, "ID token", a.RawIDToken)
	}
	if t.RefreshToken = s.bounded(name, "refresh token", a.RefreshToken); t.RefreshToken != "" {
		t.Nonce = a.Nonce
	}
	return t
}

// bounded returns the token, or "" if it is too long to be kept.
func (s *Sessions) bounded(name, what, token string) string {
	if len(token) <= maxToken {
		return token
	}
	s.Log.Warn("a token of the provider is too long to be kept",
		zap.String("sso", name), zap.String("token", what), zap.Int("bytes", len(token)), zap.Int("most", maxToken))
	return ""
}

// row is what the tokens of a session are bound to.
func row(session []byte) string { return "provider_sessions/" + hex.EncodeToString(session) }

// seal returns what is stored of tokens, nil for none.
func (s *Sessions) seal(session []byte, t tokens) []byte {
	if t == (tokens{}) {
		return nil
	}
	plain, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings always marshal
	}
	return s.Ring.Seal(plain, row(session))
}

// open returns the tokens of a session.
func (s *Sessions) open(p store.ProviderSession) (t tokens, err error) {
	if p.Secret == nil {
		return tokens{}, nil
	}
	plain, err := s.Ring.Open(p.Secret, row(p.Session))
	if err == nil {
		err = json.Unmarshal(plain, &t)
	}
	if err != nil {
		return tokens{}, fmt.Errorf("tokens of a session at sso %s: %w", p.SSO, err)
	}
	return t, nil
}
