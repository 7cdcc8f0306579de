// Package metrics creates the metric instruments of the project. Package
// telemetry exports their values; without it, recording costs next to nothing.
package metrics

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// The bucket bounds of the histograms, in seconds. The service level objectives
// in config/monitoring are among them.
var (
	// LatencyBounds suit requests, jobs and their stages.
	LatencyBounds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 5, 10, 30}
	// LagBounds suit the age of an event, which may have waited in a queue.
	LagBounds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10, 30, 100, 300, 1000}
	// OverheadBounds suit the part of a call that is not the processor's work.
	OverheadBounds = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1}
	// PipelineBounds suit a whole pipeline.
	PipelineBounds = []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300}
)

// PipelineDuration has two writers: the gateway for pipelines in one call
// (protocol "call") and the bridge for chains of events (protocol "event").
var PipelineDuration = Histogram("imageflow.pipeline.duration", "s",
	"time from the arrival of an image to the end of its last step, by protocol", PipelineBounds)

var meter = otel.Meter("imageflow.dev")

// Histogram returns a new histogram. Like the other functions, it panics if the
// arguments are not valid.
func Histogram(name, unit, description string, bounds []float64) metric.Float64Histogram {
	h, err := meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(bounds...))
	check(err)
	return h
}

// Counter returns a new counter without a unit.
func Counter(name, description string) metric.Int64Counter {
	c, err := meter.Int64Counter(name, metric.WithDescription(description))
	check(err)
	return c
}

// Gauge returns a new gauge without a unit.
func Gauge(name, description string) metric.Int64Gauge {
	g, err := meter.Int64Gauge(name, metric.WithDescription(description))
	check(err)
	return g
}

// ObservableGauge returns a new gauge whose value a callback of Observe sets.
func ObservableGauge(name, unit, description string) metric.Int64ObservableGauge {
	g, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
	check(err)
	return g
}

// Observe calls read at each collection of the metrics, for as long as the
// process lives. read may set the values of the given gauges only.
func Observe(read metric.Callback, gauges ...metric.Observable) {
	_, err := meter.RegisterCallback(read, gauges...)
	check(err)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
