package server

import "time"

// Chunk is the number of bytes of the budget that a body receives at once.
const Chunk = chunk

// LargeBody is the size in bytes from which bodies take turns.
const LargeBody = largeBody

// WithPace returns a copy of the config with other times.
func (c Config) WithPace(grace, contended, total, maxWait time.Duration) Config {
	c.pace = &pace{rate: defaultPace.rate, grace: grace, contended: contended, total: total, maxWait: maxWait}
	return c
}
