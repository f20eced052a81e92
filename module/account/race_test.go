//go:build race

package account

// raceFactor: the race detector makes a flood this much slower.
const raceFactor = 25
