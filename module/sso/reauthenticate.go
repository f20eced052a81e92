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
	return p.start(ctx, redirectURI, state, (*metadata).reauthenticate)
}

// Switch is Start for somebody who is to come as another person than the one whom
// the provider knows already: it is asked not to send on that one unasked.
func (p *Provider) Switch(ctx context.Context, redirectURI, state string) (string, Pending, error) {
	return p.start(ctx, redirectURI, state, (*metadata).switching)
}

// reauthenticate are the parameters that have the provider ask who it is. max_age
// is what makes it say when it has. A provider that does not know prompt=login
// may refuse the whole request, so it is left out where the metadata says so: by
// its list of prompts, or, since such a provider does not tell when it asked, by
// a list of claims without auth_time.
func (m *metadata) reauthenticate() []oauth2.AuthCodeOption {
	options := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("max_age", "0")}
	if m.promptsLogin() {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	return options
}

// promptsLogin reports whether prompt=login may be asked for.
func (m *metadata) promptsLogin() bool {
	if len(m.Prompts) > 0 {
		return slices.Contains(m.Prompts, "login")
	}
	return len(m.Claims) == 0 || slices.Contains(m.Claims, "auth_time")
}

// switching are the parameters that have the provider ask which account to use:
// for the choice of one where it lists that it has such a page, or is one of
// those that have nothing else, and otherwise for a new sign-in.
func (m *metadata) switching() []oauth2.AuthCodeOption {
	prompt := "select_account"
	switch listed := slices.Contains(m.Prompts, prompt); {
	case !listed && m.promptsLogin():
		prompt = "login"
	case !listed && len(m.Prompts) > 0:
		return nil
	}
	return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("prompt", prompt)}
}
