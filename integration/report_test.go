//go:build integration

package integration

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver/delivertest"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
)

const boss = "boss@example.test"

// readReport reads the report on second factors: cells by address and column.
func readReport(t *testing.T, text string) map[string]map[string]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("%v, %.300q", err, text)
	}
	report := map[string]map[string]string{}
	for _, row := range rows[1:] {
		cells := map[string]string{}
		for i, name := range rows[0] {
			cells[name] = row[i]
		}
		report[cells["email"]] = cells
	}
	return report
}

// F9: who of agents and administrators has which second factor, in each form,
// from the running Caddy and from the store itself.
func TestReport(t *testing.T) {
	t.Parallel()
	g := start(t, required, "")
	g.AddUser(boss, "--role", "admin", "--name", `=HYPERLINK("http://evil.example.test","Boss")`)
	g.AddUser(carol, "--role", "agent", "--name", "山田, キャロル")
	g.AddUser(alice)
	b := g.Browser()
	app, _ := g.enroll(t, b, carol)
	c := g.Browser()
	step := g.askedForPasscode(t, c, carol)
	c.Submit(step.Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)

	check := func(where, text string) {
		t.Helper()
		report := readReport(t, text)
		if len(report) != 2 {
			t.Errorf("%s: %v", where, report)
		}
		got := report[carol]
		if got["name"] != "山田, キャロル" || got["role"] != "agent" || got["method"] != "app" || got["set_up_by"] != "requirement" {
			t.Errorf("%s: %v", where, got)
		}
		var times []time.Time
		for _, column := range []string{"since", "last_used", "last_sign_in"} {
			at, err := time.Parse(time.RFC3339, got[column])
			if err != nil || time.Since(at) > 10*time.Minute || !strings.HasSuffix(got[column], "Z") {
				t.Errorf("%s: %s %q, %v", where, column, got[column], err)
			}
			times = append(times, at)
		}
		if !slices.IsSortedFunc(times, time.Time.Compare) {
			t.Errorf("%s: %v", where, times)
		}
		got = report[boss]
		if got["method"] != "none" || got["set_up_by"]+got["since"]+got["last_used"]+got["last_sign_in"] != "" || !strings.HasPrefix(got["name"], "'=HYPERLINK") {
			t.Errorf("%s: %v", where, got)
		}
	}
	check("CSV", g.Must("report", "second-factor", "--csv"))
	var all []map[string]any
	g.JSON(&all, "report", "second-factor")
	if len(all) != 2 || all[1]["email"] != carol || all[0]["name"] != `=HYPERLINK("http://evil.example.test","Boss")` {
		t.Errorf("JSON: %v", all)
	}
	if table := g.Must("report", "second-factor"); !strings.Contains(table, carol) || strings.Contains(table, alice) || !strings.Contains(table, "Without a second factor: 1.") {
		t.Errorf("table: %s", table)
	}
	if report := readReport(t, g.Must("report", "second-factor", "--csv", "--role", "end-user", "--role", "admin")); len(report) != 2 || report[alice] == nil || report[boss] == nil {
		t.Errorf("other roles: %v", report)
	}
	for name, args := range map[string][]string{
		"no mail server": {"report", "second-factor", "--mail"},
		"no such role":   {"report", "second-factor", "--role", "king"},
		"no such report": {"report", "passwords"},
		"two forms":      {"report", "second-factor", "--csv", "--json"},
	} {
		if r := g.Command(args...); r.Status == 0 || strings.TrimSpace(r.Stderr) == "" || r.Stdout != "" {
			t.Errorf("%s: %+v", name, r)
		}
	}

	g.Stop()
	itself := []string{"auth-gateway", "report", "second-factor", "--config", g.Path(), "--adapter", "caddyfile"}
	r := g.Exec("", append(itself, "--csv")...)
	if r.Status != 0 {
		t.Fatalf("%+v", r)
	}
	check("the store itself", r.Stdout)
	if r := g.Exec("", append(itself, "--json")...); r.Status != 0 || json.Unmarshal([]byte(r.Stdout), &all) != nil || len(all) != 2 {
		t.Errorf("%+v", r)
	}
	if r := g.Exec("", append(itself, "--mail")...); r.Status == 0 || !strings.Contains(r.Stderr, "no Caddy running") {
		t.Errorf("%+v", r)
	}
}

var reportPattern = regexp.MustCompile(`http://[^\s"<]+/auth-gateway/admin/report/second-factor\?token=[\w%=-]+`)

// F9: the mailed link opens to administrators only, each time signed in as
// their audience asks for, and for a day.
func TestMailedReport(t *testing.T) {
	t.Parallel()
	const first = "the first secret of these tests, long enough"
	server := delivertest.New(t, delivertest.Options{})
	g := harness.NewGate(t, "secret {env.FIRST}\nmail smtp "+server.Address+" {\nfrom gate@example.test\ntls off\n}"+required, "origin {$SITE}",
		func(o *harness.Options) { o.Env = map[string]string{"FIRST": first} })
	g.Run()
	g.AddUser(boss, "--role", "admin")
	g.AddUser(bob, "--role", "admin")
	g.AddUser("gone@example.test", "--role", "admin")
	g.Must("user", "suspend", "gone@example.test")
	g.AddUser(carol, "--role", "agent")
	g.AddUser(alice)
	in := map[string]*harness.Client{}
	apps := map[string]*harness.Authenticator{}
	for _, email := range []string{boss, carol, alice} {
		in[email] = g.Browser()
		apps[email], _ = g.Enroll(in[email], email)
		server.Next(t, email) // the notice of that
	}

	said := g.Must("report", "second-factor", "--mail")
	if !strings.Contains(said, boss) || !strings.Contains(said, bob) || strings.Contains(said, "gone@") || strings.Contains(said, "token") {
		t.Errorf("the command says %s", said)
	}
	letter := server.Next(t, boss)
	text := reportPattern.FindString(letter.Text)
	link, err := url.Parse(text)
	if err != nil || text == "" || !strings.HasPrefix(text, g.URL+"/") || !strings.Contains(letter.HTML, "/auth-gateway/admin/report/second-factor?token=") {
		t.Fatalf("no link of this site in %q and %q", letter.Text, letter.HTML)
	}
	token := link.Query().Get("token")
	g.SecretAtRest("the token of the link", token)
	if strings.Contains(letter.Subject, token) {
		t.Errorf("subject %q", letter.Subject)
	}
	server.Next(t, bob)
	if letters := server.Letters(); len(letters) != 0 {
		t.Errorf("to somebody else: %+v", letters)
	}
	address := link.RequestURI()

	isReport := func(page *harness.Page) {
		t.Helper()
		page.Want(http.StatusOK)
		if !strings.HasPrefix(page.Header.Get("Content-Disposition"), "attachment; ") || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/csv") ||
			page.Header.Get("X-Content-Type-Options") != "nosniff" || page.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", page.Header)
		}
		report := readReport(t, string(page.Body))
		if len(report) != 4 || report[carol]["method"] != "app" || report["gone@example.test"]["suspended"] != "yes" || report[bob]["method"] != "none" {
			t.Errorf("%v", report)
		}
	}
	isReport(in[boss].Get(address))
	isReport(in[boss].Get(address)) // it is not used up
	for _, email := range []string{carol, alice} {
		if page := in[email].Get(address).Want(http.StatusForbidden); !strings.Contains(page.Text(), email) || strings.Contains(string(page.Body), boss) {
			t.Errorf("%s: %v", email, page)
		}
	}
	if page := g.Program().Get(address).Want(http.StatusUnauthorized); strings.Contains(string(page.Body), boss) {
		t.Errorf("a program: %v", page)
	}

	// Who is not signed in is led to it, through everything that is asked.
	b := g.Browser()
	page := b.SignIn(address, boss, harness.Password)
	if page.URL.Path != "/auth-gateway/passcode" {
		t.Fatalf("no passcode asked: %v", page)
	}
	if early := b.Get(address).Want(http.StatusFound); early.Location().Path != "/auth-gateway/sign-in" {
		t.Errorf("before the passcode: %v", early)
	}
	isReport(b.SubmitAndFollow(page.Form("passcode").Set("passcode", apps[boss].Code())))

	// What was made otherwise opens to nobody. That it can be made like this is
	// the first case.
	made := func(with, purpose, name string, age time.Duration) string {
		t.Helper()
		ring, err := secret.NewRing(with)
		if err != nil {
			t.Fatal(err)
		}
		token, err := ring.Cookies(purpose, 24*time.Hour).Encode(name, []byte("agent, admin"), time.Now().Add(-age))
		if err != nil {
			t.Fatal(err)
		}
		g.Secret("a made token", token)
		return "/auth-gateway/admin/report/second-factor?token=" + url.QueryEscape(token)
	}
	const purpose, name = "report link", "second-factor"
	for what, tc := range map[string]struct {
		address string
		status  int
	}{
		"made the same":          {made(first, purpose, name, 0), http.StatusOK},
		"almost a day old":       {made(first, purpose, name, 24*time.Hour-time.Minute), http.StatusOK},
		"a day old":              {made(first, purpose, name, 24*time.Hour+time.Second), http.StatusGone},
		"of the future":          {made(first, purpose, name, -time.Hour), http.StatusGone},
		"of another secret":      {made("another secret of these tests, long enough", purpose, name, 0), http.StatusGone},
		"of another purpose":     {made(first, "session cookie", name, 0), http.StatusGone},
		"to something else":      {made(first, purpose, "something else", 0), http.StatusGone},
		"changed":                {strings.Replace(address, token[10:14], "AbCd", 1), http.StatusGone},
		"cut off":                {address[:len(address)-10], http.StatusGone},
		"without a token":        {link.Path, http.StatusGone},
		"somewhere else":         {"/auth-gateway/admin", http.StatusNotFound},
		"somewhere else further": {"/auth-gateway/admin/report?" + link.RawQuery, http.StatusNotFound},
	} {
		page := in[boss].Get(tc.address)
		if page.Status != tc.status || tc.status == http.StatusGone && page.Heading() != "This link no longer works" {
			t.Errorf("%s: %v", what, page)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodHead, http.MethodPut} {
		if page := in[boss].Do(method, address); page.Status != http.StatusMethodNotAllowed && page.Status != http.StatusForbidden {
			t.Errorf("%s: %v", method, page)
		}
	}

	// It is a session at that moment that counts, and a role at that moment.
	g.Must("user", "set", boss, "--role", "agent")
	in[boss].Get(address).Want(http.StatusForbidden)
	g.Must("user", "set", boss, "--role", "admin")
	isReport(in[boss].Get(address))
	g.Must("session", "revoke", boss)
	in[boss].Get(address).Want(http.StatusFound)

	var p person
	g.JSON(&p, "user", "show", boss)
	for _, want := range []map[string]string{
		{"action": "report.mail", "outcome": "success", "actor": "command line", "account": p.ID, "detail": "agent, admin"},
		{"action": "report.read", "outcome": "success", "account": p.ID, "client_ip": "127.0.0.1", "how": "link", "detail": "agent, admin"},
	} {
		g.WaitLog(want["action"], func(e harness.Entry) bool {
			for name, value := range want {
				if !strings.Contains(e.Text(name), value) {
					return false
				}
			}
			return strings.HasPrefix(e.Text("logger"), "auth_gateway.audit")
		})
	}
}

// The link speaks the operator's language, leads to the roles that were asked
// for, and to a site where administrators sign in.
func TestMailedReportElsewhere(t *testing.T) {
	t.Parallel()
	server := delivertest.New(t, delivertest.Options{})
	g := harness.NewGate(t, "language ja\nmail smtp "+server.Address+` {
		from gate@example.test
		tls off
	}
	audience customers {
		roles end-user
	}
	audience staff {
		roles agent admin
	}`, "", func(o *harness.Options) {
		o.Sites = harness.GatewaySite("http://shop.localhost:{$PORT}", "customers", "origin http://shop.localhost:{$PORT}") + "\n" +
			harness.GatewaySite("http://staff.localhost:{$PORT}", "staff", "origin http://staff.localhost:{$PORT}")
	})
	g.Run()
	g.AddUser(boss, "--role", "admin")
	g.AddUser(alice)
	var mailed struct {
		Mailed    []string
		Site      string
		ExpiresAt time.Time `json:"expires_at"`
	}
	g.JSON(&mailed, "report", "second-factor", "--mail", "--role", "end-user")
	staff := "http://staff.localhost:" + g.Env("PORT")
	if !slices.Equal(mailed.Mailed, []string{boss}) || mailed.Site != staff || time.Until(mailed.ExpiresAt).Round(time.Hour) != 24*time.Hour {
		t.Errorf("%+v", mailed)
	}
	letter := server.Next(t, boss)
	link := reportPattern.FindString(letter.Text)
	if !strings.HasPrefix(link, staff+"/") || !strings.Contains(letter.Text, "24時間") || !strings.Contains(letter.Subject, "レポート") {
		t.Fatalf("%q: %s", letter.Subject, letter.Text)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	page := g.Browser(harness.At(staff)).SignIn(u.RequestURI(), boss, harness.Password).Want(http.StatusOK)
	if report := readReport(t, string(page.Body)); len(report) != 1 || report[alice] == nil {
		t.Errorf("%v", report)
	}
}
