package store

import (
	"slices"
	"sync"
)

// subscribers are told of changes, in the order in which they subscribed.
type subscribers struct {
	mu   sync.RWMutex
	list []*func(Change)
}

func (s *subscribers) add(fn func(Change)) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Copied on every write, so that publish may read it without the lock
	// and a subscriber may unsubscribe while it is told.
	s.list = append(slices.Clone(s.list), &fn)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list = slices.DeleteFunc(slices.Clone(s.list), func(other *func(Change)) bool { return other == &fn })
	}
}

func (s *subscribers) publish(changes []Change) {
	s.mu.RLock()
	list := s.list
	s.mu.RUnlock()
	for _, change := range changes {
		for _, fn := range list {
			(*fn)(change)
		}
	}
}

// changes are what one Update has to tell, each of them once.
type changes struct {
	list []Change
	seen map[string]bool
}

func (c *changes) account(id string) { c.add("account/"+id, Change{Account: id}) }

func (c *changes) session(id []byte) { c.add("session/"+string(id), Change{Session: slices.Clone(id)}) }

func (c *changes) add(key string, change Change) {
	if c.seen[key] {
		return
	}
	if c.seen == nil {
		c.seen = make(map[string]bool)
	}
	c.seen[key] = true
	c.list = append(c.list, change)
}
