package signin

import (
	"encoding/json"
	"fmt"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// whoami answers GET /whoami: the identity behind the request as JSON.
func (x *exchange) whoami() {
	live, err := x.Sessions.Find(x.r, x.visit.Secure)
	if err != nil {
		x.storeFault(err)
		return
	}
	if live == nil || !x.opensAny(live.Made()) {
		x.Answers.Challenge(x.w, x.r, x.visit, answer.Challenged{Original: "/", Program: true})
		return
	}
	body, err := json.MarshalIndent(named(live.Identity()), "", "  ")
	if err != nil {
		x.storeFault(fmt.Errorf("writing an identity: %w", err))
		return
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = x.w.Write(append(body, '\n'))
}

// opensAny reports whether a session made so opens anything at all: one that
// still lacks its passcode does not.
func (x *exchange) opensAny(made policy.Made) bool {
	for _, door := range x.Doors {
		if door.Opens(made) == policy.Opens {
			return true
		}
	}
	return false
}

// named is an identity by the names of its attributes: lists as arrays, and
// what is not known left out.
func named(id identity.Identity) map[string]any {
	values := map[string]any{"id": id.Account}
	for name, value := range map[string]string{
		"email":          id.Email,
		"name":           id.Name,
		"role":           string(id.Role),
		"phone":          id.Phone,
		"locale":         id.Locale,
		"picture":        id.Picture,
		"external_id":    id.ExternalID,
		"custom_role_id": id.CustomRoleID,
	} {
		if value != "" {
			values[name] = value
		}
	}
	for name, list := range map[string][]string{
		"groups":           id.Groups,
		"organizations":    id.Organizations,
		"organization_ids": id.OrganizationIDs,
		"tags":             id.Tags,
	} {
		if len(list) > 0 {
			values[name] = list
		}
	}
	for key, value := range id.Fields {
		values["field."+key] = value
	}
	return values
}
