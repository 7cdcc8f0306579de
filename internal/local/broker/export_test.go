package broker

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

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

// Pending returns the number of undelivered events of each Trigger, by namespace/name, and
// under DeadLetters the number of undelivered dead letters. It includes an event shortly
// after the producer's answer.
func (b *Broker) Pending(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	var errs []error
	count := func(name string, c jetstream.Consumer) {
		info, err := c.Info(ctx)
		if err != nil {
			errs = append(errs, err)
			return
		}
		counts[name] = int(info.NumPending) + info.NumAckPending
	}
	for _, t := range b.triggers {
		count(t.spec.resource.namespace+"/"+t.spec.resource.name, t.consumer)
	}
	count(DeadLetters, b.deadLetters)
	return counts, errors.Join(errs...)
}

// PublishUntyped stores an event as brokers did before subjects had types.
func (b *Broker) PublishUntyped(ctx context.Context, namespace string, header http.Header) error {
	to := subject(eventStream, resource{namespace: namespace, name: "default"})
	return b.store.publish(ctx, event{header: header}.message(to))
}

// Stored returns the number of events in the store.
func (b *Broker) Stored(ctx context.Context) (uint64, error) {
	stream, err := b.store.js.Stream(ctx, eventStream)
	if err != nil {
		return 0, err
	}
	return stream.CachedInfo().State.Msgs, nil
}

// DeadLetters is the key of the dead letters in Pending.
const DeadLetters = "dead letters"
