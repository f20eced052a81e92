package account

import (
	"errors"
	"fmt"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

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

// Passwords, passcodes and links of a network are counted apart.
func TestNetworkKindsAreCountedApart(t *testing.T) {
	w := newWorld(t)
	office := from("192.0.2.9")
	var people []store.Account
	for i := range networkGuesses/freeGuesses + 1 {
		people = append(people, w.add(fmt.Sprintf("person-%d@example.test", i)))
	}
	last := people[len(people)-1]
	app, _ := w.enroll(last.ID, false)

	for i := range networkGuesses {
		w.expect("guess", w.password(fmt.Sprintf("made-up-%d@example.test", i), wrong, office), "wrong")
	}
	w.expect("passwords", w.password(last.Attributes.Email, goodPassword, office), "held 30s")
	w.expect("passcodes meanwhile", w.passcode(last.ID, app.code(0), office), "in by app")
	_, _, err := w.LinkOwner(t.Context(), "no such link", office)
	if !errors.Is(err, ErrLink) {
		t.Errorf("links meanwhile: %v", err)
	}

	w.clock.Pass(2 * networkGuesses * networkLeak)
	for i := range networkGuesses {
		w.expect("guess", w.passcode(people[i/freeGuesses].ID, "not a code", office), "wrong")
	}
	w.expect("passcodes", w.passcode(last.ID, app.code(0), office), "held 30s")
	w.expect("passwords meanwhile", w.password(last.Attributes.Email, goodPassword, office), "in")
	w.expect("passcodes of another network", w.passcode(last.ID, app.code(0), elsewhere(1)), "in by app")
}

// However many guess at once, no network has more than its guesses.
func TestParallelGuessesOfANetwork(t *testing.T) {
	w := newWorldWith(t, NewHasher(NewGate(64), cheap))
	const more = 50
	counts := atOnce(networkGuesses+more, func(i int) error {
		_, err := w.CheckPassword(t.Context(), fmt.Sprintf("made-up-%d@example.test", i), wrong, from("192.0.2.9"))
		return err
	})
	if counts["wrong"] != networkGuesses || counts["held 30s"] != more {
		t.Errorf("got %v, want %d wrong and %d held", counts, networkGuesses, more)
	}
}

// Addresses of one network by any way of writing.
func TestNetworkSpellings(t *testing.T) {
	w := newWorld(t)
	office := []From{from("192.0.2.9"), from("::ffff:192.0.2.9"), from("::ffff:c000:209")}
	for i := range networkGuesses {
		w.expect("guess", w.password(fmt.Sprintf("made-up-%d@example.test", i), wrong, office[i%len(office)]), "wrong")
	}
	for _, from := range office {
		w.expect(from.Address.String(), w.password("more@example.test", wrong, from), "held 30s")
	}
	w.expect("its neighbour", w.password("more@example.test", wrong, from("192.0.2.10")), "wrong")
}
