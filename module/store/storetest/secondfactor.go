package storetest

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func testSeveralFactors(t *testing.T, s store.Store) {
	a, other := person(t, s, "a@example.test"), person(t, s, "other@example.test")
	factor := func(id, account string, method store.Method) store.Factor {
		return store.Factor{ID: id, AccountID: account, Method: method, Preferred: id == "app", Required: true, CreatedAt: now}
	}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.CreateFactor(factor("app", a.ID, store.MethodApp)),
			tx.CreateFactor(factor("mail", a.ID, store.MethodEmail)),
			tx.CreateFactor(factor("theirs", other.ID, store.MethodEmail)),
		)
	})
	update(t, s, func(tx store.Tx) error {
		if err := tx.PreferFactor(a.ID, "mail"); err != nil {
			t.Error(err)
		}
		if err := tx.PreferFactor(a.ID, "theirs"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("preferring somebody else's: %v", err)
		}
		if err := tx.DeleteFactor(a.ID, "theirs"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("removing somebody else's: %v", err)
		}
		return tx.UseFactor("mail", now.Add(time.Hour))
	})
	view(t, s, func(tx store.Tx) error {
		factors, err := tx.Factors(a.ID)
		if err != nil || len(factors) != 2 {
			t.Fatalf("%+v, %v", factors, err)
		}
		for _, f := range factors {
			if f.Preferred != (f.ID == "mail") || f.UsedAt.IsZero() != (f.ID == "app") {
				t.Errorf("%+v", f)
			}
		}
		return nil
	})
	update(t, s, func(tx store.Tx) error { return tx.ChooseFactors(a.ID) })
	view(t, s, func(tx store.Tx) error {
		for account, required := range map[string]bool{a.ID: false, other.ID: true} {
			factors, err := tx.Factors(account)
			if err != nil {
				t.Error(err)
			}
			for _, f := range factors {
				if f.Required != required {
					t.Errorf("after one of them chose: %+v", f)
				}
			}
		}
		return nil
	})
	update(t, s, func(tx store.Tx) error { return tx.DeleteFactor(a.ID, "mail") })
	view(t, s, func(tx store.Tx) error {
		if factors, err := tx.Factors(a.ID); err != nil || len(factors) != 1 || factors[0].ID != "app" {
			t.Errorf("after removing one: %+v, %v", factors, err)
		}
		return nil
	})
}

func testSentCodes(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	const tries = 3
	flow := newFlow("1", a.ID)
	flow.Method, flow.Phone, flow.Code, flow.CodeExpires = store.MethodSMS, "+81300000000", hash("123456"), now.Add(time.Minute)
	flow.Sent, flow.SentAt = 2, now
	update(t, s, func(tx store.Tx) error { return tx.CreateFlow(flow, 3) })
	view(t, s, func(tx store.Tx) error {
		if got, err := tx.Flow(flow.ID); err != nil || !reflect.DeepEqual(got, flow) {
			t.Errorf("got %+v, %v; want %+v", got, err, flow)
		}
		return nil
	})
	spend := func(name, code string, at time.Time, want bool) {
		t.Helper()
		update(t, s, func(tx store.Tx) error {
			got, err := tx.SpendCode(flow.ID, hash(code), tries, at)
			if got != want {
				t.Errorf("%s: %t", name, got)
			}
			return err
		})
	}
	restore := func(missed int) {
		update(t, s, func(tx store.Tx) error {
			if err := tx.SaveFlow(flow); err != nil {
				return err
			}
			for range missed {
				if err := tx.MissCode(flow.ID); err != nil {
					return err
				}
			}
			return nil
		})
	}
	spend("a wrong code", "654321", now, false)
	spend("at the end of its time", "123456", now.Add(time.Minute), false)
	spend("the code", "123456", now, true)
	spend("the code again", "123456", now, false)
	restore(tries - 1)
	spend("the code after some tries", "123456", now, true)
	restore(tries)
	spend("the code after too many tries", "123456", now, false)
}

func testTrustedDevices(t *testing.T, s store.Store) {
	a, other := person(t, s, "a@example.test"), person(t, s, "other@example.test")
	device := func(name, account string, created, expires time.Time) store.TrustedDevice {
		return store.TrustedDevice{ID: hash(name), AccountID: account, Method: store.MethodEmail, Address: "192.0.2.1", Browser: "Firefox",
			CreatedAt: created, UsedAt: created, ExpiresAt: expires}
	}
	const day = 24 * time.Hour
	first, second := device("first", a.ID, now, now.Add(day)), device("second", a.ID, now.Add(time.Second), now.Add(day))
	update(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.TrustDevice(first), tx.TrustDevice(second),
			tx.TrustDevice(device("over", a.ID, now, now)),
			tx.TrustDevice(device("theirs", other.ID, now, now.Add(day))),
			// The id of somebody else's device takes nothing over.
			tx.TrustDevice(device("theirs", a.ID, now, now.Add(day))),
		)
	})
	use := func(name, account string, want bool) {
		t.Helper()
		update(t, s, func(tx store.Tx) error {
			got, err := tx.UseTrustedDevice(account, hash(name), now.Add(time.Minute))
			if got != want {
				t.Errorf("%s of %s: %t", name, account, got)
			}
			return err
		})
	}
	use("first", a.ID, true)
	use("over", a.ID, false)
	use("theirs", a.ID, false)
	use("theirs", other.ID, true)
	use("unknown", a.ID, false)
	view(t, s, func(tx store.Tx) error {
		if got, err := tx.TrustedDevice(other.ID, hash("theirs"), now); err != nil || got.Method != store.MethodEmail {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := tx.TrustedDevice(a.ID, hash("theirs"), now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("somebody else's: %+v, %v", got, err)
		}
		if got, err := tx.TrustedDevice(a.ID, hash("over"), now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("at the end of its time: %+v, %v", got, err)
		}
		return nil
	})
	first.UsedAt = now.Add(time.Minute)
	view(t, s, func(tx store.Tx) error {
		want := []store.TrustedDevice{second, first}
		if got, err := tx.TrustedDevices(a.ID, now); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		return nil
	})
	update(t, s, func(tx store.Tx) error {
		if forgot, err := tx.ForgetDevice(a.ID, hash("theirs")); err != nil || forgot {
			t.Errorf("forgetting somebody else's: %t, %v", forgot, err)
		}
		forgot, err := tx.ForgetDevice(a.ID, second.ID)
		if !forgot {
			t.Error("it was not there to be forgotten")
		}
		return err
	})
	use("second", a.ID, false)
	update(t, s, func(tx store.Tx) error { return tx.MoveEpoch(a.ID, nil, now) })
	use("first", a.ID, false)
	use("theirs", other.ID, true)
	if err := s.Prune(t.Context(), now.Add(day), now); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx store.Tx) error {
		if got, err := tx.TrustedDevices(other.ID, now); err != nil || len(got) != 0 {
			t.Errorf("after its time: %+v, %v", got, err)
		}
		return nil
	})
}
