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

// Whatever way of writing leads to an account counts there. What leads nowhere
// counts elsewhere, and opens nothing either.
func TestSpellingsOfOneAddress(t *testing.T) {
	w := newWorld(t)
	w.add("mikel-jos\u00e9@example.test")
	reaching := []string{
		"mikel-jos\u00e9@example.test",
		"MIKEL-JOS\u00c9@EXAMPLE.TEST",
		" mikel-jos\u00e9@example.test\t",
		"\u3000mikel-jos\u00e9@example.test\u00a0",
		"mi\u212ael-jos\u00e9@example.test", // the Kelvin sign
	}
	elsewhereLed := []string{
		"mikel-jose\u0301@example.test", // the accent apart
		"mikel-jose@example.test",
		"mikel-jos\u00e9@example.test.",
		"mikel-jos\u00e9@\uff45xample.test",
		"mikel-jos\u00e9\u200b@example.test",
		"mikel-jos%C3%A9@example.test",
	}
	for i, spelling := range elsewhereLed {
		w.expect(spelling, w.password(spelling, goodPassword, elsewhere(i)), "wrong")
	}
	for i := range freeGuesses {
		w.expect("guess", w.password(reaching[i%len(reaching)], wrong, elsewhere(100+i)), "wrong")
	}
	for i, spelling := range reaching {
		w.expect(spelling, w.password(spelling, goodPassword, elsewhere(200+i)), "held 30s")
	}
	w.clock.Pass(30 * time.Second)
	w.expect("in the end", w.password(reaching[1], goodPassword, elsewhere(300)), "in")
}

// A clock that was set back lets nobody guess sooner.
func TestClockSetBack(t *testing.T) {
	w := newWorld(t)
	w.add("alice@example.test")
	w.guess("alice@example.test", freeGuesses, elsewhere)
	w.clock.Pass(-time.Hour)
	w.expect("an hour earlier", w.password("alice@example.test", goodPassword, elsewhere(99)), "held 1h0m30s")
}

// A known browser has a budget of its own for passcodes, too, and no more of it
// than anybody.
func TestKnownBrowserPasscodes(t *testing.T) {
	w := newWorld(t)
	alice := w.add("alice@example.test")
	app, _ := w.enroll(alice.ID, false)
	mine := knownBrowser("mine", alice.ID)
	for i := range maxGuesses {
		w.clock.Pass(longestWait)
		w.passcode(alice.ID, "not a code", elsewhere(i))
	}
	w.expect("a stranger", w.passcode(alice.ID, app.code(0), elsewhere(999)), "held until unlocked")
	w.expect("the owner", w.passcode(alice.ID, app.code(0), mine), "in by app")
	for range freeGuesses {
		w.expect("guess", w.passcode(alice.ID, "not a code", mine), "wrong")
	}
	w.expect("its own budget", w.passcode(alice.ID, app.code(1), mine), "held 30s")
	w.expect("its password", w.password("alice@example.test", goodPassword, mine), "in")
	w.expect("clears no passcode count", w.passcode(alice.ID, app.code(1), mine), "held 30s")
	counted := freeGuesses
	for range 2 * maxGuesses {
		w.clock.Pass(longestWait)
		if w.passcode(alice.ID, "not a code", mine) == "wrong" {
			counted++
		}
	}
	if counted != maxGuesses {
		t.Errorf("%d guesses from a known browser, want %d", counted, maxGuesses)
	}
}
