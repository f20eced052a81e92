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
	t.Setenv("AUTH_GATEWAY_TEST_ONE", "1")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sms := func(rest string) string { return `{"sms": {"webhook": "https://sms.example.com/"` + rest + `}}` }
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
		"endpoint by a placeholder":   {okta(`, "discovery": "off", "endpoints": {"authorization": "https://a.example", "token": "{env.AUTH_GATEWAY_TEST}", "userinfo": "https://a.example", "jwks": "https://a.example"}`) + `}`, `sso okta: endpoints: token: "value" is not an address`},
		"unset endpoint":              {okta(`, "discovery": "off", "endpoints": {"jwks": "{env.AUTH_GATEWAY_TEST_EMPTY}"}`) + `}`, "sso okta: endpoints: jwks: {env.AUTH_GATEWAY_TEST_EMPTY} is empty"},
		"endpoints with discovery":    {okta(`, "endpoints": {}`) + `}`, "sso okta: endpoints: are for discovery off"},
		"unset key file":              {okta(`, "client_auth": "private_key_jwt", "client_key": "{env.AUTH_GATEWAY_TEST_EMPTY}"`) + `}`, "sso okta: client_auth: {env.AUTH_GATEWAY_TEST_EMPTY} is empty"},
		"unknown sso":                 {`{"audiences": {"team": {"sso": ["okta"]}}}`, `audience team: sso: there is no SSO config "okta"`},
		"redirect to nothing":         {`{"audiences": {"team": {"sign_in": "redirect"}}}`, "audience team: sign_in: redirect needs the name"},
		"target without redirect":     {okta("") + `, "audiences": {"team": {"redirect_to": "okta", "sso": ["okta"]}}}`, "audience team: sign_in: names the SSO config okta without"},
		"nobody could sign in":        {`{"audiences": {"team": {"password": "off"}}}`, "audience team: password: is off and no SSO config is assigned"},
		"negative lifetime":           {`{"audiences": {"team": {"session_lifetime": -1}}}`, "audience team: session_lifetime: "},
		"negative idle timeout":       {`{"audiences": {"team": {"idle_timeout": "-1h"}}}`, "audience team: idle_timeout: "},
		"unknown passcode":            {`{"audiences": {"team": {"passcode": ["app", "pigeon"]}}}`, `audience team: passcode: unknown method "pigeon"`},
		"passcode by mail":            {`{"audiences": {"team": {"passcode": ["email"]}}}`, "audience team: passcode: email needs a mail server: add `mail smtp"},
		"passcode by mail beside sms": {strings.TrimSuffix(sms(""), "}") + `, "audiences": {"team": {"passcode": ["sms", "email"]}}}`, "audience team: passcode: email needs a mail server"},
		"passcode by text message":    {`{"audiences": {"team": {"password": "on", "passcode": ["app", "sms"]}}}`, "audience team: passcode: sms needs a service that sends text messages: add `sms webhook"},
		"negative trust_device":       {`{"audiences": {"team": {"trust_device": -1}}}`, "audience team: trust_device: "},
		"long trust_device":           {`{"audiences": {"team": {"trust_device": "401d"}}}`, "audience team: trust_device: 9624h is longer"},
		"sms without webhook":         {`{"sms": {}}`, "sms: webhook: is required"},
		"literal credentials":         {sms(`, "headers": {"X-Account": "a", "AUTHORIZATION": "Basic hunter2"}`), "sms: header AUTHORIZATION: must have its secret from a placeholder"},
		"literal proxy credentials":   {sms(`, "headers": {"Proxy-Authorization": "hunter2"}`), "sms: header Proxy-Authorization: must have"},
		"literal key":                 {sms(`, "headers": {"Ocp-Apim-Subscription-Key": "hunter2"}`), "sms: header Ocp-Apim-Subscription-Key: must have"},
		"literal token":               {sms(`, "headers": {"X-Auth_Token": "hunter2"}`), "sms: header X-Auth_Token: must have"},
		"literal password in webhook": {`{"sms": {"webhook": "https://a:hunter2@sms.example.com/"}}`, "sms: webhook: what stands before the @: must have"},
		"password and placeholder":    {`{"sms": {"webhook": "https://{env.AUTH_GATEWAY_TEST}:hunter2@sms.example.com/"}}`, "sms: webhook: what stands before the @: must have"},
		"literal user of webhook":     {`{"sms": {"webhook": "https://hunter2@sms.example.com/"}}`, "sms: webhook: what stands before the @: must have"},
		"literal key in webhook":      {`{"sms": {"webhook": "https://sms.example.com/?a=b&api%5Fkey=hunter2"}}`, "sms: webhook: api_key: must have"},
		"literal secret in a form":    {sms(`, "body": "to={phone}&text={text}&Api_Secret=hunter2"`), "sms: body: Api_Secret: must have"},
		"literal secret in JSON":      {sms(`, "body": "{\"m\": [{\"to\": \"{phone}\", \"text\": \"{text}\", \"accessToken\": \"hunter2\"}]}"`), "sms: body: accessToken: must have"},
		"unset credentials":           {sms(`, "headers": {"Authorization": "Basic {env.AUTH_GATEWAY_TEST_EMPTY}"}`), "sms: header Authorization: {env.AUTH_GATEWAY_TEST_EMPTY} is empty"},
		"unset part of the webhook":   {`{"sms": {"webhook": "https://sms.example.com/{env.AUTH_GATEWAY_TEST_EMPTY}"}}`, "sms: webhook: {env.AUTH_GATEWAY_TEST_EMPTY} is empty"},
		"unset part of the body":      {sms(`, "body": "{phone}{code}{file./nowhere/at/all}"`), "sms: body: {file./nowhere/at/all} is empty"},
		"webhook behind placeholder":  {`{"sms": {"webhook": "{env.AUTH_GATEWAY_TEST_ISSUER}"}}`, "sms: webhook: would send passcodes in the clear to idp.example.com"},
		"body behind placeholder":     {sms(`, "body": "{env.AUTH_GATEWAY_TEST}"`), "sms: body: has neither {text} nor {code}"},
		"driver":                      {`{"store": {"driver": "postgres"}}`, "store: postgres is not available yet"},
		"unknown driver":              {`{"store": {"driver": "mysql"}}`, `store: unknown kind of database "mysql"`},
		"language":                    {`{"language": "de"}`, `language: there are no pages in "de"`},
		"control character in button": {okta(`, "button": "a\nb"`) + `}`, "sso okta: button: has a line break"},
		"long button":                 {okta(`, "button": "`+strings.Repeat("x", 41)+`"`) + `}`, "sso okta: button: is longer than 40"},
		"control character in brand":  {`{"brand": {"name": "a\u0007"}}`, "brand: name: has a line break"},
		"no organization":             {`{"organizations": {}}`, "organizations: is empty"},
		"unset organization":          {`{"organizations": {"{env.AUTH_GATEWAY_TEST_EMPTY}": "1"}}`, "{env.AUTH_GATEWAY_TEST_EMPTY} is empty"},
		"organizations with one id":   {`{"organizations": {"a": "1", "b": "{env.AUTH_GATEWAY_TEST_ONE}"}}`, `organizations: b: "1" is the external id of "a"`},
		"attribute of a claim":        {okta(`, "claims": {"nick": "x"}`) + `}`, "sso okta: claims: nick: is no attribute"},
		"unset claim":                 {okta(`, "claims": {"role": "{env.AUTH_GATEWAY_TEST_EMPTY}"}`) + `}`, "sso okta: claims: role: {env.AUTH_GATEWAY_TEST_EMPTY} is empty"},
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
		"mail": {"server": "{env.AUTH_GATEWAY_TEST_SECRET}.example.com:587", "from": "noreply@example.com"},
		"sms": {
			"webhook": "https://a:{env.AUTH_GATEWAY_TEST_SECRET}@sms.example.com/{file.`+file+`}",
			"headers": {"Authorization": "Basic {env.AUTH_GATEWAY_TEST_SECRET}", "X-Account": "example"},
			"body": "{phone}: {text}, {env.AUTH_GATEWAY_TEST_SECRET}"
		},
		"sso": {"okta": {"issuer": "https://example.okta.com", "client_id": "x", "admit": ["any"], "client_secret": "{env.AUTH_GATEWAY_TEST_SECRET}"}},
		"audiences": {"team": {"sso": ["okta"], "session_lifetime": "2h"}},
		"organizations": {"{env.AUTH_GATEWAY_TEST_SECRET} Inc": "{env.AUTH_GATEWAY_TEST_SECRET}"}
	}`)
	if err != nil || len(logs) != 1 { // the body is not JSON
		t.Fatal(err, logs)
	}
	got, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"store":{"path":"/data/hunter2.db"},"secrets":["from-a-file"],` +
		`"mail":{"server":"hunter2.example.com:587","from":"noreply@example.com","tls":"starttls","invitations":true},` +
		`"sms":{"webhook":"https://a:hunter2@sms.example.com/from-a-file",` +
		`"headers":{"Authorization":"Basic hunter2","X-Account":"example"},"body":"{phone}: {text}, hunter2"},` +
		`"organizations":{"hunter2 Inc":"hunter2"},` +
		`"sso":{"okta":{"issuer":"https://example.okta.com","client_id":"x","client_secret":"hunter2","pushed_requests":"on",` +
		`"scopes":["openid","email","profile"],"mode":"pkce","admit":["any"],"discovery":"on","max_role":"agent"}},` +
		`"audiences":{"team":{"sign_in":"choose","sso":["okta"],"password":"on","password_change":"on",` +
		`"second_factor":"optional","passcode":["app","email","sms"],"api_password":"off","idle_timeout":7200000000000,"session_lifetime":7200000000000}}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestPasscodeDefaults: where an audience does not say how passcodes are
// obtained, it is every way that has a sender, the authenticator app first; and
// what it says stays.
func TestPasscodeDefaults(t *testing.T) {
	const (
		mail = `"mail": {"server": "smtp.example.com:587", "from": "noreply@example.com"}`
		sms  = `"sms": {"webhook": "https://sms.example.com/"}`
	)
	for name, test := range map[string]struct{ config, want string }{
		"no sender":            {`{}`, "app"},
		"mail":                 {`{` + mail + `}`, "app email"},
		"sms":                  {`{` + sms + `}`, "app sms"},
		"both":                 {`{` + mail + `, ` + sms + `}`, "app email sms"},
		"said, of both":        {`{` + mail + `, ` + sms + `, "audiences": {"default": {"passcode": ["sms", "app"]}}}`, "sms app"},
		"empty, of both":       {`{` + mail + `, ` + sms + `, "audiences": {"default": {"passcode": []}}}`, "app email sms"},
		"second factor off":    {`{` + mail + `, "audiences": {"default": {"second_factor": "off"}}}`, "app email"},
		"without the app, sms": {`{` + sms + `, "audiences": {"default": {"passcode": ["sms"]}}}`, "sms"},
	} {
		t.Run(name, func(t *testing.T) {
			a, logs, err := configured(t, test.config)
			if err != nil || len(logs) > 0 {
				t.Fatal(err, logs)
			}
			if got := strings.Join(a.Audiences[ImpliedAudience].Passcode, " "); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if a.SMS != nil && a.SMS.Body == "" {
				t.Error("the body has no default")
			}
		})
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
	mapped := func(words string) string {
		return `{"sso": {"okta": {"issuer": "https://example.okta.com", "client_id": "x", "admit": ["any"], ` + words + `}}, "audiences": {"team": {"sso": ["okta"]}}}`
	}
	for name, test := range map[string]struct{ config, want string }{
		"assigned nowhere":              {`{` + sso + `}`, "sso okta: is assigned to no audience"},
		"password door outside a range": {`{` + sso + `, "audiences": {"team": {"sso": ["okta"], "sign_in": "redirect", "redirect_to": "okta"}}}`, "audience team: redirects to okta, which has ip_ranges"},
		"with a second factor":          {`{` + sso + `, "audiences": {"team": {"sso": ["okta"], "sign_in": "redirect", "redirect_to": "okta", "second_factor": "required"}}}`, ""},
		"without a password":            {`{` + sso + `, "audiences": {"team": {"sso": ["okta"], "sign_in": "redirect", "redirect_to": "okta", "password": "off"}}}`, ""},
		"passcode that nobody sets up":  {`{"audiences": {"team": {"second_factor": "off", "passcode": ["app"]}}}`, "audience team: passcode: has no effect where second_factor is off"},
		"trusted where some still ask":  {`{"audiences": {"team": {"second_factor": "off", "trust_device": "30d"}}}`, ""},
		"programs, second factor":       {`{"audiences": {"team": {"second_factor": "required", "api_password": "on"}}}`, "audience team: api_password: lets nobody in"},
		"programs, optional":            {`{"audiences": {"team": {"second_factor": "optional", "api_password": "on"}}}`, ""},
		"password off, nothing else":    {`{` + sso + `, "audiences": {"team": {"sso": ["okta"], "password": "off", "second_factor": "off"}}}`, ""},
		"password off and passcodes": {`{` + sso + `, "audiences": {"team": {"sso": ["okta"], "password": "off", "second_factor": "required", "passcode": ["app"], "trust_device": "30d", "api_password": "on"}}}`,
			"audience team: password: is off, which leaves second_factor, passcode, trust_device, api_password without effect"},
		"role without its most":    {mapped(`"claims": {"role": "role"}`), "sso okta: claims: role gives at most agent"},
		"role and its most":        {mapped(`"claims": {"role": "role"}, "max_role": "admin"`), ""},
		"a most without a role":    {mapped(`"max_role": "admin"`), "sso okta: max_role: has no effect"},
		"another address":          {mapped(`"claims": {"email": "upn"}`), "sso okta: claims: email: addresses of the claim upn"},
		"another one, trusted":     {mapped(`"claims": {"email": "upn"}, "trust_email": true`), ""},
		"another one, verified":    {mapped(`"claims": {"email": "upn", "email_verified": "xms_edov"}`), ""},
		"joining by an address":    {mapped(`"link": "verified_email"`), ""},
		"joining by any address":   {mapped(`"link": "verified_email", "trust_email": true`), "sso okta: link: verified_email with trust_email"},
		"revalidate, nothing more": {mapped(`"revalidate": "15m"`), "sso okta: revalidate: many providers"},
		"revalidate, with scopes":  {mapped(`"revalidate": "15m", "scopes": ["openid", "email"]`), ""},
		"revalidate at the end":    {mapped(`"revalidate": "31h", "scopes": ["openid", "email"]`), ""},
		"revalidate after the end": {mapped(`"revalidate": "32h", "scopes": ["openid", "email"]`), "sso okta: revalidate never asks about anybody: sessions end before, after 24h0m0s"},
		"sms for nobody":           {`{"sms": {"webhook": "https://sms.example.com/"}, "audiences": {"team": {"passcode": ["app"]}}}`, "sms: is offered to nobody"},
		"sms for some":             {`{"sms": {"webhook": "https://sms.example.com/"}, "audiences": {"team": {"passcode": ["app"]}, "customers": {}}}`, ""},
		"sms body that is none":    {`{"sms": {"webhook": "https://sms.example.com/", "body": "to={phone}&text={text}"}}`, "sms: body: is sent as application/json and is none"},
		"sms, and a secret code":   {`{"sms": {"webhook": "https://sms.example.com/", "body": "{\"to\": \"{phone}\", \"token\": \"{code}\", \"password\": \"\"}"}}`, ""},
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
