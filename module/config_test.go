package module

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// configured reads an app from JSON and makes it ready, as Provision does.
func configured(t *testing.T, config string) (*App, []observer.LoggedEntry, error) {
	t.Helper()
	a := new(App)
	if err := caddy.StrictUnmarshalJSON([]byte(config), a); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.WarnLevel)
	err := a.configure(zap.New(core))
	return a, logs.All(), err
}

// TestConfigureRefuses: what is wrong in hand-written JSON is told with the
// name of the object.
func TestConfigureRefuses(t *testing.T) {
	t.Setenv("AUTH_GATEWAY_TEST", "value")
	t.Setenv("AUTH_GATEWAY_TEST_EMPTY", "")
	t.Setenv("AUTH_GATEWAY_TEST_ISSUER", "http://idp.example.com")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	okta := func(rest string) string {
		return `{"sso": {"okta": {"issuer": "https://example.okta.com", "client_id": "x", "admit": ["any"]` + rest + `}}`
	}
	for name, test := range map[string]struct{ config, want string }{
		"literal secret":              {`{"secrets": ["0123456789abcdef0123456789abcdef"]}`, "secret: must be one placeholder"},
		"unset secret":                {`{"secrets": ["{env.AUTH_GATEWAY_TEST_EMPTY}"]}`, "secret: {env.AUTH_GATEWAY_TEST_EMPTY} is empty: set the environment variable"},
		"missing secret file":         {`{"secrets": ["{file./nowhere/at/all}"]}`, "secret: {file./nowhere/at/all} is empty: the file is missing"},
		"empty secret file":           {`{"secrets": ["{file.` + empty + `}"]}`, "is empty: the file is missing, has nothing in it"},
		"literal client secret":       {okta(`, "client_secret": "hunter2"`) + `}`, "sso okta: client_secret: must be one placeholder"},
		"two placeholders as secret":  {okta(`, "client_secret": "{env.AUTH_GATEWAY_TEST}{env.AUTH_GATEWAY_TEST}"`) + `}`, "sso okta: client_secret: must be one placeholder"},
		"unset client secret":         {okta(`, "client_secret": "{env.AUTH_GATEWAY_TEST_EMPTY}"`) + `}`, "sso okta: client_secret: {env.AUTH_GATEWAY_TEST_EMPTY} is empty"},
		"issuer behind a placeholder": {`{"sso": {"okta": {"issuer": "{env.AUTH_GATEWAY_TEST_ISSUER}", "client_id": "x", "admit": ["any"]}}}`, `sso okta: issuer: "http://idp.example.com"`},
		"range behind a placeholder":  {okta(`, "ip_ranges": ["{env.AUTH_GATEWAY_TEST}"]`) + `}`, `sso okta: ip_ranges: "value" is not`},
		"other placeholder":           {okta(`, "ip_ranges": ["{http.request.host}"]`) + `}`, `sso okta: ip_ranges: "{http.request.host}" is not`},
		"null sso":                    {`{"sso": {"okta": null}}`, "sso okta: is empty"},
		"null audience":               {`{"audiences": {"team": null}}`, "audience team: is null"},
		"name of sso":                 {`{"sso": {"../x": {"issuer": "https://a.example", "client_id": "x", "admit": ["any"]}}}`, `sso ../x: "../x" cannot be a name`},
		"name of audience":            {`{"audiences": {"": {}}}`, `"" cannot be a name`},
		"mode code without secret":    {okta(`, "mode": "code"`) + `}`, "sso okta: mode: code needs a client_secret"},
		"unknown sso":                 {`{"audiences": {"team": {"sso": ["okta"]}}}`, `audience team: sso: there is no SSO config "okta"`},
		"redirect to nothing":         {`{"audiences": {"team": {"sign_in": "redirect"}}}`, "audience team: sign_in: redirect needs the name"},
		"target without redirect":     {okta("") + `, "audiences": {"team": {"redirect_to": "okta", "sso": ["okta"]}}}`, "audience team: sign_in: names the SSO config okta without"},
		"nobody could sign in":        {`{"audiences": {"team": {"password": "off"}}}`, "audience team: password: is off and no SSO config is assigned"},
		"negative lifetime":           {`{"audiences": {"team": {"session_lifetime": -1}}}`, "audience team: session_lifetime: "},
		"negative idle timeout":       {`{"audiences": {"team": {"idle_timeout": "-1h"}}}`, "audience team: idle_timeout: "},
		"passcode by mail":            {`{"audiences": {"team": {"passcode": ["email"]}}}`, "audience team: passcode: email needs a sender"},
		"driver":                      {`{"store": {"driver": "postgres"}}`, "store: postgres is not available yet"},
		"unknown driver":              {`{"store": {"driver": "mysql"}}`, `store: unknown kind of database "mysql"`},
		"language":                    {`{"language": "de"}`, `language: there are no pages in "de"`},
		"control character in button": {okta(`, "button": "a\nb"`) + `}`, "sso okta: button: has a line break"},
		"long button":                 {okta(`, "button": "`+strings.Repeat("x", 41)+`"`) + `}`, "sso okta: button: is longer than 40"},
		"control character in brand":  {`{"brand": {"name": "a\u0007"}}`, "brand: name: has a line break"},
		"client id":                   {`{"sso": {"okta": {"issuer": "https://a.example", "client_id": "é", "admit": ["any"]}}}`, "sso okta: client_id: has a character"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := configured(t, test.config)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want …%s…", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has the secret in it: %v", err)
			}
		})
	}
}

func TestConfigureTellsEveryMistake(t *testing.T) {
	_, _, err := configured(t, `{"language": "de", "brand": {"accent": "red"}, "sso": {"okta": {}}}`)
	for _, want := range []string{"language: ", "brand: accent: ", "sso okta: issuer: ", "sso okta: client_id: ", "sso okta: admit: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in: %v", want, err)
		}
	}
}

func TestConfigureResolvesAndFillsIn(t *testing.T) {
	t.Setenv("AUTH_GATEWAY_TEST_SECRET", "hunter2")
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, logs, err := configured(t, `{
		"secrets": ["{file.`+file+`}"],
		"store": {"path": "/data/{env.AUTH_GATEWAY_TEST_SECRET}.db"},
		"sso": {"okta": {"issuer": "https://example.okta.com", "client_id": "x", "admit": ["any"], "client_secret": "{env.AUTH_GATEWAY_TEST_SECRET}"}},
		"audiences": {"team": {"sso": ["okta"], "session_lifetime": "2h"}}
	}`)
	if err != nil || len(logs) != 0 {
		t.Fatal(err, logs)
	}
	got, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"store":{"path":"/data/hunter2.db"},"secrets":["from-a-file"],` +
		`"sso":{"okta":{"issuer":"https://example.okta.com","client_id":"x","client_secret":"hunter2",` +
		`"scopes":["openid","email","profile"],"mode":"pkce","admit":["any"],"max_role":"agent"}},` +
		`"audiences":{"team":{"sign_in":"choose","sso":["okta"],"password":"on","password_change":"on",` +
		`"second_factor":"optional","passcode":["app"],"api_password":"off","idle_timeout":7200000000000,"session_lifetime":7200000000000}}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestConfigureImpliesOneAudience(t *testing.T) {
	a, _, err := configured(t, `{}`)
	if err != nil || len(a.Audiences) != 1 || a.Audiences[ImpliedAudience].Password != "on" {
		t.Fatalf("%v, %v", a.Audiences, err)
	}
	g := new(Gateway)
	if err := g.configure(a); err != nil || g.Audience != ImpliedAudience || g.Headers != "remote" {
		t.Errorf("%+v, %v", g, err)
	}
}

func TestWarnings(t *testing.T) {
	const sso = `"sso": {"okta": {"issuer": "https://example.okta.com", "client_id": "x", "admit": ["any"], "ip_ranges": ["192.0.2.0/24"]}}`
	for name, test := range map[string]struct{ config, want string }{
		"assigned nowhere":              {`{` + sso + `}`, "sso okta: is assigned to no audience"},
		"password door outside a range": {`{` + sso + `, "audiences": {"team": {"sso": ["okta"], "sign_in": "redirect", "redirect_to": "okta"}}}`, "audience team: redirects to okta, which has ip_ranges"},
		"with a second factor":          {`{` + sso + `, "audiences": {"team": {"sso": ["okta"], "sign_in": "redirect", "redirect_to": "okta", "second_factor": "required"}}}`, ""},
		"without a password":            {`{` + sso + `, "audiences": {"team": {"sso": ["okta"], "sign_in": "redirect", "redirect_to": "okta", "password": "off"}}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, logs, err := configured(t, test.config)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == "" && len(logs) != 0:
				t.Errorf("got %v", logs)
			case test.want != "" && (len(logs) != 1 || !strings.HasPrefix(logs[0].Message, test.want)):
				t.Errorf("got %v, want %s…", logs, test.want)
			}
		})
	}
}

func TestGatewayConfigureRefuses(t *testing.T) {
	t.Setenv("AUTH_GATEWAY_TEST", "everything")
	t.Setenv("AUTH_GATEWAY_TEST_EMPTY", "")
	two, _, err := configured(t, `{"audiences": {"team": {}, "customers": {}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ config, want string }{
		"no audience":              {`{}`, "there are several audiences: name the one that signs in here, customers or team"},
		"unknown audience":         {`{"audience": "teem"}`, `there is no audience "teem": did you mean team?`},
		"unknown audience of path": {`{"audience": "team", "audience_paths": {"/x": "staff"}}`, `audience /x: there is no audience "staff"`},
		"same path but for case":   {`{"audience": "team", "audience_paths": {"/x": "team", "/X": "customers"}}`, "/x is there twice"},
		"pattern":                  {`{"audience": "team", "public": ["x"]}`, "public: "},
		"empty pattern":            {`{"audience": "team", "public": ["/{env.AUTH_GATEWAY_TEST_EMPTY}*"]}`, "public: {env.AUTH_GATEWAY_TEST_EMPTY} is empty"},
		"everything is public":     {`{"audience": "team", "public": ["/*"]}`, "public: /* would let everyone in"},
		"placeholder of a request": {`{"audience": "team", "api": ["/{http.request.host}"]}`, "only {env.NAME} and {file.PATH}"},
		"rule without values":      {`{"audience": "team", "allow": [{"attribute": "role", "values": []}]}`, "allow: "},
		"rule with an empty value": {`{"audience": "team", "deny": [{"attribute": "tags", "values": [""]}]}`, "deny: "},
		"attribute":                {`{"audience": "team", "deny": [{"attribute": "tag", "values": ["x"]}]}`, `deny: unknown attribute "tag"`},
		"origin":                   {`{"audience": "team", "origins": ["{env.AUTH_GATEWAY_TEST}"]}`, `origin: "everything" is not an origin`},
		"header":                   {`{"audience": "team", "extra_headers": {"Remote-User": "name"}}`, "header Remote-User: "},
		"preset":                   {`{"audience": "team", "headers": "all"}`, `headers: unknown headers "all"`},
	} {
		t.Run(name, func(t *testing.T) {
			g := new(Gateway)
			if err := caddy.StrictUnmarshalJSON([]byte(test.config), g); err != nil {
				t.Fatal(err)
			}
			if err := g.configure(two); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want …%s…", err, test.want)
			}
		})
	}
}

func TestGatewayConfigureResolves(t *testing.T) {
	t.Setenv("AUTH_GATEWAY_TEST", "Assets")
	app, _, err := configured(t, `{"audiences": {"team": {}}}`)
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{
		Public:        []string{"/{env.AUTH_GATEWAY_TEST}/*"},
		AudiencePaths: map[string]string{"/x/{env.AUTH_GATEWAY_TEST}": "team"},
		Allow:         []AttributeRule{{Attribute: "tags", Values: []string{"{env.AUTH_GATEWAY_TEST}"}}},
	}
	if err := g.configure(app); err != nil {
		t.Fatal(err)
	}
	if g.Public[0] != "/Assets/*" || g.AudiencePaths["/x/Assets"] != "team" || len(g.AudiencePaths) != 1 || g.Allow[0].Values[0] != "Assets" {
		t.Errorf("%+v", g)
	}
}
