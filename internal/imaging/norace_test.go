//go:build !race

package imaging

// Race reports whether the race detector is on.
const Race = false
