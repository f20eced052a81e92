package session

import (
	"hash/maphash"
	"sync/atomic"
)

// generations counts the changes to sessions and accounts. A session that was
// read from the store remembers the counts from before the read; it is used
// only while they are still the same. So whatever changes during or after the
// read makes the copy in memory worthless, in every cache at once, without a
// lock and without knowing who holds copies.
//
// Ids share counters. A collision costs a read from the store, nothing else.
type generations struct {
	seed     maphash.Seed
	counters [8192]atomic.Uint64
}

func newGenerations() *generations {
	return &generations{seed: maphash.MakeSeed()}
}

func (g *generations) session(id []byte) *atomic.Uint64 {
	return &g.counters[maphash.Bytes(g.seed, id)%uint64(len(g.counters))]
}

func (g *generations) account(id string) *atomic.Uint64 {
	return &g.counters[maphash.String(g.seed, id)%uint64(len(g.counters))]
}
