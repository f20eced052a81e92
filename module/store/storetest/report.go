package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func testAccountFactors(t *testing.T, s store.Store) {
	agents := []identity.Role{identity.Agent}
	read := func(roles []identity.Role, after string, limit int) []store.AccountFactors {
		t.Helper()
		var found []store.AccountFactors
		view(t, s, func(tx store.Tx) (err error) {
			found, err = tx.AccountFactors(roles, after, limit)
			return err
		})
		return found
	}
	if found := read(agents, "", 10); len(found) != 0 {
		t.Fatalf("nobody is %+v", found)
	}

	full := newAccount("B@example.test")
	full.Attributes.Role, full.Attributes.Name = identity.Agent, "Full"
	full.Suspended, full.LastSignIn = true, now.Add(-time.Hour)
	bare := newAccount("c@example.test")
	bare.Attributes.Role = identity.Admin
	factors := []store.Factor{
		{ID: "z", AccountID: full.ID, Method: store.MethodApp, Secret: []byte("sealed"), Step: 7, Required: true, CreatedAt: now, UsedAt: now.Add(time.Hour)},
		{ID: "a", AccountID: full.ID, Method: store.MethodSMS, Address: "+81901234567", Preferred: true, CreatedAt: now.Add(time.Second)},
	}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.CreateAccount(full), tx.CreateAccount(bare),
			tx.CreateFactor(factors[1]), tx.CreateFactor(factors[0]),
			tx.SavePassword(store.Password{AccountID: full.ID, Hash: "$argon2id$", SetAt: now}),
			tx.ReplaceRecoveryCodes(full.ID, [][]byte{hash("1"), hash("2"), hash("3")}, now),
		)
	})
	update(t, s, func(tx store.Tx) error {
		_, err := tx.SpendRecoveryCode(full.ID, hash("2"), now)
		return err
	})
	person(t, s, "a@example.test")

	found := read([]identity.Role{identity.Admin, identity.Agent}, "", 10)
	if len(found) != 2 {
		t.Fatalf("%+v", found)
	}
	got := found[0]
	if got.ID != full.ID || got.Attributes.Name != "Full" || !got.Suspended || !got.LastSignIn.Equal(full.LastSignIn) || !got.HasPassword || got.RecoveryCodes != 2 {
		t.Errorf("%+v", got)
	}
	if len(got.Factors) != 2 {
		t.Fatalf("%+v", got.Factors)
	}
	for i, want := range factors {
		f := got.Factors[i]
		if f.ID != want.ID || f.AccountID != full.ID || f.Method != want.Method || f.Address != want.Address || f.Required != want.Required ||
			f.Preferred != want.Preferred || !f.CreatedAt.Equal(want.CreatedAt) || !f.UsedAt.Equal(want.UsedAt) {
			t.Errorf("factor %d: %+v", i, f)
		}
		if f.Secret != nil || f.Step != 0 {
			t.Errorf("factor %d says what nobody asked: %+v", i, f)
		}
	}
	if got := found[1]; got.ID != bare.ID || got.HasPassword || got.RecoveryCodes != 0 || got.Factors != nil || !got.LastSignIn.IsZero() {
		t.Errorf("%+v", got)
	}
	for _, roles := range [][]identity.Role{nil, {"boss"}, {""}} {
		if found := read(roles, "", 10); len(found) != 0 {
			t.Errorf("%q: %+v", roles, found)
		}
	}

	// A page holds that many accounts, however many factors they have, and the
	// next begins after the last address, whatever its case.
	update(t, s, func(tx store.Tx) error {
		for i := range 7 {
			a := newAccount(fmt.Sprintf("D%d@example.test", i))
			a.Attributes.Role = identity.Agent
			if err := tx.CreateAccount(a); err != nil {
				return err
			}
			for j, method := range []store.Method{store.MethodApp, store.MethodEmail, store.MethodSMS}[:i%4] {
				if err := tx.CreateFactor(store.Factor{ID: fmt.Sprint("d", i, j), AccountID: a.ID, Method: method, CreatedAt: now}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	var walked []string
	for after := ""; ; {
		page := read(agents, after, 3)
		for _, a := range page {
			walked = append(walked, fmt.Sprint(a.Attributes.Email, " ", len(a.Factors)))
			after = a.Attributes.Email
		}
		if len(page) < 3 {
			break
		}
	}
	want := []string{"B@example.test 2"}
	for i := range 7 {
		want = append(want, fmt.Sprintf("D%d@example.test %d", i, i%4))
	}
	if !slices.Equal(walked, want) {
		t.Errorf("walked %q, want %q", walked, want)
	}
}
