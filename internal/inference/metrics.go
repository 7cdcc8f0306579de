package inference

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"imageflow.dev/internal/metrics"
)

// The values of the label backend.
const (
	backendONNX   = "onnxruntime"
	backendTriton = "triton"
)

// unknownModel is the label of a model that no server has confirmed: names from
// callers would create any number of time series.
const unknownModel = "unknown"

var runDuration = metrics.Histogram("imageflow.inference.duration", "s",
	"duration of a model's run, by model, backend and outcome", metrics.LatencyBounds)

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
