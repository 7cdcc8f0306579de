package inference

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The values of the label backend.
const (
	backendONNX   = "onnxruntime"
	backendTriton = "triton"
)

// unknownModel is the label of a model that no server has confirmed: names from
// callers would create any number of time series.
const unknownModel = "unknown"

var runDuration = func() metric.Float64Histogram {
	h, err := otel.Meter("imageflow.dev").Float64Histogram("imageflow.inference.duration", metric.WithUnit("s"),
		metric.WithDescription("duration of a model's run, by model, backend and outcome"),
		metric.WithExplicitBucketBoundaries(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 5, 10, 30))
	if err != nil {
		panic(err) // the name or the unit is invalid
	}
	return h
}()

// recordRun records the duration of a run, or of a failed attempt to reach a model.
func recordRun(ctx context.Context, backend, model string, start time.Time, err error) {
	runDuration.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(
		attribute.String("backend", backend), attribute.String("model", model), attribute.String("outcome", outcome(ctx, err))))
}

func outcome(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return "done"
	case ctx.Err() != nil:
		return "cancelled"
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	}
	return "failed"
}
