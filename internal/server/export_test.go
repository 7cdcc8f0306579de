package server

import "time"

// SetPace has callers and waiting bodies given so much time until the test has run.
func SetPace(grace, contended, total, wait time.Duration) (restore func()) {
	before, waited := defaults, maxWait
	defaults.grace, defaults.contended, defaults.total, maxWait = grace, contended, total, wait
	return func() { defaults, maxWait = before, waited }
}

// Chunk is how much of the budget a body takes at a time.
const Chunk = chunk
