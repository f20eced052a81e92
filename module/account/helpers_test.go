package account

import (
	"testing"

	"github.com/pquerna/otp/hotp"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func mustRing(t testing.TB, secrets ...string) *secret.Ring {
	t.Helper()
	ring, err := secret.NewRing(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// device is an authenticator app.
type device struct {
	w      *world
	secret []byte
}

// enroll sets an app up for an account, as the wizard does, and returns it
// with the recovery codes.
func (w *world) enroll(accountID string, required bool) (device, []string) {
	w.t.Helper()
	e := w.beginEnrollment(accountID)
	var codes []string
	err := w.FinishEnrollment(w.t.Context(), accountID, e.sealed, e.row, e.device.code(0), required, From{}, func(tx store.Tx, c []string) error {
		codes = c
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.clock.Pass(totpPeriod)
	return e.device, codes
}

// enrollment is one under way.
type enrollment struct {
	row    string
	sealed []byte
	flow   store.Flow
	device device
}

func (w *world) beginEnrollment(accountID string) enrollment {
	w.t.Helper()
	account := w.account(accountID)
	_, id := secret.NewToken()
	row := FlowRow(id)
	sealed, err := w.BeginEnrollment(row)
	if err != nil {
		w.t.Fatal(err)
	}
	flow := store.Flow{
		ID: id, AccountID: accountID, Epoch: account.Epoch, Stage: "enroll", Audience: "team", ReturnTo: "/",
		Secret: sealed, PasswordAt: w.clock.Now(), CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(10 * 60e9),
	}
	w.update(func(tx store.Tx) error { return tx.CreateFlow(flow, 8) })
	key, err := w.ring.Open(sealed, row)
	if err != nil {
		w.t.Fatal(err)
	}
	return enrollment{row: row, sealed: sealed, flow: flow, device: device{w, key}}
}

// code is what the app shows, some steps from now.
func (d device) code(steps int64) string {
	d.w.t.Helper()
	step := d.w.clock.Now().Unix()/30 + steps
	code, err := hotp.GenerateCode(typedEncoding.EncodeToString(d.secret), uint64(step))
	if err != nil {
		d.w.t.Fatal(err)
	}
	return code
}

// passcode checks a code and returns the outcome, with how it was believed.
func (w *world) passcode(accountID, code string, from From) string {
	w.t.Helper()
	var how string
	err := w.CheckPasscode(w.t.Context(), Asked{AccountID: accountID}, code, from, func(tx store.Tx, h string) error {
		how = h
		return nil
	})
	if err == nil {
		return "in by " + how
	}
	return outcome(err)
}
