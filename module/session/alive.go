package session

import (
	"cmp"
	"slices"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// Alive returns those of the sessions of an account, as the store lists them,
// that have not ended by now, with when they were last seen: the store learns
// late of either. Of a family it returns one, the one that knows most: a browser
// is one thing to a person, on however many sites it is signed in.
func (k *Keeper) Alive(listed []store.Session, now time.Time) []store.Session {
	alive := slices.Clone(listed)
	for i := range alive {
		alive[i].SeenAt = k.registry.lastSeen(alive[i].Family, alive[i].SeenAt)
	}
	alive = slices.DeleteFunc(alive, func(s store.Session) bool {
		live := &Live{Session: s}
		k.limit(live)
		live.seen.Store(s.SeenAt.UnixNano())
		return live.over(now)
	})
	return Browsers(alive)
}

// Browsers returns one session of each family, in the order of the list: that
// with the latest sign-in and passcode, the earliest of several.
func Browsers(listed []store.Session) []store.Session {
	best := make(map[string]int, len(listed)) // family → index
	for i, s := range listed {
		if other, ok := best[string(s.Family)]; !ok || knowsMore(s, listed[other]) {
			best[string(s.Family)] = i
		}
	}
	browsers := make([]store.Session, 0, len(best))
	for i, s := range listed {
		if best[string(s.Family)] == i {
			browsers = append(browsers, s)
		}
	}
	return browsers
}

func knowsMore(a, b store.Session) bool {
	return cmp.Or(
		a.SignedInAt.Compare(b.SignedInAt),
		a.SecondFactorAt.Compare(b.SecondFactorAt),
		b.CreatedAt.Compare(a.CreatedAt),
	) > 0
}
