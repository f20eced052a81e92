package account

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// flood is how many made-up names the tests of this file throw at People.
const flood = 1_000_000 / raceFactor

// roomForFlood is what the memory may grow by, in bytes, with all that stands for
// rows of the store.
const roomForFlood = 8 << 20

// A million names, each from a network of its own, IPv4 and IPv6 in turn, cost no memory worth speaking
// of (rule 4): neither the counters of guesses, nor the gate in front of the
// hashes, nor the audit trail. Only the hashes are left out, for their time.
func TestAMillionNames(t *testing.T) {
	st := &counters{failures: map[string]store.Failures{}}
	gate := NewGate(1)
	c := &clock{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	people := New(Config{Store: st, Ring: mustRing(t, "a secret for tests that is long enough"), Hasher: NewHasher(gate, cheap), Clock: c.Now})
	trail := audit.New(st, zap.NewNop(), c.Now)
	leave := mustEnter(t, gate, stranger(0))
	fillQueue(t, gate)

	before := heap()
	wrong, held := 0, 0
	for i := range flood {
		from := elsewhere(i)
		if i%2 == 1 {
			from.Address = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i), 15: 1})
		}
		c.Pass(time.Millisecond)
		claimed, wait, err := people.countClaim(t.Context(), "made-up-"+strconv.Itoa(i)+"@example.test", from)
		if err != nil || claimed.account.ID != "" {
			t.Fatalf("%+v, %v", claimed, err)
		}
		event := store.Event{Action: "sign-in", Outcome: audit.Failure, Address: from.Address.String(), How: "password"}
		if wait != nil {
			held++
			event.Outcome = audit.Refused
		} else {
			wrong++
		}
		trail.Add(event)
		if _, err := gate.enter(t.Context(), visitor{network: network(from.Address)}); err == nil {
			t.Fatalf("name %d went past a full queue", i)
		}
	}
	grown := heap() - before
	t.Logf("%d names, %d of them held: %d KiB of memory, %d counters", flood, held, grown>>10, len(st.failures))
	if grown > roomForFlood {
		t.Errorf("want at most %d KiB of memory", roomForFlood>>10)
	}
	if n := len(st.failures); n > 2*buckets || n < buckets {
		t.Errorf("want %d to %d counters", buckets, 2*buckets)
	}
	if networks := len(gate.lanes[strangers].networks); networks > queuePerSlot {
		t.Errorf("the gate knows %d networks, want at most the %d that wait", networks, queuePerSlot)
	}
	if wrong < buckets || held == 0 && flood > 20*buckets {
		t.Errorf("%d counted and %d held: the flood was none", wrong, held)
	}
	if err := trail.Close(); err != nil {
		t.Error(err)
	}
	leave()
	runtime.KeepAlive(people)
}

// fillQueue has as many wait as can, each from a network of its own. They go away
// with the test.
func fillQueue(t *testing.T, gate *Gate) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	for i := range queuePerSlot {
		waiting.Go(func() { _, _ = gate.enter(ctx, stranger(i)) })
	}
	t.Cleanup(func() {
		cancel()
		waiting.Wait()
		if n := len(gate.lanes[strangers].networks); n != 0 {
			t.Errorf("the gate still knows %d networks", n)
		}
	})
	for full := false; !full; runtime.Gosched() {
		gate.mu.Lock()
		full = len(gate.lanes[strangers].waiting) == queuePerSlot
		gate.mu.Unlock()
	}
}

// heap is how much memory is in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one freed the finalizers of
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// counters is a store of counters where nobody has an account. It counts as the
// real ones do, and takes no time.
type counters struct {
	store.Store
	mu       sync.Mutex
	failures map[string]store.Failures
	audited  int
}

// View implements store.Store.
func (c *counters) View(_ context.Context, fn func(store.Tx) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fn(countersTx{counters: c})
}

// Update implements store.Store.
func (c *counters) Update(ctx context.Context, fn func(store.Tx) error) error { return c.View(ctx, fn) }

// countersTx are the rows that a guess asks for.
type countersTx struct {
	store.Tx
	*counters
}

func (countersTx) AccountByEmail(string) (store.Account, error) {
	return store.Account{}, store.ErrNotFound
}

func (countersTx) Password(string) (store.Password, error) {
	return store.Password{}, store.ErrNotFound
}

func (tx countersTx) Failures(key string) (store.Failures, error) { return tx.failures[key], nil }

func (tx countersTx) CountFailure(key string, now time.Time, leak time.Duration) (store.Failures, error) {
	f := tx.failures[key]
	if passed := now.Sub(f.Last); leak > 0 && passed > 0 {
		f.Count = max(0, f.Count-int(passed/leak))
	}
	f.Count++
	if f.Last.Before(now) {
		f.Last = now
	}
	tx.failures[key] = f
	return f, nil
}

func (tx countersTx) ClearFailures(key string) error {
	delete(tx.failures, key)
	return nil
}

func (tx countersTx) Audit(store.Event) error {
	tx.audited++
	return nil
}

// Nobody without the secret can choose a name that shares a counter with somebody
// else's.
func TestCountersCannotBeForetold(t *testing.T) {
	one, other := newGuesses(mustRing(t, "a secret for tests that is long enough")), newGuesses(mustRing(t, "another secret for tests that is long"))
	differs := false
	for i := range 8 {
		email, now := fmt.Sprintf("made-up-%d@example.test", i), time.Now()
		differs = differs || other.unknown(passwords, email, From{}, now).person != one.unknown(passwords, email, From{}, now).person
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
