package session

import (
	"slices"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Alive returns those of the sessions of an account, as the store lists them,
// that have not ended by now, with when they were last seen: the store learns
// late of either.
func (k *Keeper) Alive(listed []store.Session, now time.Time) []store.Session {
	alive := slices.Clone(listed)
	for i := range alive {
		alive[i].SeenAt = k.registry.lastSeen(alive[i].ID, alive[i].SeenAt)
	}
	return slices.DeleteFunc(alive, func(s store.Session) bool {
		live := &Live{Session: s}
		k.limit(live)
		live.seen.Store(s.SeenAt.UnixNano())
		return live.over(now)
	})
}
