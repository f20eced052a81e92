package harness

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

var (
	portsMu   sync.Mutex
	portsUsed = map[int]bool{}
)

// Port returns a port of 127.0.0.1 on which nothing listens. It is never
// handed out again, and lies below the range from which the system takes the
// ports of outgoing connections.
func Port(t testing.TB) int {
	t.Helper()
	portsMu.Lock()
	defer portsMu.Unlock()
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		if portsUsed[port] {
			continue
		}
		ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		ln.Close()
		portsUsed[port] = true
		return port
	}
	t.Fatal("no free port")
	return 0
}
