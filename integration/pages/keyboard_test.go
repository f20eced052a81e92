//go:build integration

package pages

import (
	"slices"
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

const (
	alice = "alice@example.test"

	// site is an app behind the gateway.
	site = "{$SITE} {\nlog\nauth_gateway\nreverse_proxy {$APP}\n}"
	// required asks for a passcode beside the password.
	required = "auth_gateway {\naudience team {\nsecond_factor required\n}\n}"
)

// keyboard is a person in front of a page, without a mouse.
type keyboard struct {
	*harness.Chromium
	t *testing.T
}

// inOrder fails the test unless each stop of the Tab key is visible, and they
// follow each other as one reads, once around from wherever the focus was.
func (k keyboard) inOrder(page string, stops []harness.Stop) {
	k.t.Helper()
	before := func(a, b harness.Stop) bool { return a.Top < b.Top || a.Top == b.Top && a.Left < b.Left }
	first := 0
	for i, stop := range stops {
		if !stop.Visible {
			k.t.Errorf("%s: nobody sees that %q has the focus", page, stop.Name)
		}
		if before(stop, stops[first]) {
			first = i
		}
	}
	stops = slices.Concat(stops[first:], stops[:first])
	for i := 1; i < len(stops); i++ {
		if before(stops[i], stops[i-1]) {
			k.t.Errorf("%s: from %q the focus goes back to %q", page, stops[i-1].Name, stops[i].Name)
		}
	}
}

// wants holds the stops of the Tab key against what they should be, the first
// being where the page puts the focus by itself, if it does.
func (k keyboard) wants(page string, names ...string) {
	k.t.Helper()
	stops := k.Stops()
	k.inOrder(page, stops)
	var got []string
	for _, stop := range stops {
		got = append(got, stop.Name)
	}
	if !slices.Equal(got, names) {
		k.t.Errorf("%s: the Tab key leads to %q, want %q", page, got, names)
	}
}

// A person's first day and second, with nothing but the keyboard: the
// invitation, the password, the wizard, the recovery codes, the account,
// signing out; then in the other language, in with a passcode, and in with a
// recovery code.
func TestKeyboard(t *testing.T) {
	app := harness.StartApp(t)
	g := harness.Start(t, harness.Options{App: app, Global: required, Sites: site})
	link := g.Invite(alice, "--name", "Alice Example")
	g.SecretAtRest("a password", harness.Password)
	k := keyboard{harness.StartChromium(t, "en"), t}
	k.Front()
	host := strings.TrimPrefix(g.URL, "http://")
	languages := []string{"English", "日本語"}
	with := func(names ...string) []string { return append(names, languages...) }

	k.Open(link.String())
	k.wants("the invitation", with("New password", "Set password")...)
	k.Open(link.String())
	k.WaitFocus("New password") // by itself
	k.Keys(harness.Password)
	k.Enter()
	k.WaitText("Your password is set")
	k.TabTo("Sign in")
	k.Enter()

	k.wants("signing in", with("E-mail address", "Password", "Sign in", "Forgot your password?")...)
	k.TabTo("E-mail address")
	k.Keys(alice + "\t" + "a wrong password")
	k.Enter()
	k.WaitText("is not right")
	if !k.WaitFocus("Password").Visible {
		t.Error("after a wrong password nobody sees where to type")
	}
	k.Keys(harness.Password)
	k.Enter()

	key := k.ID("totp-key")
	authenticator := g.NewAuthenticator(key)
	k.wants("the wizard", with("Open the app on this device", "Passcode", "Continue", "Start over")...)
	k.TabTo("Passcode")
	k.Keys("000000")
	k.Enter()
	k.WaitText("is not right")
	if !k.WaitFocus("Passcode").Visible {
		t.Error("after a wrong passcode nobody sees where to type")
	}
	k.Keys(authenticator.Code())
	k.Enter()

	codes := strings.Fields(k.ID("recovery-codes"))
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes: %s", len(codes), k.Text())
	}
	for _, code := range codes {
		g.SecretAtRest("a recovery code", code)
	}
	k.wants("the recovery codes", "Save as a text file", "Continue to "+host)
	k.TabTo("Continue to " + host)
	k.Enter()
	k.WaitText(harness.Marker)

	k.Open(g.URL + "/auth-gateway/account")
	k.wants("the account", with("Change name", "Change your password", "Manage your second factor", "Continue to "+host, "Sign out")...)
	k.TabTo("Sign out")
	k.Enter()
	k.WaitText("You are signed out")
	k.wants("signed out", with("Sign in again")...)

	k.Open(g.URL + "/private?x=1")
	k.TabTo("日本語")
	k.Enter()
	k.WaitText("サインイン")
	k.wants("サインイン", with("メールアドレス", "パスワード", "サインイン", "パスワードをお忘れですか？")...)
	k.TabTo("メールアドレス")
	k.Keys(alice + "\t" + harness.Password)
	k.Enter()
	k.WaitFocus("認証コード")
	k.wants("認証コード", with("認証コード", "次へ", "リカバリーコードを使う", "最初からやり直す")...)
	k.TabTo("認証コード")
	k.Keys(authenticator.Code())
	k.Enter()
	k.WaitText(harness.Marker)
	if !strings.HasSuffix(k.Address(), "/private?x=1") {
		t.Errorf("the person went to /private?x=1 and is at %s", k.Address())
	}

	k.Open(g.URL + "/auth-gateway/sign-out")
	k.wants("サインアウト", with("サインアウト", "サインインしたままにする")...)
	k.TabTo("サインアウト")
	k.Keys(" ") // buttons take the space bar too
	k.WaitText("サインアウトしました")

	k.Open(g.URL + "/")
	k.WaitFocus("メールアドレス")
	k.Keys(alice + "\t" + harness.Password)
	k.Enter()
	k.TabTo("リカバリーコードを使う")
	k.Keys(" ")
	k.TabTo("リカバリーコード")
	k.Keys(strings.ToUpper(strings.ReplaceAll(codes[3], "-", " ")))
	k.Enter()
	k.WaitText(harness.Marker)
}
