package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Usage is how much of something is taken, and how much of it there is.
type Usage struct{ Taken, Limit int64 }

// Load is how full a processor is.
type Load struct {
	// Waiting jobs are in the queue, Active ones have left it, and of those the
	// Computing have a core.
	Waiting, Active, Computing Usage
	// Decoded is the bytes of the pictures that are decoded.
	Decoded Usage
}

// gauges are the two of one Usage.
type gauges struct{ taken, limit metric.Int64ObservableGauge }

var (
	waiting   = usage("imageflow.job.waiting", "{job}", "jobs in the queue")
	active    = usage("imageflow.job.active", "{job}", "jobs that fetch, compute or store")
	computing = usage("imageflow.job.computing", "{job}", "jobs that have a core")
	decoded   = usage("imageflow.job.decoded", "By", "decoded bytes held")
)

func usage(name, unit, description string) gauges {
	gauge := func(name, description string) metric.Int64ObservableGauge {
		g, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		if err != nil {
			panic(err) // only for a name that is wrong
		}
		return g
	}
	return gauges{gauge(name, description+", by step"), gauge(name+".limit", "the most "+description+", by step")}
}

// WatchLoad has read called whenever the measurements are, for as long as the
// process lives.
func WatchLoad(step string, read func() Load) {
	by := metric.WithAttributes(attribute.String("step", step))
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		now := read()
		for g, u := range map[gauges]Usage{waiting: now.Waiting, active: now.Active, computing: now.Computing, decoded: now.Decoded} {
			o.ObserveInt64(g.taken, u.Taken, by)
			o.ObserveInt64(g.limit, u.Limit, by)
		}
		return nil
	}, waiting.taken, waiting.limit, active.taken, active.limit, computing.taken, computing.limit, decoded.taken, decoded.limit)
	if err != nil {
		panic(err) // only for instruments of another meter
	}
}
