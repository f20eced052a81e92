package account

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// All of these run in a bubble that also fails when a goroutine is left over.

func stranger(i int) visitor { return visitor{network: network(elsewhere(i).Address)} }

func friend(i int) visitor { return visitor{network: network(elsewhere(i).Address), known: true} }

func mustEnter(t *testing.T, g *Gate, v visitor) (leave func()) {
	t.Helper()
	leave, err := g.enter(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

func TestGateLetsFewIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(3)
		var inside, most, through atomic.Int64
		for i := range 90 {
			go func() {
				leave := mustEnter(t, g, stranger(i))
				defer leave()
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(time.Millisecond)
				inside.Add(-1)
				through.Add(1)
			}()
		}
		time.Sleep(time.Minute)
		if most.Load() != 3 || through.Load() != 90 {
			t.Errorf("%d at once and %d through, want 3 and 90", most.Load(), through.Load())
		}
	})
}

func TestGateDefault(t *testing.T) {
	if g := NewGate(0); g.slots != max(1, runtime.GOMAXPROCS(0)-1) {
		t.Errorf("%d slots with %d cores", g.slots, runtime.GOMAXPROCS(0))
	}
}

func TestGateQueueIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(1)
		leave := mustEnter(t, g, stranger(0))
		ctx, cancel := context.WithCancel(t.Context())
		for i := range queuePerSlot {
			go g.enter(ctx, stranger(i))
		}
		synctest.Wait()
		var busy *Busy
		if _, err := g.enter(ctx, stranger(999)); !errors.As(err, &busy) || busy.RetryAfter <= 0 {
			t.Errorf("a further stranger: %v", err)
		}
		entered := false
		go func() {
			mustEnter(t, g, friend(999))()
			entered = true
		}()
		synctest.Wait()
		leave()
		synctest.Wait()
		if !entered {
			t.Error("strangers kept a known browser out")
		}
		cancel()
	})
}

func TestGateNetworkCannotFillTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(1)
		leave := mustEnter(t, g, stranger(0))
		ctx, cancel := context.WithCancel(t.Context())
		for range networkPerSlot {
			go g.enter(ctx, stranger(7))
		}
		synctest.Wait()
		var busy *Busy
		if _, err := g.enter(ctx, stranger(7)); !errors.As(err, &busy) {
			t.Errorf("one more of that network: %v", err)
		}
		waiting := false
		go func() {
			_, err := g.enter(ctx, stranger(8))
			waiting = errors.Is(err, context.Canceled)
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !waiting {
			t.Error("another network did not get into the queue")
		}
		if len(g.lanes[strangers].networks) != 0 {
			t.Errorf("networks are remembered: %v", g.lanes[strangers].networks)
		}
		leave()
		mustEnter(t, g, stranger(7))()
	})
}

func TestGateTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(1)
		leave := mustEnter(t, g, stranger(0))
		var mu sync.Mutex
		order := ""
		queue := func(v visitor, name string) {
			go func() {
				leave := mustEnter(t, g, v)
				mu.Lock()
				order += name
				mu.Unlock()
				leave()
			}()
			synctest.Wait()
		}
		for i := range 3 {
			queue(stranger(i), "s")
		}
		for i := range 5 {
			queue(friend(i), "k")
		}
		leave()
		synctest.Wait()
		if order != "kkkskkss" {
			t.Errorf("order %q, want known ones first and a stranger after three", order)
		}
	})
}

func TestGateLeavingTwiceMakesNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(1)
		leave := mustEnter(t, g, stranger(0))
		leave()
		leave()
		again := mustEnter(t, g, stranger(0))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.enter(ctx, stranger(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("two at once: %v", err)
		}
		again()
	})
}

// Whoever goes away at the very moment of their turn loses no slot.
func TestGateVisitorGoesAwayAtTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(1)
		for i := range 500 {
			leave := mustEnter(t, g, stranger(0))
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if leave, err := g.enter(ctx, stranger(i)); err == nil {
					leave()
				}
			}()
			synctest.Wait()
			cancel()
			leave()
			synctest.Wait()
			if g.free != 1 {
				t.Fatalf("after %d visitors %d slots are free, want 1", i, g.free)
			}
		}
	})
}
