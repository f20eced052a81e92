package module

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"

	"go.uber.org/zap"
	"golang.org/x/text/language"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
)

// ImpliedAudience is the name of the audience when none is configured.
const ImpliedAudience = "default"

// namePattern is what SSO configs and audiences may be called: names become
// part of addresses.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// configure makes the configuration ready for use: secrets are checked as they
// are written, placeholders resolved, everything checked, defaults filled in.
// It is called once, by Provision.
func (a *App) configure(log *zap.Logger) error {
	if err := a.CheckSecrets().Err(); err != nil {
		return err
	}
	if err := a.resolve().Err(); err != nil {
		return err
	}
	if err := a.Check().Err(); err != nil {
		return err
	}
	for _, warning := range a.Warnings() {
		log.Warn(warning.Error())
	}
	a.setDefaults()
	return nil
}

// CheckSecrets reports secrets that are not placeholders. It looks at the
// configuration as it is written.
func (a *App) CheckSecrets() (wrong mistake.List) {
	for i, text := range a.Secrets {
		wrong.AddItem("secret", i, CheckSecret(text))
	}
	if a.Mail != nil && a.Mail.Password != "" {
		var inner mistake.List
		inner.Add("password", CheckSecret(a.Mail.Password))
		wrong.Within("mail", inner)
	}
	for name, config := range sorted(a.SSO) {
		if config != nil && config.ClientSecret != "" {
			var inner mistake.List
			inner.Add("client_secret", CheckSecret(config.ClientSecret))
			wrong.Within("sso "+name, inner)
		}
	}
	return wrong
}

// resolve replaces the placeholders in every free text.
func (a *App) resolve() (wrong mistake.List) {
	one := func(to *mistake.List, word string, item int, value *string) {
		resolved, err := resolve(*value)
		to.AddItem(word, item, err)
		*value = resolved
	}
	all := func(to *mistake.List, word string, values []string) {
		for i := range values {
			one(to, word, i, &values[i])
		}
	}

	one(&wrong, "store", mistake.Whole, &a.Store.Path)
	all(&wrong, "secret", a.Secrets)
	one(&wrong, "language", mistake.Whole, &a.Language)

	var brand mistake.List
	one(&brand, "name", mistake.Whole, &a.Brand.Name)
	one(&brand, "logo", mistake.Whole, &a.Brand.Logo)
	one(&brand, "accent", mistake.Whole, &a.Brand.Accent)
	wrong.Within("brand", brand)

	if a.Mail != nil {
		var inner mistake.List
		one(&inner, "server", mistake.Whole, &a.Mail.Server)
		one(&inner, "from", mistake.Whole, &a.Mail.From)
		one(&inner, "username", mistake.Whole, &a.Mail.Username)
		one(&inner, "password", mistake.Whole, &a.Mail.Password)
		wrong.Within("mail", inner)
	}

	for name, config := range sorted(a.SSO) {
		if config == nil {
			continue // Check says so
		}
		var inner mistake.List
		one(&inner, "issuer", mistake.Whole, &config.Issuer)
		one(&inner, "client_id", mistake.Whole, &config.ClientID)
		one(&inner, "client_secret", mistake.Whole, &config.ClientSecret)
		all(&inner, "scopes", config.Scopes)
		all(&inner, "admit", config.Admit)
		all(&inner, "ip_ranges", config.IPRanges)
		one(&inner, "button", mistake.Whole, &config.Button)
		wrong.Within("sso "+name, inner)
	}
	return wrong
}

// Check reports every mistake that the configuration alone can show. Values
// with placeholders in them are judged as they stand.
func (a *App) Check() (wrong mistake.List) {
	wrong = append(wrong, a.Store.Validate()...)
	wrong.Add("language", checkLanguage(a.Language))
	wrong.Within("brand", a.Brand.Validate())
	if a.Mail != nil {
		wrong.Within("mail", a.Mail.Validate())
	}

	for name, config := range sorted(a.SSO) {
		part := "sso " + name
		wrong.Add(part, checkName(name))
		if config == nil {
			wrong.Addf(part, "is empty: give it an issuer, a client_id and admit")
			continue
		}
		wrong.Within(part, config.Validate())
	}
	for name, audience := range sorted(a.Audiences) {
		part := "audience " + name
		wrong.Add(part, checkName(name))
		if audience == nil {
			wrong.Addf(part, "is null: write {} for an audience that has only defaults")
			continue
		}
		wrong.Within(part, audience.Validate())
		wrong.Within(part, a.checkAssigned(audience))
	}
	return wrong
}

// checkAssigned reports SSO configs of an audience that do not exist or of
// which nothing says which one people without a choice are sent to.
func (a *App) checkAssigned(audience *policy.Audience) (wrong mistake.List) {
	everywhere := ""
	taken := make(map[netip.Prefix]string)
	for i, name := range audience.SSO {
		config := a.SSO[name]
		if config == nil {
			known := slices.Sorted(maps.Keys(a.SSO))
			wrong.AddItemf("sso", i, "there is no SSO config %q%s", name, mistake.DidYouMean(name, known))
			continue
		}
		if audience.SignIn == policy.SignInRedirect || config.Button != "" {
			continue
		}
		if len(config.IPRanges) == 0 {
			if everywhere != "" {
				wrong.AddItemf("sso", i, "%s and %s have neither a button nor ip_ranges, so nothing decides between them: give one of them a button", everywhere, name)
			}
			everywhere = name
		}
		for _, text := range config.IPRanges {
			prefix, err := policy.ParseRange(text)
			if err != nil {
				continue // Config.Validate says so
			}
			if other := taken[prefix]; other != "" && other != name {
				wrong.AddItemf("sso", i, "%s and %s have no button and both have the range %s, so nothing decides between them: give one of them a button", other, name, text)
				break
			}
			taken[prefix] = name
		}
	}
	return wrong
}

// Warnings reports what works, but hardly as it was meant.
func (a *App) Warnings() (odd mistake.List) {
	assigned := make(map[string]bool)
	for _, audience := range a.Audiences {
		for _, name := range audience.SSO {
			assigned[name] = true
		}
	}
	for name := range sorted(a.SSO) {
		if !assigned[name] {
			odd.Addf("sso "+name, "is assigned to no audience and therefore inactive: add `sso %s` to an audience", name)
		}
	}
	for name, audience := range sorted(a.Audiences) {
		target := a.SSO[audience.RedirectTo]
		if target != nil && len(target.IPRanges) > 0 &&
			audience.Password != policy.Off && audience.SecondFactor != policy.SecondFactorRequired {
			odd.Addf("audience "+name, "redirects to %s, which has ip_ranges: everyone outside them meets the password form, "+
				"without a required second factor; set `second_factor required` or `password off`", audience.RedirectTo)
		}
	}
	return odd
}

// setDefaults fills in what the configuration leaves out.
func (a *App) setDefaults() {
	if len(a.Audiences) == 0 {
		a.Audiences = map[string]*policy.Audience{ImpliedAudience: new(policy.Audience)}
	}
	for _, audience := range a.Audiences {
		audience.SetDefaults()
	}
	for _, config := range a.SSO {
		config.SetDefaults()
	}
	if a.Mail != nil {
		a.Mail.SetDefaults()
	}
}

// checkName refuses what cannot be the name of an SSO config or audience.
func checkName(name string) error {
	if namePattern.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q cannot be a name: use a-z, 0-9, _ and -, with a letter first", name)
}

// checkLanguage refuses a language in which there are no pages.
func checkLanguage(tag string) error {
	if tag == "" {
		return nil
	}
	parsed, err := language.Parse(tag)
	if err != nil {
		return fmt.Errorf("%q is not a language tag such as en or ja", tag)
	}
	if base, _ := parsed.Base(); base.String() != "en" && base.String() != "ja" {
		return fmt.Errorf("there are no pages in %q: use en or ja", tag)
	}
	return nil
}

// sorted yields the entries of a map by name, so that messages come in the
// same order each time.
func sorted[V any](m map[string]V) func(yield func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}
