// Package storetest is what every store must pass, and a store that fails on
// demand.
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// now is the time of every test: no store looks at a clock.
var now = time.Date(2030, 1, 2, 3, 4, 5, 678901000, time.UTC)

// Conform runs the conformance suite. open opens the store that belongs to t:
// an empty one at first, and the same one again with the same t after Close.
func Conform(t *testing.T, open func(t *testing.T) store.Store) {
	for _, part := range []struct {
		name string
		test func(t *testing.T, s store.Store)
	}{
		{"accounts", testAccounts},
		{"e-mail addresses are unique", testEmailUnique},
		{"accounts that cannot be", testAccountsRefused},
		{"suspension", testSuspension},
		{"moving the epoch", testMoveEpoch},
		{"removal", testRemoval},
		{"administrators", testAdministrators},
		{"sso links", testSSOLinks},
		{"rows of an unknown account", testUnknownAccount},
		{"passwords", testPasswords},
		{"factors", testFactors},
		{"several factors", testSeveralFactors},
		{"recovery codes", testRecoveryCodes},
		{"flows", testFlows},
		{"sent codes", testSentCodes},
		{"trusted devices", testTrustedDevices},
		{"sessions", testSessions},
		{"families of sessions", testFamilies},
		{"tickets", testTickets},
		{"sessions of providers", testProviderSessions},
		{"sessions of providers, of a family", testProviderSessionOfFamily},
		{"what providers have ended", testProviderLogouts},
		{"one-time links", testOneTimeLinks},
		{"failures", testFailures},
		{"used states", testUsedStates},
		{"sealed rows", testSealed},
		{"keys of assertions", testAssertionKeys},
		{"audit", testAudit},
		{"accounts with their factors", testAccountFactors},
		{"prune", testPrune},
		{"one winner", testOneWinner},
		{"parallel counting", testParallelCounting},
		{"rollback", testRollback},
		{"view is read-only", testViewReadOnly},
		{"view is consistent", testViewConsistent},
		{"cancellation", testCancellation},
		{"subscribe", testSubscribe},
		{"what is told", testChanges},
		{"close", testClose},
	} {
		t.Run(part.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { s.Close() })
			part.test(t, s)
		})
	}
	t.Run("reopen", func(t *testing.T) { testReopen(t, open) })
}

// view and update run fn and fail the test if it fails.
func view(t *testing.T, s store.Store, fn func(tx store.Tx) error) {
	t.Helper()
	if err := s.View(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func update(t *testing.T, s store.Store, fn func(tx store.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// refused runs fn and fails the test unless the error is want.
func refused(t *testing.T, s store.Store, want error, fn func(tx store.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// person creates an account with little but an address.
func person(t *testing.T, s store.Store, email string) store.Account {
	t.Helper()
	a := newAccount(email)
	update(t, s, func(tx store.Tx) error { return tx.CreateAccount(a) })
	return a
}

func newAccount(email string) store.Account {
	return store.Account{
		ID:         store.NewID(),
		Attributes: identity.Attributes{Email: email, Role: identity.EndUser},
		Epoch:      1,
		CreatedAt:  now,
		UpdatedAt:  now,
	}
}

// hash makes an id out of a name.
func hash(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

func newSession(name, accountID string) store.Session {
	return store.Session{
		ID: hash(name), Family: hash(name), AccountID: accountID, Epoch: 1, Audience: "team",
		SignedInAt: now, ProvedAt: now.Add(-time.Minute), CreatedAt: now, SeenAt: now,
		IdleTimeout: 8 * time.Hour, ExpiresAt: now.Add(24 * time.Hour),
		Address: "192.0.2.1", Browser: "Browser/1.0",
	}
}

func newFlow(name, accountID string) store.Flow {
	return store.Flow{
		ID: hash(name), AccountID: accountID, Epoch: 1, Stage: "passcode", Audience: "team", ReturnTo: "/x?y=z",
		PasswordAt: now, CreatedAt: now, ExpiresAt: now.Add(10 * time.Minute),
	}
}

func newFactor(id, accountID string) store.Factor {
	return store.Factor{ID: id, AccountID: accountID, Method: store.MethodApp, Secret: sealed("KEY1", "secret"), CreatedAt: now}
}

func newLink(name, accountID string) store.OneTimeLink {
	return store.OneTimeLink{
		ID: hash(name), AccountID: accountID, Purpose: store.PurposeReset,
		CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

// sealed looks like a value sealed with the key of that id.
func sealed(keyID, text string) []byte { return []byte(keyID + text) }

// everything gives an account one row of each kind.
func everything(t *testing.T, s store.Store, a store.Account) {
	t.Helper()
	name := a.Attributes.Email
	update(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.SavePassword(store.Password{AccountID: a.ID, Hash: "$argon2id$" + name, SetAt: now}),
			tx.SaveSSOLink(store.SSOLink{Issuer: "https://id.example.test", Subject: name, AccountID: a.ID, SSO: "okta", CreatedAt: now, UsedAt: now}),
			tx.CreateFactor(newFactor("factor of "+name, a.ID)),
			tx.ReplaceRecoveryCodes(a.ID, [][]byte{hash("code of " + name)}, now),
			tx.CreateFlow(newFlow("flow of "+name, a.ID), 5),
			tx.CreateSession(newSession("session of "+name, a.ID)),
			tx.CreateOneTimeLink(newLink("link of "+name, a.ID)),
			tx.Audit(store.Event{At: now, Action: "sign-in", Outcome: "success", AccountID: a.ID, Count: 1}),
		)
	})
}

// rowsOf tells which kinds of rows an account made by everything has left.
func rowsOf(t *testing.T, s store.Store, a store.Account) string {
	t.Helper()
	name := a.Attributes.Email
	var kinds []string
	view(t, s, func(tx store.Tx) error {
		found := func(kind string, err error) error {
			if err == nil {
				kinds = append(kinds, kind)
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		}
		some := func(n int, err error) error {
			if err == nil && n == 0 {
				return store.ErrNotFound
			}
			return err
		}
		_, account := tx.Account(a.ID)
		_, password := tx.Password(a.ID)
		_, link := tx.AccountBySSO("https://id.example.test", name)
		factors, err := tx.Factors(a.ID)
		factor := some(len(factors), err)
		code := some(tx.RecoveryCodesLeft(a.ID))
		_, flow := tx.Flow(hash("flow of " + name))
		_, session := tx.Session(hash("session of " + name))
		_, oneTime := tx.OneTimeLink(hash("link of "+name), now)
		events, err := tx.Events(a.ID, 10)
		event := some(len(events), err)
		return errors.Join(found("account", account), found("password", password), found("sso", link),
			found("factor", factor), found("code", code), found("flow", flow), found("session", session),
			found("link", oneTime), found("event", event))
	})
	return strings.Join(kinds, " ")
}

func wantRows(t *testing.T, s store.Store, a store.Account, want string) {
	t.Helper()
	if got := rowsOf(t, s, a); got != want {
		t.Fatalf("rows of %s:\n got %s\nwant %s", a.Attributes.Email, got, want)
	}
}

const allRows = "account password sso factor code flow session link event"

func sameBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: got %x, want %x", what, got, want)
	}
}
