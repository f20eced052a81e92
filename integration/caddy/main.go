// Command caddy is Caddy with its standard modules and the auth gateway: what
// `xcaddy build --with github.com/auth-gateway/caddy-auth-gateway` makes, for
// machines that have only Go.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/auth-gateway/caddy-auth-gateway"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() { caddycmd.Main() }
