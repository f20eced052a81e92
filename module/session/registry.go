package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// storeGrace is how long sessions in memory go on when the store cannot
	// be asked.
	storeGrace = 10 * time.Second
	// pulse is how often the store is asked for a sign of life and is told
	// when sessions were last seen.
	pulse = time.Second
	// storeTimeout bounds each question to the store.
	storeTimeout = 5 * time.Second
	// maxUnwritten bounds the last-seen times that wait for the store.
	maxUnwritten = 1 << 17
)

// Registry is what all configurations on one store share about its sessions:
// which copies in memory are outdated, when sessions were last seen, and
// whether the store answers. It outlives reloads.
type Registry struct {
	store       store.Store
	clock       func() time.Time
	generations *generations
	unsubscribe func()

	answered atomic.Int64 // unix nanoseconds of the store's last sign of life

	mu        sync.Mutex
	unwritten map[string]time.Time // family of sessions → last seen

	stop context.CancelFunc
	done chan struct{}
}

// NewRegistry begins to watch the store. Close ends that.
func NewRegistry(st store.Store, clock func() time.Time) *Registry {
	ctx, stop := context.WithCancel(context.Background())
	r := &Registry{
		store:       st,
		clock:       clock,
		generations: newGenerations(),
		unwritten:   make(map[string]time.Time),
		stop:        stop,
		done:        make(chan struct{}),
	}
	r.answered.Store(clock().UnixNano())
	r.unsubscribe = st.Subscribe(r.outdate)
	go r.watch(ctx)
	return r
}

// Close writes what is still to be written and stops watching. The store is
// closed by whoever opened it.
func (r *Registry) Close() error {
	r.stop()
	<-r.done
	r.unsubscribe()
	return r.Flush(context.Background())
}

// Flush tells the store when sessions were last seen. What cannot be written
// is kept for the next time.
func (r *Registry) Flush(ctx context.Context) error {
	r.mu.Lock()
	batch := r.unwritten
	if len(batch) == 0 {
		r.mu.Unlock()
		return nil
	}
	r.unwritten = make(map[string]time.Time)
	r.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := r.store.Update(ctx, func(tx store.Tx) error {
		for family, at := range batch {
			if err := tx.SawFamily([]byte(family), at); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for family, at := range batch {
		if later, ok := r.unwritten[family]; !ok || later.Before(at) {
			r.unwritten[family] = at
		}
	}
	return fmt.Errorf("writing when sessions were last seen: %w", err)
}

// outdate makes every copy of what changed worthless.
func (r *Registry) outdate(c store.Change) {
	if c.Session != nil {
		r.generations.session(c.Session).Add(1)
	}
	if c.Account != "" {
		r.generations.account(c.Account).Add(1)
	}
}

// saw notes that a session of the family was used.
func (r *Registry) saw(family []byte, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.unwritten) < maxUnwritten {
		r.unwritten[string(family)] = at
	}
}

// lastSeen returns the later of at and what has not been written yet.
func (r *Registry) lastSeen(family []byte, at time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if unwritten, ok := r.unwritten[string(family)]; ok && unwritten.After(at) {
		return unwritten
	}
	return at
}

// answers returns an error when the store has given no sign of life for longer
// than sessions in memory may go on without it.
func (r *Registry) answers(ctx context.Context, now time.Time) error {
	if now.UnixNano()-r.answered.Load() < int64(storeGrace) {
		return nil
	}
	return r.ping(ctx)
}

func (r *Registry) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := r.store.Ping(ctx); err != nil {
		return fmt.Errorf("the store does not answer: %w", err)
	}
	r.answered.Store(r.clock().UnixNano())
	return nil
}

func (r *Registry) watch(ctx context.Context) {
	defer close(r.done)
	ticker := time.NewTicker(pulse)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// A fault shows where it matters: the copies in memory end
			// after storeGrace, and the last-seen times are tried again.
			_ = errors.Join(r.ping(ctx), r.Flush(ctx))
		}
	}
}
