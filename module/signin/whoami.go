package signin

import (
	"encoding/json"
	"fmt"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
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
	id := live.Identity()
	named := id.Named()
	named["id"] = id.Account
	body, err := json.MarshalIndent(named, "", "  ")
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
