package sso

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"
)

// How long a provider's documents are kept, and how often they are fetched.
const (
	defaultFresh = time.Hour
	minFresh     = time.Minute
	maxFresh     = 24 * time.Hour

	// renewPart: a document is renewed ahead of time in the last of so many
	// equal parts of its time.
	renewPart = 5

	// keptStale is how long a document is still used after its time while
	// no new one can be had.
	keptStale = 24 * time.Hour

	// retryAfter is how long a failure is remembered while there is no
	// document at all, so that requests do not hammer a provider that is
	// down, and it is found soon when it is up.
	retryAfter = 3 * time.Second

	// refetchAfter is the shortest time between two fetches while there is
	// a document.
	refetchAfter = 30 * time.Second
)

// document is something a provider publishes, fetched when it is needed and
// kept in memory. When most of its time is over, whoever uses it next has it
// renewed in the background and goes on with what there is. Nothing runs while
// nobody signs in.
type document[T any] struct {
	name    string
	fetch   func(context.Context) (*T, http.Header, error)
	clock   func() time.Time
	timeout time.Duration
	log     *zap.Logger

	flight singleflight.Group

	mu         sync.Mutex
	value      *T // nil until the first fetch that went well
	freshUntil time.Time
	renewFrom  time.Time // when it is renewed ahead of time
	triedAt    time.Time // when the latest fetch ended, well or not
	err        error     // what the latest fetch failed with
}

func newDocument[T any](name string, fetch func(context.Context) (*T, http.Header, error), opts Options, log *zap.Logger) *document[T] {
	return &document[T]{name: name, fetch: fetch, clock: opts.Clock, timeout: opts.Timeout, log: log}
}

// get returns the document, fetched if there is none or it is too old.
func (d *document[T]) get(ctx context.Context) (*T, error) {
	d.mu.Lock()
	now := d.clock()
	value, fresh, early := d.value, now.Before(d.freshUntil), now.Before(d.renewFrom)
	d.mu.Unlock()
	if value == nil || !fresh {
		return d.renew(ctx)
	}
	if !early {
		d.begin(ctx)
	}
	return value, nil
}

// known returns the document if it is in memory and may still be used. It never
// fetches.
func (d *document[T]) known() (*T, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	value, err := d.newest()
	return value, err == nil && value != nil
}

// failing returns what the latest fetch failed with, nil if it went well.
func (d *document[T]) failing() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// renew fetches the document again, unless that was tried a short while ago,
// and returns the newest there is. Callers at the same time share one fetch,
// which goes on when one of them leaves.
func (d *document[T]) renew(ctx context.Context) (*T, error) {
	if value, err, ok := d.recent(); ok {
		return value, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	done := d.begin(ctx)
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.newest()
}

// begin starts a fetch, or joins the one that is under way. It ends within the
// timeout, whether or not anybody waits.
func (d *document[T]) begin(ctx context.Context) <-chan singleflight.Result {
	return d.flight.DoChan("", func() (any, error) {
		// Whoever arrives here just after a flight has landed has not
		// seen its result.
		if _, _, ok := d.recent(); ok {
			return nil, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.timeout)
		defer cancel()
		d.land(d.fetch(ctx))
		return nil, nil
	})
}

// recent reports whether the latest fetch is too recent for another one, and
// returns what there is then.
func (d *document[T]) recent() (*T, error, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	apart := refetchAfter
	if d.value == nil {
		apart = retryAfter
	}
	// A clock that was set back must not put off the next fetch for long.
	age := d.clock().Sub(d.triedAt)
	if d.triedAt.IsZero() || age < 0 || age >= apart {
		return nil, nil, false
	}
	value, err := d.newest()
	return value, err, true
}

// newest returns the document if it may still be used. d.mu is held.
func (d *document[T]) newest() (*T, error) {
	if d.value != nil && (d.err == nil || d.clock().Before(d.freshUntil.Add(keptStale))) {
		return d.value, nil
	}
	return nil, d.err
}

// land keeps what a fetch brought.
func (d *document[T]) land(value *T, header http.Header, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.triedAt, d.err = d.clock(), err
	if err == nil {
		fresh := freshFor(header)
		d.value, d.freshUntil = value, d.triedAt.Add(fresh)
		d.renewFrom = d.triedAt.Add(fresh / renewPart * (renewPart - 1))
		return
	}
	if d.value != nil {
		d.log.Warn("cannot renew a document of the provider; the one in memory is used meanwhile",
			zap.String("document", d.name), zap.Error(err))
	}
}

// freshFor returns how long a document with that header may be used without
// asking again (RFC 9111 sections 5.2.2 and 5.3), within bounds.
func freshFor(header http.Header) time.Duration {
	for _, line := range header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return minFresh
			case "max-age":
				seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
				if err != nil {
					return minFresh
				}
				return within(time.Duration(seconds) * time.Second)
			}
		}
	}
	if text := header.Get("Expires"); text != "" {
		expires, err := http.ParseTime(text)
		if err != nil {
			return minFresh // "0" and the like: it has expired
		}
		// Both are the provider's time, so that clocks that differ do not
		// matter.
		if date, err := http.ParseTime(header.Get("Date")); err == nil {
			return within(expires.Sub(date))
		}
	}
	return defaultFresh
}

// within keeps how long a document is fresh within bounds.
func within(fresh time.Duration) time.Duration { return min(max(fresh, minFresh), maxFresh) }
