package account

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	flowRows   = "flows/"
	factorRows = "factors/"
)

// FlowRow is the row that a value sealed in a flow is bound to.
func FlowRow(flowID []byte) string { return flowRows + hex.EncodeToString(flowID) }

// FactorRow is the row that the secret of a factor is bound to.
func FactorRow(factorID string) string { return factorRows + factorID }

// Enrollment is what a person needs to set up an authenticator app.
type Enrollment struct {
	URL string // otpauth://…, for a QR code
	Key string // the same key, to be typed: groups of four
}

// BeginEnrollment returns a new secret, sealed for a row (see FlowRow).
func (p *People) BeginEnrollment(row string) (sealed []byte, err error) {
	return p.ring.Seal(randomBytes(totpSecretSize), row), nil
}

// ShowEnrollment returns what to show of a secret. issuer, the operator's name
// or the site's host, and email are what the app lists it under.
func (p *People) ShowEnrollment(sealed []byte, row, issuer, email string) (Enrollment, error) {
	secret, err := p.ring.Open(sealed, row)
	if err != nil {
		return Enrollment{}, fmt.Errorf("opening the secret of an enrollment: %w", err)
	}
	url, key := totpKey(secret, issuer, email)
	return Enrollment{URL: url, Key: key}, nil
}

// FinishEnrollment sets the app up as a second factor once it shows the right
// code, which is used up by that. It returns ErrWrong or *Held, and
// ErrEnrollmentEnded if the flow of that row has ended or the account has an
// app already, which only a flow of StageReplace puts another in place of.
//
// It is one transaction: the factor, ten recovery codes unless the account has
// another factor and codes left, the epoch, which ends all flows and sessions of the account, and then.
// An error of then, which is returned as it is, undoes all of it. then may run
// more than once; a session that it makes needs the epoch that the account has
// by then.
func (p *People) FinishEnrollment(ctx context.Context, accountID string, sealed []byte, row, code string, required bool, from From, then func(tx store.Tx, recoveryCodes []string) error) error {
	secret, err := p.ring.Open(sealed, row)
	if err != nil {
		return fmt.Errorf("opening the secret of an enrollment: %w", err)
	}
	return p.guessPasscode(ctx, accountID, from, func(tx store.Tx, now time.Time) (func() error, error) {
		steps := matchingSteps(secret, typedCode(code), now)
		if len(steps) == 0 {
			return nil, nil
		}
		return func() error {
			replace, err := mayEnroll(tx, accountID, row, now)
			if err != nil {
				return err
			}
			f := store.Factor{Method: store.MethodApp, Required: required, Step: steps[0], CreatedAt: now, UsedAt: now}
			codes, err := p.enroll(tx, accountID, f, secret, replace, now)
			if err != nil {
				return err
			}
			return then(tx, codes)
		}, nil
	})
}

// mayEnroll lets one of several enrollments in the row of a flow at once win. It
// reports whether the flow is to replace a factor.
func mayEnroll(tx store.Tx, accountID, row string, now time.Time) (replace bool, err error) {
	name, ok := strings.CutPrefix(row, flowRows)
	if !ok {
		return false, nil
	}
	id, err := hex.DecodeString(name)
	if err != nil {
		return false, fmt.Errorf("row %q of an enrollment: %w", row, err)
	}
	flow, err := tx.Flow(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (flow.AccountID != accountID || !now.Before(flow.ExpiresAt)) {
		return false, ErrEnrollmentEnded
	}
	return flow.Stage == store.StageReplace, err
}

// enroll adds a factor, with the secret of an app or without. The first one is
// preferred. Recovery codes are made with it unless some are left. Of each method
// there is one: another is refused, or takes its place with replace.
func (p *People) enroll(tx store.Tx, accountID string, f store.Factor, secret []byte, replace bool, now time.Time) (codes []string, err error) {
	factors, err := tx.Factors(accountID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(factors, func(other store.Factor) bool { return other.Method == f.Method })
	if (i >= 0) != replace {
		return nil, ErrEnrollmentEnded
	}
	f.ID, f.AccountID, f.Preferred = store.NewID(), accountID, len(factors) == 0
	if replace {
		f.Preferred, f.Required = factors[i].Preferred, factors[i].Required
		if err := tx.DeleteFactor(accountID, factors[i].ID); err != nil {
			return nil, fmt.Errorf("replacing a second factor of account %s: %w", accountID, err)
		}
	}
	if secret != nil {
		f.Secret = p.ring.Seal(secret, FactorRow(f.ID))
	}
	left, err := tx.RecoveryCodesLeft(accountID)
	if err != nil {
		return nil, err
	}
	if err := tx.CreateFactor(f); err != nil {
		return nil, fmt.Errorf("setting up a second factor of account %s: %w", accountID, err)
	}
	if len(factors) == 0 || left == 0 {
		var hashes [][]byte
		codes, hashes = newRecoveryCodes(accountID)
		if err := tx.ReplaceRecoveryCodes(accountID, hashes, now); err != nil {
			return nil, err
		}
	}
	return codes, tx.MoveEpoch(accountID, nil, now)
}
