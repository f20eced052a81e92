package account

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func existing(r *Admission) { r.Admit = []string{"existing"} }

// prepare makes an account as an administrator does for somebody to come.
func (w *world) prepare(email string) string {
	w.t.Helper()
	account, err := w.Create(w.t.Context(), NewAccount{Email: email, Name: "Prepared"}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return account.ID
}

func TestAdmitted(t *testing.T) {
	tests := []struct {
		name   string
		admit  []string
		email  string
		trust  bool
		verify bool
	}{
		{"anybody", []string{"any"}, "alice@example.test", false, true},
		{"a domain", []string{"example.com", "example.test"}, "alice@example.test", false, true},
		{"a domain without case", []string{"Example.TEST"}, "alice@eXample.test", false, true},
		{"a provider that vouches for its addresses", []string{"any"}, "alice@example.test", true, false},
		{"an address that needs trimming", []string{"any"}, " alice@example.test ", false, true},
		{"an address that is not ASCII", []string{"any"}, "alicé@example.test", false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			a := alice()
			a.Email, a.EmailVerified = test.email, test.verify
			account := w.through(a, Admission{Admit: test.admit, TrustEmail: test.trust})
			if account.Attributes.Email != strings.TrimSpace(test.email) {
				t.Errorf("address %q", account.Attributes.Email)
			}
		})
	}
}

// TestPreparedAccount: admit existing lets the person take over what was
// prepared, once, and ends the invitation.
func TestPreparedAccount(t *testing.T) {
	w := newWorld(t)
	id := w.prepare("Alice@example.test")
	_, linkID := secret.NewToken()
	w.update(func(tx store.Tx) error {
		return tx.CreateOneTimeLink(store.OneTimeLink{ID: linkID, AccountID: id, Purpose: store.PurposeInvitation,
			CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(72 * time.Hour)})
	})
	rules := Admission{Admit: []string{"existing"}}
	if got := w.through(alice(), rules); got.ID != id || got.Attributes.Name != "Alice Example" || got.Attributes.Role != identity.EndUser {
		t.Errorf("took over %+v, want account %s", got, id)
	}
	w.view(func(tx store.Tx) error {
		if _, err := tx.OneTimeLink(linkID, w.clock.Now()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the invitation still opens the account: %v", err)
		}
		return nil
	})
	if again := w.through(alice(), rules); again.ID != id {
		t.Error("the second sign-in found another account")
	}
	second := alice()
	second.Subject = "another-sub"
	w.refused(second, rules, EmailTaken, "cannot be taken over")
}

// TestCreationIsLimited: a provider where anybody can register does not fill
// the disk (rule 20).
func TestCreationIsLimited(t *testing.T) {
	w := newWorld(t)
	person := func(sso string, i int) Assertion {
		a := alice()
		a.SSO, a.Subject, a.Email = sso, fmt.Sprintf("%s-%d", sso, i), fmt.Sprintf("%s-%d@example.test", sso, i)
		return a
	}
	known := w.through(person("okta", 0), anyone())
	for range creationsPerSSOBurst - 1 {
		if !w.creations.allow("okta", w.clock.Now()) {
			t.Fatal("limited before the burst was used up")
		}
	}
	w.refused(person("okta", 1), anyone(), TooManyNew, "okta")
	for range 2 * creationsBurst {
		w.creations.allow("okta", w.clock.Now()) // the flood of one is not the others' loss
	}

	// People who have an account, and who would be refused anyway, are not
	// what is counted.
	if got := w.through(person("okta", 0), anyone()); got.ID != known.ID {
		t.Error("a known person was not found")
	}
	w.refused(person("okta", 1), Admission{Admit: []string{"example.com"}}, NotAdmitted, "")
	w.through(person("entra", 1), anyone())

	w.clock.Pass(time.Second)
	w.through(person("okta", 1), anyone())

	// All SSO configs together have a limit, too.
	for i := 0; w.creations.allow(fmt.Sprint("sso-", i/100), w.clock.Now()); i++ {
		if i > creationsBurst {
			t.Fatal("no limit for all of them together")
		}
	}
	w.refused(person("late", 1), anyone(), TooManyNew, "late")
}
