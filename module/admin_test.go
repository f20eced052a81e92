package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"

	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const testPassword = "correct horse battery staple"

// place is where a Caddy of a test keeps its things. Whatever it runs, runs in
// this process, so these tests are not parallel.
type place struct {
	t             *testing.T
	dir           string
	config        string // path
	address       string // of the admin endpoint
	store, secret string // paths
}

// newPlace makes a place for a configuration with that app and admin option.
// Empty means an audience with the defaults, and a socket of its own.
func newPlace(t *testing.T, app, admin string) place {
	t.Helper()
	// A socket's path is too short for the folder of a test.
	dir, err := os.MkdirTemp("", "admin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := place{
		t: t, dir: dir, config: filepath.Join(dir, "caddy.json"), address: "unix/" + filepath.Join(dir, "s"),
		store: filepath.Join(dir, "store.db"), secret: filepath.Join(dir, "storage", "auth_gateway", "secret"),
	}
	if admin == "" {
		admin = fmt.Sprintf(`{"listen": %q, "config": {"persist": false}}`, p.address)
	}
	if app == "" {
		app = `{}`
	}
	var merged map[string]any
	if err := json.Unmarshal([]byte(app), &merged); err != nil {
		t.Fatal(err)
	}
	merged["store"] = map[string]any{"path": p.store}
	text, err := json.Marshal(map[string]any{
		"admin":   json.RawMessage(admin),
		"storage": map[string]any{"module": "file_system", "root": filepath.Join(dir, "storage")},
		"logging": map[string]any{"logs": map[string]any{"default": map[string]any{"level": "PANIC"}}},
		"apps":    map[string]any{"auth_gateway": merged},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// start loads the configuration as a running Caddy does.
func (p place) start() {
	p.t.Helper()
	text, err := os.ReadFile(p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = caddy.Stop() })
	if err := caddy.Load(text, true); err != nil {
		p.t.Fatal(err)
	}
}

// must runs a command that has to succeed.
func (p place) must(args ...string) string {
	p.t.Helper()
	out, err := command(p.t, "", append(args, "--address", p.address)...)
	if err != nil {
		p.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return out
}

// refuses runs a command that has to fail with these words.
func (p place) refuses(want string, args ...string) {
	p.t.Helper()
	out, err := command(p.t, "", append(args, "--address", p.address)...)
	if err == nil || !strings.Contains(err.Error(), want) {
		p.t.Errorf("%s: error %v, want one with %q", strings.Join(args, " "), err, want)
	}
	if out != "" {
		p.t.Errorf("%s: printed %q", strings.Join(args, " "), out)
	}
}

// read runs a command with --json.
func (p place) read(to any, args ...string) {
	p.t.Helper()
	out := p.must(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), to); err != nil {
		p.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// events are the acts in the audit trail, the oldest first. Those that were
// refused say so, and are written when there is time.
func (p place) events() []string {
	p.t.Helper()
	d, err := runningDesk()
	if err != nil {
		p.t.Fatal(err)
	}
	var events []store.Event
	if err := d.store.View(p.t.Context(), func(tx store.Tx) (err error) {
		events, err = tx.Events("", 100)
		return err
	}); err != nil {
		p.t.Fatal(err)
	}
	var said []string
	for i := len(events) - 1; i >= 0; i-- {
		e := events[i]
		if e.Actor != commandLine {
			p.t.Errorf("%s was done by %q", e.Action, e.Actor)
		}
		if e.Outcome != audit.Success {
			e.Action += "-" + e.Outcome
		}
		said = append(said, e.Action)
	}
	return said
}

func TestPeopleThroughTheRunningCaddy(t *testing.T) {
	p := newPlace(t, "", "")
	p.start()

	if out := p.must("user", "list"); !strings.Contains(out, "no accounts") {
		t.Errorf("nobody is there, and yet: %s", out)
	}
	var alice linkedView
	p.read(&alice, "user", "add", "Alice@example.test", "--name", "Alice", "--role", "admin")
	link, err := url.Parse(alice.Link)
	if err != nil || link.Path != "/auth-gateway/reset" || len(link.Query().Get("token")) != 43 {
		t.Errorf("link %q", alice.Link)
	}
	if wait := time.Until(alice.LinkExpiresAt); wait < 71*time.Hour || wait > 72*time.Hour {
		t.Errorf("the invitation ends in %s", wait)
	}
	if alice.Name != "Alice" || alice.Role != "admin" {
		t.Errorf("added %+v", alice)
	}

	p.refuses("belongs to an account already", "user", "add", "alice@EXAMPLE.test")
	p.refuses("not an e-mail address", "user", "add", "alice")
	p.refuses("not an e-mail address", "user", "add", "Alice <alice@example.test>")
	p.refuses("not an e-mail address", "user", "add", strings.Repeat("a", 250)+"@example.test")
	p.refuses("name is not usable", "user", "add", "b@example.test", "--name", "a\nb")
	p.refuses("there is no account", "user", "show", "nobody@example.test")

	var reset linkedView
	p.read(&reset, "user", "reset-password", alice.ID)
	if wait := time.Until(reset.LinkExpiresAt); reset.Link == alice.Link || wait < 59*time.Minute || wait > time.Hour {
		t.Errorf("reset link %q ends in %s", reset.Link, wait)
	}

	for _, args := range []string{
		"user suspend alice@example.test", "user remove alice@example.test", "user set alice@example.test --role agent",
	} {
		p.refuses("last administrator", strings.Fields(args)...)
	}
	p.must("user", "add", "bob@example.test", "--role", "admin")
	p.must("user", "suspend", "alice@example.test")
	p.refuses("suspended", "user", "reset-password", "alice@example.test")
	p.refuses("last administrator", "user", "set", "bob@example.test", "--role", "end-user")
	p.must("user", "set", "bob@example.test", "--role", "end-user", "--force")
	p.must("user", "resume", "alice@example.test")
	p.must("user", "unlock", "alice@example.test")
	p.must("user", "reset-second-factor", "alice@example.test")

	p.refuses("belongs to an account already", "user", "set", "bob@example.test", "--email", "alice@example.test")
	p.must("user", "set", "bob@example.test", "--email", "rob@example.test", "--name", "Rob")
	var rob personView
	p.read(&rob, "user", "show", "rob@example.test")
	if rob.Name != "Rob" || rob.Role != "end-user" || rob.HasPassword || rob.SecondFactors == nil || rob.Suspended {
		t.Errorf("shown %+v", rob)
	}
	p.must("user", "remove", "rob@example.test")
	p.refuses("there is no account", "user", "show", rob.ID)

	var all []userView
	if p.read(&all, "user", "list"); len(all) != 1 || all[0].ID != alice.ID {
		t.Errorf("left are %+v", all)
	}
	done := slices.DeleteFunc(p.events(), func(action string) bool { return strings.HasSuffix(action, "-refused") })
	got := strings.Join(done, " ")
	const want = "user.add user.link user.link user.add user.link user.suspend user.set user.resume user.unlock user.reset-second-factor user.set user.remove"
	if got != want {
		t.Errorf("audit trail\n%s, want\n%s", got, want)
	}
}

func TestPasswordsFromTheStandardInput(t *testing.T) {
	p := newPlace(t, `{"audiences": {
		"team": {"second_factor": "required", "roles": ["agent"]},
		"all":  {"roles": ["end-user"]}}}`, "")
	p.start()
	add := func(password string, args ...string) (string, error) {
		return command(t, password+"\n", append([]string{"user", "add", "--password-stdin", "--json", "--address", p.address}, args...)...)
	}
	tests := []struct {
		name, password string
		args           []string
		err            string
	}{
		{name: "long enough", password: testPassword, args: []string{"a@example.test"}},
		{name: "short where a second factor is required", password: "bread-8x", args: []string{"b@example.test", "--role", "agent"}},
		{name: "short where none is", password: "bread-8x", args: []string{"c@example.test"}, err: "at least 15 characters"},
		{name: "too short anywhere", password: "bread-8", args: []string{"c@example.test", "--role", "agent"}, err: "at least 8 characters"},
		{name: "common", password: "passwordpassword", args: []string{"c@example.test"}, err: "tried first"},
		{name: "the person's own name", password: "the one and only caroline", args: []string{"c@example.test", "--name", "Caroline"}, err: "contains the name"},
		{name: "too long", password: strings.Repeat("long ", 300), args: []string{"c@example.test"}, err: "longer than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err := add(test.password, test.args...)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want one with %q", err, test.err)
				}
				return
			}
			var made linkedView
			if err != nil || json.Unmarshal([]byte(out), &made) != nil || made.Link != "" {
				t.Errorf("%v, printed %s", err, out)
			}
			var person personView
			if p.read(&person, "user", "show", test.args[0]); !person.HasPassword {
				t.Error("has no password")
			}
		})
	}
	if out := p.must("user", "add", "boss@example.test", "--role", "admin"); !strings.Contains(out, "no one-time link") {
		t.Errorf("a link that leads nowhere: %s", out)
	}
	p.refuses("takes passwords", "user", "reset-password", "boss@example.test")
}

func TestSessionsAndWaysIn(t *testing.T) {
	p := newPlace(t, `{
		"sso": {"okta": {"issuer": "https://issuer.example.test", "client_id": "x", "admit": ["any"], "ip_ranges": ["10.0.0.0/8"]}},
		"audiences": {"team": {"sso": ["okta"]}}}`, "")
	p.start()
	var alice linkedView
	p.read(&alice, "user", "add", "alice@example.test")
	d, err := runningDesk()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if err := d.store.Update(t.Context(), func(tx store.Tx) error {
		for i := range 3 {
			if err := tx.CreateSession(store.Session{
				ID: []byte(fmt.Sprintf("%032d", i)), AccountID: alice.ID, Audience: "team", SignedInAt: now,
				CreatedAt: now.Add(time.Duration(i) * time.Second), SeenAt: now, ExpiresAt: now.Add(time.Hour), IdleTimeout: time.Hour,
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	var sessions []sessionView
	if p.read(&sessions, "session", "list", alice.ID); len(sessions) != 3 {
		t.Fatalf("%d sessions", len(sessions))
	}
	p.must("session", "revoke", sessions[1].ID)
	p.refuses("no such session", "session", "revoke", sessions[1].ID)
	if out := p.must("session", "list", "alice@example.test"); strings.Contains(out, sessions[1].ID) || !strings.Contains(out, sessions[0].ID) {
		t.Errorf("left are:\n%s", out)
	}
	if out := p.must("session", "revoke", "alice@example.test"); !strings.Contains(out, "2 sessions") {
		t.Errorf("printed %s", out)
	}
	if p.read(&sessions, "session", "list", "alice@example.test"); len(sessions) != 0 {
		t.Errorf("%d sessions are left", len(sessions))
	}

	var ways []wayInView
	if p.read(&ways, "explain", "--ip", "10.1.2.3"); len(ways) != 1 || ways[0].SSO != "okta" || !strings.Contains(ways[0].Reason, "10.0.0.0/8") {
		t.Errorf("from the office: %+v", ways)
	}
	ways = nil
	if p.read(&ways, "explain", "--ip", "192.0.2.1", "--audience", "team"); len(ways) != 1 || !ways[0].Password || ways[0].SSO != "" {
		t.Errorf("from elsewhere: %+v", ways)
	}
	p.refuses("did you mean team?", "explain", "--ip", "10.1.2.3", "--audience", "taem")
	p.refuses("not an IP address", "explain", "--ip", "office")
}

func TestAdminEndpointRefuses(t *testing.T) {
	p := newPlace(t, "", "")
	p.start()
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"a page of another site", http.MethodPost, "/auth-gateway/users", `{"email":"a@example.test"}`, 403, "not for browsers"},
		{"a method that is not there", http.MethodPut, "/auth-gateway/users", "", 405, "use GET, POST"},
		{"a GET that would change", http.MethodGet, "/auth-gateway/users/a@example.test/suspend", "", 405, "use POST"},
		{"an unknown field", http.MethodPost, "/auth-gateway/users", `{"email":"a@example.test","admin":true}`, 400, "unknown field"},
		{"two objects", http.MethodPost, "/auth-gateway/users", `{"email":"a@example.test"}{}`, 400, "more than one"},
		{"no JSON", http.MethodPost, "/auth-gateway/users", `email=a`, 400, "not the JSON object"},
		{"no body", http.MethodPost, "/auth-gateway/users", ``, 400, "not the JSON object"},
		{"too much", http.MethodPost, "/auth-gateway/users", `{"name":"` + strings.Repeat("x", maxActBody) + `"}`, 413, "larger than"},
		{"an empty password", http.MethodPost, "/auth-gateway/users", `{"email":"a@example.test","password":""}`, 400, "password is empty"},
		{"an unknown role", http.MethodPost, "/auth-gateway/users", `{"email":"a@example.test","role":"root"}`, 400, "end-user, agent or admin"},
		{"a limit out of bounds", http.MethodGet, "/auth-gateway/users?limit=0", "", 400, "1 to 1000"},
		{"an unknown account", http.MethodDelete, "/auth-gateway/users/nobody@example.test", "", 404, "no account"},
		{"nothing to set", http.MethodPatch, "/auth-gateway/users/nobody@example.test", `{}`, 404, "no account"},
		{"an id that is none", http.MethodDelete, "/auth-gateway/sessions/xyz", "", 400, "not the id"},
		{"an address of nothing", http.MethodGet, "/auth-gateway/secrets", "", 404, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			header := make(http.Header)
			if strings.HasPrefix(test.name, "a page") {
				header.Set("Sec-Fetch-Site", "cross-site")
			}
			_, err := caddycmd.AdminAPIRequest(p.address, test.method, test.path, header, strings.NewReader(test.body))
			if err == nil {
				t.Fatal("it was done")
			}
			var refused adminError
			if err := readAdminError(err); !errors.As(err, &refused) || refused.status != test.status || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %d %v, want %d with %q", refused.status, err, test.status, test.want)
			}
		})
	}
	if got := p.events(); len(got) != 0 {
		t.Errorf("something was done: %v", got)
	}
}

func TestWithoutTheApp(t *testing.T) {
	p := newPlace(t, "", "")
	text := fmt.Sprintf(`{"admin": {"listen": %q, "config": {"persist": false}}, "logging": {"logs": {"default": {"level": "PANIC"}}}}`, p.address)
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "", "user", "list", "--config", p.config); err == nil || !strings.Contains(err.Error(), "does not use auth_gateway") {
		t.Errorf("on the store itself: %v", err)
	}
	p.start()
	p.refuses("does not use auth_gateway", "user", "list")
}

func TestFirstAdministratorBeforeCaddyHasRun(t *testing.T) {
	p := newPlace(t, "", "")
	out, err := command(t, "", "user", "add", "first@example.test", "--role", "admin", "--json", "--config", p.config)
	if err != nil {
		t.Fatal(err)
	}
	var first linkedView
	if err := json.Unmarshal([]byte(out), &first); err != nil || first.Link == "" {
		t.Fatalf("%v, printed %s", err, out)
	}
	if _, err := command(t, "", "user", "suspend", "first@example.test", "--config", p.config); err == nil || !strings.Contains(err.Error(), "last administrator") {
		t.Errorf("the guard is missing: %v", err)
	}
	secret, err := os.ReadFile(p.secret)
	if err != nil {
		t.Fatal(err)
	}

	p.start()
	var all []userView
	if p.read(&all, "user", "list"); len(all) != 1 || all[0].ID != first.ID {
		t.Errorf("Caddy knows %+v", all)
	}
	if later, err := os.ReadFile(p.secret); err != nil || string(later) != string(secret) {
		t.Errorf("Caddy made another secret: %v", err)
	}
	if got := strings.Join(p.events(), " "); got != "user.add user.link user.suspend-refused" {
		t.Errorf("audit trail %s", got)
	}
}

func TestStoreThatAProcessOwns(t *testing.T) {
	for _, test := range []struct{ name, admin, want string }{
		{"admin off", `{"disabled": true}`, "in place of `admin off`"},
		{"another admin address", "", "with --address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPlace(t, "", test.admin)
			st, err := store.OpenSQLite(t.Context(), p.store)
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			_, err = command(t, "", "user", "list", "--config", p.config)
			if !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), p.store) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestListPages(t *testing.T) {
	p := newPlace(t, "", "")
	p.start()
	d, err := runningDesk()
	if err != nil {
		t.Fatal(err)
	}
	const people = maxPage + 5
	if err := d.store.Update(t.Context(), func(tx store.Tx) error {
		for i := range people {
			a := store.Account{ID: store.NewID(), CreatedAt: time.Now(), UpdatedAt: time.Now()}
			a.Attributes.Email, a.Attributes.Role = fmt.Sprintf("P%d@example.test", i), "end-user"
			if err := tx.CreateAccount(a); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var all []userView
	p.read(&all, "user", "list")
	seen := make(map[string]bool)
	for _, u := range all {
		seen[u.ID] = true
	}
	if len(all) != people || len(seen) != people {
		t.Errorf("%d lines of %d people, want %d", len(all), len(seen), people)
	}
}
