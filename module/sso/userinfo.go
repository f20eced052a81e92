package sso

import (
	"context"
	"mime"
	"strings"
	"unicode"

	"github.com/go-jose/go-jose/v4/json"
)

// maxName bounds a person's name, in characters; longer ones are cut off.
const maxName = 200

// profile are the claims about a person (OpenID Connect Core 5.1) that both
// an ID token and userinfo may have.
type profile struct {
	Subject       string   `json:"sub"`
	Name          string   `json:"name"`
	Email         string   `json:"email"`
	EmailVerified *boolean `json:"email_verified"`
}

// wantsUserinfo reports whether something is lacking that decides whether the
// person is let in.
func (p *profile) wantsUserinfo(trustEmail bool) bool {
	return p.Email == "" || (p.EmailVerified == nil && !trustEmail)
}

// add takes what is lacking from userinfo. An address is verified only by the
// word that stands beside that very address.
func (p *profile) add(info *profile) {
	if p.Email == "" {
		p.Email, p.EmailVerified = info.Email, info.EmailVerified
	} else if p.EmailVerified == nil && p.Email == info.Email {
		p.EmailVerified = info.EmailVerified
	}
	if p.Name == "" {
		p.Name = info.Name
	}
}

// userinfo returns what the userinfo endpoint says of the subject (OpenID
// Connect Core 5.3).
func (p *Provider) userinfo(ctx context.Context, meta *metadata, accessToken, subject string) (*profile, error) {
	body, header, err := p.get(ctx, FaultToken, "userinfo", meta.UserinfoEndpoint, accessToken)
	if err != nil {
		return nil, err
	}
	mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	signed := mediaType == "application/jwt"
	if signed {
		body, err = p.keys.verify(ctx, strings.TrimSpace(string(body)), meta.userinfoAlgs())
		if err != nil {
			return nil, asFault(FaultToken, "userinfo", err)
		}
	}
	var info struct {
		profile
		Issuer   *string  `json:"iss"`
		Audience audience `json:"aud"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return nil, faultf(FaultToken, "userinfo: %w", err)
	}
	if signed {
		// Section 5.3.2: it says whose it is and for whom, or else any
		// other signed thing of this provider would do.
		if info.Issuer == nil || *info.Issuer != p.config.Issuer {
			return nil, faultf(FaultToken, "userinfo: it is signed, but iss is not the provider's")
		}
		if len(info.Audience) != 1 || info.Audience[0] != p.config.ClientID {
			return nil, faultf(FaultToken, "userinfo: it is signed, but aud is not this client")
		}
	}
	if info.Subject != subject {
		return nil, faultf(FaultToken, "userinfo: sub is not that of the ID token: it is about somebody else")
	}
	return &info.profile, nil
}

// boolean is true for true and "true", which some providers send, and false
// for everything else.
type boolean bool

// UnmarshalJSON implements json.Unmarshaler.
func (b *boolean) UnmarshalJSON(raw []byte) error {
	*b = string(raw) == "true" || string(raw) == `"true"`
	return nil
}

func (b *boolean) is() bool { return b != nil && bool(*b) }

// oneLine returns a name as it can be shown: without control characters and
// not too long.
func oneLine(name string) string {
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r)
	}), " ")
	if runes := []rune(name); len(runes) > maxName {
		name = strings.TrimSpace(string(runes[:maxName]))
	}
	return name
}

// Interface guards.
var _ json.Unmarshaler = (*boolean)(nil)
