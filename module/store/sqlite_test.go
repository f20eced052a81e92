package store_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

func TestSQLiteConforms(t *testing.T) {
	var mu sync.Mutex
	paths := make(map[string]string)
	storetest.Conform(t, func(t *testing.T) store.Store {
		mu.Lock()
		defer mu.Unlock()
		if paths[t.Name()] == "" {
			paths[t.Name()] = filepath.Join(t.TempDir(), "store.db")
		}
		return open(t, paths[t.Name()])
	})
}

// background is for what has no test to end with.
var background = context.Background()

func open(t testing.TB, path string) store.Store {
	t.Helper()
	s, err := store.OpenSQLite(background, path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
