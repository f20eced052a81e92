package upstream

import (
	"sync"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
)

// How long a provider that cannot say anything is left alone: twice as long each
// time.
const (
	firstPause = 15 * time.Second
	maxPause   = 5 * time.Minute
)

// outage is whether somebody who is asked can say anything at the moment. The zero
// value is one who can.
type outage struct {
	mu     sync.Mutex
	failed int // times in a row
	until  time.Time

	// It is told of once. Single sessions about which the provider never says
	// anything must not fill the log either, with outages that begin and end.
	told    time.Time // when it was last told of one
	telling bool      // it was told of this one
}

// concernsAll reports whether a fault would be the same with every session. Of the
// others one may have tokens that are of no use, which is no reason to leave the
// provider alone.
func concernsAll(kind sso.FaultKind) bool {
	switch kind {
	case sso.FaultUnreachable, sso.FaultTimeout, sso.FaultUnavailable, sso.FaultDiscovery, sso.FaultKeys,
		sso.FaultClient, sso.FaultUnauthorized, sso.FaultScope:
		return true
	}
	return false
}

// pause returns until when nobody asks, which is in the past if anybody may.
func (o *outage) pause() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.until
}

// begin notes that the provider could not say anything, and returns until when
// nobody asks. What was asked before that was known does not count again.
func (o *outage) begin(now time.Time) (until time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !now.Before(o.until) {
		o.until = now.Add(min(firstPause<<min(o.failed, 10), maxPause))
		o.failed++
	}
	return o.until
}

// tell reports whether it is worth a line in the log.
func (o *outage) tell(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.telling || now.Sub(o.told) < maxPause {
		return false
	}
	o.told, o.telling = now, true
	return true
}

// end notes that the provider has said something, and reports whether that is
// worth a line.
func (o *outage) end() (tell bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	tell = o.telling
	o.failed, o.until, o.telling = 0, time.Time{}, false
	return tell
}
