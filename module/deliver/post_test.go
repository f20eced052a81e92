package deliver

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func newPost(t *testing.T) (*Post, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	return NewPost(zap.New(core), time.Now), logs
}

func TestDeliverTriesAgain(t *testing.T) {
	for _, tc := range []struct {
		name     string
		errs     []error // of the tries in turn; none when they are used up
		useful   time.Duration
		first    State
		last     State
		attempts int
	}{
		{"at once", nil, time.Hour, Sent, Sent, 1},
		{"after two failures", []error{errors.New("a"), errors.New("b")}, time.Hour, Failing, Sent, 3},
		{"never: it is no use", []error{permanent(errors.New("no such user"))}, time.Hour, GivenUp, GivenUp, 1},
		{"no longer of use", []error{errors.New("a"), errors.New("b"), errors.New("c")}, 2 * time.Second, Failing, GivenUp, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := newPost(t)
				var attempts atomic.Int32
				d := p.Deliver(Parcel{Until: time.Now().Add(tc.useful), Send: func(context.Context) error {
					n := int(attempts.Add(1))
					if n <= len(tc.errs) {
						return tc.errs[n-1]
					}
					return nil
				}})
				if got := d.Wait(t.Context()); got != tc.first {
					t.Errorf("after the first try: %d, want %d", got, tc.first)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if d.State() != tc.last || int(attempts.Load()) != tc.attempts {
					t.Errorf("in the end: %d after %d tries", d.State(), attempts.Load())
				}
				p.Close(t.Context())
			})
		})
	}
}

// Nobody waits for a server that hangs, and it does not keep all others back.
func TestDeliverHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, logs := newPost(t)
		began := time.Now()
		var atATime, most atomic.Int32
		hang := func(ctx context.Context) error {
			most.Store(max(most.Load(), atATime.Add(1)))
			defer atATime.Add(-1)
			<-ctx.Done()
			return ctx.Err()
		}
		for range maxWaiting {
			p.Deliver(Parcel{Send: hang, Until: began.Add(time.Hour)})
		}
		if d := p.Deliver(Parcel{Send: hang, Until: began.Add(time.Hour)}); d.Wait(t.Context()) != GivenUp {
			t.Error("there is no bound to what waits")
		}
		texted := p.Deliver(Parcel{By: ByText, Send: func(context.Context) error { return nil }, Until: began.Add(time.Hour)})
		if texted.Wait(t.Context()) != Sent {
			t.Error("what goes another way waits too")
		}
		synctest.Wait()
		if !time.Now().Equal(began) || most.Load() != atOnce {
			t.Errorf("it took %v, %d at once", time.Since(began), most.Load())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		p.Close(ctx)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("closing took %v", took)
		}
		if n := logs.FilterMessage("not delivered").Len(); n != maxWaiting {
			t.Errorf("%d of %d dropped parcels are in the log", n, maxWaiting)
		}
	})
}

// What was posted before the end is still tried once.
func TestCloseLetsFirstTriesFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newPost(t)
		var sent atomic.Int32
		var group sync.WaitGroup
		for range 3 * atOnce {
			group.Go(func() {
				p.Deliver(Parcel{Until: time.Now().Add(time.Hour), Send: func(context.Context) error {
					time.Sleep(time.Second)
					sent.Add(1)
					return nil
				}})
			})
		}
		group.Wait()
		failing := p.Deliver(Parcel{Until: time.Now().Add(time.Hour), Send: func(context.Context) error { return errors.New("down") }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		p.Close(ctx)
		if sent.Load() != 3*atOnce || failing.State() != GivenUp {
			t.Errorf("%d of %d sent, the failing one is in state %d", sent.Load(), 3*atOnce, failing.State())
		}
		if d := p.Deliver(Parcel{}); d.State() != GivenUp {
			t.Error("it takes parcels after the end")
		}
	})
}
