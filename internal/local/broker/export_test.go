package broker

import (
	"errors"
	"time"
)

// SetAckWait sets how long after a crash an event comes again.
func SetAckWait(d time.Duration) { ackWait = d }

// ParsePeriod parses a duration of ISO 8601.
var ParsePeriod = parsePeriod

// Matches tells whether the filters of the only Trigger take an event.
func (m *Manifests) Matches(attributes map[string]string) (bool, error) {
	if len(m.triggers) != 1 {
		return false, errors.New("not one Trigger")
	}
	return m.triggers[0].matches(attributes), nil
}

// Backoff returns the waits after the first n deliveries of the only Trigger.
func (m *Manifests) Backoff(n int) (waits []time.Duration) {
	for i := range n {
		waits = append(waits, m.triggers[0].delivery.backoff(i+1))
	}
	return waits
}
