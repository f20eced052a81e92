package sso

import (
	"bytes"
	"context"
	"mime"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
)

// profile are the claims about a person (OpenID Connect Core 5.1) of an ID token
// or of userinfo: the subject that it is about, and whatever was told.
type profile struct {
	Subject string         `json:"sub"`
	told    map[string]any // every claim, by its exact name
}

// decodeClaims reads a payload into claims and the profile in them, with
// go-jose's JSON: a claim "EMAIL" that a person can set at the provider is not
// "email", and a claim given twice is refused. Numbers stay as they are written:
// an id may have more digits than a float64.
func decodeClaims(payload []byte, claims any, in *profile) error {
	if err := json.Unmarshal(payload, claims); err != nil {
		return err
	}
	told := json.NewDecoder(bytes.NewReader(payload))
	told.SetNumberType(json.UnmarshalJSONNumber)
	return told.Decode(&in.told)
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
	if err := decodeClaims(body, &info, &info.profile); err != nil {
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
	switch info.Subject {
	case subject:
	case "":
		return nil, faultf(FaultToken, "userinfo: there is no sub: it is about nobody")
	default:
		return nil, faultf(FaultSubject, "userinfo: sub is not that of the ID token: it is about somebody else")
	}
	return &info.profile, nil
}
