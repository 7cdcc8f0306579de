package broker

import (
	"errors"
	"net/http"
	"time"
)

// SetAckWait sets how long after a crash an event comes again.
func SetAckWait(d time.Duration) { ackWait = d }

// SetReserve sets how much of the disk is left free, and returns what it was.
func SetReserve(bytes uint64) (before uint64) {
	before, reserve = reserve, bytes
	return before
}

// ParsePeriod parses a duration of ISO 8601.
var ParsePeriod = parsePeriod

// Matches tells whether the filters of the only Trigger take an event that was
// posted with these headers.
func (m *Manifests) Matches(header http.Header) (bool, error) {
	if len(m.triggers) != 1 {
		return false, errors.New("not one Trigger")
	}
	e, err := readEvent(header, nil)
	return err == nil && m.triggers[0].matches(e.attributes()), err
}

// Backoff returns the waits after the first n deliveries of the only Trigger.
func (m *Manifests) Backoff(n int) (waits []time.Duration) {
	for i := range n {
		waits = append(waits, m.triggers[0].delivery.backoff(i+1))
	}
	return waits
}
