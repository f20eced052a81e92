package module

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

const (
	// pruneEvery is how often what has expired is deleted.
	pruneEvery = 10 * time.Minute
	// deliverAtEnd is how long what waits for its first delivery has when
	// nobody uses the store any more.
	deliverAtEnd = 5 * time.Second
	// auditRetention is how long rows of the audit trail are kept.
	auditRetention = 90 * 24 * time.Hour
)

// engine is what outlives a reload: the open database and what is shared by
// everyone who works on it. There is one per database in the process. It holds
// nothing of a configuration.
type engine struct {
	path string

	mu       sync.Mutex
	opened   bool
	store    store.Store
	sessions *session.Registry
	hasher   *account.Hasher
	post     *deliver.Post
	stop     context.CancelFunc
	done     chan struct{}
}

// engines holds the engines in use by the path of their database. Whoever uses
// one takes a reference and gives it back, so the last one closes it.
var engines = caddy.NewUsagePool()

// borrowEngine returns the engine of a database, not necessarily open.
func borrowEngine(path string) (*engine, error) {
	e, _, err := engines.LoadOrNew(path, func() (caddy.Destructor, error) {
		return &engine{path: path}, nil
	})
	if err != nil {
		return nil, err
	}
	return e.(*engine), nil
}

// returnEngine gives back what borrowEngine lent.
func returnEngine(e *engine) error {
	_, err := engines.Delete(e.path)
	return err
}

// open opens the database, once.
func (e *engine) open(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opened {
		return nil
	}
	st, err := store.OpenSQLite(ctx, e.path)
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	e.begin(st)
	return nil
}

// begin works with an open store from now on.
func (e *engine) begin(st store.Store) {
	watch, stop := context.WithCancel(context.Background())
	e.store = st
	e.sessions = session.NewRegistry(st, time.Now)
	e.hasher = account.NewHasher(account.NewGate(max(1, runtime.GOMAXPROCS(0)-1)), account.DefaultParameters)
	e.post = deliver.NewPost(caddy.Log().Named("auth_gateway.deliver"), time.Now)
	e.stop, e.done = stop, make(chan struct{})
	e.opened = true
	go e.prune(watch)
}

// prune deletes what has expired, now and then.
func (e *engine) prune(ctx context.Context) {
	defer close(e.done)
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		now := time.Now()
		if err := e.store.Prune(ctx, now, now.Add(-auditRetention)); err != nil && ctx.Err() == nil {
			caddy.Log().Named("auth_gateway").Error("deleting what has expired failed and is tried again later", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Destruct closes the database after its last user has gone.
func (e *engine) Destruct() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.opened {
		return nil
	}
	e.opened = false
	ctx, cancel := context.WithTimeout(context.Background(), deliverAtEnd)
	defer cancel()
	e.post.Close(ctx) // it may still ask the store
	e.stop()
	<-e.done
	return errors.Join(e.sessions.Close(), e.store.Close())
}

// Interface guards.
var (
	_ caddy.Destructor = (*engine)(nil)
)
