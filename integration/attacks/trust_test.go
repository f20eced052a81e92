//go:build integration

package attacks

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

var rowOf = regexp.MustCompile(`name="(end|forget|remove)" value="([A-Za-z0-9_-]{16,})"`)

// row is the id behind the first button of that name on a page.
func row(t *testing.T, page *harness.Page, name string) string {
	t.Helper()
	for _, button := range rowOf.FindAllSubmatch(page.Want(http.StatusOK).Body, -1) {
		if string(button[1]) == name {
			return string(button[2])
		}
	}
	t.Fatalf("no button %s: %v", name, page)
	return ""
}

// addPhone sets up text messages by choice.
func addPhone(g *harness.SendingGate, b *harness.Client, number string) {
	begun := b.Post("/auth-gateway/enroll", url.Values{"begin": {"1"}, "method": {"sms"}})
	flow := begun.Location().Query().Get("flow")
	b.Step("enroll", flow, "method", "sms", "phone", number)
	b.Step("enroll", flow, "method", "sms", "passcode", g.TextedCode(number)).Want(http.StatusSeeOther)
}

// trusting is a gate with somebody who has codes mailed and texted, trusts a
// browser, and is signed in there.
func trusting(t *testing.T) (g *harness.SendingGate, b *harness.Client) {
	t.Helper()
	g = harness.StartSendingGate(t, sending)
	g.AddUser(alice)
	b = g.Browser()
	g.EnrollBy(b, alice, "")
	addPhone(g, b, phone)
	b = g.Browser()
	g.SignInByMail(b, alice, "trust_device", "on")
	return g, b
}

// device is a browser with nothing of another one but what makes it known.
func device(g *harness.SendingGate, b *harness.Client) *harness.Client {
	other := g.Browser()
	for _, cookie := range b.Cookies() {
		if strings.HasSuffix(cookie.Name, "_device") {
			other.SetCookies(cookie)
		}
	}
	return other
}

// asked reports whether somebody is asked for a passcode after their password.
func asked(g *harness.SendingGate, b *harness.Client, email string) bool {
	page := b.SignIn("/private", email, harness.Password)
	if page.URL.Path == "/auth-gateway/passcode" {
		g.MailedCode(email)
	}
	return !page.FromApp()
}

// F6: a browser's trust is one person's in that browser. It takes their password
// all the same, and nothing that a client keeps or sends brings it back.
func TestTrustedBrowsers(t *testing.T) {
	t.Parallel()
	g, b := trusting(t)
	g.AddUser(carol)
	g.EnrollBy(g.Browser(), carol, "")
	if copied := device(g, b); asked(g, copied, alice) {
		t.Fatal("not trusted at all")
	}
	t.Run("without the password", func(t *testing.T) {
		g.For(t)
		thief := device(g, b)
		g.WantOut(thief)
		if page := thief.SignIn("/private", alice, "not the right words at all"); page.FromApp() {
			t.Errorf("%v", page)
		}
		g.WantOut(thief)
	})
	t.Run("for another person", func(t *testing.T) {
		g.For(t)
		if !asked(g, device(g, b), carol) {
			t.Error("carol is not asked in a browser that alice trusts")
		}
	})
	t.Run("with a code that is none, or in a step that is another", func(t *testing.T) {
		g.For(t)
		c := g.Browser()
		flow := g.Begin(c, carol)
		code := g.MailedCode(carol)
		c.Step("passcode", flow, "passcode", harness.OtherCode(code), "trust_device", "on").Want(http.StatusUnauthorized)
		if !asked(g, device(g, c), carol) {
			t.Error("trusted with a wrong code")
		}
		g.AddUser(bob)
		c = g.Browser()
		flow = g.Begin(c, bob)
		c.Step("enroll", flow, "method", "email", "trust_device", "on").Want(http.StatusSeeOther)
		c.Step("enroll", flow, "method", "email", "passcode", g.MailedCode(bob), "trust_device", "on").Want(http.StatusOK)
		if !asked(g, device(g, c), bob) {
			t.Error("the wizard trusts browsers")
		}
	})
	t.Run("trust of somebody else, forgotten by an id", func(t *testing.T) {
		g.For(t)
		mine := g.Browser()
		g.SignInByMail(mine, carol)
		before := b.Get("/auth-gateway/account")
		for path, form := range map[string]url.Values{
			"devices":       {"forget": {row(t, before, "forget")}},
			"sessions":      {"end": {row(t, before, "end")}},
			"second-factor": {"remove": {row(t, b.Get("/auth-gateway/account/second-factor"), "remove")}},
		} {
			if page := mine.Post("/auth-gateway/account/"+path, form); !strings.HasSuffix(page.Header.Get("Location"), "=gone") {
				t.Errorf("%s: %v", path, page)
			}
		}
		if asked(g, device(g, b), alice) {
			t.Error("carol had alice's browser forgotten")
		}
		g.WantIn(b, alice)
	})
	page := func(path string, form url.Values) func(*testing.T, *harness.Client) {
		return func(t *testing.T, b *harness.Client) {
			if page := b.Post("/auth-gateway/account/"+path, form); page.Status != http.StatusOK && page.Status != http.StatusSeeOther {
				t.Fatalf("%v", page)
			}
		}
	}
	for _, end := range []struct {
		name string
		do   func(*testing.T, *harness.Client)
	}{
		{"forgotten", func(t *testing.T, b *harness.Client) {
			page("devices", url.Values{"forget": {row(t, b.Get("/auth-gateway/account"), "forget")}})(t, b)
		}},
		{"another password", func(t *testing.T, b *harness.Client) {
			page("password", url.Values{"password": {"quite another long password"}})(t, b)
			page("password", url.Values{"password": {harness.Password}})(t, b)
		}},
		{"another password, by a link", func(*testing.T, *harness.Client) { setPassword(g.Gate, alice) }},
		{"new recovery codes", page("recovery-codes", url.Values{})},
		{"another factor", func(t *testing.T, b *harness.Client) {
			begun := b.Post("/auth-gateway/enroll", url.Values{"begin": {"1"}, "method": {"app"}}).Want(http.StatusSeeOther)
			app := g.NewAuthenticator(b.Get(begun.Location().String()).ID("totp-key"))
			b.Step("enroll", begun.Location().Query().Get("flow"), "method", "app", "passcode", app.Code()).Want(http.StatusSeeOther)
		}},
		{"a factor less", func(t *testing.T, b *harness.Client) {
			page := b.Get("/auth-gateway/account/second-factor").Want(http.StatusOK)
			all := rowOf.FindAllSubmatch(page.Body, -1)
			b.Post("/auth-gateway/account/second-factor", url.Values{"remove": {string(all[len(all)-1][2])}}).Want(http.StatusSeeOther)
		}},
		{"no factor any more", func(*testing.T, *harness.Client) { g.Must("user", "reset-second-factor", alice) }},
	} {
		t.Run("after: "+end.name, func(t *testing.T) {
			g.For(t)
			b := g.Browser()
			g.SignInByMail(b, alice, "trust_device", "on")
			if asked(g, device(g, b), alice) {
				t.Fatal("not trusted at all")
			}
			kept := device(g, b) // all that a thief would restore
			end.do(t, b)
			if !asked(g, kept, alice) {
				t.Error("trusted as before")
			}
		})
	}
}

// Rule 8: what changes how one signs in takes the password and a passcode of a
// moment ago, whatever is left out or made up on the way. Trust is none.
func TestSigningInAgain(t *testing.T) {
	t.Parallel()
	g, first := trusting(t)
	const again = "/auth-gateway/sign-in?again=1"
	changes := map[string]url.Values{
		"/auth-gateway/account/second-factor":  {"remove": {row(t, first.Get("/auth-gateway/account/second-factor"), "remove")}},
		"/auth-gateway/account/recovery-codes": {},
		"/auth-gateway/account/password":       {"password": {"quite another long password"}},
		"/auth-gateway/enroll":                 {"begin": {"1"}, "method": {"app"}},
	}
	// refused fails the test unless nothing of that can be done there.
	refused := func(t *testing.T, b *harness.Client) {
		t.Helper()
		for path, form := range changes {
			page := b.Post(path, form)
			if page.Status != http.StatusSeeOther || !strings.HasPrefix(page.Header.Get("Location"), "/auth-gateway/sign-in?") {
				t.Errorf("%s: %v", path, page)
			}
		}
		for _, path := range []string{"/auth-gateway/account/second-factor", "/auth-gateway/account/password"} {
			if page := b.Get(path); page.Status != http.StatusFound {
				t.Errorf("%s: %v", path, page)
			}
		}
	}
	b := device(g, first)
	if asked(g, b, alice) {
		t.Fatal("not trusted at all")
	}
	g.WantIn(b, alice)
	signIn := func(b *harness.Client, password string, more ...string) *harness.Page {
		form := url.Values{"email": {alice}, "password": {password}, "return_to": {"/auth-gateway/account/second-factor"}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return b.Post("/auth-gateway/sign-in", form)
	}
	t.Run("trust is no passcode", func(t *testing.T) { g.For(t); refused(t, b) })
	t.Run("again left out", func(t *testing.T) {
		g.For(t)
		if page := signIn(b, harness.Password); page.Location().Path == "/auth-gateway/passcode" {
			g.MailedCode(alice)
		}
		refused(t, b)
	})
	t.Run("half of it", func(t *testing.T) {
		g.For(t)
		if page := signIn(b, harness.Password, "again", "1"); page.Location().Path != "/auth-gateway/passcode" {
			t.Fatalf("%v", page)
		}
		g.MailedCode(alice)
		refused(t, b)
		g.WantIn(b, alice) // and what was there stays
	})
	t.Run("a hostile return_to", func(t *testing.T) {
		g.For(t)
		for _, shape := range shapes(t, g.URL) {
			page := b.Get(again + "&return_to=" + url.QueryEscape(shape))
			if page.Status == http.StatusBadRequest {
				continue
			}
			// "/" opens without a fresh sign-in being shown, but asks for one.
			if got := page.Want(http.StatusOK).Form("password").Values.Get("return_to"); got != "/" {
				t.Errorf("%q leads to %q", shape, got)
			}
		}
		for _, shape := range []string{"//evil.test", `/\evil.test`, "https://evil.test/", "javascript:alert(1)"} {
			page := signIn(b, harness.Password, "again", "1", "return_to", shape).Want(http.StatusSeeOther)
			b.Step("passcode", page.Location().Query().Get("flow"), "passcode", g.MailedCode(alice))
			fresh := b.Get("/auth-gateway/account/second-factor")
			if to := page.Location(); to.Host != b.Base.Host || fresh.Status != http.StatusOK {
				t.Errorf("%q leads to %v, then %v", shape, to, fresh)
			}
			if to := wayOn(b, shape); to != "/" {
				t.Errorf("%q leads to %q", shape, to)
			}
		}
	})
	t.Run("guessing the password", func(t *testing.T) {
		g.For(t)
		thief := g.Browser()
		thief.SetCookies(first.Session())
		for i := range 11 {
			page := signIn(thief, "not the right words at all", "again", "1")
			if want := map[bool]int{true: http.StatusUnauthorized, false: http.StatusTooManyRequests}[i < 10]; page.Status != want {
				t.Fatalf("guess %d: %v", i, page)
			}
		}
		signIn(thief, harness.Password, "again", "1").Want(http.StatusTooManyRequests)
	})
}

// Rule 13: no page of another site begins to set up a factor, ends a session or
// changes anything else of somebody who is signed in and just was.
func TestCrossSiteChanges(t *testing.T) {
	t.Parallel()
	g, b := trusting(t)
	account := b.Get("/auth-gateway/account")
	changes := map[string]url.Values{
		"/auth-gateway/enroll":                 {"begin": {"1"}, "method": {"app"}},
		"/auth-gateway/account/name":           {"name": {"Mallory"}},
		"/auth-gateway/account/sessions":       {"end": {"others"}},
		"/auth-gateway/account/devices":        {"forget": {row(t, account, "forget")}},
		"/auth-gateway/account/second-factor":  {"remove": {row(t, b.Get("/auth-gateway/account/second-factor"), "remove")}},
		"/auth-gateway/account/recovery-codes": {},
		"/auth-gateway/account/password":       {"password": {"quite another long password"}},
	}
	for name, header := range elsewhere {
		t.Run(name, func(t *testing.T) {
			g.For(t)
			for path, form := range changes {
				if page := post(b, path, form.Encode(), header); page.Status != http.StatusForbidden {
					t.Errorf("%s: %v", path, page)
				}
			}
		})
	}
	t.Run("by GET", func(t *testing.T) {
		g.For(t)
		for path, form := range changes {
			if page := b.Get(path + "?" + form.Encode()); len(page.RecoveryCodes()) > 0 || page.ID("totp-key") != "" {
				t.Errorf("%s: %v", path, page)
			}
		}
	})
	t.Run("methods that are none", func(t *testing.T) {
		g.For(t)
		for _, body := range []string{
			"begin=1", "begin=1&method=", "begin=1&method=pigeon", "begin=1&method=APP", "begin=1&method=app%00", "begin=1&method=app&method=sms",
			"begin=1&begin=0&method=app", "begin=1&method=app%20sms", "begin=1&method=recovery", "begin=1&method[]=app", "begin=1&method=" + strings.Repeat("app", 2000),
		} {
			if page := post(b, "/auth-gateway/enroll", body, nil); page.Status != http.StatusBadRequest {
				t.Errorf("%.60s: %v", body, page)
			}
		}
	})
	var after struct {
		Name              string
		SecondFactors     []any `json:"second_factors"`
		RecoveryCodesLeft int   `json:"recovery_codes_left"`
		Sessions          int
	}
	g.JSON(&after, "user", "show", alice)
	if after.Name != "" || len(after.SecondFactors) != 2 || after.RecoveryCodesLeft != 10 || after.Sessions != 2 {
		t.Errorf("%+v", after)
	}
	if asked(g, device(g, b), alice) {
		t.Error("forgotten, or another password")
	}
	if g.Phones.Posts() != 1 { // when it was set up
		t.Error("something was texted")
	}
}
