package inference

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"imageflow.dev/internal/metrics"
)

// The backends, as measurements name them.
const (
	backendONNX   = "onnxruntime"
	backendTriton = "triton"
)

// unknown stands for a model whose name only a caller has told.
const unknown = "unknown"

var runDuration = metrics.Histogram("imageflow.inference.duration", "s",
	"time of a run of a model, by model, backend and outcome", metrics.LatencyBounds)

// measure measures a run of a model, or the vain try to reach one.
func measure(ctx context.Context, backend, model string, start time.Time, err error) {
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
