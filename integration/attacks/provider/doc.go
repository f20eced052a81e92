// Package provider attacks the gateway from the side it trusts: an identity
// provider that answers wrongly, in every way we could think of, stands opposite
// the built Caddy.
//
// Each case says how the provider misbehaves and which reason the log must give
// under the error id that the person sees; nobody may get in, the app may see
// nothing, and nothing secret may be in the log. The control group are providers
// that are unusual and right, whose people must get in. Cases that the OpenID
// Foundation's conformance suite for relying parties has too name its module.
//
// It also holds the test of what answers tell by the time that they take, for
// which people of a provider are needed.
package provider
