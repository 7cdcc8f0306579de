package inference

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The backends, as measurements name them.
const (
	backendONNX   = "onnxruntime"
	backendTriton = "triton"
)

// unknown stands for a model whose name only a caller has told.
const unknown = "unknown"

var runDuration = func() metric.Float64Histogram {
	h, err := otel.Meter("imageflow.dev").Float64Histogram("imageflow.inference.duration", metric.WithUnit("s"),
		metric.WithDescription("time of a model's run, by model, backend and outcome"),
		metric.WithExplicitBucketBoundaries(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 5, 10, 30))
	if err != nil {
		panic(err) // only for a name that is wrong
	}
	return h
}()

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
