package storetest

import (
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func testPasswords(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	for _, want := range []store.Password{
		{AccountID: a.ID, Hash: "$argon2id$first", SetAt: now},
		{AccountID: a.ID, Hash: "$argon2id$second", SetAt: now.Add(time.Hour)},
	} {
		update(t, s, func(tx store.Tx) error { return tx.SavePassword(want) })
		view(t, s, func(tx store.Tx) error {
			if got, err := tx.Password(a.ID); err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
			if got, err := tx.Account(a.ID); err != nil || got.Epoch != a.Epoch {
				t.Errorf("SavePassword moved the epoch: %+v, %v", got, err)
			}
			return nil
		})
	}
	view(t, s, func(tx store.Tx) error {
		if _, err := tx.Password("nobody"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("password of nobody: %v", err)
		}
		return nil
	})
}

func testFactors(t *testing.T, s store.Store) {
	a, other := person(t, s, "a@example.test"), person(t, s, "other@example.test")
	everything(t, s, other)
	want := []store.Factor{
		{ID: "1", AccountID: a.ID, Method: store.MethodApp, Secret: []byte("KEY1\x00\xff\x00"), Required: true, Step: 59,
			CreatedAt: now, UsedAt: now.Add(time.Second)},
		{ID: "2", AccountID: a.ID, Method: store.MethodSMS, Address: "+81 3 0000", Preferred: true, CreatedAt: now.Add(time.Second)},
	}
	update(t, s, func(tx store.Tx) error { return errors.Join(tx.CreateFactor(want[1]), tx.CreateFactor(want[0])) })
	view(t, s, func(tx store.Tx) error {
		if got, err := tx.Factors(a.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		if got, err := tx.Factors("nobody"); err != nil || len(got) != 0 {
			t.Errorf("factors of nobody: %+v, %v", got, err)
		}
		return nil
	})

	for _, use := range []struct {
		name string
		id   string
		step int64
		want bool
	}{
		{"the step of the enrolment", "1", 59, false},
		{"an earlier step", "1", 58, false},
		{"the next step", "1", 60, true},
		{"the same step again", "1", 60, false},
		{"a later step", "1", 62, true},
		{"the one left out", "1", 61, false},
		{"an unknown factor", "3", 100, false},
	} {
		update(t, s, func(tx store.Tx) error {
			got, err := tx.UseStep(use.id, use.step, now.Add(time.Duration(use.step)*time.Second))
			if got != use.want {
				t.Errorf("%s: got %t", use.name, got)
			}
			return err
		})
	}
	view(t, s, func(tx store.Tx) error {
		got, err := tx.Factors(a.ID)
		if err != nil || got[0].Step != 62 || !got[0].UsedAt.Equal(now.Add(62*time.Second)) {
			t.Errorf("after use: %+v, %v", got, err)
		}
		return nil
	})

	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.ReplaceRecoveryCodes(a.ID, [][]byte{hash("c")}, now), tx.DeleteFactors(a.ID))
	})
	view(t, s, func(tx store.Tx) error {
		got, err := tx.Factors(a.ID)
		left, err2 := tx.RecoveryCodesLeft(a.ID)
		if err != nil || err2 != nil || len(got) != 0 || left != 0 {
			t.Errorf("left after DeleteFactors: %+v, %d codes, %v, %v", got, left, err, err2)
		}
		return nil
	})
	wantRows(t, s, other, allRows)
}

func testRecoveryCodes(t *testing.T, s store.Store) {
	a, other := person(t, s, "a@example.test"), person(t, s, "other@example.test")
	spend := func(name string, accountID string, code []byte, want bool, left int) {
		t.Helper()
		update(t, s, func(tx store.Tx) error {
			got, err := tx.SpendRecoveryCode(accountID, code, now)
			n, err2 := tx.RecoveryCodesLeft(a.ID)
			if got != want || n != left {
				t.Errorf("%s: got %t with %d left; want %t with %d left", name, got, n, want, left)
			}
			return errors.Join(err, err2)
		})
	}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.ReplaceRecoveryCodes(a.ID, [][]byte{hash("1"), hash("2"), hash("3")}, now),
			tx.ReplaceRecoveryCodes(other.ID, [][]byte{hash("4"), hash("1")}, now))
	})
	spend("unknown", a.ID, hash("9"), false, 3)
	spend("another's", a.ID, hash("4"), false, 3)
	spend("none", a.ID, nil, false, 3)
	spend("first", a.ID, hash("1"), true, 2)
	spend("first again", a.ID, hash("1"), false, 2)
	spend("the same of another", other.ID, hash("1"), true, 2)
	update(t, s, func(tx store.Tx) error {
		return tx.ReplaceRecoveryCodes(a.ID, [][]byte{hash("1"), hash("5")}, now)
	})
	spend("of the earlier set", a.ID, hash("2"), false, 2)
	spend("of the new set", a.ID, hash("5"), true, 1)
	spend("spent in the earlier set, in the new one too", a.ID, hash("1"), true, 0)
}

func testOneTimeLinks(t *testing.T, s store.Store) {
	a, other := person(t, s, "a@example.test"), person(t, s, "other@example.test")
	want := newLink("1", a.ID)
	want.Purpose = store.PurposeInvitation
	get := func(spend bool, name string, at time.Time) (got store.OneTimeLink, err error) {
		e := s.Update(t.Context(), func(tx store.Tx) error {
			if spend {
				got, err = tx.SpendOneTimeLink(hash(name), at)
			} else {
				got, err = tx.OneTimeLink(hash(name), at)
			}
			return nil
		})
		return got, errors.Join(err, e)
	}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.CreateOneTimeLink(want), tx.CreateOneTimeLink(newLink("2", other.ID)))
	})
	for range 2 { // looking does not use it up
		if got, err := get(false, "1", want.ExpiresAt.Add(-time.Microsecond)); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
	}
	for _, spend := range []bool{false, true} {
		if _, err := get(spend, "1", want.ExpiresAt); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("expired: %v", err)
		}
		if _, err := get(spend, "unknown", now); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("unknown: %v", err)
		}
	}
	if got, err := get(true, "1", now); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("spending: got %+v, %v; want %+v", got, err, want)
	}
	for _, spend := range []bool{false, true} {
		if _, err := get(spend, "1", now); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("spent: %v", err)
		}
	}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.CreateOneTimeLink(newLink("3", a.ID)), tx.CreateOneTimeLink(newLink("4", a.ID)))
	})
	if _, err := get(false, "3", now); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("an earlier link still works: %v", err)
	}
	if _, err := get(false, "4", now); err != nil {
		t.Fatal(err)
	}
	if _, err := get(false, "2", now); err != nil {
		t.Fatalf("another's link: %v", err)
	}
}

func testSealed(t *testing.T, s store.Store) {
	a := person(t, s, "a@example.test")
	update(t, s, func(tx store.Tx) error {
		byMail := newFactor("mail", a.ID)
		byMail.Secret = nil
		newer := newFactor("newer", a.ID)
		newer.Secret = sealed("KEY2", "secret")
		flow := newFlow("flow", a.ID)
		flow.Secret = sealed("KEY1", "of the flow")
		return errors.Join(tx.CreateFactor(newFactor("older", a.ID)), tx.CreateFactor(newer), tx.CreateFactor(byMail),
			tx.CreateFlow(flow, 3), tx.CreateFlow(newFlow("without", a.ID), 3), createKey(tx, newKey("key", "")),
			tx.CreateSession(newSession("session", a.ID)), tx.SaveProviderSession(newProviderSession("session", "ann", "s1")))
	})
	counts := func(want map[string]int) {
		t.Helper()
		view(t, s, func(tx store.Tx) error {
			if got, err := tx.SealedKeys(); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("keys: got %v, %v; want %v", got, err, want)
			}
			return nil
		})
	}
	counts(map[string]int{"KEY1": 4, "KEY2": 1})
	want := []store.SealedValue{
		{Table: "factors", Row: "older", Value: sealed("KEY1", "secret")},
		{Table: "flows", Row: hex.EncodeToString(hash("flow")), Value: sealed("KEY1", "of the flow")},
		{Table: "assertion_keys", Row: "key", Value: sealed("KEY1", "private key")},
		{Table: "provider_sessions", Row: hex.EncodeToString(hash("session")), Value: sealed("KEY1", "tokens of session")},
	}
	view(t, s, func(tx store.Tx) error {
		for limit := 0; limit <= 5; limit++ {
			got, err := tx.SealedNotWith([]byte("KEY2"), limit)
			if n := min(limit, 4); err != nil || len(got) != n || n > 0 && !reflect.DeepEqual(got, want[:n]) {
				t.Errorf("at most %d: got %v, %v", limit, got, err)
			}
		}
		return nil
	})

	update(t, s, func(tx store.Tx) error {
		stale := want[0]
		stale.Value = sealed("KEY0", "long gone")
		return errors.Join(
			tx.Reseal(stale, sealed("KEY3", "must not be kept")),
			tx.Reseal(want[1], sealed("KEY2", "of the flow")),
			tx.Reseal(want[2], sealed("KEY2", "private key")),
			tx.Reseal(want[3], sealed("KEY2", "tokens of session")))
	})
	counts(map[string]int{"KEY1": 1, "KEY2": 4})
	view(t, s, func(tx store.Tx) error {
		flow, err := tx.Flow(hash("flow"))
		sameBytes(t, "flow", flow.Secret, sealed("KEY2", "of the flow"))
		return err
	})
	update(t, s, func(tx store.Tx) error { return tx.Reseal(want[0], sealed("KEY2", "secret")) })
	counts(map[string]int{"KEY2": 5})
	for name, value := range map[string]store.SealedValue{
		"an unknown table": {Table: "sessions", Row: "1", Value: []byte("x")},
		"a bad row":        {Table: "flows", Row: "not hexadecimal", Value: []byte("x")},
	} {
		if s.Update(t.Context(), func(tx store.Tx) error { return tx.Reseal(value, sealed("KEY2", "x")) }) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if s.Update(t.Context(), func(tx store.Tx) error { return tx.Reseal(want[0], nil) }) == nil {
		t.Error("a sealed value is replaced by nothing")
	}
}
