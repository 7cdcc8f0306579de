package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"imageflow.dev/internal/metrics"
)

// Usage is the part of a resource that is taken, and its limit.
type Usage struct{ Taken, Limit int64 }

// Load is the current load of a processor.
type Load struct {
	// Waiting counts the jobs in the fullest queue, Active those that have left it, and
	// Computing the active jobs that hold a core.
	Waiting, Active, Computing Usage
	// Decoded counts the bytes of decoded images in memory.
	Decoded Usage
}

// usageGauges report one Usage.
type usageGauges struct{ taken, limit metric.Int64ObservableGauge }

var (
	waiting   = newUsageGauges("imageflow.job.waiting", "{job}", "jobs in the fullest queue")
	active    = newUsageGauges("imageflow.job.active", "{job}", "jobs that fetch, compute or store")
	computing = newUsageGauges("imageflow.job.computing", "{job}", "jobs that have a core")
	decoded   = newUsageGauges("imageflow.job.decoded", "By", "decoded bytes held")
)

func newUsageGauges(name, unit, description string) usageGauges {
	return usageGauges{
		taken: metrics.ObservableGauge(name, unit, description+", by step"),
		limit: metrics.ObservableGauge(name+".limit", unit, "limit of "+description+", by step"),
	}
}

// WatchLoad calls read at each collection of the metrics, for as long as the
// process lives.
func WatchLoad(step string, read func() Load) {
	by := metric.WithAttributes(attribute.String("step", step))
	metrics.Observe(func(_ context.Context, o metric.Observer) error {
		now := read()
		for g, u := range map[usageGauges]Usage{
			waiting: now.Waiting, active: now.Active, computing: now.Computing, decoded: now.Decoded,
		} {
			o.ObserveInt64(g.taken, u.Taken, by)
			o.ObserveInt64(g.limit, u.Limit, by)
		}
		return nil
	}, waiting.taken, waiting.limit, active.taken, active.limit, computing.taken, computing.limit, decoded.taken, decoded.limit)
}
