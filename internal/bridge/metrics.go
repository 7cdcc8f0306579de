package bridge

import (
	"context"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"imageflow.dev/internal/events"
)

var meter = otel.Meter("imageflow.dev")

// What the bridge counts.
var (
	notifications = counter("imageflow.bridge.notifications", "notifications of the store, by outcome")
	deadLetters   = counter("imageflow.dead_letters", "dead letters stored, repetitions included")
	emitted       = counter("imageflow.sweeper.emitted", "events of objects that the sweeper found unfinished")
	pending       = gauge("imageflow.sweeper.pending", "objects past the grace period without a final tag, at the last sweep")
)

// startCounting has the rare counters begin at 0: of one that begins with its
// first event Prometheus does not see that it rose.
func startCounting() {
	for _, c := range []metric.Int64Counter{deadLetters, emitted} {
		c.Add(context.Background(), 0)
	}
}

// chainDuration is also what the gateway measures of its pipelines, by the same
// name and with the same bounds.
var chainDuration = func() metric.Float64Histogram {
	h, err := meter.Float64Histogram("imageflow.pipeline.duration", metric.WithUnit("s"),
		metric.WithDescription("time from a picture's coming to the end of its last step, by door"),
		metric.WithExplicitBucketBoundaries(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300))
	if err != nil {
		panic(err) // only for a name that is wrong
	}
	return h
}()

// measureChain measures a chain that has run to its end.
func measureChain(ctx context.Context, last *cloudevents.Event) {
	if began := events.Began.Get(last); !began.IsZero() {
		chainDuration.Record(ctx, max(time.Since(began).Seconds(), 0), metric.WithAttributes(attribute.String("door", "event")))
	}
}

func counter(name, description string) metric.Int64Counter {
	c, err := meter.Int64Counter(name, metric.WithDescription(description))
	if err != nil {
		panic(err) // only for a name that is wrong
	}
	return c
}

func gauge(name, description string) metric.Int64Gauge {
	g, err := meter.Int64Gauge(name, metric.WithDescription(description))
	if err != nil {
		panic(err) // only for a name that is wrong
	}
	return g
}

// count counts one more, by outcome where there are several.
func count(ctx context.Context, c metric.Int64Counter, outcome string) {
	if outcome == "" {
		c.Add(ctx, 1)
		return
	}
	c.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}
