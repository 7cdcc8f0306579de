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
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"golang.org/x/net/netutil"
)

// Endpoint serves the metrics or the profiles of a process.
type Endpoint struct {
	listener net.Listener
	server   *http.Server
}

// maxConnections bounds the connections of one endpoint.
const maxConnections = 16

// ServeMetrics serves the metrics of the process, and those of the Go runtime and the
// operating system, at `/metrics` of an address, host:port; port 0 takes a free port.
// Without it, recording metrics costs next to nothing.
func ServeMetrics(address string, guard Guard) (*Endpoint, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	routes := http.NewServeMux()
	exemplars := promhttp.HandlerOpts{EnableOpenMetrics: true}
	routes.Handle("GET /metrics", promhttp.HandlerFor(registry, exemplars))
	e, err := serve("metrics", address, guard.wrap(routes))
	if err == nil {
		otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	}
	return e, err
}

// ServeProfiles serves net/http/pprof at `/debug/pprof/` of an address, host:port.
// Anyone who reaches it can read the memory of the process and slow it down.
func ServeProfiles(address string, guard Guard) (*Endpoint, error) {
	routes := http.NewServeMux()
	routes.HandleFunc("/debug/pprof/", pprof.Index)
	routes.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	routes.HandleFunc("/debug/pprof/profile", pprof.Profile)
	routes.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	routes.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return serve("profiles", address, guard.wrap(routes))
}

// Guard wraps the handler of an endpoint; nil wraps nothing.
type Guard func(http.Handler) http.Handler

func (g Guard) wrap(routes http.Handler) http.Handler {
	if g == nil {
		return routes
	}
	return g(routes)
}

func serve(name, address string, routes http.Handler) (*Endpoint, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %s for %s is taken by another process", address, name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	e := &Endpoint{listener: listener, server: &http.Server{
		Handler: routes, MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, WriteTimeout: 5 * time.Minute,
	}}
	go func() {
		if err := e.server.Serve(netutil.LimitListener(listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("telemetry endpoint failed", "endpoint", name, "error", err)
		}
	}()
	return e, nil
}

// Address returns the bound host:port.
func (e *Endpoint) Address() string { return e.listener.Addr().String() }

// Close closes the listener and all connections.
func (e *Endpoint) Close() error { return e.server.Close() }
