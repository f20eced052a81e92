package module

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

const secondFactors = "/auth-gateway/reports/second-factor"

// The report as an operator has it printed, from the running Caddy and from the
// store itself.
func TestReportOnSecondFactors(t *testing.T) {
	p := newPlace(t, "", "")
	p.start()
	if out := p.must("report", "second-factor"); !strings.Contains(out, "no accounts with role agent, admin") {
		t.Errorf("without accounts: %s", out)
	}
	var nobody []account.FactorStatus
	if p.read(&nobody, "report", "second-factor"); nobody == nil || len(nobody) != 0 {
		t.Errorf("without accounts: %v", nobody)
	}
	if out := p.must("report", "second-factor", "--csv"); strings.Count(out, "\n") != 1 {
		t.Errorf("without accounts: %s", out)
	}

	p.must("user", "add", "boss@example.test", "--name", "Boss, Example", "--role", "admin")
	p.must("user", "add", "=agent@example.test", "--name", `=HYPERLINK("http://evil.example")`, "--role", "agent")
	p.must("user", "add", "customer@example.test")
	p.must("user", "suspend", "=agent@example.test")
	d, err := runningDesk()
	if err != nil {
		t.Fatal(err)
	}
	boss, err := d.people.Find(t.Context(), "boss@example.test")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := d.store.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(
			tx.CreateFactor(store.Factor{ID: "1", AccountID: boss.ID, Method: store.MethodApp, Required: true, CreatedAt: at, UsedAt: at.Add(time.Hour)}),
			tx.CreateFactor(store.Factor{ID: "2", AccountID: boss.ID, Method: store.MethodEmail, Preferred: true, CreatedAt: at.Add(time.Minute)}),
			tx.RecordSignIn(boss.ID, at.Add(2*time.Hour)),
		)
	}); err != nil {
		t.Fatal(err)
	}

	forms := map[string]string{}
	for _, form := range []string{"--csv", "--json", "--role=end-user"} {
		forms[form] = p.must("report", "second-factor", form)
	}
	rows, err := csv.NewReader(strings.NewReader(forms["--csv"])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"name", "email", "role", "method", "set_up_by", "since", "last_used", "last_sign_in", "has_password", "recovery_codes_left", "suspended"},
		{`'=HYPERLINK("http://evil.example")`, "'=agent@example.test", "agent", "none", "", "", "", "", "no", "0", "yes"},
		{"Boss, Example", "boss@example.test", "admin", "email app", "choice", "2030-01-02T03:04:05Z", "2030-01-02T04:04:05Z", "2030-01-02T05:04:05Z", "no", "0", "no"},
	}
	if !slices.EqualFunc(rows, want, slices.Equal) {
		t.Errorf("%q", rows)
	}
	var statuses []account.FactorStatus
	if err := json.Unmarshal([]byte(forms["--json"]), &statuses); err != nil {
		t.Fatal(err)
	}
	if len(statuses) != 2 || statuses[0].Email != "=agent@example.test" || statuses[0].Methods == nil || !statuses[0].Suspended ||
		statuses[1].ID != boss.ID || !slices.Equal(statuses[1].Methods, []store.Method{"email", "app"}) || !statuses[1].Since.Equal(at) {
		t.Errorf("%+v", statuses)
	}
	var like strings.Builder
	if err := (printer{out: &like, json: true}).print(statuses, nil); err != nil || like.String() != forms["--json"] {
		t.Errorf("JSON is laid out as nowhere else:\n%s, want\n%s", forms["--json"], like.String())
	}
	table := p.must("report", "second-factor")
	for _, part := range []string{"METHOD", "email app", "=agent@example.test", "Accounts with role agent, admin: 2. Without a second factor: 1."} {
		if !strings.Contains(table, part) {
			t.Errorf("no %q in\n%s", part, table)
		}
	}
	if out := forms["--role=end-user"]; !strings.Contains(out, "customer@") || strings.Contains(out, "boss@") {
		t.Errorf("%s", out)
	}
	if out := p.must("report", "second-factor", "--role", "end-user", "--role", "admin"); !strings.Contains(out, "customer@") || !strings.Contains(out, "boss@") || strings.Contains(out, "agent@") {
		t.Errorf("%s", out)
	}
	if read := slices.Index(p.events(), "report.read"); read < 0 {
		t.Errorf("who read it is nowhere: %v", p.events())
	}
}

// Without a Caddy the report comes from the store itself, the same.
func TestReportFromTheStoreItself(t *testing.T) {
	p := newPlace(t, "", "")
	run := func(args ...string) (string, error) {
		return command(t, "", append(args, "--config", p.config)...)
	}
	if _, err := run("user", "add", "boss@example.test", "--role", "admin"); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"", "--csv", "--json"} {
		out, err := run(append([]string{"report", "second-factor"}, strings.Fields(form)...)...)
		if err != nil || !strings.Contains(out, "boss@example.test") {
			t.Errorf("%s: %s, %v", form, out, err)
		}
	}
	if _, err := run("report", "second-factor", "--mail"); err == nil || !strings.Contains(err.Error(), "no Caddy running") {
		t.Errorf("a link to a site that nobody serves: %v", err)
	}
}

// What keeps a link from being mailed is said, with what to do.
func TestReportThatCannotBeMailed(t *testing.T) {
	p := newPlace(t, "", "")
	p.start()
	p.refuses("`mail smtp …`", "report", "second-factor", "--mail")

	p = newPlace(t, `{"mail": {"server": "127.0.0.1:1", "from": "gate@example.test", "tls": "off"}}`, "")
	p.start()
	p.refuses("`origin`", "report", "second-factor", "--mail")
	d, err := runningDesk()
	if err != nil {
		t.Fatal(err)
	}
	for _, door := range d.doors {
		if err := d.sites.add(&Gateway{Origins: []string{"https://app.example.com"}, rules: rules{main: door}}); err != nil {
			t.Fatal(err)
		}
	}
	p.refuses("nobody to mail the link to", "report", "second-factor", "--mail")
	p.must("user", "add", "boss@example.test", "--role", "admin")
	p.must("user", "suspend", "boss@example.test", "--force")
	p.refuses("nobody to mail the link to", "report", "second-factor", "--mail")
	if got := strings.Join(p.events(), " "); strings.Contains(got, "report") {
		t.Errorf("something was mailed: %s", got)
	}
}

// A fault of the store is an error before anything was sent, and the last line
// after that.
func TestReportOfAFailingStore(t *testing.T) {
	g := newGate(t, &App{}, &Gateway{})
	g.update(t, func(tx store.Tx) error {
		for i := range 1200 { // three pages
			a := store.Account{ID: store.NewID(), Attributes: identity.Attributes{Email: fmt.Sprintf("p%04d@example.test", i), Role: identity.Admin}}
			if err := tx.CreateAccount(a); err != nil {
				return err
			}
		}
		return nil
	})
	service := g.app.service.Load()
	for _, tc := range []struct {
		name  string
		op    string
		times int // that it works before
		parts int // that are sent
	}{
		{"not at all", "", 0, 3},
		{"when it is recorded", "update", 0, 0},
		{"at the first page", "view", 0, 0},
		{"at the second page", "view", 1, 1},
		{"at the end", "viewed", 2, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			done := 0
			weak := storetest.Failing(g.engine.store, func(op string) error {
				if op != tc.op {
					return nil
				}
				if done++; done <= tc.times {
					return nil
				}
				return errFault
			})
			d := newDesk(g.app, service)
			d.store = weak
			d.people = account.New(account.Config{Store: weak, Ring: service.console.Ring, Hasher: g.engine.hasher, Clock: time.Now})
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, secondFactors+"?role=admin", nil)
			err := actHandler(func() (*desk, error) { return d, nil }, acts[secondFactors])(w, r)

			if (err != nil) != (tc.op != "" && tc.parts == 0) || err != nil && w.Body.Len() > 0 {
				t.Fatalf("%v, sent %.200s", err, w.Body)
			}
			if err != nil {
				return
			}
			parts, accounts := 0, 0
			err = readStream(w.Body, func(page []account.FactorStatus) error {
				parts++
				accounts += len(page)
				return nil
			})
			if parts != tc.parts || (err != nil) != (tc.op != "") || err == nil && accounts != 1200 {
				t.Errorf("%d accounts in %d parts, %v", accounts, parts, err)
			}
			if err != nil && (!strings.Contains(err.Error(), errFault.Error()) || !strings.Contains(err.Error(), "not all")) {
				t.Errorf("%v", err)
			}
		})
	}
}

// An answer that ends before its end does not pass for a whole one, wherever
// the connection was cut.
func TestReportThatBreaksOff(t *testing.T) {
	const part = `{"part":[{"id":"1","name":"A","email":"a@example.test","role":"admin","methods":[]}]}` + "\n"
	var status int
	var body string
	var breaks bool // the connection, after the body
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if breaks {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)+1))
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	for _, tc := range []struct {
		name    string
		status  int
		body    string
		breaks  bool
		want    string // in the error
		printed bool
	}{
		{"an answer without anything", 200, "", false, "not all", false},
		{"one part", 200, part, true, "not all", true},
		{"a part and a half", 200, part + part[:40], false, "not all", true},
		{"one part and no more", 200, part, false, "not all", true},
		{"a fault of the store", 200, part + `{"error":"the disk has gone"}` + "\n", false, "the disk has gone", true},
		{"something else", 200, "<html>", false, "not all", false},
		{"a refusal", 409, `{"error":"not today"}`, false, "not today", false},
	} {
		for _, form := range []string{"--csv", "--json", ""} {
			t.Run(tc.name+" "+form, func(t *testing.T) {
				status, body, breaks = tc.status, tc.body, tc.breaks
				out, err := command(t, "", append([]string{"report", "second-factor", "--address", address}, strings.Fields(form)...)...)
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want one with %q", err, tc.want)
				}
				if strings.Contains(out, "a@example.test") != tc.printed || json.Valid([]byte(out)) || strings.Contains(out, "Without a second factor") {
					t.Errorf("printed %q", out)
				}
			})
		}
	}
}
