package event

import (
	"context"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

var eventLag = func() metric.Float64Histogram {
	h, err := otel.Meter("imageflow.dev").Float64Histogram("imageflow.event.lag", metric.WithUnit("s"),
		metric.WithDescription("time from what an event tells of to its coming to the step that it is for, repetitions included"),
		metric.WithExplicitBucketBoundaries(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10, 30, 100, 300, 1000))
	if err != nil {
		panic(err) // only for a name that is wrong
	}
	return h
}()

// measureLag measures how late an event comes.
func measureLag(ctx context.Context, step string, e *cloudevent.Event) {
	if at := e.Time(); !at.IsZero() {
		eventLag.Record(ctx, max(time.Since(at).Seconds(), 0), metric.WithAttributes(attribute.String("step", step)))
	}
}
