package bridge

import (
	"context"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/metrics"
)

// The metrics of the bridge.
var (
	notifications = metrics.Counter("imageflow.bridge.notifications", "notifications of the store, by outcome")
	deadLetters   = metrics.Counter("imageflow.dead_letters", "dead letters stored, repetitions included")
	emitted       = metrics.Counter("imageflow.sweeper.emitted", "events of objects that the sweeper found unfinished")
	pending       = metrics.Gauge("imageflow.sweeper.pending",
		"objects past the grace period without a final tag, at the last sweep")
)

// initCounters sets the rare counters to 0, so that Prometheus' increase() includes their
// first increment.
func initCounters() {
	for _, c := range []metric.Int64Counter{deadLetters, emitted} {
		c.Add(context.Background(), 0)
	}
}

// recordChainDuration records the time from the start of a chain to its last event.
func recordChainDuration(ctx context.Context, last *cloudevents.Event) {
	if began := events.Began.Get(last); !began.IsZero() {
		metrics.PipelineDuration.Record(ctx, max(time.Since(began).Seconds(), 0),
			metric.WithAttributes(attribute.String("protocol", "event")))
	}
}

// count adds 1 to a counter. An empty outcome sets no label.
func count(ctx context.Context, c metric.Int64Counter, outcome string) {
	if outcome == "" {
		c.Add(ctx, 1)
		return
	}
	c.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}
