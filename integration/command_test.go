//go:build integration

package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// person is an account as --json shows it.
type person struct {
	ID            string
	Email         string
	Name          string
	Role          string
	Suspended     bool
	HasPassword   bool `json:"has_password"`
	SecondFactors []struct {
		Method   string
		Required bool
	} `json:"second_factors"`
	RecoveryCodesLeft int `json:"recovery_codes_left"`
	Sessions          int
	PasswordHeld      *struct{} `json:"password_held"`
}

// The commands as an operator types them, one after the other.
func TestCommands(t *testing.T) {
	t.Parallel()
	g := start(t, required, "", func(o *harness.Options) { o.AdminSocket = true })

	if list := g.Must("user", "list"); strings.Contains(list, "@") {
		t.Errorf("accounts from nowhere: %s", list)
	}
	var nobody []person
	if g.JSON(&nobody, "user", "list"); nobody == nil || len(nobody) != 0 {
		t.Errorf("no accounts as JSON: %v", nobody)
	}
	out := g.Must("user", "add", alice, "--name", "Alice Example", "--role", "admin")
	if !strings.Contains(out, "/auth-gateway/reset?token=") {
		t.Errorf("no link: %s", out)
	}
	for name, args := range map[string][]string{
		"there already":         {"user", "add", alice},
		"in another case":       {"user", "add", strings.ToUpper(alice)},
		"no address":            {"user", "add", "alice"},
		"nothing":               {"user", "add"},
		"no such role":          {"user", "add", carol, "--role", "king"},
		"no such person":        {"user", "show", "nobody@example.test"},
		"nobody to suspend":     {"user", "suspend", "nobody@example.test"},
		"nobody to remove":      {"user", "remove", "nobody@example.test"},
		"nobody to unlock":      {"user", "unlock", "nobody@example.test"},
		"nobody to reset":       {"user", "reset-password", "nobody@example.test"},
		"nobody's factor":       {"user", "reset-second-factor", "nobody@example.test"},
		"no such command":       {"user", "promote", alice},
		"the last admin":        {"user", "remove", alice, "--yes"},
		"the last admin's role": {"user", "set", alice, "--role", "agent"},
	} {
		r := g.Command(args...)
		if r.Status == 0 {
			t.Errorf("%s: done: %s", name, r.Stdout)
		}
		if strings.TrimSpace(r.Stderr) == "" {
			t.Errorf("%s: no word why", name)
		}
	}
	if r := g.CommandInput("short\n", "user", "add", carol, "--password-stdin"); r.Status == 0 {
		t.Error("a short password")
	}
	if r := g.CommandInput("", "user", "add", carol, "--password-stdin"); r.Status == 0 {
		t.Error("an empty password")
	}

	g.AddUser(carol, "--name", "Carol Example", "--role", "agent")
	b := g.Browser()
	app, _ := g.enroll(t, b, carol)
	list := g.Must("user", "list")
	if !strings.Contains(list, alice) || !strings.Contains(list, carol) {
		t.Errorf("%s", list)
	}
	var all []person
	g.JSON(&all, "user", "list")
	if len(all) != 2 || all[0].Email != alice || all[0].Role != "admin" || all[1].Name != "Carol Example" {
		t.Errorf("%+v", all)
	}
	show := func() (p person) {
		g.JSON(&p, "user", "show", carol)
		return p
	}
	p := show()
	if !p.HasPassword || p.Sessions != 1 || p.RecoveryCodesLeft != 10 || len(p.SecondFactors) != 1 ||
		p.SecondFactors[0].Method != "app" || !p.SecondFactors[0].Required {
		t.Errorf("%+v", p)
	}
	if out := g.Must("user", "show", carol); !strings.Contains(out, "Carol Example") {
		t.Errorf("%s", out)
	}
	if out := g.Must("user", "show", p.ID); !strings.Contains(out, carol) {
		t.Errorf("by id: %s", out)
	}

	g.Must("user", "suspend", carol)
	if p := show(); !p.Suspended || p.Sessions != 0 {
		t.Errorf("%+v", p)
	}
	g.Must("user", "resume", carol)
	if show().Suspended {
		t.Error("still suspended")
	}
	b = g.Browser()
	step := g.askedForPasscode(t, b, carol)
	b.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	g.Must("user", "reset-second-factor", carol)
	if p := show(); len(p.SecondFactors) != 0 || p.RecoveryCodesLeft != 0 || p.Sessions != 0 {
		t.Errorf("%+v", p)
	}
	g.Must("user", "unlock", carol)
	before := show().ID
	g.Must("user", "remove", carol, "--yes")
	if r := g.Command("user", "show", carol); r.Status == 0 {
		t.Error("removed and there")
	}
	g.AddUser(carol)
	if show().ID == before {
		t.Error("an id was given twice")
	}
	for _, level := range []string{"user.add", "user.suspend", "user.resume", "user.remove"} {
		g.WaitLog(level, func(e harness.Entry) bool { return e.Text("action") == level && e.Text("actor") == "command line" })
	}
}

// The first administrator, before Caddy has ever run.
func TestFirstAdministrator(t *testing.T) {
	t.Parallel()
	g := prepare(t, "", "origin {$SITE}")
	r := g.Exec("", "auth-gateway", "user", "add", alice, "--role", "admin", "--json", "--config", g.Path(), "--adapter", "caddyfile")
	if r.Status != 0 {
		t.Fatalf("%s", r.Stderr)
	}
	var out struct{ Link string }
	if err := json.Unmarshal([]byte(r.Stdout), &out); err != nil || !strings.HasPrefix(out.Link, g.URL+"/auth-gateway/reset?token=") {
		t.Fatalf("%v in %s", err, r.Stdout)
	}
	g.Run()
	b := g.Browser()
	g.SecretAtRest("a password", harness.Password)
	b.SubmitAndFollow(b.Open(out.Link).Form("password").Set("password", harness.Password)).Want(http.StatusOK)
	in := g.signedIn(t, alice)
	if role := in.Whoami()["role"]; role != "admin" {
		t.Errorf("role %v", role)
	}
	// With Caddy running, --config leads to its admin endpoint.
	if r := g.Exec("", "auth-gateway", "user", "list", "--config", g.Path(), "--adapter", "caddyfile"); r.Status != 0 || !strings.Contains(r.Stdout, alice) {
		t.Errorf("%+v", r)
	}
	g.Stop()
	if r := g.Exec("", "auth-gateway", "user", "suspend", alice, "--config", g.Path(), "--adapter", "caddyfile", "--force"); r.Status != 0 {
		t.Errorf("%+v", r)
	}
	g.Run()
	g.wantOut(t, in)
}

// Where the command cannot do its work, it says what to do.
func TestCommandsWithoutCaddy(t *testing.T) {
	t.Parallel()
	g := start(t, "", "", func(o *harness.Options) { o.Admin = "off" })
	r := g.Exec("", "auth-gateway", "user", "list", "--config", g.Path(), "--adapter", "caddyfile")
	if r.Status == 0 || !strings.Contains(r.Stderr, "admin off") || !strings.Contains(r.Stderr, "admin unix") {
		t.Errorf("admin off: %+v", r)
	}
	r = g.Exec("", "auth-gateway", "user", "list", "--address", "127.0.0.1:1")
	if r.Status == 0 || !strings.Contains(r.Stderr, "--config") {
		t.Errorf("nobody there: %+v", r)
	}
	r = g.Exec(harness.Password+"\n", "auth-gateway", "user", "add", alice, "--password-stdin", "--address", "192.0.2.1:2019")
	if r.Status == 0 {
		t.Error("a password to another machine")
	}
}

// Design, section 4: every mistake in a Caddyfile gets its error at file and
// line, and looking at a configuration neither needs a network nor leaves
// anything behind.
func TestValidate(t *testing.T) {
	t.Parallel()
	g := prepare(t, "", "")
	global := `sso okta {
issuer https://idp.does-not-exist.test
client_id x
admit any
client_secret {env.CLIENT_SECRET}
}
audience team {
sso okta
}`
	g.SetEnv("CLIENT_SECRET", clientSecret)
	g.Secret("the client secret", clientSecret)
	g.Configure(option(global), site(""))
	if r := g.Exec("", "validate", "--config", g.Path(), "--adapter", "caddyfile"); r.Status != 0 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(g.Database()); !os.IsNotExist(err) {
		t.Errorf("validating made a store: %v", err)
	}
	r := g.Exec("", "adapt", "--config", g.Path(), "--adapter", "caddyfile")
	if r.Status != 0 || strings.Contains(r.Stdout, clientSecret) || !strings.Contains(r.Stdout, "{env.CLIENT_SECRET}") {
		t.Errorf("adapted: %+v", r)
	}
	for name, c := range map[string]struct{ global, block, say string }{
		"unset secret":    {strings.Replace(global, "env.CLIENT_SECRET", "env.NOT_SET", 1), "", "sso okta: client_secret"},
		"literal secret":  {strings.Replace(global, "{env.CLIENT_SECRET}", "literal", 1), "", "client_secret"},
		"left by {$X}":    {strings.Replace(global, "{env.CLIENT_SECRET}", "{$CLIENT_SECRET}", 1), "", "client_secret"},
		"no admit":        {strings.Replace(global, "admit any", "", 1), "", "admit"},
		"unknown word":    {"stoer sqlite", "", "stoer"},
		"no openid":       {strings.Replace(global, "admit any", "admit any\nscopes email", 1), "", "openid"},
		"bad range":       {strings.Replace(global, "admit any", "admit any\nip_ranges 10.0.0.0/33", 1), "", "10.0.0.0/33"},
		"a matcher":       {global, "", "public"},
		"later: postgres": {"store postgres {env.DSN}", "", "not available yet"},
		"bad portal":      {"portal https://login.example.test/pages", "", "more than an origin"},
		"no such portal":  {"portal https://login.example.test", "", "no site with auth_gateway is served at https://login.example.test"},
		"later: console":  {"", "console", "not available yet"},
	} {
		sites := site(c.block)
		if name == "a matcher" {
			sites = strings.Replace(site(""), "auth_gateway", "auth_gateway /admin/*", 1)
		}
		g.Configure(option(c.global), sites)
		r := g.Exec("", "validate", "--config", g.Path(), "--adapter", "caddyfile")
		if r.Status == 0 || !strings.Contains(r.Stderr, c.say) {
			t.Errorf("%s: %+v", name, r)
		}
		if strings.Contains(r.Stderr, clientSecret) {
			t.Errorf("%s: the secret is in the error", name)
		}
		if name != "unset secret" && name != "no such portal" && !strings.Contains(r.Stderr, "Caddyfile:") {
			t.Errorf("%s: no line: %s", name, r.Stderr)
		}
	}
	if entries, _ := filepath.Glob(filepath.Join(filepath.Dir(g.Database()), "*.db*")); len(entries) > 0 {
		t.Errorf("validating made %v", entries)
	}
}
