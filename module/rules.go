package module

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
)

// rules are a gateway's configuration, ready for use.
type rules struct {
	site    *policy.Site
	main    *policy.Door
	byPath  *policy.Patterns[belonging]
	publics *policy.Patterns[int] // how particular each is
	apis    *policy.Patterns[struct{}]
	access  *policy.Access
	headers *identity.Headers
	several bool // there are several audiences on this site
	ranged  bool // the way in to one of them depends on the client's address
	log     *zap.Logger
}

// belonging says to whose audience the paths of a pattern belong.
type belonging struct {
	door       *policy.Door
	particular int
}

// particular orders patterns: the longer one is more particular, and a whole
// path more than a prefix of it.
func particular(pattern string) int {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return 2 * len(prefix)
	}
	return 2*len(pattern) + 1
}

func (g *Gateway) newRules() (r rules, err error) {
	r.log = g.app.log
	r.main = g.app.doors[g.Audience]
	belongings := make(map[string]belonging, len(g.AudiencePaths))
	r.ranged = r.main.Ranged()
	for pattern, name := range g.AudiencePaths {
		door := g.app.doors[name]
		belongings[pattern] = belonging{door, particular(pattern)}
		r.ranged = r.ranged || door.Ranged()
		r.several = r.several || name != g.Audience
	}
	if r.byPath, err = policy.NewPatterns(belongings, true); err != nil {
		return r, fmt.Errorf("audience: %w", err)
	}
	publics := make(map[string]int, len(g.Public))
	for _, pattern := range g.Public {
		publics[pattern] = particular(pattern)
	}
	if r.publics, err = policy.NewPatterns(publics, false); err != nil {
		return r, fmt.Errorf("public: %w", err)
	}
	if r.apis, err = policy.NewPatterns(set(g.API), true); err != nil {
		return r, fmt.Errorf("api: %w", err)
	}
	if r.access, err = policy.NewAccess(policyRules(g.Allow), policyRules(g.Deny)); err != nil {
		return r, err
	}
	if r.site, err = policy.NewSite(g.Origins); err != nil {
		return r, fmt.Errorf("origin: %w", err)
	}
	if r.headers, err = identity.NewHeaders(g.Headers, g.ExtraHeaders); err != nil {
		return r, fmt.Errorf("headers: %w", err)
	}
	return r, nil
}

// door is the door of the audience that a path belongs to.
func (r *rules) door(path string) *policy.Door {
	if owner, ok := r.byPath.Match(path); ok {
		return owner.door
	}
	return r.main
}

// isPublic reports whether a path needs no sign-in: a pattern says so, and none
// that is more particular says whose it is.
func (r *rules) isPublic(path string) bool {
	public, ok := r.publics.Match(path)
	if !ok {
		return false
	}
	owner, owned := r.byPath.Match(path)
	return !owned || public > owner.particular
}

// endsEarly reports whether the path would be judged otherwise by an app that
// takes "?" or "#" for its end, although they came encoded.
func (r *rules) endsEarly(path string) bool {
	for end := range len(path) {
		if c := path[end]; c != '?' && c != '#' {
			continue
		}
		if read := path[:end]; r.door(read) != r.door(path) || r.isPublic(read) != r.isPublic(path) {
			return true
		}
	}
	return false
}

func (r *rules) isAPI(path string) bool {
	_, ok := r.apis.Match(path)
	return ok
}

// standing is what a gateway makes of a session: whether its site's rules let
// the account in, the identity headers and the placeholders. It is worked out
// once for all, apart from the assertion, which is signed now and then.
type standing struct {
	admitted     bool
	headers      identity.Rendered
	placeholders caddy.ReplacerFunc
	asserted     asserted
}

func (g *Gateway) standing(live *session.Live) *standing {
	return live.Memo(g, func() any {
		id := live.Identity()
		rendered, leftOut := g.rules.headers.Render(id)
		if len(leftOut) > 0 {
			g.rules.log.Warn("attributes are left out of the identity headers: a value has a comma or a control character",
				zap.String("account", id.Account), zap.Strings("attributes", leftOut))
		}
		return &standing{
			admitted:     g.rules.access.Admits(&id.Attributes),
			headers:      rendered,
			placeholders: placeholders(id),
		}
	}).(*standing)
}

// placeholders say who is there.
func placeholders(id identity.Identity) caddy.ReplacerFunc {
	return func(key string) (any, bool) {
		if !strings.HasPrefix(key, identity.PlaceholderPrefix) {
			return nil, false
		}
		return id.Placeholder(key)
	}
}

// nobody is what the placeholders say without a session: nothing.
func nobody(key string) (any, bool) { return "", strings.HasPrefix(key, identity.PlaceholderPrefix) }

// setPlaceholders makes {http.auth.user.*} known to the handlers that follow
// and to the access log.
func setPlaceholders(r *http.Request, values caddy.ReplacerFunc) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(values)
	}
}

func set(patterns []string) map[string]struct{} {
	m := make(map[string]struct{}, len(patterns))
	for _, pattern := range patterns {
		m[pattern] = struct{}{}
	}
	return m
}

func policyRules(rules []AttributeRule) []policy.Rule {
	converted := make([]policy.Rule, len(rules))
	for i, rule := range rules {
		converted[i] = policy.Rule{Attribute: rule.Attribute, Values: rule.Values}
	}
	return converted
}
