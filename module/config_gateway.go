package module

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// configure makes the configuration of one gateway ready for use: placeholders
// are resolved, everything checked against the app, defaults filled in. It is
// called once, by Provision, after that of the app.
func (g *Gateway) configure(a *App) error {
	if err := g.resolve().Err(); err != nil {
		return err
	}
	if err := g.Check(a).Err(); err != nil {
		return err
	}
	if g.Audience == "" {
		g.Audience = slices.Sorted(maps.Keys(a.Audiences))[0]
	}
	if g.Headers == "" {
		g.Headers = identity.PresetRemote
	}
	return nil
}

// resolve replaces the placeholders in every free text.
func (g *Gateway) resolve() (wrong mistake.List) {
	all := func(word string, values []string) {
		for i, value := range values {
			resolved, err := resolve(value)
			wrong.AddItem(word, i, err)
			values[i] = resolved
		}
	}
	all("public", g.Public)
	all("api", g.API)
	all("origin", g.Origins)
	if g.Assertion != nil {
		resolved, err := resolve(g.Assertion.Audience)
		wrong.AddItem("assertion", 0, err)
		g.Assertion.Audience = resolved
	}
	for i := range g.Allow {
		all("allow", g.Allow[i].Values)
	}
	for i := range g.Deny {
		all("deny", g.Deny[i].Values)
	}

	paths := make(map[string]string, len(g.AudiencePaths))
	for pattern, name := range sorted(g.AudiencePaths) {
		resolved, err := resolve(pattern)
		wrong.Add("audience "+pattern, err)
		if _, twice := paths[resolved]; twice && err == nil {
			wrong.Addf("audience "+pattern, "%s is there twice", resolved)
		}
		paths[resolved] = name
	}
	if g.AudiencePaths != nil {
		g.AudiencePaths = paths
	}
	return wrong
}

// Check reports every mistake that g and the app it belongs to can show.
// Values with placeholders in them are judged as they stand.
func (g *Gateway) Check(a *App) (wrong mistake.List) {
	g.checkAudiences(a, &wrong)
	g.checkPaths(&wrong)
	checkRules(&wrong, "allow", g.Allow)
	checkRules(&wrong, "deny", g.Deny)

	if a.Mail != nil && len(g.Origins) == 0 && a.Portal == "" {
		wrong.Addf("auth_gateway", "needs an origin where mail is configured, since links in mails are built from it: add `origin https://…`, the site's own address")
	}
	origins := make(map[policy.Origin]bool)
	for i, text := range g.Origins {
		origin, err := policy.ParseOrigin(text)
		if err == nil && origins[origin] {
			err = fmt.Errorf("%s is there twice", text)
		}
		wrong.AddItem("origin", i, err)
		origins[origin] = true
	}
	g.checkHeaders(&wrong)
	if g.Assertion != nil {
		wrong.AddItem("assertion", 0, g.Assertion.validate())
	}
	return wrong
}

// checkAudiences holds the names of audiences against those that there are.
func (g *Gateway) checkAudiences(a *App, wrong *mistake.List) {
	known := slices.Sorted(maps.Keys(a.Audiences))
	if len(known) == 0 {
		known = []string{ImpliedAudience}
	}
	check := func(word, name string) {
		switch {
		case slices.Contains(known, name):
		case len(a.Audiences) == 0:
			wrong.Addf(word, "there is no audience %q: none is configured in the global auth_gateway block", name)
		default:
			wrong.Addf(word, "there is no audience %q%s", name, mistake.DidYouMean(name, known))
		}
	}
	if g.Audience != "" {
		check("auth_gateway", g.Audience)
	} else if len(known) > 1 {
		wrong.Addf("auth_gateway", "there are several audiences: name the one that signs in here, %s", mistake.Choice(known))
	}
	for pattern, name := range sorted(g.AudiencePaths) {
		check("audience "+pattern, name)
	}
}

// checkPaths looks at every path pattern, and for what is said of the same
// pattern twice.
func (g *Gateway) checkPaths(wrong *mistake.List) {
	pattern := func(word string, item int, text string) {
		err := policy.ValidatePattern(text)
		if err == nil && strings.ContainsAny(text, "{}") {
			err = fmt.Errorf("%q: only {env.NAME} and {file.PATH} may stand in a path, since nothing else is known when the configuration is loaded", text)
		}
		wrong.AddItem(word, item, err)
	}

	folded := make(map[string]string) // pattern without case → what is said of it
	for text, name := range sorted(g.AudiencePaths) {
		word := "audience " + text
		pattern(word, mistake.Whole, text)
		key := strings.ToLower(text)
		if folded[key] != "" {
			wrong.Addf(word, "%s is there twice: case does not count here", text)
		}
		folded[key] = "the path of audience " + name
	}
	for i, text := range g.Public {
		pattern("public", i, text)
		if (text == "*" || text == "/*") && len(g.AudiencePaths) == 0 {
			wrong.AddItemf("public", i, "%s would let everyone in everywhere: leave auth_gateway out instead, or name the paths that are public", text)
		}
		if said := folded[strings.ToLower(text)]; said != "" {
			wrong.AddItemf("public", i, "%s is also %s, which needs a sign-in", text, said)
		}
	}
	wrong.Repeated("public", g.Public)

	apis := make(map[string]bool)
	for i, text := range g.API {
		pattern("api", i, text)
		if slices.Contains(g.Public, text) {
			wrong.AddItemf("api", i, "%s is also public, which never asks for a sign-in", text)
		}
		if apis[strings.ToLower(text)] {
			wrong.AddItemf("api", i, "%s is there twice: case does not count here", text)
		}
		apis[strings.ToLower(text)] = true
	}
}

// checkHeaders looks at the identity headers, one after the other, so that the
// one that is wrong is named.
func (g *Gateway) checkHeaders(wrong *mistake.List) {
	preset := g.Headers
	if _, err := identity.NewHeaders(preset, nil); err != nil {
		wrong.Add("headers", err)
		preset = identity.PresetNone
	}
	extra := make(map[string]string, len(g.ExtraHeaders))
	for name, attribute := range sorted(g.ExtraHeaders) {
		extra[name] = attribute
		if _, err := identity.NewHeaders(preset, extra); err != nil {
			word := "header " + name
			wrong.Addf(word, "%s", strings.TrimPrefix(err.Error(), word+": "))
			delete(extra, name)
		}
	}
}

// checkRules looks at allow or deny.
func checkRules(wrong *mistake.List, word string, rules []AttributeRule) {
	for i, rule := range rules {
		err := policy.ValidateRule(policy.Rule(rule))
		if err == nil && rule.Attribute == "email" {
			for _, value := range rule.Values {
				if !strings.Contains(value, "@") && !HasPlaceholder(value) {
					err = fmt.Errorf("email: %q is not an e-mail address, and values compare as a whole", value)
				}
			}
		}
		wrong.AddItem(word, i, err)
	}
}
