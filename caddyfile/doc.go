// Package caddyfile reads the auth_gateway directive and the global option of
// the same name, and fills the configuration of package module with them.
package caddyfile
