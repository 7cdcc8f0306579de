package bridge

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

var meter = otel.Meter("imageflow.dev")

// What the bridge counts.
var (
	notifications = counter("imageflow.bridge.notifications", "notifications of the store, by outcome")
	deadLetters   = counter("imageflow.dead_letters", "dead letters stored, repetitions included")
	emitted       = counter("imageflow.sweeper.emitted", "events of objects that the sweeper found unfinished")
	pending       = gauge("imageflow.sweeper.pending", "objects past the grace period without a final tag, at the last sweep")
)

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
