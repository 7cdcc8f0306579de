package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
)

// Metrics is where Prometheus scrapes a process, and where it can be profiled.
type Metrics struct {
	listener net.Listener
	server   *http.Server
}

// ServeMetrics serves all that the process measures, and what Go and the system
// tell of it, at `/metrics` of an address, host:port; port 0 takes a free one. A
// process that does not call it measures nothing, at next to no cost. With
// profiles it serves those of net/http/pprof too, at `/debug/pprof/`: whoever
// reaches them can read what the process has in memory, and slow it down.
func ServeMetrics(address string, profiles bool) (*Metrics, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %s for metrics is taken by another process", address)
	}
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("metrics: %w", err), listener.Close())
	}
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})) // which carries exemplars
	if profiles {
		profile(routes)
	}
	m := &Metrics{listener: listener, server: &http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second}}
	go func() {
		if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("metrics are no longer served", "error", err)
		}
	}()
	return m, nil
}

func profile(routes *http.ServeMux) {
	routes.HandleFunc("/debug/pprof/", pprof.Index)
	routes.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	routes.HandleFunc("/debug/pprof/profile", pprof.Profile)
	routes.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	routes.HandleFunc("/debug/pprof/trace", pprof.Trace)
}

// Address returns the bound host:port.
func (m *Metrics) Address() string { return m.listener.Addr().String() }

// Close ends the serving.
func (m *Metrics) Close() error { return m.server.Close() }

var meter = otel.Meter("imageflow.dev")

// seconds are the buckets of durations: a stage takes from under a millisecond
// to seconds. The service levels of config/monitoring are among their bounds.
var seconds = metric.WithExplicitBucketBoundaries(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 5, 10, 30)

// What is measured of jobs.
var (
	jobDuration   = histogram("imageflow.job.duration", "time of a job, by step and outcome")
	stageDuration = histogram("imageflow.job.stage.duration", "time of a job's stage, by step and stage")
)

func histogram(name, description string) metric.Float64Histogram {
	h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), seconds)
	if err != nil {
		panic(err) // only for a name that is wrong
	}
	return h
}
