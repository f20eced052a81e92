package sso

import (
	"context"
	"slices"

	"golang.org/x/oauth2"
)

// Reauthenticate is Start for somebody who is to show once more that it is them:
// the provider is asked not to send on whom it knows already (OpenID Connect Core
// 3.1.2.1). Not every provider does as it is asked: that it has asked the person
// is said by Assertion.AuthTime and by nothing else.
func (p *Provider) Reauthenticate(ctx context.Context, redirectURI, state string) (string, Pending, error) {
	return p.start(ctx, redirectURI, state, true)
}

// reauthenticate are the parameters that have the provider ask who it is. max_age
// is what makes it say when it has. A provider that does not know prompt=login
// may refuse the whole request, so it is left out where the metadata says so: by
// its list of prompts, or, since such a provider does not tell when it asked, by
// a list of claims without auth_time.
func (m *metadata) reauthenticate() []oauth2.AuthCodeOption {
	options := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("max_age", "0")}
	switch {
	case len(m.Prompts) > 0 && !slices.Contains(m.Prompts, "login"):
	case len(m.Prompts) == 0 && len(m.Claims) > 0 && !slices.Contains(m.Claims, "auth_time"):
	default:
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	return options
}
