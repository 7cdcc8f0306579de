package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// outcome is the outcome of one image.
type outcome int

const (
	done outcome = iota
	// busy ones were refused for a full queue.
	busy
	// failed ones had another error, or no answer.
	failed
)

// rateRun is the run at one rate.
type rateRun struct {
	rate   int
	took   time.Duration
	counts [failed + 1]int
	// latencies and overheads of the completed images, sorted.
	latencies, overheads []time.Duration
	refusals             []time.Duration
	refusers             map[string]int // how often each step has refused
	errors               map[string]int
	others               float64 // cores that other work on this machine took
}

// answer has the measured fields of the answer about a pipeline or an execution.
type answer struct {
	Status string
	Steps  []struct {
		Resize, Detect, Filter struct{ Result own }
		own
	}
}

type own struct {
	Seconds float64 `json:"processing_time_seconds"`
}

// measure computes the figures of a run.
func measure(results <-chan *vegeta.Result, rate int, duration time.Duration) *rateRun {
	r := &rateRun{rate: rate, took: duration, errors: map[string]int{}, refusers: map[string]int{}}
	load := startLoad()
	began := time.Now()
	for res := range results {
		r.add(res)
	}
	r.took = max(time.Since(began), duration)
	r.others = load.others()
	for _, all := range [][]time.Duration{r.latencies, r.overheads, r.refusals} {
		slices.Sort(all)
	}
	return r
}

func (r *rateRun) add(res *vegeta.Result) {
	switch res.Code {
	case http.StatusOK:
		r.counts[done]++
		r.latencies = append(r.latencies, res.Latency)
		r.overheads = append(r.overheads, res.Latency-inside(res))
	case http.StatusTooManyRequests:
		r.counts[busy]++
		r.refusals = append(r.refusals, res.Latency)
		r.refusers[refuser(res.Body)]++
	default:
		r.counts[failed]++
		r.errors[fmt.Sprintf("%d %s %.200s", res.Code, res.Error, res.Body)]++
	}
}

// inside returns the steps' own time.
func inside(res *vegeta.Result) time.Duration {
	var a answer
	_ = json.Unmarshal(res.Body, &a)
	var seconds float64
	for _, s := range a.Steps {
		seconds += s.Seconds + s.Resize.Result.Seconds + s.Detect.Result.Seconds + s.Filter.Result.Seconds
	}
	return time.Duration(seconds * float64(time.Second))
}

// refuser returns the step that a refusal names, "steps[1] detect: ...", or else the
// gateway.
func refuser(body []byte) string {
	var status struct{ Message string }
	_ = json.Unmarshal(body, &status)
	at, _, _ := strings.Cut(status.Message, ":")
	if step, ok := strings.CutPrefix(at, "steps["); ok {
		_, step, _ = strings.Cut(step, " ")
		return step
	}
	return "gateway"
}

// share returns the share of the images that were sent.
func (r *rateRun) share(n int) float64 {
	return float64(n) / float64(max(r.counts[done]+r.counts[busy]+r.counts[failed], 1))
}

// throughput is the completed images per second.
func (r *rateRun) throughput() float64 { return float64(r.counts[done]) / r.took.Seconds() }

// quantile returns a quantile of sorted durations, 0 if there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// level is one service level of a run.
type level struct {
	name, want, got string
	holds           bool
}

func (r *rateRun) levels() []level {
	overhead, pipeline := quantile(r.overheads, 0.95), quantile(r.latencies, 0.95)
	letIn := max(r.counts[done]+r.counts[failed], 1)
	errors := float64(r.counts[failed]) / float64(letIn)
	available := 1 - r.share(r.counts[failed])
	return []level{
		{"availability", "≥ 99.9 %", fmt.Sprintf("%.2f %%", 100*available), available >= 0.999},
		{
			"call overhead, p95", "≤ 50 ms", fmt.Sprintf("%.0f ms", ms(overhead)),
			len(r.overheads) > 0 && overhead <= 50*time.Millisecond,
		},
		{"pipeline, p95", "≤ 3 s", fmt.Sprintf("%.0f ms", ms(pipeline)), len(r.latencies) > 0 && pipeline <= 3*time.Second},
		{"error rate", "≤ 0.1 %", fmt.Sprintf("%.2f %%", 100*errors), errors <= 0.001},
		{"throughput", "≥ 10/s", fmt.Sprintf("%.1f/s", r.throughput()), r.throughput() >= 9.9}, // the last may end late
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
