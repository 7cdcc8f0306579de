package scenario

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"imageflow.dev/internal/testing/freeport"
	"imageflow.dev/internal/testing/otlp"
)

var (
	jaegerBinary = flag.String("jaeger", "", "the Jaeger to send a trace to")
	waterfall    = flag.String("waterfall", "", "the SVG file to draw the trace to")
)

const jaegerConfig = `
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
  telemetry: {metrics: {level: none}}
extensions:
  jaeger_storage: {backends: {memory: {memory: {max_traces: 1000}}}}
  jaeger_query:
    storage: {traces: memory}
    http: {endpoint: %q}
    grpc: {endpoint: %q}
receivers:
  otlp: {protocols: {http: {endpoint: %q}}}
exporters:
  jaeger_storage_exporter: {trace_storage: memory}
`

// TestJaegerShowsOneTrace sends the trace of an upload to a real Jaeger, reads it from there, and
// draws it. See make trace.
func TestJaegerShowsOneTrace(t *testing.T) {
	if *jaegerBinary == "" {
		t.Skip("only with -jaeger, by make trace")
	}
	query, collector := startJaeger(t)
	s := local(t, setup{env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + collector}})
	for _, key := range []string{"warm.jpg", "sample.jpg"} {
		s.put(t, key, "image/jpeg", sample(t))
		eventually(t, "the end", func() bool { return s.tag(t, key) == "completed" })
	}
	if err := s.stop(t); err != nil {
		t.Fatal(err)
	}
	traces := askJaeger(t, query)
	if len(traces) != 2 {
		t.Fatalf("Jaeger has %d traces, want one for each upload", len(traces))
	}
	last := traces[0]
	if traces[1][0].Start.After(last[0].Start) {
		last = traces[1]
	}
	services := map[string]bool{}
	for _, span := range last {
		services[span.Service] = true
	}
	if len(services) != 5 {
		t.Errorf("the trace goes through %v, want the bridge, the broker and three steps", services)
	}
	drawTrace(t, fmt.Sprintf("One upload of a 1920×1080 JPEG: trace %s, %d spans", last[0].Trace, len(last)), last)
}

// drawTrace draws a trace in the file of -waterfall.
func drawTrace(t *testing.T, title string, trace []otlp.Span) {
	t.Helper()
	var img bytes.Buffer
	if err := otlp.Waterfall(&img, title, trace); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*waterfall, img.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// startJaeger starts a Jaeger in memory.
func startJaeger(t *testing.T) (query, collector string) {
	t.Helper()
	query, collector = freeport.Address(), freeport.Address()
	config := filepath.Join(t.TempDir(), "jaeger.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, jaegerConfig, query, freeport.Address(), collector), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(*jaegerBinary, "--config", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "Jaeger", func() bool {
		resp, err := http.Get("http://" + query + "/api/services")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return query, collector
}

// askJaeger returns the traces that began with a notification.
func askJaeger(t *testing.T, query string) (traces [][]otlp.Span) {
	t.Helper()
	resp, err := http.Get("http://" + query + "/api/traces?service=imageflow-bridge&limit=100")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data []struct {
			Spans []struct {
				TraceID, SpanID, OperationName, ProcessID string
				References                                []struct{ SpanID string }
				StartTime, Duration                       int64 // in microseconds
			}
			Processes map[string]struct{ ServiceName string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	for _, data := range answer.Data {
		var spans []otlp.Span
		for _, s := range data.Spans {
			span := otlp.Span{
				Service: data.Processes[s.ProcessID].ServiceName, Name: s.OperationName, Trace: s.TraceID, ID: s.SpanID,
				Start: time.UnixMicro(s.StartTime), End: time.UnixMicro(s.StartTime + s.Duration),
			}
			if len(s.References) > 0 {
				span.Parent = s.References[0].SpanID
			}
			spans = append(spans, span)
		}
		traces = append(traces, spans)
	}
	return traces
}
