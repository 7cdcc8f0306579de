package telemetry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"imageflow.dev/internal/telemetry"
)

func TestServeMetrics_bucketsHaveTracesAsExemplars(t *testing.T) {
	metrics := serve(t)
	tracing, _ := start(t, "imageflow-resize")
	defer end(t, tracing)
	var id string
	tracing.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id = trace.SpanContextFromContext(r.Context()).TraceID().String()
		ctx, job := telemetry.StartJob(r.Context(), "exemplary", time.Now())
		_, end := job.Stage(ctx, "fetch")
		end()
		job.End(ctx, "done", nil)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+metrics.Address()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if want := regexp.MustCompile(`stage_duration_seconds_bucket\{.*step="exemplary".*# \{.*trace_id="` + id +
		`"`); !want.Match(text) {
		t.Errorf("no match of %s in\n%s", want, text)
	}
}

func TestWatchVips(t *testing.T) {
	telemetry.WatchVips(func() telemetry.VipsMemory {
		return telemetry.VipsMemory{Bytes: 11, HighWater: 22, Allocations: 33, OpenFiles: 44}
	})
	telemetry.WatchVips(func() telemetry.VipsMemory { panic("a second reader") })
	resp, err := http.Get("http://" + serve(t).Address() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for _, want := range []string{
		"imageflow_vips_memory_bytes 11", "imageflow_vips_memory_high_water_bytes 22",
		"imageflow_vips_allocations 33", "imageflow_vips_open_files 44",
	} {
		if !strings.Contains(string(text), "\n"+want+"\n") {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestServeMetrics_servesNoProfiles(t *testing.T) {
	profiles, err := telemetry.ServeProfiles("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer profiles.Close()
	for address, want := range map[string]int{serve(t).Address(): http.StatusNotFound, profiles.Address(): http.StatusOK} {
		for _, path := range []string{"", "heap", "goroutine", "cmdline", "profile?seconds=1", "trace?seconds=0.1"} {
			resp, err := http.Get("http://" + address + "/debug/pprof/" + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%q: status %d, want %d", path, resp.StatusCode, want)
			}
		}
	}
}

// endpoint serves the metrics of all tests: OpenTelemetry gives the instruments of a process to
// its first provider only.
var endpoint = sync.OnceValues(func() (*telemetry.Endpoint, error) { return telemetry.ServeMetrics("127.0.0.1:0", nil) })

func serve(t *testing.T) *telemetry.Endpoint {
	t.Helper()
	metrics, err := endpoint()
	if err != nil {
		t.Fatal(err)
	}
	return metrics
}
