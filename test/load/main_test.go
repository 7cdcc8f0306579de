package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestReport sends calls to a gateway that completes some, refuses some and fails one, and checks
// the report and its image.
func TestReport(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch i := n.Add(1); {
		case i == 3:
			http.Error(w, `{"code":13,"message":"internal error"}`, http.StatusInternalServerError)
		case i%2 == 0:
			http.Error(w, `{"code":8,"message":"steps[1] detect: the queue is full"}`, http.StatusTooManyRequests)
		default:
			time.Sleep(70 * time.Millisecond)
			fmt.Fprint(w,
				`{"steps":[{"resize":{"result":{"processing_time_seconds":0.001}}},{"detect":{"result":{"processing_time_seconds":0.002}}}]}`)
		}
	}))
	defer server.Close()
	c := config{gateway: server.URL, target: "calls", rates: "50", duration: 200 * time.Millisecond, timeout: 10 * time.Second}
	set := []testImage{{"a", "image/jpeg", []byte("image")}}
	attack, err := attacker(c, set)
	if err != nil {
		t.Fatal(err)
	}
	run := measure(attack(50), 50, c.duration)
	if run.counts[failed] != 1 || run.counts[busy] < 3 || run.counts[done] < 3 || run.refusers["detect"] != run.counts[busy] {
		t.Errorf("got %d done, %d busy by %v, %d failed", run.counts[done], run.counts[busy], run.refusers, run.counts[failed])
	}
	if p95 := quantile(run.overheads, 0.95); p95 < 60*time.Millisecond {
		t.Errorf("an overhead of %v, want the time beyond the steps' own 3 ms", p95)
	}
	r := report{config: c, set: set, began: time.Now(), runs: []*rateRun{run}}
	text := r.markdown("x.svg")
	for _, want := range []string{"| availability | ≥ 99.9 % | **fail**", "| call overhead, p95 | ≤ 50 ms | **fail**",
		"| pipeline, p95 | ≤ 3 s | pass", "detect", "1 times: `500"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report has no %q:\n%s", want, text)
		}
	}
	if chart := r.chart(); !strings.HasPrefix(chart, "<svg") || strings.Count(chart, "<rect") < bars {
		t.Errorf("chart: %.200s", chart)
	}
}
