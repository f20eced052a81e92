package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/auth-gateway/caddy-auth-gateway/module/policy"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

func TestCheckPassword(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	suspended := w.add("suspended@example.test")
	if err := w.Suspend(t.Context(), suspended.ID, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create(t.Context(), NewAccount{Email: "nopassword@example.test"}, nil); err != nil {
		t.Fatal(err)
	}
	composed := w.add("composed@example.test")
	if err := w.SetPassword(t.Context(), composed.ID, "caf\u00e9 terrace at night", Rules{}, nil); err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct{ name, email, password, want string }{
		{"right", "alice@example.test", goodPassword, "in"},
		{"address in another case", "Alice@EXAMPLE.test", goodPassword, "in"},
		{"wrong password", "alice@example.test", goodPassword + "x", "wrong"},
		{"password in another case", "alice@example.test", strings.ToUpper(goodPassword), "wrong"},
		{"cut off", "alice@example.test", goodPassword[:len(goodPassword)-1], "wrong"},
		{"empty password", "alice@example.test", "", "wrong"},
		{"unknown address", "nobody@example.test", goodPassword, "wrong"},
		{"empty address", "", goodPassword, "wrong"},
		{"suspended", "suspended@example.test", goodPassword, "wrong"},
		{"no password", "nopassword@example.test", goodPassword, "wrong"},
		{"no password and an empty one", "nopassword@example.test", "", "wrong"},
		{"over-long", "alice@example.test", strings.Repeat("x", MaxPasswordBytes+1), "wrong"},
		{"invalid UTF-8", "alice@example.test", goodPassword + "\xff", "wrong"},
		{"address of invalid UTF-8", "alice@example.test\xff", goodPassword, "wrong"},
		{"address with NUL", "alice@example.test\x00", goodPassword, "wrong"},
		{"composed", "composed@example.test", "caf\u00e9 terrace at night", "in"},
		{"decomposed", "composed@example.test", "cafe\u0301 terrace at night", "in"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.expect("outcome", w.password(test.email, test.password, elsewhere(i)), test.want)
		})
	}

	believed, err := w.CheckPassword(t.Context(), "composed@example.test", "cafe\u0301 terrace at night", From{})
	if err != nil {
		t.Fatal(err)
	}
	if believed.Length != 21 || believed.Account.ID != composed.ID || believed.Factors != 0 || believed.ChoseFactor {
		t.Errorf("believed %+v", believed)
	}
	w.enroll(alice.ID, true)
	if believed, _ := w.CheckPassword(t.Context(), "alice@example.test", goodPassword, From{}); believed.Factors != policy.App || believed.ChoseFactor {
		t.Errorf("a factor set up because it is required: %+v", believed)
	}
}

// Whoever is asked about, the same is computed and the same is stored.
func TestSameWorkForKnownAndUnknown(t *testing.T) {
	w := newWorld(t)
	w.add("known@example.test")
	suspended := w.add("suspended@example.test")
	if err := w.Suspend(t.Context(), suspended.ID, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create(t.Context(), NewAccount{Email: "nopassword@example.test"}, nil); err != nil {
		t.Fatal(err)
	}
	history := func(email string, network int) string {
		var b strings.Builder
		for i := range freeGuesses + 30 {
			before := w.hasher.Hashes()
			got := w.password(email, "a wrong password, surely", elsewhere(network))
			fmt.Fprintf(&b, "%d: %s, %d hashes\n", i, got, w.hasher.Hashes()-before)
			if i >= freeGuesses && i%2 == 0 {
				w.clock.Pass(time.Hour)
			}
		}
		return b.String()
	}
	want := history("known@example.test", 1)
	if !strings.Contains(want, "0: wrong, 1 hashes") || !strings.Contains(want, "10: held 30s, 0 hashes") {
		t.Fatalf("a known account:\n%s", want)
	}
	for i, email := range []string{"unknown@example.test", "suspended@example.test", "nopassword@example.test"} {
		if got := history(email, 2+i); got != want {
			t.Errorf("%s differs from a known account:\n%s\nwant\n%s", email, got, want)
		}
	}
}

func TestPasswordChangesWhileItIsChecked(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	claimed, _, err := w.countClaim(t.Context(), "alice@example.test", From{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetPassword(t.Context(), alice.ID, "another good password", Rules{}, nil); err != nil {
		t.Fatal(err)
	}
	_, err = w.believe(t.Context(), claimed, "")
	w.expect("changed", outcome(err), "wrong")

	claimed, _, _ = w.countClaim(t.Context(), "alice@example.test", From{})
	if err := w.Suspend(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	_, err = w.believe(t.Context(), claimed, "")
	w.expect("suspended", outcome(err), "wrong")

	if err := w.Remove(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	_, err = w.believe(t.Context(), claimed, "")
	w.expect("removed", outcome(err), "wrong")
}

func TestRehash(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	stored := func() (p store.Password) {
		w.view(func(tx store.Tx) (err error) { p, err = tx.Password(alice.ID); return err })
		return p
	}
	before, epoch := stored(), w.account(alice.ID).Epoch

	stronger := cheap
	stronger.Time = 2
	w.hasher = NewHasher(NewGate(1), stronger)
	w.expect("wrong", w.password("alice@example.test", "not the password", From{}), "wrong")
	if stored() != before {
		t.Error("a wrong password changed the hash")
	}
	w.expect("right", w.password("alice@example.test", goodPassword, From{}), "in")
	after := stored()
	if !strings.Contains(after.Hash, "t=2") || !after.SetAt.Equal(before.SetAt) {
		t.Errorf("hash %s of %s, want one with t=2 and the old date %s", after.Hash, after.SetAt, before.SetAt)
	}
	if w.account(alice.ID).Epoch != epoch {
		t.Error("a rehash of the same password ended sessions")
	}
	w.expect("again", w.password("alice@example.test", goodPassword, From{}), "in")
	if stored() != after {
		t.Error("hashed anew without need")
	}
}

// A hash from before the parameters rose is computed faster. The answer to a
// wrong password must not come faster.
func TestSameWorkForOldHashes(t *testing.T) {
	w := newWorld(t)
	w.add("old@example.test")
	w.hasher = NewHasher(NewGate(1), Parameters{Memory: 128, Time: 3, Threads: 1})
	work := func(email string, i int) uint64 {
		before := w.hasher.spent.Load()
		w.expect(email, w.password(email, "not the password", elsewhere(i)), "wrong")
		return w.hasher.spent.Load() - before
	}
	if known, unknown := work("old@example.test", 1), work("unknown@example.test", 2); known != unknown || known != 3*128 {
		t.Errorf("known: %d KiB, unknown: %d KiB; want %d both", known, unknown, 3*128)
	}
}

func TestDamagedHashIsAFault(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	w.update(func(tx store.Tx) error {
		return tx.SavePassword(store.Password{AccountID: alice.ID, Hash: "$argon2id$v=19$m=99999999,t=1,p=1$AAAA$AAAA", SetAt: w.clock.Now()})
	})
	_, err := w.CheckPassword(t.Context(), "alice@example.test", goodPassword, From{})
	if err == nil || errors.Is(err, ErrWrong) {
		t.Errorf("got %v, want a fault", err)
	}
}

func TestBusyIsNotCounted(t *testing.T) {
	gate := NewGate(1)
	w := newWorldWith(t, NewHasher(gate, cheap))
	alice := w.add("alice@example.test")
	leave, err := gate.enter(t.Context(), visitor{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.CheckPassword(ctx, "alice@example.test", "wrong", From{}); err == nil || errors.Is(err, ErrWrong) {
		t.Errorf("a client that went away: got %v", err)
	}
	leave()
	w.view(func(tx store.Tx) error {
		failures, err := tx.Failures(accountKey(passwords, alice.ID))
		if failures.Count != 0 {
			t.Errorf("%d failures, want none: nothing was checked", failures.Count)
		}
		return err
	})
}

// A sign-in should cost little more than its hash.
func BenchmarkSignIn(b *testing.B) {
	b.Run("argon2id", func(b *testing.B) {
		salt := randomBytes(saltSize)
		for b.Loop() {
			argon2.IDKey([]byte(goodPassword), salt, DefaultParameters.Time, DefaultParameters.Memory, DefaultParameters.Threads, hashSize)
		}
	})
	for _, who := range []string{"known", "unknown"} {
		b.Run(who, func(b *testing.B) {
			w := newWorldWith(b, NewHasher(NewGate(0), DefaultParameters))
			w.add("known@example.test")
			for i := 0; b.Loop(); i++ {
				_, err := w.CheckPassword(context.Background(), who+"@example.test", goodPassword, elsewhere(i))
				if want := who == "known"; (err == nil) != want {
					var held *Held
					if !errors.As(err, &held) {
						b.Fatal(err)
					}
				}
				if who == "unknown" {
					w.clock.Pass(bucketLifetime)
				}
			}
		})
	}
}
