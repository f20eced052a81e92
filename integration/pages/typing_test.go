//go:build integration

package pages

import (
	"strings"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/integration/harness"
)

// What people type and paste who have the right address, password and
// passcode: what they mean is what counts, and what was typed is kept where it
// is wrong, but never a password.
func TestTyping(t *testing.T) {
	app := harness.StartApp(t)
	g := harness.Start(t, harness.Options{App: app, Global: required, Sites: site})
	g.AddUser(alice)
	k := keyboard{harness.StartChromium(t, "ja"), t}
	k.Front()

	// The wizard once, the passcode typed with a Japanese keyboard.
	k.Open(g.URL + "/")
	k.WaitFocus("メールアドレス")
	k.Paste("ａｌｉｃｅ＠ｅｘａｍｐｌｅ．ｔｅｓｔ")
	k.Keys("\t")
	k.WaitFocus("パスワード")
	k.Paste(harness.Password + "\n")
	k.Enter()
	authenticator := g.NewAuthenticator(k.ID("totp-key"))
	k.TabTo("認証コード")
	code := authenticator.Code()
	k.Paste(fullWidth(code[:3] + " " + code[3:]))
	k.Enter()
	codes := strings.Fields(k.ID("recovery-codes"))
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes: %s", len(codes), k.Text())
	}
	for _, code := range codes {
		g.SecretAtRest("a recovery code", code)
	}

	for i, typed := range []struct{ name, email, passcode string }{
		{"capitals", "ALICE@Example.TEST", strings.ToUpper(codes[0])},
		{"blanks around", "  alice@example.test  ", " " + codes[1] + " "},
		{"pasted with a line break", "alice@example.test\n", codes[2] + "\n"},
		{"a Japanese keyboard's full stop", "alice@example。test　", fullWidth(codes[3])},
		{"without hyphens", alice, strings.ReplaceAll(codes[4], "-", "")},
		{"blanks for hyphens", alice, strings.ReplaceAll(codes[5], "-", " ")},
		{"long hyphens", alice, strings.ReplaceAll(codes[6], "-", "—")},
	} {
		k.Forget()
		k.Open(g.URL + "/")
		k.WaitFocus("メールアドレス")
		k.Paste(typed.email)
		k.Keys("\t")
		k.WaitFocus("パスワード")
		k.Paste(harness.Password)
		k.Enter()
		if !strings.Contains(k.Address(), "/passcode") {
			t.Errorf("%s: the address is not understood: %s", typed.name, k.Text())
			continue
		}
		k.TabTo("リカバリーコードを使う")
		k.Keys(" ")
		k.TabTo("リカバリーコード")
		k.Paste(typed.passcode)
		k.Enter()
		if !strings.Contains(k.Text(), harness.Marker) {
			t.Errorf("%s (%d): the code is not understood: %s", typed.name, i, k.Text())
		}
	}
}

// fullWidth is text from a Japanese keyboard.
func fullWidth(text string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' {
			return '\u3000'
		}
		return r + 0xFEE0
	}, text)
}
