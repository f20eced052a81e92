// Package authgateway adds the auth_gateway directive and app to Caddy. It is
// what `xcaddy build --with github.com/auth-gateway/caddy-auth-gateway` imports.
package authgateway

import (
	_ "github.com/auth-gateway/caddy-auth-gateway/caddyfile"
	_ "github.com/auth-gateway/caddy-auth-gateway/module"
)
