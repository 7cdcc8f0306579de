package event

import (
	"context"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"imageflow.dev/internal/metrics"
)

var eventLag = metrics.Histogram("imageflow.event.lag", "s",
	"time from the occurrence that an event reports to its arrival at a step, redeliveries included", metrics.LagBounds)

// recordLag records the age of an event at its arrival. It ignores an event without a time.
func recordLag(ctx context.Context, step string, e *cloudevent.Event) {
	if at := e.Time(); !at.IsZero() {
		eventLag.Record(ctx, max(time.Since(at).Seconds(), 0), metric.WithAttributes(attribute.String("step", step)))
	}
}
