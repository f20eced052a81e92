package profile_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// The page opens to what the strictest of the person's audiences takes.
func TestStrictest(t *testing.T) {
	open, vault := policy.Audience{}, policy.Audience{SecondFactor: policy.SecondFactorRequired}
	staff := policy.Audience{SecondFactor: policy.SecondFactorRequired, Roles: []string{"agent"}}
	company := policy.Audience{SSO: []string{"okta"}, Password: policy.Off}
	for _, tc := range []struct {
		name      string
		audiences audiences
		factor    string // "", "chosen" or "required"
		how       how
		opens     bool
	}{
		{"a password where nothing more is asked", audiences{"team": open}, "", how{}, true},
		{"a factor by choice that was not given", audiences{"team": open}, "chosen", how{}, false},
		{"a factor that only the vault wants, not given", audiences{"team": open, "vault": vault}, "required", how{}, false},
		{"the same, given", audiences{"team": open, "vault": vault}, "required", how{secondFactor: true}, true},
		{"no factor yet, and the vault wants one", audiences{"team": open, "vault": vault}, "", how{}, false},
		{"an audience of others is none of theirs", audiences{"team": open, "staff": staff}, "", how{}, true},
		{"a provider that is assigned", audiences{"team": company}, "", how{sso: "okta"}, true},
		{"a provider that is not any more", audiences{"team": open}, "", how{sso: "okta"}, false},
		{"a password where only a provider is taken", audiences{"team": company}, "", how{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, tc.audiences)
			alice := d.add("alice@example.test")
			if tc.factor != "" {
				d.has(alice, store.MethodApp, tc.factor == "required")
			}
			b := d.signIn(alice, tc.how)
			for _, path := range []string{answer.Account, nameAddress, passwordAddress, answer.Factors} {
				r := b.get(path)
				if challenged := r.location == answer.SignInFor(path); challenged == tc.opens {
					t.Errorf("%s: answered %d %s", path, r.status, r.location)
				}
				if !tc.opens && strings.Contains(r.body, "alice") {
					t.Error("the answer tells who it is")
				}
			}
			before := d.state(alice)
			for _, path := range []string{nameAddress, passwordAddress, answer.Factors, sessionsAddress, devicesAddress, codesAddress} {
				if r := b.post(path, "name", "x", "password", another, "end", "others", "keep", "1", "forget", "00"); !tc.opens && r.status != 401 {
					t.Errorf("POST %s: answered %d", path, r.status)
				}
			}
			if !tc.opens && d.state(alice) != before {
				t.Error("something was done")
			}
		})
	}
}

func TestMethods(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	alice := d.add("alice@example.test")
	d.has(alice, store.MethodApp, false)
	b := d.signIn(alice, how{secondFactor: true})
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", answer.Account, 200, ""},
		{"HEAD", answer.Account, 200, ""},
		{"POST", answer.Account, 405, "GET, HEAD"},
		{"DELETE", answer.Account, 405, "GET, HEAD"},
		{"PUT", passwordAddress, 405, "GET, HEAD, POST"},
		{"GET", passwordAddress, 200, ""},
		{"GET", nameAddress, 200, ""},
		{"GET", answer.Factors, 200, ""},
		{"GET", sessionsAddress, 405, "POST"},
		{"GET", devicesAddress, 405, "POST"},
		{"HEAD", codesAddress, 405, "POST"},
		{"GET", answer.Account + "/", 404, ""},
		{"GET", answer.Account + "/tokens", 404, ""},
		{"POST", answer.Account + "/tokens", 404, ""},
		{"GET", answer.Factors + "/", 404, ""},
	} {
		r := b.send(tc.method, tc.path, nil, "")
		if r.status != tc.status || r.header.Get("Allow") != tc.allow {
			t.Errorf("%s %s: %d, Allow %q, want %d, %q", tc.method, tc.path, r.status, r.header.Get("Allow"), tc.status, tc.allow)
		}
	}
	nobody := &browser{desk: d, header: b.header}
	nobody.get(answer.Account).as("302 " + answer.SignInFor(answer.Account))
	nobody.get(passwordAddress).as("302 " + answer.SignInFor(passwordAddress))
	nobody.post(passwordAddress, "password", another).as("401")
}

// acts are the forms of the page, each of which does something if it is sent
// as it should be, and their addresses.
func acts(d *desk, a store.Account) map[string][]string {
	factor, more := d.has(a, store.MethodApp, true), d.has(a, store.MethodEmail, true)
	other := d.signIn(a, how{secondFactor: true})
	return map[string][]string{
		"name":     {nameAddress, "name", "Another Name"},
		"password": {passwordAddress, "password", another},
		"session":  {sessionsAddress, "end", other.id},
		"others":   {sessionsAddress, "end", "others"},
		"device":   {devicesAddress, "forget", d.trusts(a)},
		"remove":   {answer.Factors, "remove", factor},
		"prefer":   {answer.Factors, "prefer", more},
		"keep":     {answer.Factors, "keep", "1"},
		"codes":    {codesAddress},
	}
}

// needFresh are those acts that only somebody may do who signed in just now.
var needFresh = map[string]string{
	"password": passwordAddress, "remove": answer.Factors, "prefer": answer.Factors, "keep": answer.Factors, "codes": answer.Factors,
}

// Whoever finds an open browser can neither see nor change how its owner signs
// in; the owner signs in again and goes on.
func TestFresh(t *testing.T) {
	for _, tc := range []struct {
		name  string
		how   how
		after time.Duration
		fresh bool
	}{
		{"just now", how{secondFactor: true}, 0, true},
		{"five minutes ago", how{secondFactor: true}, 5 * time.Minute, true},
		{"a little longer ago", how{secondFactor: true}, 5*time.Minute + time.Second, false},
		{"a passcode from an earlier sign-in", how{secondFactor: true, trusted: true}, 0, false},
		{"no passcode", how{}, 0, false},
		{"through a provider", how{sso: "okta"}, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, audiences{"team": {SSO: []string{"okta"}, TrustDevice: 1e12}})
			alice := d.add("alice@example.test")
			forms := acts(d, alice)
			b := d.signIn(alice, tc.how)
			d.pass(tc.after)
			b.get(answer.Account).as("200")
			for _, path := range []string{passwordAddress, answer.Factors} {
				if tc.fresh {
					b.get(path).as("200")
				} else {
					b.get(path).as("302 " + again(path)).not("alice")
				}
			}
			before := d.state(alice)
			for name, back := range needFresh {
				r := b.post(forms[name][0], forms[name][1:]...)
				if signsIn := r.location == again(back); signsIn == tc.fresh {
					t.Errorf("%s: answered %d %s", name, r.status, r.location)
				}
			}
			if (d.state(alice) == before) == tc.fresh {
				t.Errorf("changed: %t", d.state(alice) != before)
			}
			for _, name := range []string{"name", "session", "device"} {
				if r := b.post(forms[name][0], forms[name][1:]...); r.status != 303 || !strings.HasPrefix(r.location, answer.Account+"?done=") {
					t.Errorf("%s: answered %d %s", name, r.status, r.location)
				}
			}
		})
	}
}

// What another site has a browser send does nothing.
func TestPostsFromElsewhere(t *testing.T) {
	type headers = map[string][]string
	d := newDesk(t, audiences{"team": {}})
	alice := d.add("alice@example.test")
	forms := acts(d, alice)
	b := d.signIn(alice, how{secondFactor: true})
	before := d.state(alice)
	for name, form := range forms {
		for where, header := range map[string]headers{
			"another site":                    {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
			"another site, an older browser":  {"Origin": {"https://evil.example"}},
			"a sibling site":                  {"Sec-Fetch-Site": {"same-site"}},
			"a sandbox":                       {"Origin": {"null"}},
			"nowhere, without the form's own": {},
		} {
			body := "x=y"
			if len(form) > 1 {
				body = form[1] + "=" + form[2]
			}
			if r := b.send("POST", form[0], header, body); r.status != 403 {
				t.Errorf("%s from %s: %d", name, where, r.status)
			}
		}
		for what, r := range map[string]*reply{
			"as text":  b.send("POST", form[0], headers{"Origin": {origin}, "Content-Type": {"text/plain"}}, "x=y"),
			"twice":    b.send("POST", form[0], headers{"Origin": {origin}}, "end=others&end=others&remove=1&remove=2"),
			"too long": b.send("POST", form[0], headers{"Origin": {origin}}, "name="+strings.Repeat("x", 20_000)),
		} {
			if r.status != 415 && r.status != 400 && r.status != 413 {
				t.Errorf("%s %s: %d", name, what, r.status)
			}
		}
	}
	if d.state(alice) != before {
		t.Error("something was done")
	}
	if r := b.send("POST", nameAddress, nil, "name=Alice&flow="+token); r.status != 303 {
		t.Errorf("with the form's own flow: %d", r.status)
	}
}

// Whoever was signed out, suspended or removed meanwhile is told, and nothing
// is done.
func TestMeanwhile(t *testing.T) {
	for name, happen := range map[string]func(tx store.Tx, d *desk, a store.Account, b *browser) error{
		"signed out": func(tx store.Tx, _ *desk, a store.Account, b *browser) error {
			sessions, err := tx.Sessions(a.ID)
			for _, s := range sessions {
				if _, ended := tx.EndSession(s.ID); ended != nil {
					return ended
				}
			}
			return err
		},
		"suspended": func(tx store.Tx, d *desk, a store.Account, _ *browser) error {
			return tx.SetSuspended(a.ID, true, d.Now())
		},
		"the password set elsewhere": func(tx store.Tx, d *desk, a store.Account, _ *browser) error {
			return tx.MoveEpoch(a.ID, nil, d.Now())
		},
		"removed": func(tx store.Tx, _ *desk, a store.Account, _ *browser) error { return tx.RemoveAccount(a.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, act := range []string{"name", "password", "others", "device", "remove", "prefer", "keep", "codes"} {
				d := newDesk(t, audiences{"team": {}})
				alice := d.add("alice@example.test")
				form := acts(d, alice)[act]
				b := d.signIn(alice, how{secondFactor: true})
				b.get(answer.Account).as("200")
				// It happens when the session has been found already.
				var once bool
				d.breaks(func(op string) error {
					d.mu.Lock()
					first := op == "update" && !once
					once = once || op == "update"
					d.mu.Unlock()
					if first {
						return d.store.Update(t.Context(), func(tx store.Tx) error { return happen(tx, d, alice, b) })
					}
					return nil
				})
				b.post(form[0], form[1:]...).as("401").not("codes")
				d.breaks(nil)
			}
		})
	}
}

// A store at fault closes the page, and nothing is half done.
func TestStoreAtFault(t *testing.T) {
	fault := errors.New("the disk is gone")
	for _, op := range []string{"view", "update", "commit"} {
		for _, cached := range []bool{true, false} {
			d := newDesk(t, audiences{"team": {}})
			d.mails()
			d.configure(audiences{"team": {}})
			alice := d.add("alice@example.test")
			forms := acts(d, alice)
			b := d.signIn(alice, how{secondFactor: true})
			if cached {
				b.get(answer.Account).as("200")
			}
			before := d.state(alice)
			for name, form := range forms {
				d.breaks(func(at string) error {
					if at == op {
						return fault
					}
					return nil
				})
				r := b.post(form[0], form[1:]...)
				d.breaks(nil)
				if r.status != 503 && !(op == "view" && cached && r.status == 303 && (name == "name" || name == "session" || name == "others" || name == "device")) {
					t.Errorf("%s at %s: %d", name, op, r.status)
				}
				if op != "view" && d.state(alice) != before {
					t.Errorf("%s at %s: something was done", name, op)
				}
			}
			if n := len(d.mail.Letters()); n > 0 {
				t.Errorf("%d letters tell of what was not done", n)
			}
			if op == "view" {
				d.breaks(func(string) error { return fault })
				if r := b.get(answer.Account); r.status != 503 || strings.Contains(r.body, "alice") {
					t.Errorf("the page: %d", r.status)
				}
				d.breaks(nil)
			}
			b.get(answer.Account).as("200")
		}
	}
}

// A notice is one of ours or none.
func TestNotices(t *testing.T) {
	d := newDesk(t, audiences{"team": {}})
	b := d.signIn(d.add("alice@example.test"), how{})
	b.get(answer.Account + "?done=password").as("200").says("Your password has been changed.").has(`role="alert"`)
	for _, other := range []string{"factor_removed", "x", "<script>", "title", strings.Repeat("x", 1000)} {
		b.get(answer.Account + "?done=" + other).as("200").lacks(`role="alert"`)
	}
	b.get(answer.Account + "?done=password&lang=ja").as("200").says("パスワードを変更しました。").has(`lang="ja"`)
	b.get(answer.Account + "?done=a&done=b").as("400")
}
