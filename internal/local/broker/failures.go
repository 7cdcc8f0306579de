package broker

import (
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// failures counts the failed deliveries of each event of a Trigger that waits for a retry. A
// restart of the broker begins anew, as with Knative's brokers: JetStream's own count includes
// the deliveries that a killed broker did not finish, so a few restarts would exhaust the
// retries of an event that no subscriber has refused.
type failures struct {
	mu     sync.Mutex
	counts map[uint64]int // by sequence number in the stream
}

// add counts a failed delivery of msg and returns the count.
func (f *failures) add(msg jetstream.Msg) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = map[uint64]int{}
	}
	f.counts[sequence(msg)]++
	return f.counts[sequence(msg)]
}

// forget removes the count of msg.
func (f *failures) forget(msg jetstream.Msg) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.counts, sequence(msg))
}

// sequence returns the sequence number of msg in its stream.
func sequence(msg jetstream.Msg) uint64 {
	m, err := msg.Metadata()
	if err != nil {
		return 0 // does not happen with messages of a consumer
	}
	return m.Sequence.Stream
}
