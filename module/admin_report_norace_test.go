//go:build !race

package module

const raceFactor = 1
