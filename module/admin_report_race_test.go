//go:build race

package module

// raceFactor: the race detector makes a long report this much slower.
const raceFactor = 10
