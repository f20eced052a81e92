package account

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/pquerna/otp"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func TestShowEnrollment(t *testing.T) {
	w := newWorld(t)
	row := FlowRow([]byte{1, 2, 3})
	sealed, err := w.BeginEnrollment(row)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := w.ShowEnrollment(sealed, row, "Acme & Söhne: app", "alice+x@example.test")
	if err != nil {
		t.Fatal(err)
	}
	key, err := otp.NewKeyFromURL(shown.URL)
	if err != nil {
		t.Fatal(err)
	}
	if key.Issuer() != "Acme & Söhne app" || key.AccountName() != "alice+x@example.test" || key.Period() != 30 || key.Digits() != otp.DigitsSix || key.Algorithm() != otp.AlgorithmSHA1 {
		t.Errorf("URL %s", shown.URL)
	}
	if u, err := url.Parse(shown.URL); err != nil || strings.Contains(u.RawQuery, "+") {
		t.Errorf("URL %s: apps do not read a plus sign as a space (%v)", shown.URL, err)
	}
	groups := strings.Split(shown.Key, " ")
	if len(groups) != 8 || strings.Join(groups, "") != key.Secret() {
		t.Errorf("typed key %q, want the same key %q in groups of four", shown.Key, key.Secret())
	}
	again, err := w.BeginEnrollment(row)
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := w.ShowEnrollment(again, row, "x", "y"); other.Key == shown.Key {
		t.Error("two enrollments share a secret")
	}
	if _, err := w.ShowEnrollment(sealed, FlowRow([]byte{9}), "x", "y"); err == nil {
		t.Error("a secret opened in another flow")
	}
}

func TestFinishEnrollment(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	e := w.beginEnrollment(alice.ID)
	other := w.beginEnrollment(alice.ID)

	finish := func(e enrollment, code string, then func(store.Tx, []string) error) error {
		if then == nil {
			then = func(store.Tx, []string) error { return nil }
		}
		return w.FinishEnrollment(t.Context(), alice.ID, e.sealed, e.row, code, true, From{}, then)
	}
	w.expect("wrong code", outcome(finish(e, "000000x", nil)), "wrong")
	w.expect("no code", outcome(finish(e, "", nil)), "wrong")
	w.expect("the other one's code", outcome(finish(e, other.device.code(0), nil)), "wrong")

	fault := errors.New("no session today")
	if err := finish(e, e.device.code(0), func(store.Tx, []string) error { return fault }); err != fault {
		t.Errorf("got %v, want the error as it was", err)
	}
	if person, _ := w.Show(t.Context(), alice.ID); len(person.Factors) != 0 || person.RecoveryCodes != 0 || person.Epoch != alice.Epoch {
		t.Errorf("a failed enrollment left something behind: %+v", person)
	}

	var epoch int64
	err := finish(e, e.device.code(0), func(tx store.Tx, codes []string) error {
		a, err := tx.Account(alice.ID)
		epoch = a.Epoch
		if len(codes) != 10 {
			t.Errorf("%d recovery codes, want ten", len(codes))
		}
		return err
	})
	w.expect("right", outcome(err), "in")
	person, err := w.Show(t.Context(), alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	if person.Epoch == alice.Epoch || person.Epoch != epoch {
		t.Errorf("epoch %d, was %d, %d in then", person.Epoch, alice.Epoch, epoch)
	}
	if len(person.Factors) != 1 || !person.Factors[0].Required || !person.Factors[0].Preferred || person.Factors[0].Method != store.MethodApp || person.RecoveryCodes != 10 {
		t.Errorf("factors %+v, %d recovery codes", person.Factors, person.RecoveryCodes)
	}
	if person.Factors[0].Secret != nil {
		t.Error("the secret is shown")
	}
	w.view(func(tx store.Tx) error {
		for _, flow := range []store.Flow{e.flow, other.flow} {
			if _, err := tx.Flow(flow.ID); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("flow still there: %v", err)
			}
		}
		return nil
	})
	w.expect("enrolment uses up its step", w.passcode(alice.ID, e.device.code(0), From{}), "wrong")
	w.expect("the next one", w.passcode(alice.ID, e.device.code(1), From{}), "in by app")
	if err := finish(other, other.device.code(0), nil); !errors.Is(err, ErrEnrollmentEnded) {
		t.Errorf("another flow: got %v, want that it has ended", err)
	}
}

func TestFinishEnrollmentEnded(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.add("alice@example.test"), w.add("bob@example.test")
	for _, test := range []struct {
		name    string
		prepare func(e *enrollment) (accountID string)
	}{
		{"of somebody else", func(e *enrollment) string { return bob.ID }},
		{"expired", func(e *enrollment) string { w.clock.Pass(11 * 60e9); return alice.ID }},
		{"password changed", func(e *enrollment) string {
			if err := w.SetPassword(t.Context(), alice.ID, "another good password", Rules{}, nil); err != nil {
				t.Fatal(err)
			}
			return alice.ID
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := w.beginEnrollment(alice.ID)
			id := test.prepare(&e)
			err := w.FinishEnrollment(t.Context(), id, e.sealed, e.row, e.device.code(0), false, From{}, func(store.Tx, []string) error {
				t.Error("went on")
				return nil
			})
			if !errors.Is(err, ErrEnrollmentEnded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOneEnrollmentAtOnce(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	e := w.beginEnrollment(alice.ID)
	code := e.device.code(0)
	counts := atOnce(20, func(int) error {
		return w.FinishEnrollment(context.Background(), alice.ID, e.sealed, e.row, code, true, knownBrowser(store.NewID(), alice.ID), func(store.Tx, []string) error { return nil })
	})
	if counts["in"] != 1 || counts["error: "+ErrEnrollmentEnded.Error()] != 19 {
		t.Errorf("got %v, want one in", counts)
	}
}

func TestEnrollmentByChoice(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	w.enroll(alice.ID, false)
	believed, err := w.CheckPassword(t.Context(), "alice@example.test", goodPassword, From{})
	if err != nil || believed.Factors == 0 || !believed.ChoseFactor {
		t.Errorf("believed %+v, %v", believed, err)
	}
}
