package sso

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Verdict is what came of looking at one thing.
type Verdict string

// The verdicts.
const (
	// Good: it is as it should be.
	Good Verdict = "ok"
	// Wrong: nobody can sign in like that.
	Wrong Verdict = "wrong"
	// Doubtful: it may be wrong.
	Doubtful Verdict = "doubtful"
	// Unknown: it cannot be told without signing in.
	Unknown Verdict = "cannot be told"
)

// Finding is what was found out about one thing.
type Finding struct {
	// What was looked at, in a word or two.
	What string `json:"what"`
	// Verdict on it.
	Verdict Verdict `json:"verdict"`
	// Says is the verdict in a sentence, with what to do. It holds no secret.
	Says string `json:"says"`
}

// check is one look at a provider.
type check struct {
	*Provider
	found []Finding
}

func (c *check) note(what string, verdict Verdict, format string, args ...any) {
	c.found = append(c.found, Finding{what, verdict, words(fmt.Sprintf(format, args...), maxText, []string{c.secret})})
}

// Check asks the provider itself, whatever is in memory, and returns what is
// wrong with the configuration as far as it can be told before anybody signs in.
// callbacks are the redirect addresses of the sites.
func (p *Provider) Check(ctx context.Context, callbacks []string) []Finding {
	c := &check{Provider: p}
	meta := p.manual
	if meta == nil {
		var header http.Header
		var err error
		if meta, header, err = p.discover(ctx); err != nil {
			c.note("discovery", Wrong, "%v", err)
			return c.found
		}
		c.note("discovery", Good, "%s answers, and its issuer is the configured one", p.config.Issuer)
		c.clocks(header)
		c.scopes(meta)
		c.pkce(meta)
	} else {
		c.note("discovery", Unknown, "is off: the endpoints of the configuration are used")
	}
	if keys, header, err := p.keys.fetchFrom(ctx, meta); err != nil {
		c.note("keys", Wrong, "%v", err)
	} else {
		c.note("keys", Good, "%d can be used", len(*keys))
		if p.manual != nil {
			c.clocks(header)
		}
	}
	c.revalidation(meta)
	c.logout(meta, callbacks)
	method, err := p.authMethod(meta)
	if err != nil {
		c.note("client authentication", Wrong, "%v", err)
		return c.found
	}
	c.client(ctx, meta, method, callbacks)
	for _, callback := range callbacks {
		c.callback(ctx, meta, method, callback)
	}
	if len(callbacks) == 0 {
		c.note("callback", Unknown, "the address of no site can be told: register https://<site>/auth-gateway/sso/%s/callback", p.name)
	}
	return c.found
}

// clocks compares the provider's clock with this one.
func (c *check) clocks(header http.Header) {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		c.note("clock", Unknown, "the provider does not tell its time")
		return
	}
	apart := c.clock().Sub(date).Round(time.Second)
	switch {
	case apart.Abs() > skew:
		c.note("clock", Wrong, "it is %s away from the provider's (here it is %s): one of them is wrong", apart.Abs(), c.clock().UTC().Format(time.RFC3339))
	case apart.Abs() > skew/3:
		c.note("clock", Doubtful, "it is %s away from the provider's; up to %s is borne", apart.Abs(), skew)
	default:
		c.note("clock", Good, "agrees with the provider's")
	}
}

func (c *check) scopes(meta *metadata) {
	if len(meta.Scopes) == 0 {
		c.note("scopes", Unknown, "the provider does not say which it has")
		return
	}
	for _, scope := range c.config.Scopes {
		if !slices.Contains(meta.Scopes, scope) {
			c.note("scopes", Doubtful, "%s is not among those that the provider names; it need not name all", scope)
			return
		}
	}
	c.note("scopes", Good, "the provider has all: %s", strings.Join(c.config.Scopes, " "))
}

func (c *check) pkce(meta *metadata) {
	offered := slices.Contains(meta.ChallengeMethods, "S256")
	switch {
	case c.config.Mode == ModePKCE && offered:
		c.note("PKCE", Good, "the provider has it")
	case c.config.Mode == ModePKCE && len(meta.ChallengeMethods) == 0:
		c.note("PKCE", Unknown, "the provider does not say whether it has it")
	case c.config.Mode == ModePKCE:
		c.note("PKCE", Wrong, "the provider names other methods than S256: use mode code")
	case offered:
		c.note("PKCE", Doubtful, "the provider has it: mode pkce would be safer than mode code")
	default:
		c.note("PKCE", Good, "is not used, and the provider does not say that it has it")
	}
}

// client spends a code that is none: a provider that knows the client complains
// of the code (invalid_grant), one that does not of the client.
func (c *check) client(ctx context.Context, meta *metadata, method ClientAuth, callbacks []string) {
	const what = "client authentication"
	callback := "https://localhost/"
	if len(callbacks) > 0 {
		callback = callbacks[0]
	}
	_, _, err := c.exchange(ctx, meta, callback, "no-such-code-"+rand.Text(), oauth2.GenerateVerifier())
	var fault *Fault
	switch {
	case !errors.As(err, &fault):
		c.note(what, Doubtful, "%s: a code that is none was taken for one", method)
	case fault.Kind == FaultGrant:
		c.note(what, Good, "%s is taken, and the client is known", method)
	case fault.Kind == FaultClient, fault.Kind == FaultUnauthorized, fault.Kind == FaultUnreachable, fault.Kind == FaultTimeout:
		c.note(what, Wrong, "%s: %v", method, fault)
	default:
		c.note(what, Unknown, "%s: %v", method, fault)
	}
}

// callback begins a sign-in as nobody. Most providers look at the callback's
// address first and show a page of their own if they do not know it, since
// whom they do not know they must not send people to (RFC 6749 section 4.1.2.1).
func (c *check) callback(ctx context.Context, meta *metadata, method ClientAuth, callback string) {
	const what = "callback"
	options := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("prompt", "none"), oauth2.SetAuthURLParam("nonce", rand.Text())}
	if c.config.Mode == ModePKCE {
		options = append(options, oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))
	}
	client := c.Provider.client(meta, method, callback)
	address := client.AuthCodeURL(rand.Text(), options...)
	if c.pushes(meta, method) {
		var err error
		if address, err = c.pushed(ctx, meta, method, client, rand.Text(), options); err != nil {
			c.note(what, Wrong, "%s: %v", callback, err)
			return
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		c.note(what, Wrong, "%s: %v", callback, err)
		return
	}
	request.Header.Set("Accept", "text/html")
	once := *c.http
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := once.Do(request)
	if err != nil {
		c.note(what, Wrong, "%v", asFault(FaultUnreachable, "beginning a sign-in", err))
		return
	}
	response.Body.Close()
	to, err := response.Location()
	switch {
	case err == nil && strings.HasPrefix(to.String(), callback+"?"):
		c.returned(callback, to.Query())
	case err == nil:
		c.note(what, Unknown, "%s: the provider begins to sign people in; whether it sends them back there shows afterwards", callback)
	case response.StatusCode >= 500:
		c.note(what, Doubtful, "%s: the provider answers with status %d", callback, response.StatusCode)
	case response.StatusCode >= 400:
		c.note(what, Wrong, "%s: the provider answers with status %d and does not send people back: register this address there, and see that client_id is right", callback, response.StatusCode)
	default:
		c.note(what, Unknown, "%s: the provider shows a page of its own; open it in a browser to see whether it complains", callback)
	}
}

// returned judges what the provider said when it sent nobody back.
func (c *check) returned(callback string, said url.Values) {
	switch fault := providerFault("beginning a sign-in", said.Get("error"), said.Get("error_description"), c.secret); fault.Kind {
	case FaultScope:
		c.note("scopes", Wrong, "%v", fault)
	case FaultClient, FaultUnauthorized, FaultRedirect:
		c.note("callback", Wrong, "%s: %v", callback, fault)
		return
	}
	c.note("callback", Good, "%s is known to the provider", callback)
}
