package upstream

import (
	"sync"
	"time"
)

// How long a provider that cannot say anything is left alone: twice as long each
// time.
const (
	firstPause = 15 * time.Second
	maxPause   = 5 * time.Minute
)

// outage is whether a provider can say anything at the moment. The zero value is
// one that can.
type outage struct {
	mu     sync.Mutex
	failed int // times in a row
	until  time.Time
}

// pause returns until when nobody asks, which is in the past if anybody may.
func (o *outage) pause() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.until
}

// begin notes that the provider could not say anything, and returns until when
// nobody asks. What was asked before that was known does not count again. first
// is whether it could until now.
func (o *outage) begin(now time.Time) (until time.Time, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Before(o.until) {
		return o.until, false
	}
	o.until = now.Add(min(firstPause<<min(o.failed, 10), maxPause))
	o.failed++
	return o.until, o.failed == 1
}

// end notes that the provider has said something, and reports whether it could
// not before.
func (o *outage) end() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.failed > 0
	o.failed, o.until = 0, time.Time{}
	return was
}
