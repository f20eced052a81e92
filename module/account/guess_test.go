package account

import (
	"fmt"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const wrong = "a wrong password, surely"

// guess guesses n times, each from another network, and expects them wrong.
func (w *world) guess(email string, n int, from func(i int) From) {
	w.t.Helper()
	for i := range n {
		if got := w.password(email, wrong, from(i)); got != "wrong" {
			w.t.Fatalf("guess %d at %s: %s", i, email, got)
		}
	}
}

// exhaust guesses as patiently as it takes until nothing is left.
func (w *world) exhaust(email string, from func(i int) From) (guesses int) {
	w.t.Helper()
	for guesses < 2*maxGuesses {
		switch got := w.password(email, wrong, from(guesses)); got {
		case "wrong":
			guesses++
		case "held until unlocked":
			return guesses
		default:
			w.clock.Pass(longestWait)
		}
	}
	return guesses
}

func TestGuessingWaits(t *testing.T) {
	for _, email := range []string{"alice@example.test", "unknown@example.test"} {
		t.Run(email, func(t *testing.T) {
			w := newWorld(t)
			w.add("alice@example.test")
			w.guess(email, freeGuesses, elsewhere)
			for i, wait := range []time.Duration{
				30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute,
				16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour,
			} {
				want := fmt.Sprintf("held %s", wait)
				for range 3 { // being held does not lengthen the wait
					w.expect("at once", w.password(email, wrong, elsewhere(100+i)), want)
				}
				w.clock.Pass(wait - time.Second)
				w.expect("a second early", w.password(email, wrong, elsewhere(200+i)), "held 1s")
				w.clock.Pass(time.Second)
				w.expect("in time", w.password(email, wrong, elsewhere(300+i)), "wrong")
			}
		})
	}
}

func TestHeldComputesNoHash(t *testing.T) {
	w := newWorld(t)
	w.add("alice@example.test")
	w.guess("alice@example.test", freeGuesses, elsewhere)
	before := w.hasher.Hashes()
	w.expect("even the right one", w.password("alice@example.test", goodPassword, elsewhere(99)), "held 30s")
	if n := w.hasher.Hashes() - before; n != 0 {
		t.Errorf("%d hashes, want none", n)
	}
}

func TestAHundredGuessesAreAll(t *testing.T) {
	for _, email := range []string{"alice@example.test", "unknown@example.test"} {
		t.Run(email, func(t *testing.T) {
			w := newWorld(t)
			alice := w.add("alice@example.test")
			if n := w.exhaust(email, elsewhere); n != maxGuesses {
				t.Errorf("%d guesses, want %d", n, maxGuesses)
			}
			w.clock.Pass(10 * 24 * time.Hour)
			w.expect("ten days later", w.password(email, goodPassword, elsewhere(999)), "held until unlocked")
			if email != "alice@example.test" {
				return
			}
			if person, err := w.Show(t.Context(), alice.ID); err != nil || person.PasswordHeld == nil || person.PasscodeHeld != nil {
				t.Errorf("shown as %+v, %v", person, err)
			}
			if err := w.Unlock(t.Context(), alice.ID, nil); err != nil {
				t.Fatal(err)
			}
			w.expect("unlocked", w.password(email, goodPassword, elsewhere(999)), "in")
		})
	}
}

func TestSuccessForgivesInARow(t *testing.T) {
	w := newWorld(t)
	w.add("alice@example.test")
	for range 3 {
		w.guess("alice@example.test", freeGuesses-1, elsewhere)
		w.expect("right", w.password("alice@example.test", goodPassword, elsewhere(50)), "in")
	}
}

func TestCountedByAccountNotByText(t *testing.T) {
	w := newWorld(t)
	w.add("alice@example.test")
	spellings := []string{"alice@example.test", "ALICE@example.test", " alice@example.test ", "Alice@Example.Test"}
	for i := range freeGuesses {
		w.expect("guess", w.password(spellings[i%len(spellings)], wrong, elsewhere(i)), "wrong")
	}
	for i, spelling := range spellings {
		w.expect(spelling, w.password(spelling, wrong, elsewhere(20+i)), "held 30s")
	}
}

func TestParallelGuessesDoNotSlipBy(t *testing.T) {
	w := newWorld(t)
	w.add("alice@example.test")
	counts := atOnce(50, func(i int) error {
		_, err := w.CheckPassword(t.Context(), "alice@example.test", wrong, elsewhere(i))
		return err
	})
	if counts["wrong"] != freeGuesses || counts["held 30s"] != 50-freeGuesses {
		t.Errorf("got %v, want %d wrong and the rest held", counts, freeGuesses)
	}
}

func TestKnownBrowser(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	bob := w.add("bob@example.test")
	mine := knownBrowser("mine", alice.ID)

	if n := w.exhaust("alice@example.test", elsewhere); n != maxGuesses {
		t.Fatalf("%d guesses", n)
	}
	w.expect("a stranger", w.password("alice@example.test", goodPassword, elsewhere(999)), "held until unlocked")
	w.expect("the owner", w.password("alice@example.test", goodPassword, mine), "in")
	w.expect("a stranger still", w.password("alice@example.test", goodPassword, elsewhere(999)), "held until unlocked")

	// Its own budget has the same rules.
	w.guess("alice@example.test", freeGuesses, func(int) From { return mine })
	w.expect("its own budget", w.password("alice@example.test", goodPassword, mine), "held 30s")
	w.expect("another of her browsers", w.password("alice@example.test", goodPassword, knownBrowser("other", alice.ID)), "in")
	w.expect("for somebody else it is a stranger", w.password("bob@example.test", goodPassword, mine), "in")
	if n := freeGuesses + w.exhaust("alice@example.test", func(int) From { return mine }); n != maxGuesses {
		t.Errorf("%d guesses from a known browser, want %d", n, maxGuesses)
	}

	if err := w.Unlock(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	w.guess("alice@example.test", freeGuesses, func(int) From { return mine })
	w.expect("unlocked, then guessed again", w.password("alice@example.test", wrong, mine), "held 30s")
	_ = bob
}

func TestKnownBrowserInABadNetwork(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	mine := knownBrowser("mine", alice.ID)
	office := from(mine.Address.String())
	for i := range networkGuesses {
		w.expect("guess", w.password(fmt.Sprintf("made-up-%d@example.test", i), wrong, office), "wrong")
	}
	w.expect("a stranger of that network", w.password("alice@example.test", goodPassword, office), "held 30s")
	w.expect("her own browser there", w.password("alice@example.test", goodPassword, mine), "in")
	w.expect("a stranger of another network", w.password("alice@example.test", goodPassword, elsewhere(1)), "in")
	w.clock.Pass(networkLeak)
	w.expect("after the leak", w.password("alice@example.test", goodPassword, office), "in")
	w.expect("a right one does not count", w.password("alice@example.test", goodPassword, office), "in")
	w.expect("a wrong one does", w.password("alice@example.test", wrong, office), "wrong")
	w.expect("so that is all", w.password("alice@example.test", goodPassword, office), "held 30s")
	w.clock.Pass(2 * networkGuesses * networkLeak)
	for i := range networkGuesses {
		w.expect("long after", w.password(fmt.Sprintf("others-%d@example.test", i), wrong, office), "wrong")
	}
}

// People of a busy office sign in all the time. That must not keep the
// failures of the past from being forgotten.
func TestBusyNetworkForgets(t *testing.T) {
	w := newWorld(t)
	w.add("alice@example.test")
	office := from("192.0.2.9")
	for i := range networkGuesses - 1 {
		w.expect("guess", w.password(fmt.Sprintf("made-up-%d@example.test", i), wrong, office), "wrong")
	}
	for range 2 * networkGuesses {
		w.clock.Pass(networkLeak / 2)
		w.expect("a right one", w.password("alice@example.test", goodPassword, office), "in")
	}
	for i := range networkGuesses {
		w.expect("forgotten", w.password(fmt.Sprintf("others-%d@example.test", i), wrong, office), "wrong")
	}
}

func TestIPv6NetworkIsCountedWhole(t *testing.T) {
	w := newWorld(t)
	for i := range networkGuesses {
		w.expect("guess", w.password(fmt.Sprintf("made-up-%d@example.test", i), wrong, from(fmt.Sprintf("2001:db8::%x", i+1))), "wrong")
	}
	w.expect("same /64", w.password("more@example.test", wrong, from("2001:db8::ffff:1")), "held 30s")
	w.expect("another /64", w.password("more@example.test", wrong, from("2001:db8:0:1::1")), "wrong")
}

// Made-up names and networks share a fixed number of counters.
func TestMadeUpNamesCostNoRoom(t *testing.T) {
	w := newWorld(t)
	keys := make(map[string]bool)
	for i := range 3 * buckets {
		a := w.guesses.unknown(passwords, fmt.Sprintf("made-up-%d@example.test", i), elsewhere(i), w.clock.Now())
		keys[a.person], keys[a.network] = true, true
	}
	if len(keys) > 2*buckets || len(keys) < buckets {
		t.Errorf("%d counters for %d names", len(keys), 3*buckets)
	}
	other := newGuesses(mustRing(t, "another secret for tests that is long"))
	differs := false
	for i := range 8 {
		email := fmt.Sprintf("made-up-%d@example.test", i)
		differs = differs || other.unknown(passwords, email, From{}, w.clock.Now()).person != w.guesses.unknown(passwords, email, From{}, w.clock.Now()).person
	}
	if !differs {
		t.Error("the counters of names can be foretold without the secret")
	}
}

// The typing errors of years must not add up to a wait for people who type a
// wrong address for the first time.
func TestUnknownNamesBeginAnew(t *testing.T) {
	w := newWorld(t)
	w.guess("unknown@example.test", freeGuesses, elsewhere)
	w.expect("at once", w.password("unknown@example.test", wrong, elsewhere(99)), "held 30s")
	w.clock.Pass(bucketLifetime)
	w.guess("unknown@example.test", freeGuesses, elsewhere)
	w.expect("at once again", w.password("unknown@example.test", wrong, elsewhere(99)), "held 30s")
}

func TestPruneKeepsHeldAccountsHeld(t *testing.T) {
	w := newWorld(t)
	w.add("alice@example.test")
	w.exhaust("alice@example.test", elsewhere)
	w.clock.Pass(400 * 24 * time.Hour)
	if err := w.store.Prune(t.Context(), w.clock.Now(), w.clock.Now().Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.expect("after pruning", w.password("alice@example.test", goodPassword, elsewhere(999)), "held until unlocked")
}

func TestRemovedAccountLeavesNoCounters(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	w.guess("alice@example.test", 3, elsewhere)
	if err := w.Remove(t.Context(), alice.ID, nil); err != nil {
		t.Fatal(err)
	}
	w.view(func(tx store.Tx) error {
		for _, key := range []string{accountKey(passwords, alice.ID), liftedKey(passwords, alice.ID)} {
			if f, err := tx.Failures(key); err != nil || f.Count != 0 {
				t.Errorf("%s: %+v, %v", key, f, err)
			}
		}
		return nil
	})
}
