// Package integration tests the built Caddy with real identity providers, a
// real browser and real database files. `./xcaddy.sh test` runs it; by hand:
//
//	go test -tags integration ./integration/...
package integration
