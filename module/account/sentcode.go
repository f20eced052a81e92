package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// sentCodeLifetime is how long a code that was sent counts, sentCodeTries
	// how often it may be guessed.
	sentCodeLifetime = 10 * time.Minute
	sentCodeTries    = 5

	// A flow may have maxSent codes sent, one in resendAfter of the same
	// method; an account accountSent, and again one for each accountSentLeak
	// that passes: each text message costs the operator money, and each mail
	// somebody's patience.
	maxSent         = 5
	resendAfter     = 30 * time.Second
	accountSent     = 20
	accountSentLeak = 15 * time.Minute

	// maxFlow is how long codes that are sent again may stretch a flow.
	maxFlow = 30 * time.Minute
)

// ErrTooManySent: this sign-in has had all the codes it gets.
var ErrTooManySent = errors.New("no more codes are sent in this sign-in: start over")

// ErrFlowEnded: the sign-in that asks for a code is over.
var ErrFlowEnded = errors.New("the sign-in has ended")

// SentCode is a code for a person to receive.
type SentCode struct {
	Code    string // six digits
	Expires time.Time
	// FlowExpires is when the sign-in ends now.
	FlowExpires time.Time
}

// NewCode makes the code that a flow waits for from now on, in place of the one
// before. phone is a number that is being set up, "" otherwise. It returns *Held
// when a code was sent a moment ago or too many were to this account,
// ErrTooManySent and ErrFlowEnded.
//
// What was guessed wrong before stays counted: asking again clears nothing.
func (p *People) NewCode(ctx context.Context, flowID []byte, method store.Method, phone string) (sent SentCode, err error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return SentCode{}, fmt.Errorf("making a code: %w", err)
	}
	code := fmt.Sprintf("%06d", n)
	var refused error
	err = p.store.Update(ctx, func(tx store.Tx) error {
		refused = nil
		now := p.clock()
		flow, err := tx.Flow(flowID)
		if errors.Is(err, store.ErrNotFound) || err == nil && !now.Before(flow.ExpiresAt) {
			refused = ErrFlowEnded
			return nil
		}
		if err != nil {
			return err
		}
		if refused, err = p.maySend(tx, flow, method, phone, now); err != nil || refused != nil {
			return err
		}
		sent = SentCode{Code: code, Expires: now.Add(sentCodeLifetime)}
		if flow.Method != method || flow.Phone != phone {
			flow.Tries = 0 // they were guesses at another code
		}
		flow.Method, flow.Phone, flow.Code, flow.CodeExpires = method, phone, p.sentCodeHash(flowID, code), sent.Expires
		flow.Sent++
		flow.SentAt = now
		if end := flow.CreatedAt.Add(maxFlow); sent.Expires.After(flow.ExpiresAt) {
			flow.ExpiresAt = sent.Expires
			if end.Before(flow.ExpiresAt) {
				flow.ExpiresAt = end
			}
		}
		sent.FlowExpires = flow.ExpiresAt
		if _, err := tx.CountFailure(sentKey(flow.AccountID), now.Truncate(accountSentLeak), accountSentLeak); err != nil {
			return err
		}
		return tx.SaveFlow(flow)
	})
	if err != nil {
		return SentCode{}, fmt.Errorf("making a code: %w", err)
	}
	if refused != nil {
		return SentCode{}, refused
	}
	return sent, nil
}

// maySend tells why no code is sent now, if none is.
func (p *People) maySend(tx store.Tx, flow store.Flow, method store.Method, phone string, now time.Time) (refused, err error) {
	if flow.Sent >= maxSent {
		return ErrTooManySent, nil
	}
	if wait := flow.SentAt.Add(resendAfter).Sub(now); flow.Sent > 0 && flow.Method == method && flow.Phone == phone && wait > 0 {
		return &Held{RetryAfter: wait, AccountID: flow.AccountID}, nil
	}
	count, err := tx.Failures(sentKey(flow.AccountID))
	if err != nil {
		return nil, err
	}
	if count.Count >= accountSent {
		over := time.Duration(count.Count-accountSent+1) * accountSentLeak
		if wait := count.Last.Add(over).Sub(now); wait > 0 {
			return &Held{RetryAfter: wait, AccountID: flow.AccountID}, nil
		}
	}
	return nil, nil
}

// ResendAfter is when a code may be sent once more in a flow; zero if none may.
func ResendAfter(flow store.Flow) time.Time {
	if flow.Sent >= maxSent {
		return time.Time{}
	}
	return flow.SentAt.Add(resendAfter)
}

// SentCodeOver reports whether the code that was sent last in a flow cannot be
// right any more: it was guessed too often, or its time is over.
func SentCodeOver(flow store.Flow, now time.Time) bool {
	return len(flow.Code) == 0 || flow.Tries >= sentCodeTries || !now.Before(flow.CodeExpires)
}

// FinishSentEnrollment sets that method up as a second factor once the code that
// was sent for it in a flow comes back: mail to the account's own address, or
// text messages to the flow's phone number. It is otherwise as FinishEnrollment.
func (p *People) FinishSentEnrollment(ctx context.Context, accountID string, flowID []byte, method store.Method, code string, required bool, from From, then func(tx store.Tx, recoveryCodes []string) error) error {
	return p.guessPasscode(ctx, accountID, from, func(tx store.Tx, now time.Time) (func() error, error) {
		flow, err := tx.Flow(flowID)
		if errors.Is(err, store.ErrNotFound) || err == nil && (flow.AccountID != accountID || !now.Before(flow.ExpiresAt)) {
			return func() error { return ErrEnrollmentEnded }, nil
		}
		if err != nil || flow.Method != method {
			return nil, err
		}
		spent, err := p.spendSentCode(tx, flow, code, now)
		if err != nil || !spent {
			return nil, err
		}
		return func() error {
			f := store.Factor{Method: flow.Method, Address: flow.Phone, Required: required, CreatedAt: now, UsedAt: now}
			codes, err := p.enroll(tx, accountID, f, nil, flow.Stage == store.StageReplace, now)
			if err != nil {
				return err
			}
			return then(tx, codes)
		}, nil
	})
}

// spendSentCode uses up the code that was sent last in a flow, or counts a wrong
// guess at it.
func (p *People) spendSentCode(tx store.Tx, flow store.Flow, code string, now time.Time) (bool, error) {
	if len(flow.Code) == 0 {
		return false, nil
	}
	spent, err := tx.SpendCode(flow.ID, p.sentCodeHash(flow.ID, typedCode(code)), sentCodeTries, now)
	if err != nil || spent {
		return spent, err
	}
	return false, tx.MissCode(flow.ID)
}

// sentCodeHash binds a code to its flow. A million codes are soon tried, so it
// takes a key that is in no store to try them.
func (p *People) sentCodeHash(flowID []byte, code string) []byte {
	mac := hmac.New(sha256.New, p.codeKey)
	mac.Write(flowID)
	mac.Write([]byte("/" + code))
	return mac.Sum(nil)
}

func sentKey(accountID string) string { return "sent/account/" + accountID }
