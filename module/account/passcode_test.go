package account

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func nothing(store.Tx, string) error { return nil }

func TestCheckPasscodeApp(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	app, _ := w.enroll(alice.ID, false)
	fullWidth := func(code string) string {
		return strings.Map(func(r rune) rune { return r - '0' + '０' }, code)
	}
	for _, test := range []struct {
		name string
		code func() string
		want string
	}{
		{"right", func() string { return app.code(0) }, "in by app"},
		{"used", func() string { return app.code(0) }, "wrong"},
		{"one before the used one", func() string { return app.code(-1) }, "wrong"},
		{"one after", func() string { return app.code(1) }, "in by app"},
		{"two after", func() string { return app.code(2) }, "wrong"},
		{"with a space", func() string { w.clock.Pass(time.Minute); return " " + app.code(0)[:3] + " " + app.code(0)[3:] }, "in by app"},
		{"full-width digits", func() string { w.clock.Pass(time.Minute); return fullWidth(app.code(0)) }, "in by app"},
		{"full-width digits and space", func() string { w.clock.Pass(time.Minute); return fullWidth(app.code(0)) + "\u3000" }, "in by app"},
		{"pasted with marks that nobody sees", func() string { w.clock.Pass(time.Minute); return "\u2066" + app.code(0) + "\u2069\ufeff" }, "in by app"},
		{"one before", func() string { w.clock.Pass(2 * time.Minute); return app.code(-1) }, "in by app"},
		{"two before", func() string { w.clock.Pass(5 * time.Minute); return app.code(-2) }, "wrong"},
		{"empty", func() string { return "" }, "wrong"},
		{"five digits", func() string { return app.code(0)[:5] }, "wrong"},
		{"seven digits", func() string { return app.code(0) + "0" }, "wrong"},
		{"letters", func() string { return "abcdef" }, "wrong"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.expect("outcome", w.passcode(alice.ID, test.code(), from("192.0.2.1")), test.want)
		})
	}
}

func TestCheckPasscodeOfNobody(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	w.expect("no factor", w.passcode(alice.ID, "000000", From{}), "wrong")
	w.expect("no account", w.passcode("nobody", "000000", From{}), "wrong")
	app, codes := w.enroll(alice.ID, false)
	if err := w.Suspend(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	w.expect("suspended", w.passcode(alice.ID, app.code(0), From{}), "wrong")
	w.expect("suspended, recovery code", w.passcode(alice.ID, codes[0], From{}), "wrong")
}

// pquerna/otp accepts the code of an empty secret.
func TestShortSecretsNeverValidate(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	for _, size := range []int{0, 1, totpSecretSize - 1} {
		id := store.NewID()
		key := make([]byte, size)
		w.update(func(tx store.Tx) error {
			return tx.CreateFactor(store.Factor{
				ID: id, AccountID: alice.ID, Method: store.MethodApp,
				Secret: w.ring.Seal(key, FactorRow(id)), CreatedAt: w.clock.Now(),
			})
		})
		w.expect("short", w.passcode(alice.ID, device{w, key}.code(0), From{}), "wrong")
		w.update(func(tx store.Tx) error { return tx.DeleteFactors(alice.ID) })
	}
}

func TestSecretOfAnotherRowIsAFault(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	key := randomBytes(totpSecretSize)
	w.update(func(tx store.Tx) error {
		return tx.CreateFactor(store.Factor{
			ID: store.NewID(), AccountID: alice.ID, Method: store.MethodApp,
			Secret: w.ring.Seal(key, FactorRow("another")), CreatedAt: w.clock.Now(),
		})
	})
	err := w.CheckPasscode(t.Context(), Asked{AccountID: alice.ID}, device{w, key}.code(0), From{}, nothing)
	if err == nil || errors.Is(err, ErrWrong) {
		t.Errorf("got %v, want a fault", err)
	}
}

func TestRecoveryCodes(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.add("alice@example.test"), w.add("bob@example.test")
	_, codes := w.enroll(alice.ID, false)
	_, bobs := w.enroll(bob.ID, false)
	if len(codes) != 10 {
		t.Fatalf("%d codes, want ten", len(codes))
	}
	for _, code := range codes {
		if len(code) != 19 || strings.Count(code, "-") != 3 || strings.ToLower(code) != code || !LooksLikeRecoveryCode(code) {
			t.Errorf("code %q does not look like xxxx-xxxx-xxxx-xxxx", code)
		}
	}
	for _, test := range []struct{ name, code, want string }{
		{"as shown", codes[0], "in by recovery"},
		{"used", codes[0], "wrong"},
		{"used, written otherwise", strings.ToUpper(codes[0]), "wrong"},
		{"upper case", strings.ToUpper(codes[1]), "in by recovery"},
		{"without hyphens", strings.ReplaceAll(codes[2], "-", ""), "in by recovery"},
		{"with spaces", "  " + strings.ReplaceAll(codes[3], "-", " ") + "\t", "in by recovery"},
		{"with dashes", strings.ReplaceAll(codes[4], "-", "–"), "in by recovery"},
		{"somebody else's", bobs[0], "wrong"},
		{"one character less", codes[5][:18], "wrong"},
		{"made up", "aaaa-aaaa-aaaa-aaaa", "wrong"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.expect("outcome", w.passcode(alice.ID, test.code, elsewhere(1)), test.want)
		})
	}
	if person, err := w.Show(t.Context(), alice.ID); err != nil || person.RecoveryCodes != 5 {
		t.Errorf("%d codes left, %v; want 5", person.RecoveryCodes, err)
	}
	w.expect("bob still has his", w.passcode(bob.ID, bobs[0], elsewhere(2)), "in by recovery")
}

// A stored code is of no use in another account's row.
func TestRecoveryCodeIsBoundToItsAccount(t *testing.T) {
	const code = "abcdefgh234567ab"
	if slices.Equal(recoveryHash("a", code), recoveryHash("b", code)) {
		t.Error("one code has one hash in two accounts")
	}
}

func TestLooksLikeRecoveryCode(t *testing.T) {
	for text, want := range map[string]bool{
		"abcd-efgh-2345-67ab": true,
		"ABCD EFGH 2345 67AB": true,
		"abcdefgh234567ab":    true,
		"123456":              false,
		"abcd-efgh-2345-67a1": false, // 1 is not a character of base32
		"":                    false,
	} {
		if LooksLikeRecoveryCode(text) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}

func TestOneCodeAtOnce(t *testing.T) {
	for _, which := range []string{"app", "recovery"} {
		t.Run(which, func(t *testing.T) {
			w := newWorld(t)
			alice := w.add("alice@example.test")
			app, codes := w.enroll(alice.ID, false)
			code := app.code(0)
			if which == "recovery" {
				code = codes[0]
			}
			// From known browsers, each with a budget of its own, so that
			// the code alone decides.
			counts := atOnce(50, func(i int) error {
				return w.CheckPasscode(t.Context(), Asked{AccountID: alice.ID}, code, knownBrowser(store.NewID(), alice.ID), nothing)
			})
			if counts["in"] != 1 || counts["wrong"] != 49 {
				t.Errorf("got %v, want one in and 49 wrong", counts)
			}
		})
	}
}

func TestPasscodeGuessing(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	app, codes := w.enroll(alice.ID, false)
	mine := knownBrowser("mine", alice.ID)
	for i := range freeGuesses {
		w.expect("guess", w.passcode(alice.ID, "not a code", elsewhere(i)), "wrong")
	}
	w.expect("the right one", w.passcode(alice.ID, app.code(0), elsewhere(50)), "held 30s")
	w.expect("a recovery code", w.passcode(alice.ID, codes[0], elsewhere(51)), "held 30s")
	w.expect("the password is counted by itself", w.password("alice@example.test", goodPassword, elsewhere(52)), "in")
	w.expect("and does not clear the passcode's", w.passcode(alice.ID, app.code(0), elsewhere(53)), "held 30s")
	w.expect("a known browser", w.passcode(alice.ID, app.code(0), mine), "in by app")
	w.expect("does not clear the strangers'", w.passcode(alice.ID, codes[0], elsewhere(54)), "held 30s")

	if err := w.SetPassword(t.Context(), alice.ID, "another good password", Rules{}, nil); err != nil {
		t.Fatal(err)
	}
	w.expect("a new password does not clear it", w.passcode(alice.ID, codes[0], elsewhere(55)), "held 30s")
	w.clock.Pass(30 * time.Second)
	w.expect("waited", w.passcode(alice.ID, codes[0], elsewhere(56)), "in by recovery")
	w.expect("forgiven", w.passcode(alice.ID, "not a code", elsewhere(57)), "wrong")

	for i := range maxGuesses {
		w.clock.Pass(longestWait)
		w.passcode(alice.ID, "not a code", elsewhere(i))
	}
	w.expect("never more", w.passcode(alice.ID, codes[1], elsewhere(58)), "held until unlocked")
	w.expect("the password meanwhile", w.password("alice@example.test", "another good password", elsewhere(59)), "in")
	if err := w.Unlock(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	w.expect("unlocked", w.passcode(alice.ID, codes[1], elsewhere(60)), "in by recovery")
}

func TestParallelPasscodesDoNotSlipBy(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	w.enroll(alice.ID, false)
	counts := atOnce(50, func(i int) error {
		return w.CheckPasscode(t.Context(), Asked{AccountID: alice.ID}, "not a code", elsewhere(i), nothing)
	})
	if counts["wrong"] != freeGuesses || counts["held 30s"] != 50-freeGuesses {
		t.Errorf("got %v, want %d wrong and the rest held", counts, freeGuesses)
	}
}

// The code, the counters and the session are one transaction.
func TestThenFails(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	app, _ := w.enroll(alice.ID, false)
	for range 3 {
		w.passcode(alice.ID, "not a code", From{})
	}
	fault := errors.New("no session today")
	err := w.CheckPasscode(t.Context(), Asked{AccountID: alice.ID}, app.code(0), From{}, func(tx store.Tx, how string) error {
		_, id := secret.NewToken()
		if _, err := tx.UseState(id, w.clock.Now().Add(time.Hour)); err != nil {
			return err
		}
		return fault
	})
	if err != fault {
		t.Errorf("got %v, want the error as it was", err)
	}
	w.view(func(tx store.Tx) error {
		f, err := tx.Failures(accountKey(passcodes, alice.ID))
		if f.Count != 3 {
			t.Errorf("%d failures, want the three from before", f.Count)
		}
		return err
	})
	w.expect("the code is still good", w.passcode(alice.ID, app.code(0), From{}), "in by app")
}
