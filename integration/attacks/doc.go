// Package attacks attacks the built Caddy: every rule of security that can be
// broken from outside has cases here, and so has every published advisory of
// similar gateways. README.md lists both.
//
// What is sent stands in testdata, one input a line, in groups that say what
// they try and what must come of it. It goes over the wire byte by byte, since
// clients put right what attackers do not.
//
//	go test -tags integration ./integration/attacks
package attacks
