package module

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"

	"go.uber.org/zap"
	"golang.org/x/text/language"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
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
	if a.SMS != nil {
		wrong.Within("sms", checkSMSSecrets(a.SMS))
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
	one(&wrong, "portal", mistake.Whole, &a.Portal)
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
	if a.SMS != nil {
		var inner mistake.List
		one(&inner, "webhook", mistake.Whole, &a.SMS.Webhook)
		for name, value := range sorted(a.SMS.Headers) {
			one(&inner, "header "+name, mistake.Whole, &value)
			a.SMS.Headers[name] = value
		}
		one(&inner, "body", mistake.Whole, &a.SMS.Body)
		wrong.Within("sms", inner)
	}

	if a.Organizations != nil {
		resolved := make(identity.Organizations, len(a.Organizations))
		var inner mistake.List
		for name, id := range sorted(a.Organizations) {
			text := name
			one(&inner, name, mistake.Whole, &text)
			one(&inner, name, 0, &id)
			if _, twice := resolved[text]; twice {
				inner.Addf(name, "is there twice")
			}
			resolved[text] = id
		}
		a.Organizations = resolved
		wrong.Within("organizations", inner)
	}

	for name, config := range sorted(a.SSO) {
		if config == nil {
			continue // Check says so
		}
		var inner mistake.List
		one(&inner, "issuer", mistake.Whole, &config.Issuer)
		one(&inner, "client_id", mistake.Whole, &config.ClientID)
		one(&inner, "client_secret", mistake.Whole, &config.ClientSecret)
		one(&inner, "client_auth", mistake.Whole, &config.ClientKey)
		all(&inner, "scopes", config.Scopes)
		all(&inner, "admit", config.Admit)
		all(&inner, "ip_ranges", config.IPRanges)
		one(&inner, "button", mistake.Whole, &config.Button)
		var claims mistake.List
		for attribute, claim := range sorted(config.Claims) {
			one(&claims, attribute, mistake.Whole, &claim)
			config.Claims[attribute] = claim
		}
		inner.Within("claims", claims)
		if e := config.Endpoints; e != nil {
			var endpoints mistake.List
			one(&endpoints, "authorization", mistake.Whole, &e.Authorization)
			one(&endpoints, "token", mistake.Whole, &e.Token)
			one(&endpoints, "userinfo", mistake.Whole, &e.Userinfo)
			one(&endpoints, "jwks", mistake.Whole, &e.JWKS)
			one(&endpoints, "end_session", mistake.Whole, &e.EndSession)
			inner.Within("endpoints", endpoints)
		}
		wrong.Within("sso "+name, inner)
	}
	return wrong
}

// Check reports every mistake that the configuration alone can show. Values
// with placeholders in them are judged as they stand.
func (a *App) Check() (wrong mistake.List) {
	wrong = append(wrong, a.Store.Validate()...)
	if a.Portal != "" {
		_, err := policy.ParseOrigin(a.Portal)
		wrong.Add("portal", err)
	}
	wrong.Add("language", checkLanguage(a.Language))
	wrong.Within("brand", a.Brand.Validate())
	if a.Mail != nil {
		wrong.Within("mail", a.Mail.Validate())
	}
	if a.SMS != nil {
		wrong.Within("sms", a.SMS.Validate())
	}

	if a.Organizations != nil && len(a.Organizations) == 0 {
		wrong.Addf("organizations", "is empty: name those that are known, or leave the word out to take any")
	}
	wrong.Within("organizations", a.Organizations.Validate())

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
		wrong.Within(part, a.checkSenders(audience))
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

// checkSenders reports methods of an audience that nothing could send a passcode
// by.
func (a *App) checkSenders(audience *policy.Audience) (wrong mistake.List) {
	for i, method := range audience.Passcode {
		switch {
		case method == policy.EmailName && a.Mail == nil:
			wrong.AddItemf("passcode", i, "email needs a mail server: add `mail smtp <host:port>` to the global block")
		case method == policy.SMSName && a.SMS == nil:
			wrong.AddItemf("passcode", i, "sms needs a service that sends text messages: add `sms webhook <url>` to the global block")
		}
	}
	return wrong
}

// setDefaults fills in what the configuration leaves out.
func (a *App) setDefaults() {
	if len(a.Audiences) == 0 {
		a.Audiences = map[string]*policy.Audience{ImpliedAudience: new(policy.Audience)}
	}
	for _, audience := range a.Audiences {
		if len(audience.Passcode) == 0 {
			audience.Passcode = a.methods()
		}
		audience.SetDefaults()
	}
	for _, config := range a.SSO {
		config.SetDefaults()
	}
	if a.Mail != nil {
		a.Mail.SetDefaults()
	}
	if a.SMS != nil {
		a.SMS.SetDefaults()
	}
}

// methods are the ways to obtain a passcode that there are: an authenticator
// app always, the others where something sends them.
func (a *App) methods() []string {
	methods := []string{policy.AppName}
	if a.Mail != nil {
		methods = append(methods, policy.EmailName)
	}
	if a.SMS != nil {
		methods = append(methods, policy.SMSName)
	}
	return methods
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
