package account

import (
	"context"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	// queuePerSlot is how many wait in a lane for each hash that may run at
	// once: with the default parameters about a second's worth.
	queuePerSlot = 32
	// networkPerSlot is how many of them may come from one network.
	networkPerSlot = 8
	// knownInARow is how many from known browsers go before a stranger who
	// waits gets a turn.
	knownInARow = 3
	// busyRetry is when to come back to a full queue, which is empty by then.
	busyRetry = 2 * time.Second
)

// Gate lets few password hashes run at once, because each of them takes a core
// and much memory. The others wait in a short queue, and nobody's network can
// fill it. Browsers that are known have a lane of their own, so that strangers
// cannot keep people out by guessing. One Gate serves the whole process.
type Gate struct {
	slots int

	mu       sync.Mutex
	free     int
	lanes    [2]lane // strangers, known
	knownRun int     // how many known ones went while strangers waited
}

// lane is a queue.
type lane struct {
	waiting  []*waiter
	networks map[netip.Prefix]int // how many of them wait
}

type waiter struct {
	network netip.Prefix
	turn    chan struct{} // closed when a slot has been handed over
}

// visitor is who asks for a hash.
type visitor struct {
	network netip.Prefix
	// known: from a known browser, or with a link that was sent to them.
	known bool
}

const (
	strangers = 0
	known     = 1
)

// NewGate returns a gate that lets slots hashes run at once. Default, with 0:
// one for each core that Go may use less one, at least one.
func NewGate(slots int) *Gate {
	if slots <= 0 {
		slots = max(1, runtime.GOMAXPROCS(0)-1)
	}
	g := &Gate{slots: slots, free: slots}
	for i := range g.lanes {
		g.lanes[i].networks = make(map[netip.Prefix]int)
	}
	return g
}

// enter waits until a hash may run, and returns what to call after it. It is a
// *Busy error if the queue is full or too many of the same network wait, and
// that of the context if the visitor went away.
func (g *Gate) enter(ctx context.Context, v visitor) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return sync.OnceFunc(g.leave), nil
	}
	l := g.lane(v)
	if len(l.waiting) >= queuePerSlot*g.slots || l.networks[v.network] >= networkPerSlot*g.slots {
		g.mu.Unlock()
		return nil, &Busy{RetryAfter: busyRetry}
	}
	w := &waiter{network: v.network, turn: make(chan struct{})}
	l.add(w)
	g.mu.Unlock()

	select {
	case <-w.turn:
		return sync.OnceFunc(g.leave), nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	gone := l.remove(w)
	g.mu.Unlock()
	if !gone { // the slot came at the same moment, and belongs to the next
		g.leave()
	}
	return nil, ctx.Err()
}

// leave hands the slot to the next in the queue.
func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := &g.lanes[known]
	switch {
	case len(g.lanes[strangers].waiting) == 0:
		g.knownRun = 0
	case len(l.waiting) == 0 || g.knownRun >= knownInARow:
		l = &g.lanes[strangers]
		g.knownRun = 0
	default:
		g.knownRun++
	}
	if len(l.waiting) == 0 {
		g.free++
		return
	}
	next := l.waiting[0]
	l.remove(next)
	close(next.turn)
}

func (g *Gate) lane(v visitor) *lane {
	if v.known {
		return &g.lanes[known]
	}
	return &g.lanes[strangers]
}

func (l *lane) add(w *waiter) {
	l.waiting = append(l.waiting, w)
	l.networks[w.network]++
}

// remove is false if w does not wait (any more).
func (l *lane) remove(w *waiter) bool {
	i := slices.Index(l.waiting, w)
	if i < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	if l.networks[w.network]--; l.networks[w.network] == 0 {
		delete(l.networks, w.network)
	}
	return true
}
