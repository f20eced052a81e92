package signin

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// trustedID names a browser as one that an account trusts.
func trustedID(device *account.Device, accountID string) []byte {
	sum := sha256.Sum256([]byte("trusted device/" + accountID + "/" + device.ID))
	return sum[:]
}

// trustedHow is how somebody signed in who was not asked for a passcode.
const trustedHow = "password, in a trusted browser"

// trusted returns the passcode that was once given in this browser, if the
// person trusts it and what is demanded allows for that; otherwise the zero
// value.
func (x *exchange) trusted(a store.Account, demand policy.Demand) (given session.GivenFactor, err error) {
	device := x.devices.read(x)
	if device == nil || demand.TrustDevice <= 0 {
		return given, nil
	}
	now := x.Clock()
	err = x.Store.View(x.r.Context(), func(tx store.Tx) error {
		given = session.GivenFactor{}
		known, err := tx.TrustedDevice(a.ID, trustedID(device, a.ID), now)
		if errors.Is(err, store.ErrNotFound) || err == nil && !now.Before(known.CreatedAt.Add(demand.TrustDevice)) {
			return nil // or trusted when it was for longer than now
		}
		given = session.GivenFactor{How: known.Method, At: known.CreatedAt, Trusted: true}
		return err
	})
	if err != nil {
		return session.GivenFactor{}, fmt.Errorf("looking up a trusted browser: %w", err)
	}
	return given, nil
}

// vouched returns the passcode that was once given in this browser, and Opens, if
// that is all that is lacking; otherwise NeedsPasscode.
func (x *exchange) vouched(a store.Account, door *policy.Door, returnTo string, made policy.Made) (session.GivenFactor, policy.Verdict, error) {
	given, err := x.trusted(a, x.demand(door, returnTo, a))
	if err != nil || given.How == "" {
		return session.GivenFactor{}, policy.NeedsPasscode, err
	}
	made.SecondFactor, made.Trusted = policy.Method(string(given.How)), true
	if x.verdict(door, returnTo, made) != policy.Opens {
		return session.GivenFactor{}, policy.NeedsPasscode, nil
	}
	return given, policy.Opens, nil
}

// useTrust is part of the transaction in which a session begins with what
// trusted returned. It is false if the browser was forgotten meanwhile.
func (x *exchange) useTrust(tx store.Tx, accountID string) (bool, error) {
	device := x.devices.read(x)
	if device == nil {
		return false, nil
	}
	return tx.UseTrustedDevice(accountID, trustedID(device, accountID), x.Clock())
}

// trust remembers that a passcode was given in this browser, so that none is
// asked for here for a while.
func (x *exchange) trust(tx store.Tx, accountID string, how store.Method, length time.Duration) error {
	now := x.Clock()
	return tx.TrustDevice(store.TrustedDevice{
		ID:        trustedID(x.devices.meet(x), accountID),
		AccountID: accountID,
		Method:    how,
		Address:   x.address(),
		Browser:   session.Browser(x.r.UserAgent()),
		CreatedAt: now,
		UsedAt:    now,
		ExpiresAt: now.Add(length),
	})
}
