package sso

import (
	"slices"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// Bounds of Config.Revalidate.
const (
	// MinRevalidate keeps a provider from being asked at every click.
	MinRevalidate = time.Minute
	// MaxRevalidate is longer than most sessions.
	MaxRevalidate = 30 * 24 * time.Hour
)

// scopeOffline asks for a refresh token (OpenID Connect Core 11).
const scopeOffline = "offline_access"

// validateRevalidate reports what is wrong with how often the provider is asked
// again.
func (c Config) validateRevalidate() (wrong mistake.List) {
	if every := time.Duration(c.Revalidate); every != 0 && (every < MinRevalidate || every > MaxRevalidate) {
		wrong.Addf("revalidate", "has to be between 1m and 30d")
	}
	return wrong
}

// warnRevalidate reports that the provider may never give a refresh token. Who
// has written the scopes has had the choice.
func (c *Config) warnRevalidate() (odd mistake.List) {
	if c.Revalidate != 0 && len(c.Scopes) == 0 {
		odd.Addf("revalidate", "many providers give the refresh token that it needs only with the scope offline_access, and without one people sign in again that often: "+
			"write `scopes openid email profile offline_access`, or without the last word if the provider gives one all the same")
	}
	return odd
}

// revalidation notes whether the provider can be asked again.
func (c *check) revalidation(meta *metadata) {
	const what = "revalidate"
	if c.config.Revalidate == 0 {
		return
	}
	asks := slices.Contains(c.config.Scopes, scopeOffline)
	switch {
	case len(meta.GrantTypes) > 0 && !slices.Contains(meta.GrantTypes, "refresh_token"):
		c.note(what, Doubtful, "the provider names the kinds of grants that it has, and refresh_token is not among them: people sign in again every %s", time.Duration(c.config.Revalidate))
	case !asks && slices.Contains(meta.Scopes, scopeOffline):
		c.note(what, Doubtful, "the provider has the scope offline_access, which is not asked for: if it gives no refresh token without, people sign in again every %s", time.Duration(c.config.Revalidate))
	default:
		c.note(what, Unknown, "whether the provider gives refresh tokens shows when people sign in; without, they sign in again every %s", time.Duration(c.config.Revalidate))
	}
}
