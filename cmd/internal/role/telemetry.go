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

// Telemetry is what a process tells of itself. OpenTelemetry's SDK reads more
// variables by itself: those of OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_*,
// OTEL_BSP_* and OTEL_RESOURCE_ATTRIBUTES.
type Telemetry struct {
	MetricsHost    string `split_words:"true" default:"127.0.0.1" desc:"address that Prometheus metrics listen on; in a pod 0.0.0.0, or Prometheus cannot ask"`
	MetricsPort    int    `split_words:"true" default:"9095" desc:"port of Prometheus metrics; 0 serves none"`
	PProf          bool   `envconfig:"PPROF" desc:"whether profiles are served, at /debug/pprof/ of PPROF_ADDRESS"`
	PProfAddress   string `envconfig:"PPROF_ADDRESS" default:"127.0.0.1:6060" desc:"host:port of the profiles; anyone who reaches it can read the memory of the process"`
	Exporter       string `envconfig:"OTEL_TRACES_EXPORTER" desc:"otlp or none: where traces go; empty means otlp where an endpoint is set"`
	Collector      string `envconfig:"OTEL_EXPORTER_OTLP_ENDPOINT" desc:"URL of what takes traces, such as http://collector:4318"`
	TraceCollector string `envconfig:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" desc:"the same, of traces alone: the whole URL"`
	Protocol       string `envconfig:"OTEL_EXPORTER_OTLP_PROTOCOL" default:"http/protobuf" desc:"how traces are sent: http/protobuf or grpc"`
	Service        string `envconfig:"OTEL_SERVICE_NAME" desc:"what traces call the process; empty means imageflow-ROLE"`
	Disabled       bool   `envconfig:"OTEL_SDK_DISABLED" desc:"whether nothing is measured or traced, whatever else is set"`
	// Guard wraps what answers requests, at every port of the process; nil wraps
	// nothing.
	Guard func(http.Handler) http.Handler `ignored:"true"`
}

// Validate reports every variable that is out of range.
func (c Telemetry) Validate() error {
	return errors.Join(port("METRICS_PORT", c.MetricsPort), required("METRICS_HOST", c.MetricsHost), address("PPROF_ADDRESS", c.PProfAddress),
		oneOf("OTEL_TRACES_EXPORTER", c.Exporter, "", telemetry.OTLP, telemetry.None),
		oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", c.Protocol, telemetry.HTTP, telemetry.GRPC))
}

// address checks one that names its host: an empty one would be all.
func address(name, value string) error {
	if host, _, err := net.SplitHostPort(value); err != nil || host == "" {
		return fmt.Errorf("%s is %q but must be host:port", name, value)
	}
	return nil
}

func oneOf(name, value string, values ...string) error {
	if !slices.Contains(values, value) {
		return fmt.Errorf("%s is %q but must be %s", name, value, strings.Join(slices.DeleteFunc(values, func(v string) bool { return v == "" }), " or "))
	}
	return nil
}

// Trace returns what makes the spans of a service, or nil where none are wanted.
func (c Telemetry) Trace(ctx context.Context, service string) (*telemetry.Tracing, error) {
	if c.Disabled {
		return nil, nil
	}
	return telemetry.StartTracing(ctx, telemetry.Traces{
		Exporter: c.Exporter, Protocol: c.Protocol, Endpoint: cmp.Or(c.TraceCollector, c.Collector),
	}, service)
}

// Watch is what tells of a process.
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

// Serve serves metrics and profiles where they are wanted.
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

// Close sends the last spans, which are no reason to fail, and serves no more.
func (w *Watch) Close() error {
	if err := w.Tracing.End(); err != nil {
		slog.Warn("traces", "error", err)
	}
	return closeAll(w.endpoints)
}

func closeAll(endpoints []*telemetry.Endpoint) (err error) {
	for _, e := range endpoints {
		err = errors.Join(err, e.Close())
	}
	return err
}
