package broker

import "time"

// SetAckWait sets how long after a crash an event comes again.
func SetAckWait(d time.Duration) { ackWait = d }

// SetReserve sets how much of the disk is left free, and returns what it was.
func SetReserve(bytes uint64) (before uint64) {
	before, reserve = reserve, bytes
	return before
}

// ParsePeriod parses a duration of ISO 8601.
var ParsePeriod = parsePeriod

// Backoff returns the waits after the first n deliveries of the only Trigger.
func (m *Manifests) Backoff(n int) (waits []time.Duration) {
	for i := range n {
		waits = append(waits, m.triggers[0].delivery.backoff(i+1))
	}
	return waits
}
