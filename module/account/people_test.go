package account

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func TestCreate(t *testing.T) {
	w := newWorld(t)
	alice, err := w.Create(t.Context(), NewAccount{Email: " Alice@example.test ", Name: " Alice Example "}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.account(alice.ID).Attributes; got.Email != "Alice@example.test" || got.Name != "Alice Example" || got.Role != identity.EndUser {
		t.Errorf("attributes %+v", got)
	}
	for _, test := range []struct {
		name string
		new  NewAccount
		want string
	}{
		{"address in use", NewAccount{Email: "alice@EXAMPLE.test"}, "belongs to another"},
		{"no address", NewAccount{}, "not an e-mail address"},
		{"no at sign", NewAccount{Email: "bob.example.test"}, "not an e-mail address"},
		{"a name with it", NewAccount{Email: "Bob <bob@example.test>"}, "not an e-mail address"},
		{"two of them", NewAccount{Email: "bob@example.test, eve@example.test"}, "not an e-mail address"},
		{"a line feed", NewAccount{Email: "bob@example.test\nBcc: eve@example.test"}, "not an e-mail address"},
		{"too long", NewAccount{Email: strings.Repeat("b", 250) + "@example.test"}, "not an e-mail address"},
		{"unknown role", NewAccount{Email: "bob@example.test", Role: "root"}, "unknown role"},
		{"a control character", NewAccount{Email: "bob@example.test", Name: "Bob\r\nX: y"}, "control character"},
		{"an endless name", NewAccount{Email: "bob@example.test", Name: strings.Repeat("b", 300)}, "at most 256"},
		{"a weak password", NewAccount{Email: "bob@example.test", Password: "short"}, "at least 15"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := w.Create(t.Context(), test.new, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if accounts, err := w.List(t.Context(), "", 10); err != nil || len(accounts) != 1 {
		t.Errorf("accounts %+v, %v; want one", accounts, err)
	}
	fault := errors.New("no trail")
	if _, err := w.Create(t.Context(), NewAccount{Email: "bob@example.test"}, func(store.Tx, store.Account) error { return fault }); !errors.Is(err, fault) {
		t.Errorf("got %v", err)
	}
	if _, err := w.Find(t.Context(), "bob@example.test"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an account whose Then failed: %v", err)
	}
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	for _, who := range []string{"ALICE@example.test", alice.ID} {
		if found, err := w.Find(t.Context(), who); err != nil || found.ID != alice.ID {
			t.Errorf("%s: %+v, %v", who, found, err)
		}
	}
	for _, who := range []string{"", "bob@example.test", alice.ID[:25]} {
		if _, err := w.Find(t.Context(), who); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", who, err)
		}
	}
}

func TestSuspendResumeRemove(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	if err := w.Suspend(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	if a := w.account(alice.ID); !a.Suspended || a.Epoch == alice.Epoch {
		t.Errorf("suspended: %+v, epoch was %d", a, alice.Epoch)
	}
	w.expect("suspended", w.password("alice@example.test", goodPassword, From{}), "wrong")
	if err := w.Resume(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	w.expect("resumed", w.password("alice@example.test", goodPassword, From{}), "in")
	if err := w.Remove(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	w.expect("removed", w.password("alice@example.test", goodPassword, From{}), "wrong")
	for name, act := range map[string]func() error{
		"suspend":             func() error { return w.Suspend(t.Context(), alice.ID, nil) },
		"resume":              func() error { return w.Resume(t.Context(), alice.ID, nil) },
		"remove":              func() error { return w.Remove(t.Context(), alice.ID, nil) },
		"unlock":              func() error { return w.Unlock(t.Context(), alice.ID, nil) },
		"reset second factor": func() error { return w.ResetSecondFactor(t.Context(), alice.ID, nil) },
	} {
		if err := act(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s of nobody: %v", name, err)
		}
	}
}

func TestResetSecondFactor(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	app, codes := w.enroll(alice.ID, true)
	for range freeGuesses {
		w.passcode(alice.ID, "not a code", From{})
	}
	before := w.account(alice.ID)
	if err := w.ResetSecondFactor(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	person, err := w.Show(t.Context(), alice.ID)
	if err != nil || len(person.Factors) != 0 || person.RecoveryCodes != 0 || person.Epoch == before.Epoch {
		t.Errorf("%+v, %v", person, err)
	}
	w.expect("the old app", w.passcode(alice.ID, app.code(0), From{}), "wrong")
	w.expect("an old recovery code", w.passcode(alice.ID, codes[0], From{}), "wrong")
	w.enroll(alice.ID, true) // not held by what was guessed of the old one
}

func TestSetAttributes(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.add("alice@example.test"), w.add("bob@example.test")
	set := func(id string, edit func(a *identity.Attributes)) error {
		return w.SetAttributes(t.Context(), id, func(a *identity.Attributes) error { edit(a); return nil }, nil)
	}
	if err := set(alice.ID, func(a *identity.Attributes) { a.Role = identity.Agent }); err != nil {
		t.Fatal(err)
	}
	if a := w.account(alice.ID); a.Attributes.Role != identity.Agent || a.Attributes.Email != "alice@example.test" {
		t.Errorf("%+v", a.Attributes)
	}
	if err := set(bob.ID, func(a *identity.Attributes) { a.Email = "Alice@example.test" }); !errors.Is(err, store.ErrEmailTaken) {
		t.Errorf("an address in use: %v", err)
	}
	if err := set(bob.ID, func(a *identity.Attributes) { a.Role = "" }); err == nil {
		t.Error("no role was taken")
	}
	if err := set(bob.ID, func(a *identity.Attributes) { a.Email = "bob" }); err == nil {
		t.Error("no address was taken")
	}
}

// A link that went to an address that was wrong must not work once it is right.
func TestAnotherAddressEndsWhatWasSentToTheOneBefore(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*identity.Attributes)
		want error
	}{
		"another address":       {func(a *identity.Attributes) { a.Email = "alice@right.test" }, ErrLink},
		"the same, in capitals": {func(a *identity.Attributes) { a.Email = "Alice@example.test" }, nil},
		"another name":          {func(a *identity.Attributes) { a.Name = "Alice" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.add("alice@example.test")
			token, _, err := w.IssueLink(t.Context(), alice.ID, store.PurposeInvitation, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = w.SetAttributes(t.Context(), alice.ID, func(a *identity.Attributes) error { tc.edit(a); return nil }, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := w.LinkOwner(t.Context(), token, From{}); !errors.Is(err, tc.want) {
				t.Errorf("the link: %v", err)
			}
		})
	}
}

func TestKeepAdministrator(t *testing.T) {
	w := newWorld(t)
	admin := func(email string) store.Account {
		a, err := w.Create(t.Context(), NewAccount{Email: email, Role: identity.Admin}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first, second := admin("first@example.test"), admin("second@example.test")
	demote := func(a *identity.Attributes) error { a.Role = identity.Agent; return nil }
	if err := w.SetAttributes(t.Context(), first.ID, demote, KeepAdministrator); err != nil {
		t.Errorf("one of two: %v", err)
	}
	for name, act := range map[string]func() error{
		"demote":  func() error { return w.SetAttributes(t.Context(), second.ID, demote, KeepAdministrator) },
		"suspend": func() error { return w.Suspend(t.Context(), second.ID, KeepAdministrator) },
		"remove":  func() error { return w.Remove(t.Context(), second.ID, KeepAdministrator) },
	} {
		if err := act(); !errors.Is(err, ErrLastAdministrator) {
			t.Errorf("%s the last one: %v", name, err)
		}
	}
	if a := w.account(second.ID); a.Suspended || a.Attributes.Role != identity.Admin {
		t.Errorf("%+v", a)
	}
	if err := w.Suspend(t.Context(), first.ID, KeepAdministrator); err != nil {
		t.Errorf("somebody who is none: %v", err)
	}
	if err := w.Suspend(t.Context(), second.ID, nil); err != nil {
		t.Errorf("from the command line: %v", err)
	}
}

func TestShow(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	w.enroll(alice.ID, false)
	w.guess("alice@example.test", freeGuesses, elsewhere)
	person, err := w.Show(t.Context(), alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !person.HasPassword || len(person.Factors) != 1 || person.RecoveryCodes != 10 || person.PasscodeHeld != nil ||
		person.PasswordHeld == nil || person.PasswordHeld.RetryAfter != 30*time.Second || person.PasswordHeld.UntilUnlock {
		t.Errorf("%+v", person)
	}
	if _, err := w.Show(t.Context(), "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}
