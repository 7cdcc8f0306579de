package scenario

import (
	"io"
	"net/http"
	"regexp"
	"testing"
)

// TestMetricsTell what an operator asks: what was done, what failed, what waits.
func TestMetricsTell(t *testing.T) {
	s := local(t, setup{env: []string{"SWEEP_INTERVAL=100ms"}})
	s.put(t, "cat.jpg", "image/jpeg", jpegOf(t, 900, 900))
	s.put(t, "notes.jpg", "image/jpeg", []byte("dear diary"))
	eventually(t, "the ends", func() bool { return s.tag(t, "cat.jpg") == "completed" && s.tag(t, "notes.jpg") == "failed" })
	for _, want := range []string{
		`imageflow_job_duration_seconds_count\{.*outcome="done".*step="resize".*\} 1\n`,
		`imageflow_job_duration_seconds_count\{.*outcome="invalid".*step="resize".*\} 1\n`,
		`imageflow_job_stage_duration_seconds_count\{.*stage="apply".*step="detect".*\} 1\n`,
		`imageflow_bridge_notifications_total\{.*outcome="accepted".*\} 2\n`,
		`imageflow_dead_letters_total\{.*\} 1\n`,
		`imageflow_sweeper_pending\{.*\} 0\n`,
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
