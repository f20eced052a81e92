package account

import "github.com/auth-gateway/caddy-auth-gateway/module/identity"

// CheckAttributes refuses what no account may have: an address that is none, a
// role that there is not, a name that nobody can be called. Create and
// SetAttributes check the same; it is for telling a mistake of the caller from
// a fault of the store beforehand.
func CheckAttributes(a identity.Attributes) error { return checkAttributes(a) }
