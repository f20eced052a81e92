package module

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
)

// command runs `caddy auth-gateway` in this process.
func command(t *testing.T, stdin string, args ...string) (out string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "caddy", SilenceUsage: true, SilenceErrors: true}
	gateway := &cobra.Command{Use: "auth-gateway"}
	caddycmd.Commands()["auth-gateway"].CobraFunc(gateway)
	root.AddCommand(gateway)
	var stdout, stderr bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetArgs(append([]string{"auth-gateway"}, args...))
	err = root.Execute()
	return stdout.String(), err
}

func TestCommandRefuses(t *testing.T) {
	const nowhere = "unix//nonexistent/admin.sock"
	tests := []struct {
		args string
		want string // in the error
	}{
		{"", "Use user, session, report, sso, explain"},
		{"usr", "did you mean user?"},
		{"user", "reset-second-factor"},
		{"user ad", "did you mean add?"},
		{"user add", "usage: caddy auth-gateway user add <email>"},
		{"user add a@example.test b@example.test", "usage:"},
		{"user add a@example.test --role boss", "use end-user, agent or admin"},
		{"user add a@example.test --rol admin", "unknown flag: --rol"},
		{"user set a@example.test --role Admin", "use end-user, agent or admin"},
		{"user show alice", "neither an e-mail address nor the id"},
		{"user remove ..", "neither an e-mail address nor the id"},
		{"user list everyone", "does not belong there"},
		{"session list", "usage:"},
		{"report", "Use second-factor"},
		{"report passwords", "there is no command"},
		{"report second-factor everyone", "does not belong there"},
		{"report second-factor --role boss", "use end-user, agent or admin"},
		{"report second-factor --role admin --role=", "use end-user, agent or admin"},
		{"report second-factor --csv --json", "leave out one of them"},
		{"report second-factor --csv --mail", "leave out one of them"},
		{"user list --adapter caddyfile", "name it with --config"},
		{"user list --config /nonexistent/Caddyfile", "no such file"},
		{"user list --address " + nowhere, "no Caddy answers at unix//nonexistent/admin.sock"},
		{"user list --address " + nowhere, "--config"},
		{"user list --address 127.0.0.1:1-2", "range of ports"},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			out, err := command(t, "", strings.Fields(test.args)...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if out != "" {
				t.Errorf("printed %q", out)
			}
		})
	}
}

func TestOverNetwork(t *testing.T) {
	for address, want := range map[string]bool{
		"localhost:2019":              false,
		"127.0.0.1:2019":              false,
		"127.8.9.10:2019":             false,
		"[::1]:2019":                  false,
		":2019":                       false,
		"0.0.0.0:2019":                false,
		"[::]:2019":                   false,
		"unix//run/caddy/a.sock":      false,
		"unix//run/caddy/a.sock|0600": false,
		"192.0.2.1:2019":              true,
		"[2001:db8::1]:2019":          true,
		"caddy.internal:2019":         true,
		"localhost.example:2019":      true,
		"127.0.0.1.example:2019":      true,
	} {
		if got := (running{address}).overNetwork(); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

func TestReadAdminError(t *testing.T) {
	tests := []struct {
		name, text, want string
		status           int
	}{
		{"what an act says", "caddy responded with error: HTTP 409: {\"error\":\"taken: by \\\"x\\\"\"}\n", `taken: by "x"`, 409},
		{"a Caddy without the module", "caddy responded with error: HTTP 404: 404 page not found\n", "the Caddy that runs there was built without auth_gateway: start the binary that this command is part of", 404},
		{"a proxy in between", "caddy responded with error: HTTP 502: <html>\nbad</html>", "<html>\nbad</html>", 502},
		{"no answer", "performing request: EOF", "performing request: EOF", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := readAdminError(errors.New(test.text))
			var refused adminError
			if errors.As(err, &refused); refused.status != test.status || err.Error() != test.want {
				t.Errorf("got %d %q, want %d %q", refused.status, err, test.status, test.want)
			}
		})
	}
}

func TestReadPassword(t *testing.T) {
	tests := []struct {
		name, in, want, err string
	}{
		{name: "a line", in: "correct horse\n", want: "correct horse"},
		{name: "the first of two", in: "correct horse\nbattery\n", want: "correct horse"},
		{name: "no end of line", in: "correct horse", want: "correct horse"},
		{name: "the end of line of Windows", in: "correct horse\r\n", want: "correct horse"},
		{name: "spaces belong to it", in: " a b \n", want: " a b "},
		{name: "nothing", in: "", err: "empty"},
		{name: "an empty line", in: "\nsecond\n", err: "empty"},
		{name: "endless", in: strings.Repeat("x", 1<<20), err: "longer than 1024 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := readPassword(strings.NewReader(test.in), nil)
			if got != test.want || (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestPrintIssued(t *testing.T) {
	issued := issuedView{
		userView:      userView{ID: "id", Attributes: identity.Attributes{Email: "a@example.test", Role: identity.Agent}},
		LinkPath:      "/auth-gateway/reset?token=t",
		LinkExpiresAt: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	tests := []struct {
		name    string
		origins []string
		link    string
		said    string
	}{
		{"one site", []string{"https://a.example"}, "https://a.example/auth-gateway/reset?token=t", "\n  https://a.example/auth-gateway/reset?token=t\n"},
		{"several sites", []string{"https://a.example", "https://b.example"}, "/auth-gateway/reset?token=t", "one of https://a.example, https://b.example."},
		{"no site is known", nil, "/auth-gateway/reset?token=t", "opened on a protected site"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var words, asJSON bytes.Buffer
			if err := (printer{out: &words}).printIssued(issued, "done.", test.origins); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(words.String(), test.said) {
				t.Errorf("said %q, want %q in it", words.String(), test.said)
			}
			if err := (printer{out: &asJSON, json: true}).printIssued(issued, "done.", test.origins); err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(asJSON.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if got["link"] != test.link || got["email"] != "a@example.test" || got["role"] != "agent" || got["link_expires_at"] != "2030-01-02T03:04:05Z" {
				t.Errorf("printed %s", asJSON.String())
			}
		})
	}
}

func TestPrintUsers(t *testing.T) {
	users := []userView{
		{ID: "1", Attributes: identity.Attributes{Email: "a@example.test", Name: "A\x1b[2JB\u202e", Role: identity.Admin}},
		{ID: "2", Attributes: identity.Attributes{Email: "longer@example.test", Role: identity.EndUser}, Suspended: true},
	}
	var out bytes.Buffer
	if err := (printer{out: &out}).printUsers(users); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("printed %d lines:\n%s", len(lines), out.String())
	}
	for i, want := range []string{"NAME", "A", "-"} {
		if column := strings.Index(lines[0], "NAME"); !strings.HasPrefix(lines[i][column:], want) {
			t.Errorf("line %d is not in columns: %q", i, lines[i])
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e") {
		t.Errorf("a name steers the terminal: %q", out.String())
	}
	if !strings.Contains(lines[2], "suspended") || !strings.Contains(lines[1], "active") {
		t.Errorf("the status is missing:\n%s", out.String())
	}

	out.Reset()
	if err := (printer{out: &out, json: true}).printUsers([]userView{}); err != nil || strings.TrimSpace(out.String()) != "[]" {
		t.Errorf("nobody in JSON: %q, %v", out.String(), err)
	}
}

func TestPrintPerson(t *testing.T) {
	day := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	person := personView{
		userView: userView{ID: "1", CreatedAt: day, Attributes: identity.Attributes{
			Email: "a@example.test", Role: identity.Admin, Groups: []string{"x", "y"}, Fields: map[string]string{"team": "blue"},
		}},
		HasPassword:       true,
		SecondFactors:     []factorView{{Method: "app", Required: true, CreatedAt: day}},
		RecoveryCodesLeft: 7,
		Sessions:          2,
		SSOLinks:          []ssoLinkView{{SSO: "okta", Issuer: "https://issuer.example", Subject: "sub", Email: "x@example.test"}},
		PasswordHeld:      &heldView{Until: day},
		PasscodeHeld:      &heldView{UntilUnlock: true},
	}
	var out bytes.Buffer
	if err := (printer{out: &out}).printPerson(person); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"x, y", "Field team", "blue", "app, required, since", "last used never", "7", "okta: sub (x@example.test) at https://issuer.example", "held until " + moment(day), "user unlock"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}
