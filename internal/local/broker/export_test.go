package broker

import "time"

// SetReserve sets the number of bytes of the disk that stay free, and returns the previous
// value.
func (b *Broker) SetReserve(bytes uint64) (before uint64) { return b.store.reserve.Swap(bytes) }

// Retried reports whether the broker retries after an HTTP status.
var Retried = retried

// Extensions returns the extensions that the broker sets and that internal/events reads.
func Extensions() []string {
	return []string{errorDestination, errorCode, errorData, attempts, ttlExtension}
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
