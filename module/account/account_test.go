package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

const goodPassword = "seven purple umbrellas"

// clock is a time that only moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is people with a store of their own.
type world struct {
	*People
	t     testing.TB
	clock *clock
}

var cheap = Parameters{Memory: 64, Time: 1, Threads: 1}

func newWorld(t testing.TB) *world { return newWorldWith(t, NewHasher(NewGate(8), cheap)) }

func newWorldWith(t testing.TB, hasher *Hasher) *world {
	t.Helper()
	st, err := store.OpenSQLite(context.Background(), storetest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	ring, err := secret.NewRing("a secret for tests that is long enough")
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	return &world{
		People: New(Config{Store: st, Ring: ring, Hasher: hasher, Clock: c.Now}),
		t:      t,
		clock:  c,
	}
}

// add makes an account with goodPassword.
func (w *world) add(email string) store.Account {
	w.t.Helper()
	a, err := w.Create(w.t.Context(), NewAccount{Email: email, Name: "Somebody", Password: goodPassword}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) account(id string) store.Account {
	w.t.Helper()
	a, err := w.Account(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) update(fn func(tx store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) view(fn func(tx store.Tx) error) {
	w.t.Helper()
	if err := w.store.View(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// from is a client of that address without a known browser.
func from(address string) From { return From{Address: netip.MustParseAddr(address)} }

// elsewhere is a network of its own for each i.
func elsewhere(i int) From {
	return From{Address: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
}

// knownBrowser is a browser that these accounts have signed in with.
func knownBrowser(id string, accounts ...string) From {
	return From{Address: netip.MustParseAddr("192.0.2.7"), Device: &Device{ID: id, Accounts: accounts}}
}

// outcome puts the answer to an attempt into words.
func outcome(err error) string {
	var held *Held
	var busy *Busy
	switch {
	case err == nil:
		return "in"
	case errors.Is(err, ErrWrong):
		return "wrong"
	case errors.As(err, &held) && held.UntilUnlock:
		return "held until unlocked"
	case errors.As(err, &held):
		return fmt.Sprintf("held %s", held.RetryAfter)
	case errors.As(err, &busy):
		return "busy"
	}
	return "error: " + err.Error()
}

func (w *world) password(email, password string, from From) string {
	w.t.Helper()
	_, err := w.CheckPassword(w.t.Context(), email, password, from)
	return outcome(err)
}

func (w *world) expect(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// atOnce runs fn n times at once and counts the outcomes.
func atOnce(n int, fn func(i int) error) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := make(chan struct{})
	counts := make(map[string]int)
	for i := range n {
		wg.Go(func() {
			<-start
			got := outcome(fn(i))
			mu.Lock()
			counts[got]++
			mu.Unlock()
		})
	}
	close(start)
	wg.Wait()
	return counts
}

func TestDevice(t *testing.T) {
	var nobody *Device
	if nobody.Knows("a") {
		t.Error("no browser knows somebody")
	}
	if (&Device{Accounts: []string{"a"}}).Knows("a") {
		t.Error("a browser without an id knows somebody")
	}
	d := &Device{ID: "d"}
	if d.Knows("") {
		t.Error("an empty account is known")
	}
	for _, id := range []string{"a", "b", "c", "d", "e", "b", "f"} {
		d.Add(id)
	}
	if got, want := fmt.Sprint(d.Accounts), "[f b e d c]"; got != want {
		t.Errorf("accounts %s, want %s: the newest five", got, want)
	}
	if d.Knows("a") || !d.Knows("c") {
		t.Error("the oldest should be forgotten, and only that")
	}
}

func TestNetwork(t *testing.T) {
	for _, test := range []struct {
		name, a, b string
		same       bool
	}{
		{"one IPv4 address", "192.0.2.1", "192.0.2.1", true},
		{"neighbours with IPv4", "192.0.2.1", "192.0.2.2", false},
		{"IPv4 written as IPv6", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"one site with IPv6", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"two sites with IPv6", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"a zone", "fe80::1%eth0", "fe80::1%eth1", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			same := network(netip.MustParseAddr(test.a)) == network(netip.MustParseAddr(test.b))
			if same != test.same {
				t.Errorf("%s and %s: same network %v, want %v", test.a, test.b, same, test.same)
			}
		})
	}
	if network(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("clients without an address should share a network")
	}
}

// identityOf is short for attributes of somebody.
func identityOf(email, name string) identity.Attributes {
	return identity.Attributes{Email: email, Name: name, Role: identity.EndUser}
}
