//go:build integration

package attacks

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// Rule 4: failures are counted by account, however its name is typed and
// however the guesses are spread.
func TestGuessingOneAccount(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	// guess makes wrong guesses until one is held off, and returns how many
	// were not.
	guess := func(names ...string) int {
		for n := range 16 {
			b := g.Browser(harness.From(fmt.Sprintf("127.20.%d.1", n)))
			form := b.Get("/auth-gateway/sign-in").Form("password").Set("email", names[n%len(names)])
			page := b.Submit(form.Set("password", fmt.Sprint("wrong guess number ", n)))
			if page.Status == http.StatusTooManyRequests {
				if wait, err := strconv.Atoi(page.Header.Get("Retry-After")); err != nil || wait < 1 {
					t.Errorf("Retry-After %q", page.Header.Get("Retry-After"))
				}
				// The right password does not shorten the wait.
				b.Submit(form.Set("password", harness.Password)).Want(http.StatusTooManyRequests)
				return n
			}
			page.Want(http.StatusUnauthorized)
		}
		return 16
	}
	for name, names := range map[string][]string{
		"from many networks":                         {alice},
		"CVE-2026-47203 Authelia, case":              {alice, strings.ToUpper(alice), "Alice@Example.Test", "aLICE@example.test"},
		"CVE-2025-24806 Authelia, several spellings": {alice, " " + alice, alice + " ", "\t" + alice, "alice@EXAMPLE.test"},
		"one that nobody has":                        {"nobody@example.test", "NOBODY@example.test"},
	} {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			g.Must("user", "unlock", alice)
			if n := guess(names...); n != 10 {
				t.Errorf("held off after %d guesses", n)
			}
		})
	}
	g.Must("user", "unlock", alice)
	t.Run("in parallel", func(t *testing.T) {
		g.For(t)
		statuses := make([]int, 30)
		forms := make([]*harness.Form, len(statuses))
		browsers := make([]*harness.Client, len(statuses))
		for i := range statuses {
			browsers[i] = g.Browser(harness.From(fmt.Sprintf("127.21.%d.1", i)))
			forms[i] = browsers[i].Get("/auth-gateway/sign-in").Form("password").Set("email", alice).Set("password", fmt.Sprint("wrong guess number ", i))
		}
		var wg sync.WaitGroup
		for i := range statuses {
			wg.Go(func() { statuses[i] = browsers[i].Submit(forms[i]).Status })
		}
		wg.Wait()
		if checked := count(statuses, http.StatusUnauthorized); checked > 10 {
			t.Errorf("%d of %d parallel guesses were checked: %v", checked, len(statuses), statuses)
		}
	})
	g.Must("user", "unlock", alice)
	g.WantIn(g.SignedIn(alice), alice)
}

func count(statuses []int, status int) int {
	n := 0
	for _, s := range statuses {
		if s == status {
			n++
		}
	}
	return n
}

// Rule 4: made-up names neither lock the others out (CVE-2026-77561 tinyauth:
// 257 of them did) nor are free.
func TestMadeUpNames(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	t.Run("CVE-2026-77561 tinyauth", func(t *testing.T) {
		g.For(t)
		b := g.Browser(harness.From("127.30.0.1"))
		form := b.Get("/auth-gateway/sign-in").Form("password").Set("password", "quite the wrong words")
		var statuses []int
		for i := range 257 {
			statuses = append(statuses, b.Submit(form.Set("email", fmt.Sprintf("made-up-%d@example.test", i))).Status)
		}
		if held := count(statuses, http.StatusTooManyRequests); held < 100 {
			t.Errorf("of 257 guesses from one network %d were held off", held)
		}
		g.WantIn(g.SignedIn(alice, harness.From("127.31.0.1")), alice)
	})
}

// Rule 4: wrong passcodes are counted by account too, apart from passwords, also
// when the whole sign-in begins anew each time.
func TestGuessingPasscodes(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	g.AddUser(alice)
	app, _ := g.Enroll(g.Browser(), alice)
	t.Run("CVE-2024-21500 caddy-security, beginning anew", func(t *testing.T) {
		g.For(t)
		guesses := 0
		for {
			b := g.Browser(harness.From(fmt.Sprintf("127.40.%d.1", guesses)))
			page := b.Submit(g.AskedForPasscode(b, alice).Form("passcode").Set("passcode", fmt.Sprintf("%06d", guesses)))
			if page.Status == http.StatusTooManyRequests {
				break
			}
			if guesses++; page.Status != http.StatusUnauthorized || guesses > 12 {
				t.Fatalf("guess %d: %v", guesses, page)
			}
		}
		if guesses != 10 {
			t.Errorf("held off after %d guesses", guesses)
		}
		// A right password clears nothing, and a right code waits like any.
		b := g.Browser()
		held := b.Submit(g.AskedForPasscode(b, alice).Form("passcode").Set("passcode", app.Current())).Want(http.StatusTooManyRequests)
		if held.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		g.WantOut(b)
	})
	g.Must("user", "unlock", alice)
	t.Run("in parallel, in one flow", func(t *testing.T) {
		g.For(t)
		b := g.Browser()
		form := g.AskedForPasscode(b, alice).Form("passcode")
		kept := b.Cookies()
		statuses := make([]int, 40)
		var wg sync.WaitGroup
		for i := range statuses {
			c := g.Browser()
			c.SetCookies(kept...)
			mine := *form
			mine.Values = map[string][]string{"flow": form.Values["flow"], "passcode": {fmt.Sprintf("%06d", i)}}
			wg.Go(func() { statuses[i] = c.Submit(&mine).Status })
		}
		wg.Wait()
		if checked := count(statuses, http.StatusUnauthorized); checked > 10 {
			t.Errorf("%d of %d parallel guesses were checked: %v", checked, len(statuses), statuses)
		}
	})
	g.Must("user", "unlock", alice)
	b := g.Browser()
	b.Submit(g.AskedForPasscode(b, alice).Form("passcode").Set("passcode", app.Code())).Want(http.StatusSeeOther)
	g.WantIn(b, alice)
}

// Rules 5 and 6: a code counts once, and those of another time or another person
// never do.
func TestUsedPasscodes(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, required, "")
	g.AddUser(alice)
	g.AddUser(carol)
	app, codes := g.Enroll(g.Browser(), alice)
	others, othersCodes := g.Enroll(g.Browser(), carol)
	used := app.Code()
	b := g.Browser()
	b.Submit(g.AskedForPasscode(b, alice).Form("passcode").Set("passcode", used)).Want(http.StatusSeeOther)
	b = g.Browser()
	step := g.AskedForPasscode(b, alice)
	for name, code := range map[string]string{
		"used before":              used,
		"used before, with blanks": used[:3] + " " + used[3:],
		"long ago":                 app.Old(),
		"of somebody else":         others.Code(),
		"somebody else's recovery": othersCodes[0],
		"no code":                  "",
		"zeros":                    "000000",
	} {
		if page := b.Submit(step.Form("passcode").Set("passcode", code)); page.Status != http.StatusUnauthorized {
			t.Errorf("%s: %v", name, page)
		}
	}
	g.WantOut(b)
	g.Must("user", "unlock", alice)
	b.Submit(step.Form("passcode").Set("passcode", codes[0])).Want(http.StatusSeeOther)
	b = g.Browser()
	b.Submit(g.AskedForPasscode(b, alice).Form("passcode").Set("passcode", codes[0])).Want(http.StatusUnauthorized)
}

// Rule 7: a one-time link sets one password, however many use it at once, and
// looking at it uses nothing up.
func TestUsedLinks(t *testing.T) {
	t.Parallel()
	g := harness.StartGate(t, "", "")
	g.AddUser(alice)
	link := g.ResetPassword(alice)
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		g.Browser().Do(method, link.String())
	}
	statuses := make([]int, 6)
	var wg sync.WaitGroup
	for i := range statuses {
		b := g.Browser(harness.From(fmt.Sprintf("127.60.%d.1", i)))
		wg.Go(func() {
			statuses[i] = post(b, link.Path, fmt.Sprintf("token=%s&password=quite+another+long+password+%d", link.Query().Get("token"), i), nil).Status
		})
	}
	wg.Wait()
	if count(statuses, http.StatusOK) != 1 || count(statuses, http.StatusGone) != len(statuses)-1 {
		t.Errorf("statuses %v", statuses)
	}
}

// flowField is the hidden field that differs each time.
var flowField = regexp.MustCompile(`name="flow" value="[^"]*"`)

// Rule 3: what an answer looks like does not tell whether there is an account,
// whatever state that is in.
func TestUnknownPeopleLookLikeKnownOnes(t *testing.T) {
	t.Parallel()
	const suspended, locked = "suspended@example.test", "locked@example.test"
	g := harness.StartGate(t, "", "")
	for _, email := range []string{alice, suspended} {
		g.AddUser(email)
	}
	g.Invite(carol)
	g.Must("user", "suspend", suspended)
	answer := func(path, email string) (*harness.Page, string) {
		b := g.Browser()
		form := b.Get("/auth-gateway/sign-in").Form("password").Set("email", email).Set("password", "not the right words")
		if path == "/auth-gateway/reset" {
			page := b.Post(path, map[string][]string{"email": {email}})
			return page, strings.ReplaceAll(flowField.ReplaceAllString(string(page.Body), ""), email, "@")
		}
		page := b.Submit(form)
		return page, strings.ReplaceAll(flowField.ReplaceAllString(string(page.Body), ""), email, "@")
	}
	for _, path := range []string{"/auth-gateway/sign-in", "/auth-gateway/reset"} {
		known, body := answer(path, alice)
		for name, email := range map[string]string{
			"nobody": "nobody@example.test", "invited, without a password": carol, "suspended": suspended,
			"no address": "alice", "in capitals": strings.ToUpper(alice), "another nobody": locked,
		} {
			page, other := answer(path, email)
			if page.Status != known.Status || !reflect.DeepEqual(alike(page), alike(known)) {
				t.Errorf("%s %s: %d %v\n%d %v", path, name, page.Status, alike(page), known.Status, alike(known))
			}
			if other != body {
				t.Errorf("%s %s: the page differs:\n%s\n%s", path, name, other, body)
			}
		}
	}
	// The right password of somebody who is suspended is no better than a wrong
	// one of nobody.
	b := g.Browser()
	page := b.Submit(b.Get("/auth-gateway/sign-in").Form("password").Set("email", suspended).Set("password", harness.Password))
	known, _ := answer("/auth-gateway/sign-in", alice)
	if page.Status != known.Status || page.Alert() != known.Alert() {
		t.Errorf("%v\n%v", page, known)
	}
}

// alike are an answer's headers without what differs from answer to answer.
func alike(page *harness.Page) http.Header {
	h := page.Header.Clone()
	h.Del("Date")
	h.Del("Content-Length")
	for i, cookie := range h.Values("Set-Cookie") {
		name, rest, _ := strings.Cut(cookie, "=")
		_, attributes, _ := strings.Cut(rest, ";")
		h["Set-Cookie"][i] = name + ";" + attributes
	}
	slices.Sort(h["Set-Cookie"])
	return h
}
