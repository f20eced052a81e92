package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// maxWaiting bounds what has not been delivered yet by the same way.
	maxWaiting = 1000
	// atOnce is how many are delivered at the same time by the same way.
	atOnce = 4
)

// retries are the pauses before trying again; the last one repeats until the
// message is of no use any more.
var retries = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}

// State is how far a delivery has come.
type State int32

// The states.
const (
	// Waiting: the first try has not ended.
	Waiting State = iota
	// Sent: the server has taken it.
	Sent
	// Failing: it did not work, and will be tried again.
	Failing
	// GivenUp: it did not work and will not.
	GivenUp
)

// Failed reports whether the person should be told that nothing is coming, for
// now at least.
func (s State) Failed() bool { return s == Failing || s == GivenUp }

// Way is how a parcel goes.
type Way int

// The ways.
const (
	ByMail Way = iota
	ByText
)

// Parcel is something to be delivered.
type Parcel struct {
	// Send tries once.
	Send func(context.Context) error
	// By is the way that it goes: what waits for a server that hangs holds
	// up nothing that goes another way. Default: ByMail.
	By Way
	// What it is, for the log: "a passcode by mail". Never a secret.
	What string
	// Account is whom it is for, for the log.
	Account string
	// Until is when it is of no use any more.
	Until time.Time
}

// Delivery is a parcel under way.
type Delivery struct {
	Parcel
	state atomic.Int32
	tried chan struct{} // closed when the first try has ended
	tries int
}

// State is how far it has come.
func (d *Delivery) State() State { return State(d.state.Load()) }

// Wait returns the state after the first try, or Waiting if ctx ends before.
func (d *Delivery) Wait(ctx context.Context) State {
	select {
	case <-d.tried:
	case <-ctx.Done():
	}
	return d.State()
}

// Post delivers in the background. It outlives reloads of the configuration.
type Post struct {
	log   *zap.Logger
	clock func() time.Time

	slots [ByText + 1]chan struct{} // by way
	ctx   context.Context           // ends when the post closes
	stop  context.CancelFunc
	group sync.WaitGroup // all that is under way
	first sync.WaitGroup // what is tried for the first time

	mu      sync.Mutex
	waiting [ByText + 1]int // by way
	closed  bool
}

// NewPost returns a post that delivers until it is closed.
func NewPost(log *zap.Logger, clock func() time.Time) *Post {
	ctx, stop := context.WithCancel(context.Background())
	p := &Post{log: log, clock: clock, ctx: ctx, stop: stop}
	for way := range p.slots {
		p.slots[way] = make(chan struct{}, atOnce)
	}
	return p
}

// Deliver takes a parcel and returns at once.
func (p *Post) Deliver(parcel Parcel) *Delivery {
	d := &Delivery{Parcel: parcel, tried: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.waiting[d.By] >= maxWaiting {
		d.state.Store(int32(GivenUp))
		close(d.tried)
		p.log.Error("not delivered: too much is waiting for delivery already", zap.String("what", d.What), zap.String("account", d.Account))
		return d
	}
	p.waiting[d.By]++
	p.first.Add(1)
	p.group.Go(func() {
		p.carry(d)
		p.mu.Lock()
		p.waiting[d.By]--
		p.mu.Unlock()
	})
	return d
}

// Close ends the deliveries. Those that are tried for the first time may finish
// until ctx ends; the others are dropped, and the log says which.
func (p *Post) Close(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	tried := make(chan struct{})
	go func() {
		p.first.Wait()
		close(tried)
	}()
	select {
	case <-tried:
	case <-ctx.Done():
	}
	p.stop()
	p.group.Wait()
}

// carry tries until it works or is of no use any more.
func (p *Post) carry(d *Delivery) {
	for {
		err := p.try(d)
		if err == nil {
			p.settle(d, Sent)
			return
		}
		pause := retries[min(d.tries, len(retries)-1)]
		d.tries++
		var final *permanentError
		if errors.As(err, &final) || p.ctx.Err() != nil || !p.clock().Add(pause).Before(d.Until) {
			p.settle(d, GivenUp)
			p.log.Error("not delivered", zap.String("what", d.What), zap.String("account", d.Account), zap.Int("tries", d.tries), zap.Error(err))
			return
		}
		p.settle(d, Failing)
		p.log.Warn("not delivered yet, will be tried again", zap.String("what", d.What), zap.String("account", d.Account),
			zap.Duration("after", pause), zap.Error(err))
		select {
		case <-time.After(pause):
		case <-p.ctx.Done():
		}
	}
}

func (p *Post) try(d *Delivery) error {
	select {
	case p.slots[d.By] <- struct{}{}:
		defer func() { <-p.slots[d.By] }()
	case <-p.ctx.Done():
		return fmt.Errorf("stopping: %w", p.ctx.Err())
	}
	if p.ctx.Err() != nil {
		return fmt.Errorf("stopping: %w", p.ctx.Err())
	}
	return d.Send(p.ctx)
}

// settle notes how a try ended.
func (p *Post) settle(d *Delivery, s State) {
	d.state.Store(int32(s))
	select {
	case <-d.tried:
	default:
		close(d.tried)
		p.first.Done()
	}
}

// permanentError is one that trying again does not cure.
type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

func permanent(err error) error { return &permanentError{err} }

// Permanent reports whether trying again cannot help.
func Permanent(err error) bool {
	var final *permanentError
	return errors.As(err, &final)
}
