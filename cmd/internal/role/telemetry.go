package role

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"imageflow.dev/internal/telemetry"
)

// Telemetry has the variables of metrics, profiles and traces. OpenTelemetry's SDK reads
// further variables itself: OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_*, OTEL_BSP_* and
// OTEL_RESOURCE_ATTRIBUTES. Anyone who reads a profile can read the memory of the process.
type Telemetry struct {
	MetricsHost    string `split_words:"true" default:"127.0.0.1" desc:"address of the Prometheus metrics; 0.0.0.0 in a pod"`
	MetricsPort    int    `split_words:"true" default:"9095" desc:"port of Prometheus metrics; 0 serves none"`
	PProf          bool   `envconfig:"PPROF" desc:"serve profiles at /debug/pprof/ of PPROF_ADDRESS"`
	PProfAddress   string `envconfig:"PPROF_ADDRESS" default:"127.0.0.1:6060" desc:"host:port of the profiles"`
	Exporter       string `envconfig:"OTEL_TRACES_EXPORTER" desc:"otlp or none; empty: otlp if there is an endpoint"`
	Collector      string `envconfig:"OTEL_EXPORTER_OTLP_ENDPOINT" desc:"URL of the collector, such as http://collector:4318"`
	TraceCollector string `envconfig:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" desc:"URL for traces only, with its path"`
	Protocol       string `envconfig:"OTEL_EXPORTER_OTLP_PROTOCOL" default:"http/protobuf" desc:"http/protobuf or grpc"`
	Service        string `envconfig:"OTEL_SERVICE_NAME" desc:"name in traces; empty: imageflow-ROLE"`
	Disabled       bool   `envconfig:"OTEL_SDK_DISABLED" desc:"disable metrics and traces"`
	// Guard wraps the handlers of every port of the process; nil wraps none.
	Guard func(http.Handler) http.Handler `ignored:"true"`
}

// Validate reports every variable that is out of range.
func (c Telemetry) Validate() error {
	return errors.Join(
		port("METRICS_PORT", c.MetricsPort), required("METRICS_HOST", c.MetricsHost), address("PPROF_ADDRESS", c.PProfAddress),
		oneOf("OTEL_TRACES_EXPORTER", c.Exporter, "", telemetry.OTLP, telemetry.None),
		oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", c.Protocol, telemetry.HTTP, telemetry.GRPC))
}

// address checks a host:port. An empty host would mean all addresses.
func address(name, value string) error {
	if host, _, err := net.SplitHostPort(value); err != nil || host == "" {
		return fmt.Errorf("%s is %q but must be host:port", name, value)
	}
	return nil
}

func oneOf(name, value string, values ...string) error {
	if !slices.Contains(values, value) {
		allowed := slices.DeleteFunc(values, func(v string) bool { return v == "" })
		return fmt.Errorf("%s is %q but must be %s", name, value, strings.Join(allowed, " or "))
	}
	return nil
}

// Trace starts the tracing of a service. It returns nil if tracing is disabled.
func (c Telemetry) Trace(ctx context.Context, service string) (*telemetry.Tracing, error) {
	if c.Disabled {
		return nil, nil
	}
	return telemetry.StartTracing(ctx, telemetry.Traces{
		Exporter: c.Exporter, Protocol: c.Protocol, Endpoint: cmp.Or(c.TraceCollector, c.Collector),
	}, service)
}

// Watch has the endpoints and the tracing of a process.
type Watch struct {
	Tracing   *telemetry.Tracing
	endpoints []*telemetry.Endpoint
}

// Watch serves metrics and profiles and starts the tracing of the role's process.
func (c Server) Watch(ctx context.Context, role string) (w *Watch, err error) {
	w = &Watch{}
	if w.endpoints, err = c.Serve(); err != nil {
		return nil, err
	}
	if w.Tracing, err = c.Trace(ctx, cmp.Or(c.Service, "imageflow-"+role)); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Serve serves metrics and profiles, unless they are disabled.
func (c Telemetry) Serve() (served []*telemetry.Endpoint, err error) {
	add := func(e *telemetry.Endpoint, failed error) {
		if failed == nil {
			served = append(served, e)
		}
		err = errors.Join(err, failed)
	}
	if c.MetricsPort != 0 && !c.Disabled {
		add(telemetry.ServeMetrics(net.JoinHostPort(c.MetricsHost, strconv.Itoa(c.MetricsPort)), c.Guard))
	}
	if c.PProf && !c.Disabled {
		add(telemetry.ServeProfiles(c.PProfAddress, c.Guard))
	}
	if err != nil {
		return nil, errors.Join(err, closeAll(served))
	}
	return served, nil
}

// Close flushes spans (failures are only logged) and stops the metrics server.
func (w *Watch) Close() error {
	if err := w.Tracing.End(); err != nil {
		slog.Warn("spans not flushed", "error", err)
	}
	return closeAll(w.endpoints)
}

func closeAll(endpoints []*telemetry.Endpoint) (err error) {
	for _, e := range endpoints {
		err = errors.Join(err, e.Close())
	}
	return err
}
