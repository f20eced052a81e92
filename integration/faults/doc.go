// Package faults has the built Caddy meet what goes wrong around it: it is
// killed in the middle of anything, its disk is full, may not be written to or
// is damaged, and many do the same thing at once. What was acknowledged holds,
// and the gate stays shut.
//
//	go test -tags integration ./integration/faults
package faults
