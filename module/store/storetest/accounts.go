package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func testAccounts(t *testing.T, s store.Store) {
	want := store.Account{
		ID: store.NewID(),
		Attributes: identity.Attributes{
			Email: "Ada@Example.Test", Name: "Ada 山田 \"O'Neil\"", Role: identity.Agent,
			Groups: []string{"a", "b,c"}, Organizations: []string{"Org"}, OrganizationIDs: []string{"7"},
			Tags: []string{"x"}, Phone: "+0081 3", Locale: "ja", Picture: "https://img.example.test/1",
			ExternalID: "007", CustomRoleID: "12", Fields: map[string]string{"team": "sœur; DROP TABLE accounts"},
		},
		Epoch: 3, CreatedAt: now, UpdatedAt: now.Add(time.Microsecond),
	}
	update(t, s, func(tx store.Tx) error { return tx.CreateAccount(want) })
	same := func(how string, got store.Account, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got\n%+v, %v, want\n%+v", how, got, err, want)
		}
	}
	view(t, s, func(tx store.Tx) error {
		got, err := tx.Account(want.ID)
		same("by id", got, err)
		got, err = tx.AccountByEmail("  aDA@example.tEST ")
		same("by address in another case", got, err)
		for name, missing := range map[string]func() (store.Account, error){
			"id":           func() (store.Account, error) { return tx.Account("nobody") },
			"address":      func() (store.Account, error) { return tx.AccountByEmail("nobody@example.test") },
			"no address":   func() (store.Account, error) { return tx.AccountByEmail("") },
			"sso identity": func() (store.Account, error) { return tx.AccountBySSO("https://id", "nobody") },
		} {
			if got, err := missing(); !errors.Is(err, store.ErrNotFound) || got.ID != "" {
				t.Errorf("%s of nobody: got %+v, %v", name, got, err)
			}
		}
		return nil
	})

	later := now.Add(time.Hour)
	want.Attributes = identity.Attributes{Email: "ada.l@example.test", Name: "Ada", Role: identity.Admin}
	want.UpdatedAt, want.LastSignIn = later, later.Add(time.Minute)
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.SaveAttributes(want.ID, want.Attributes, later), tx.RecordSignIn(want.ID, want.LastSignIn))
	})
	view(t, s, func(tx store.Tx) error {
		got, err := tx.AccountByEmail("ada.l@example.test")
		same("after SaveAttributes and RecordSignIn", got, err)
		if _, err := tx.AccountByEmail("ada@example.test"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the earlier address still finds the account: %v", err)
		}
		return nil
	})
	for name, fn := range map[string]func(tx store.Tx) error{
		"SaveAttributes": func(tx store.Tx) error { return tx.SaveAttributes("nobody", newAccount("n@x").Attributes, now) },
		"RecordSignIn":   func(tx store.Tx) error { return tx.RecordSignIn("nobody", now) },
		"SetSuspended":   func(tx store.Tx) error { return tx.SetSuspended("nobody", true, now) },
		"MoveEpoch":      func(tx store.Tx) error { return tx.MoveEpoch("nobody", nil, now) },
		"RemoveAccount":  func(tx store.Tx) error { return tx.RemoveAccount("nobody") },
	} {
		t.Run(name+" of nobody", func(t *testing.T) { refused(t, s, store.ErrNotFound, fn) })
	}

	for _, email := range []string{"d@example.test", "B@example.test", "c@example.test"} {
		person(t, s, email)
	}
	view(t, s, func(tx store.Tx) error {
		for _, page := range []struct {
			after string
			limit int
			want  string
		}{
			{"", 2, "[ada.l@example.test B@example.test]"},
			{"b@EXAMPLE.test", 2, "[c@example.test d@example.test]"},
			{"d@example.test", 2, "[]"},
			{"", 100, "[ada.l@example.test B@example.test c@example.test d@example.test]"},
		} {
			list, err := tx.Accounts(page.after, page.limit)
			emails := []string{}
			for _, a := range list {
				emails = append(emails, a.Attributes.Email)
			}
			if got := fmt.Sprint(emails); err != nil || got != page.want {
				t.Errorf("accounts after %q: got %s, %v; want %s", page.after, got, err, page.want)
			}
		}
		return nil
	})
}

func testEmailUnique(t *testing.T, s store.Store) {
	a, b := person(t, s, "a@example.test"), person(t, s, "b@example.test")
	again := newAccount("A@Example.Test")
	refused(t, s, store.ErrEmailTaken, func(tx store.Tx) error { return tx.CreateAccount(again) })
	refused(t, s, store.ErrEmailTaken, func(tx store.Tx) error {
		return tx.SaveAttributes(b.ID, identity.Attributes{Email: "A@example.test", Role: identity.EndUser}, now)
	})
	// Refusing must leave the transaction usable: callers go on after it.
	update(t, s, func(tx store.Tx) error {
		if err := tx.CreateAccount(again); !errors.Is(err, store.ErrEmailTaken) {
			t.Errorf("got %v", err)
		}
		return tx.Audit(store.Event{At: now, Action: "sign-in", Outcome: "refused", AccountID: b.ID})
	})
	view(t, s, func(tx store.Tx) error {
		got, err := tx.Account(b.ID)
		if err != nil || got.Attributes.Email != "b@example.test" {
			t.Errorf("a refused change was kept: %+v, %v", got, err)
		}
		events, err := tx.Events(b.ID, 1)
		if err != nil || len(events) != 1 {
			t.Errorf("what followed a refused change was lost: %v, %v", events, err)
		}
		return nil
	})
	update(t, s, func(tx store.Tx) error {
		own := identity.Attributes{Email: "A@EXAMPLE.TEST", Role: identity.EndUser}
		return tx.SaveAttributes(a.ID, own, now) // one's own address in another case
	})
	update(t, s, func(tx store.Tx) error { return tx.RemoveAccount(a.ID) })
	update(t, s, func(tx store.Tx) error { return tx.CreateAccount(again) })
}

func testAccountsRefused(t *testing.T, s store.Store) {
	gone := person(t, s, "gone@example.test")
	update(t, s, func(tx store.Tx) error { return tx.RemoveAccount(gone.ID) })
	here := person(t, s, "here@example.test")
	for name, change := range map[string]func(a *store.Account){
		"no id":                     func(a *store.Account) { a.ID = "" },
		"the id of another":         func(a *store.Account) { a.ID = here.ID },
		"the id of a removed one":   func(a *store.Account) { a.ID = gone.ID },
		"no address":                func(a *store.Account) { a.Attributes.Email = "" },
		"an address of white space": func(a *store.Account) { a.Attributes.Email = " " },
		"no role":                   func(a *store.Account) { a.Attributes.Role = "" },
		"an unknown role":           func(a *store.Account) { a.Attributes.Role = "owner" },
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount("new@example.test")
			change(&a)
			if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.CreateAccount(a) }); err == nil {
				t.Fatal("it was created")
			}
		})
	}
}

func testSuspension(t *testing.T, s store.Store) {
	a, other := person(t, s, "a@example.test"), person(t, s, "other@example.test")
	everything(t, s, a)
	everything(t, s, other)
	update(t, s, func(tx store.Tx) error { return tx.SetSuspended(a.ID, true, now.Add(time.Hour)) })
	wantRows(t, s, a, "account password sso factor code event")
	wantRows(t, s, other, allRows)
	view(t, s, func(tx store.Tx) error {
		got, err := tx.Account(a.ID)
		if err != nil || !got.Suspended || got.Epoch != 2 || !got.UpdatedAt.Equal(now.Add(time.Hour)) {
			t.Errorf("suspended: %+v, %v", got, err)
		}
		return nil
	})
	update(t, s, func(tx store.Tx) error { return tx.SetSuspended(a.ID, false, now) })
	view(t, s, func(tx store.Tx) error {
		got, err := tx.Account(a.ID)
		if err != nil || got.Suspended || got.Epoch != 2 {
			t.Errorf("resumed: %+v, %v", got, err)
		}
		return nil
	})
	wantRows(t, s, a, "account password sso factor code event")
}

func testMoveEpoch(t *testing.T, s store.Store) {
	a, other := person(t, s, "a@example.test"), person(t, s, "other@example.test")
	everything(t, s, a)
	everything(t, s, other)
	kept, dead := hash("session of a@example.test"), hash("dead")
	update(t, s, func(tx store.Tx) error {
		old := newSession("dead", a.ID)
		old.Epoch = 0
		return errors.Join(tx.CreateSession(old), tx.CreateSession(newSession("second", a.ID)))
	})
	update(t, s, func(tx store.Tx) error { return tx.MoveEpoch(a.ID, kept, now.Add(time.Hour)) })
	wantRows(t, s, a, "account password sso factor code session event")
	wantRows(t, s, other, allRows)
	view(t, s, func(tx store.Tx) error {
		got, err := tx.Account(a.ID)
		if err != nil || got.Epoch != 2 || !got.UpdatedAt.Equal(now.Add(time.Hour)) {
			t.Errorf("account: %+v, %v", got, err)
		}
		sessions, err := tx.Sessions(a.ID)
		if err != nil || len(sessions) != 1 || sessions[0].Epoch != 2 {
			t.Errorf("sessions: %+v, %v", sessions, err)
		}
		return nil
	})

	for name, keep := range map[string][]byte{
		"another's session": hash("theirs"),
		"a dead session":    dead,
		"no session":        nil,
	} {
		t.Run("keeping "+name, func(t *testing.T) {
			update(t, s, func(tx store.Tx) error {
				b, err := tx.Account(a.ID)
				live, old := newSession("live", a.ID), newSession("dead", a.ID)
				live.Epoch, old.Epoch = b.Epoch, b.Epoch-1
				theirs := newSession("theirs", other.ID)
				theirs.Epoch = b.Epoch // the epochs of two accounts may well be equal
				_, err2 := tx.EndSession(theirs.ID)
				return errors.Join(err, err2, tx.CreateSession(live), tx.CreateSession(old), tx.CreateSession(theirs))
			})
			var before store.Session
			view(t, s, func(tx store.Tx) (err error) {
				before, err = tx.Session(hash("theirs"))
				return err
			})
			update(t, s, func(tx store.Tx) error { return tx.MoveEpoch(a.ID, keep, now) })
			view(t, s, func(tx store.Tx) error {
				if sessions, err := tx.Sessions(a.ID); err != nil || len(sessions) != 0 {
					t.Errorf("sessions left: %+v, %v", sessions, err)
				}
				if theirs, err := tx.Session(hash("theirs")); err != nil || theirs.Epoch != before.Epoch {
					t.Errorf("another's session: %+v, %v", theirs, err)
				}
				return nil
			})
		})
	}
}

func testRemoval(t *testing.T, s store.Store) {
	a, other := person(t, s, "a@example.test"), person(t, s, "other@example.test")
	everything(t, s, a)
	everything(t, s, other)
	wantRows(t, s, a, allRows)
	update(t, s, func(tx store.Tx) error { return tx.RemoveAccount(a.ID) })
	wantRows(t, s, a, "event")
	wantRows(t, s, other, allRows)
	refused(t, s, store.ErrNotFound, func(tx store.Tx) error { return tx.RemoveAccount(a.ID) })
}

func testAdministrators(t *testing.T, s store.Store) {
	count := func(want int) {
		t.Helper()
		view(t, s, func(tx store.Tx) error {
			if got, err := tx.Administrators(); err != nil || got != want {
				t.Errorf("got %d, %v; want %d", got, err, want)
			}
			return nil
		})
	}
	a, b := person(t, s, "a@example.test"), person(t, s, "b@example.test")
	count(0)
	for _, p := range []store.Account{a, b} {
		p.Attributes.Role = identity.Admin
		update(t, s, func(tx store.Tx) error { return tx.SaveAttributes(p.ID, p.Attributes, now) })
	}
	count(2)
	update(t, s, func(tx store.Tx) error { return tx.SetSuspended(a.ID, true, now) })
	count(1)
	update(t, s, func(tx store.Tx) error { return tx.SaveAttributes(b.ID, b.Attributes, now) })
	count(0)
	update(t, s, func(tx store.Tx) error { return tx.SetSuspended(a.ID, false, now) })
	count(1)
	update(t, s, func(tx store.Tx) error { return tx.RemoveAccount(a.ID) })
	count(0)
}

func testSSOLinks(t *testing.T, s store.Store) {
	a, b := person(t, s, "a@example.test"), person(t, s, "b@example.test")
	link := store.SSOLink{Issuer: "https://id.example.test", Subject: "Sub", AccountID: a.ID, SSO: "okta", Email: "a@elsewhere.test", Added: true, CreatedAt: now}
	update(t, s, func(tx store.Tx) error { return tx.SaveSSOLink(link) })
	used := link
	used.SSO, used.Email, used.Added, used.CreatedAt, used.UsedAt = "okta2", "new@elsewhere.test", false, now.Add(time.Hour), now.Add(time.Hour)
	update(t, s, func(tx store.Tx) error { return tx.SaveSSOLink(used) })
	theirs := link
	theirs.AccountID = b.ID
	refused(t, s, store.ErrLinkTaken, func(tx store.Tx) error { return tx.SaveSSOLink(theirs) })
	view(t, s, func(tx store.Tx) error {
		used.CreatedAt, used.Added = now, true // when it was first linked, and how
		if links, err := tx.SSOLinks(a.ID); err != nil || !reflect.DeepEqual(links, []store.SSOLink{used}) {
			t.Errorf("links: %+v, %v", links, err)
		}
		if got, err := tx.AccountBySSO(link.Issuer, link.Subject); err != nil || got.ID != a.ID {
			t.Errorf("by link: %+v, %v", got, err)
		}
		for _, other := range [][2]string{{link.Issuer, "sub"}, {link.Issuer + "/", "Sub"}, {"", ""}} {
			if _, err := tx.AccountBySSO(other[0], other[1]); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("another identity %q: %v", other, err)
			}
		}
		return nil
	})
	theirs.Subject = "sub" // subjects compare with case
	update(t, s, func(tx store.Tx) error { return tx.SaveSSOLink(theirs) })

	for _, other := range []store.SSOLink{{AccountID: b.ID, Issuer: link.Issuer, Subject: "Sub"}, {AccountID: a.ID, Issuer: link.Issuer, Subject: "sub"}, {AccountID: a.ID, Issuer: "x", Subject: "Sub"}} {
		refused(t, s, store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteSSOLink(other.AccountID, other.Issuer, other.Subject) })
	}
	update(t, s, func(tx store.Tx) error { return tx.DeleteSSOLink(a.ID, link.Issuer, link.Subject) })
	view(t, s, func(tx store.Tx) error {
		if links, err := tx.SSOLinks(a.ID); err != nil || len(links) != 0 {
			t.Errorf("links: %+v, %v", links, err)
		}
		if _, err := tx.AccountBySSO(link.Issuer, link.Subject); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("by a link that was removed: %v", err)
		}
		got, err := tx.AccountBySSO(link.Issuer, "sub")
		if err != nil || got.ID != b.ID {
			t.Errorf("by another's link: %+v, %v", got, err)
		}
		return nil
	})
}

func testUnknownAccount(t *testing.T, s store.Store) {
	for name, fn := range map[string]func(tx store.Tx) error{
		"SavePassword": func(tx store.Tx) error { return tx.SavePassword(store.Password{AccountID: "nobody", SetAt: now}) },
		"SaveSSOLink": func(tx store.Tx) error {
			return tx.SaveSSOLink(store.SSOLink{Issuer: "i", Subject: "s", AccountID: "nobody"})
		},
		"CreateFactor":         func(tx store.Tx) error { return tx.CreateFactor(newFactor("f", "nobody")) },
		"ReplaceRecoveryCodes": func(tx store.Tx) error { return tx.ReplaceRecoveryCodes("nobody", [][]byte{hash("c")}, now) },
		"CreateFlow":           func(tx store.Tx) error { return tx.CreateFlow(newFlow("f", "nobody"), 3) },
		"CreateSession":        func(tx store.Tx) error { return tx.CreateSession(newSession("s", "nobody")) },
		"CreateOneTimeLink":    func(tx store.Tx) error { return tx.CreateOneTimeLink(newLink("l", "nobody")) },
	} {
		t.Run(name, func(t *testing.T) { refused(t, s, store.ErrNotFound, fn) })
	}
}
