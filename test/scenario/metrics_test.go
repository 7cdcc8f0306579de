package scenario

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"
)

// TestMetrics: the metrics count the jobs that are done, have failed, or wait.
func TestMetrics(t *testing.T) {
	s := local(t, setup{env: []string{"SWEEP_INTERVAL=100ms"}})
	s.put(t, "cat.jpg", "image/jpeg", jpegOf(t, 900, 900))
	s.put(t, "notes.jpg", "image/jpeg", []byte("dear diary"))
	eventually(t, "the ends", func() bool { return s.tag(t, "cat.jpg") == "completed" && s.tag(t, "notes.jpg") == "failed" })
	post(t, http.DefaultClient, s.url("gateway", "/v1/pipeline"), fmt.Sprintf(
		`{"input_image":{"bucket":%q,"object_key":"cat.jpg"},"execution_id":"mine","steps":[{"resize":{"target_width":100}}]}`,
		bucket), nil)
	for _, want := range []string{
		`imageflow_job_duration_seconds_count\{.*outcome="done".*step="resize".*\} 2\n`,
		`imageflow_job_duration_seconds_count\{.*outcome="invalid".*step="resize".*\} 1\n`,
		`imageflow_job_stage_duration_seconds_count\{.*stage="apply".*step="detect".*\} 1\n`,
		`imageflow_job_outputs_total\{.*path="planar".*step="resize".*\} [1-9]`,
		`imageflow_job_active_limit\{.*step="filter".*\} [1-9]`,
		`imageflow_job_decoded_bytes\{.*step="filter".*\} 0\n`,
		`imageflow_inference_duration_seconds_count\{backend="onnxruntime",model="yolo",outcome="done"\} [1-9]`,
		`imageflow_event_lag_seconds_count\{.*step="filter"\} 1\n`,
		`imageflow_pipeline_duration_seconds_bucket\{protocol="event",le="60"\} 1\n`,
		`imageflow_pipeline_duration_seconds_count\{protocol="call"\} 1\n`,
		`imageflow_call_overhead_seconds_count\{.*step="resize"\} 1\n`,
		`imageflow_request_duration_seconds_count\{code="200",method="/v1/pipeline",outcome="ok",protocol="json",role="gateway"\} 1\n`,
		`imageflow_request_duration_seconds_count\{code="OK",method="/imageflow.v1.ResizeService/ResizeImage",` +
			`outcome="ok",protocol="grpc",role="resize"\} 1\n`,
		`imageflow_request_duration_seconds_count\{code="400",method="/",outcome="refused",protocol="event",role="resize"\} 1\n`,
		`imageflow_sweeper_emitted_total 0\n`,
		`imageflow_bridge_notifications_total\{.*outcome="accepted".*\} 2\n`,
		`imageflow_dead_letters_total 1\n`,
		`imageflow_sweeper_pending 0\n`,
	} {
		eventually(t, want, func() bool { return regexp.MustCompile(want).MatchString(s.scrape(t, "metrics")) })
	}
}

// scrape returns the metrics of a part that serves them.
func (s *system) scrape(t testing.TB, part string) string {
	t.Helper()
	resp, err := http.Get(s.url(part, "/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
