package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const phone = "+491701234567"

// flow begins a sign-in that asks for a passcode.
func (w *world) flow(accountID string) []byte {
	w.t.Helper()
	a := w.account(accountID)
	_, id := secret.NewToken()
	now := w.clock.Now()
	w.update(func(tx store.Tx) error {
		return tx.CreateFlow(store.Flow{
			ID: id, AccountID: a.ID, Epoch: a.Epoch, Stage: "passcode", CreatedAt: now, ExpiresAt: now.Add(10 * time.Minute),
		}, 8)
	})
	return id
}

// newCode has a code sent.
func (w *world) newCode(flow []byte, method store.Method, phone string) string {
	w.t.Helper()
	sent, err := w.NewCode(w.t.Context(), flow, method, phone)
	if err != nil {
		w.t.Fatal(err)
	}
	return sent.Code
}

// enrollSent sets a method up by a code that was sent.
func (w *world) enrollSent(accountID string, method store.Method, phone string) (recoveryCodes []string) {
	w.t.Helper()
	flow := w.flow(accountID)
	code := w.newCode(flow, method, phone)
	err := w.FinishSentEnrollment(w.t.Context(), accountID, flow, method, code, false, From{}, func(_ store.Tx, codes []string) error {
		recoveryCodes = codes
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return recoveryCodes
}

// sentPasscode tries a code in a flow.
func (w *world) sentPasscode(accountID string, flow []byte, code string) string {
	w.t.Helper()
	how := ""
	err := w.CheckPasscode(w.t.Context(), Asked{AccountID: accountID, FlowID: flow}, code, From{}, func(_ store.Tx, h string) error {
		how = h
		return nil
	})
	if err == nil {
		return "in by " + how
	}
	return outcome(err)
}

// another is a code that is not this one.
func another(code string) string { return fmt.Sprintf("%06d", (int(code[5]-'0')+1)%10) }

func TestSentCode(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	if codes := w.enrollSent(alice.ID, store.MethodEmail, ""); len(codes) != 10 {
		t.Errorf("%d recovery codes", len(codes))
	}
	for _, tc := range []struct {
		name string
		try  func(flow []byte, code string) string
		want string
	}{
		{"right", func(flow []byte, code string) string { return w.sentPasscode(alice.ID, flow, code) }, "in by email"},
		{"with a space", func(flow []byte, code string) string {
			return w.sentPasscode(alice.ID, flow, code[:3]+" "+code[3:])
		}, "in by email"},
		{"full-width", func(flow []byte, code string) string {
			wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, code)
			return w.sentPasscode(alice.ID, flow, wide)
		}, "in by email"},
		{"wrong", func(flow []byte, code string) string { return w.sentPasscode(alice.ID, flow, another(code)) }, "wrong"},
		{"empty", func(flow []byte, _ string) string { return w.sentPasscode(alice.ID, flow, "") }, "wrong"},
		{"used", func(flow []byte, code string) string {
			w.sentPasscode(alice.ID, flow, code)
			return w.sentPasscode(alice.ID, flow, code)
		}, "wrong"},
		{"of another flow", func(_ []byte, code string) string { return w.sentPasscode(alice.ID, w.flow(alice.ID), code) }, "wrong"},
		{"without a flow", func(_ []byte, code string) string { return w.sentPasscode(alice.ID, nil, code) }, "wrong"},
		{"after ten minutes", func(flow []byte, code string) string {
			w.clock.Pass(sentCodeLifetime)
			return w.sentPasscode(alice.ID, flow, code)
		}, "wrong"},
		{"just before", func(flow []byte, code string) string {
			w.clock.Pass(sentCodeLifetime - time.Second)
			return w.sentPasscode(alice.ID, flow, code)
		}, "in by email"},
		{"after five tries", func(flow []byte, code string) string {
			for range sentCodeTries {
				w.sentPasscode(alice.ID, flow, another(code))
			}
			return w.sentPasscode(alice.ID, flow, code)
		}, "wrong"},
		{"at the fifth try", func(flow []byte, code string) string {
			for range sentCodeTries - 1 {
				w.sentPasscode(alice.ID, flow, another(code))
			}
			return w.sentPasscode(alice.ID, flow, code)
		}, "in by email"},
		{"replaced by a newer one", func(flow []byte, code string) string {
			w.clock.Pass(resendAfter)
			if w.newCode(flow, store.MethodEmail, "") == code {
				return "wrong" // one time in a million
			}
			return w.sentPasscode(alice.ID, flow, code)
		}, "wrong"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.clock.Pass(24 * time.Hour)
			w.update(func(tx store.Tx) error { return tx.ClearFailures(accountKey(passcodes, alice.ID)) })
			flow := w.flow(alice.ID)
			w.expect(tc.name, tc.try(flow, w.newCode(flow, store.MethodEmail, "")), tc.want)
		})
	}
}

// Sending again clears nothing that was guessed, and nobody is flooded.
func TestSentCodesAreLimited(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	w.enrollSent(alice.ID, store.MethodEmail, "")
	w.clock.Pass(24 * time.Hour)
	send := func(flow []byte, method store.Method) error {
		_, err := w.NewCode(t.Context(), flow, method, "")
		return err
	}
	flow := w.flow(alice.ID)
	if err := send(flow, store.MethodEmail); err != nil {
		t.Fatal(err)
	}
	w.expect("at once", outcome(send(flow, store.MethodEmail)), "held 30s")
	w.expect("by another method", outcome(send(flow, store.MethodSMS)), "in")
	for i := 2; i < maxSent; i++ {
		w.clock.Pass(resendAfter)
		w.expect("after a while", outcome(send(flow, store.MethodSMS)), "in")
	}
	w.clock.Pass(resendAfter)
	if err := send(flow, store.MethodSMS); !errors.Is(err, ErrTooManySent) {
		t.Errorf("beyond the flow's: %v", err)
	}
	for i := range accountSent - maxSent {
		if err := send(w.flow(alice.ID), store.MethodEmail); err != nil {
			t.Fatalf("number %d: %v", i, err)
		}
	}
	if got := outcome(send(w.flow(alice.ID), store.MethodEmail)); !strings.HasPrefix(got, "held") {
		t.Errorf("beyond the account's: %s", got)
	}
	w.clock.Pass(2 * accountSentLeak)
	w.expect("later", outcome(send(w.flow(alice.ID), store.MethodEmail)), "in")

	w.clock.Pass(24 * time.Hour)
	guessed := w.flow(alice.ID)
	code := w.newCode(guessed, store.MethodEmail, "")
	for range 4 {
		w.sentPasscode(alice.ID, guessed, another(code))
	}
	w.clock.Pass(resendAfter)
	code = w.newCode(guessed, store.MethodEmail, "")
	w.expect("the fifth wrong one", w.sentPasscode(alice.ID, guessed, another(code)), "wrong")
	w.expect("the right one after five", w.sentPasscode(alice.ID, guessed, code), "wrong")
}

func TestFlowOfSentCode(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	if _, err := w.NewCode(t.Context(), []byte("none"), store.MethodEmail, ""); !errors.Is(err, ErrFlowEnded) {
		t.Errorf("in no flow: %v", err)
	}
	flow := w.flow(alice.ID)
	began := w.clock.Now()
	w.clock.Pass(9 * time.Minute)
	sent, err := w.NewCode(t.Context(), flow, store.MethodEmail, "")
	if err != nil || !sent.FlowExpires.Equal(began.Add(19*time.Minute)) {
		t.Errorf("the flow ends %v after it began, %v", sent.FlowExpires.Sub(began), err)
	}
	w.clock.Pass(9 * time.Minute)
	w.newCode(flow, store.MethodEmail, "")
	w.clock.Pass(9 * time.Minute)
	if sent, err = w.NewCode(t.Context(), flow, store.MethodEmail, ""); err != nil || !sent.FlowExpires.Equal(began.Add(maxFlow)) {
		t.Errorf("the flow ends %v after it began, %v", sent.FlowExpires.Sub(began), err)
	}
	w.clock.Pass(3 * time.Minute)
	if _, err := w.NewCode(t.Context(), flow, store.MethodEmail, ""); !errors.Is(err, ErrFlowEnded) {
		t.Errorf("after its end: %v", err)
	}
}

// An account may hold a factor of each method.
func TestSeveralFactors(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	app, codes := w.enroll(alice.ID, false)
	if more := w.enrollSent(alice.ID, store.MethodSMS, phone); more != nil {
		t.Errorf("new recovery codes while ten are left: %v", more)
	}
	flow := w.flow(alice.ID)
	code := w.newCode(flow, store.MethodSMS, "")
	w.expect("the app", w.sentPasscode(alice.ID, flow, app.code(0)), "in by app")
	w.expect("the message", w.sentPasscode(alice.ID, flow, code), "in by sms")
	w.expect("a recovery code", w.sentPasscode(alice.ID, flow, codes[3]), "in by recovery")

	person, err := w.Show(t.Context(), alice.ID)
	if err != nil || len(person.Factors) != 2 || !person.Factors[0].Preferred || person.Factors[1].Preferred || person.Factors[1].Address != phone {
		t.Errorf("%+v, %v", person.Factors, err)
	}
	again := w.flow(alice.ID)
	code = w.newCode(again, store.MethodSMS, "+4930123456")
	err = w.FinishSentEnrollment(t.Context(), alice.ID, again, store.MethodSMS, code, false, From{}, func(store.Tx, []string) error { return nil })
	if !errors.Is(err, ErrEnrollmentEnded) {
		t.Errorf("a second number: %v", err)
	}
}

// A code for a number that is being set up is no passcode.
func TestUnprovenPhoneIsNoFactor(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	w.enrollSent(alice.ID, store.MethodEmail, "")
	flow := w.flow(alice.ID)
	w.expect("without a factor", w.sentPasscode(alice.ID, flow, w.newCode(flow, store.MethodSMS, "+4930123456")), "wrong")
	w.enrollSent(alice.ID, store.MethodSMS, phone)
	flow = w.flow(alice.ID)
	w.expect("beside another number", w.sentPasscode(alice.ID, flow, w.newCode(flow, store.MethodSMS, "+4930123456")), "wrong")
}

func TestOneWinnerOfASentCode(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	w.enrollSent(alice.ID, store.MethodEmail, "")
	flow := w.flow(alice.ID)
	code := w.newCode(flow, store.MethodEmail, "")
	var winners atomic.Int32
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			from := knownBrowser(fmt.Sprint(i), alice.ID)
			err := w.CheckPasscode(context.Background(), Asked{AccountID: alice.ID, FlowID: flow}, code, from, nothing)
			if err == nil {
				winners.Add(1)
			}
		})
	}
	group.Wait()
	if winners.Load() != 1 {
		t.Errorf("%d winners", winners.Load())
	}
}
