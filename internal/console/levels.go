package console

import (
	"fmt"
	"time"
)

// The service levels, as in config/monitoring.
const (
	minAvailability = 0.999
	maxOverhead     = 50 * time.Millisecond
	minThroughput   = 10 // images a second
	maxErrors       = 0.001
	maxPipeline     = 3 * time.Second
)

// level is a service level of the last minutes.
type level struct {
	Name    string
	Verdict verdict
	// Value is what was measured, or "none", and Limit the objective.
	Value, Limit string
	// From says what was measured, and how.
	From string
}

// levelsOf returns the five service levels, from the probes of the last minutes and the events that have come in them.
func levelsOf(probes []probe, samples []sample, now time.Time) []level {
	return []level{availability(probes), overhead(probes), throughput(samples, now), faults(samples), pipelineTime(samples)}
}

func availability(probes []probe) level {
	l := level{Name: "availability", Verdict: unknown, Value: "none", Limit: "≥ 99.9 %",
		From: "The share of the probes of all roles that were answered with ready. While nobody looks at a page, there are none."}
	ready := 0
	for _, p := range probes {
		if p.isReady {
			ready++
		}
	}
	if len(probes) > 0 {
		share := float64(ready) / float64(len(probes))
		l.Verdict, l.Value = judge(share >= minAvailability), fmt.Sprintf("%.4g %%", 100*share)
	}
	return l
}

func overhead(probes []probe) level {
	l := level{Name: "call overhead", Verdict: unknown, Value: "none", Limit: "p95 ≤ " + shortTime(maxOverhead.Seconds()),
		From: "The time of the probes of processors through the gateway. A probe has no work, so all its time is overhead."}
	var values []float32
	for _, p := range probes {
		if p.isProcessor {
			values = append(values, p.took)
		}
	}
	if t := timesOf(values); t.Count > 0 {
		l.Verdict, l.Value = judge(t.P95 <= maxOverhead.Seconds()), shortTime(t.P95)
	}
	return l
}

// throughput is missed if fewer images end than arrive although they are fewer than the objective. One second's images may
// be on their way.
func throughput(samples []sample, now time.Time) level {
	l := level{Name: "throughput", Verdict: unknown, Value: "none", Limit: fmt.Sprintf("%d/s possible", minThroughput),
		From: "The images of the last minute whose executions ended, by the events. It is bad if fewer ended than arrived, " +
			"by more than a tenth and ten images, although fewer than 10 a second ended."}
	arrived, ended := 0, 0
	for _, s := range samples {
		switch {
		case s.at < now.Add(-time.Minute).UnixMilli() || s.kind == stepSample:
		case s.kind == uploadSample:
			arrived++
		default:
			ended++
		}
	}
	if arrived+ended > 0 {
		isEnough := ended >= minThroughput*60 || 10*(ended+minThroughput) >= 9*arrived
		l.Verdict, l.Value = judge(isEnough), fmt.Sprintf("%.2g/s", float64(ended)/60)
	}
	return l
}

func faults(samples []sample) level {
	l := level{Name: "errors", Verdict: unknown, Value: "none", Limit: "≤ 0.1 %",
		From: "The share of the executions that failed through no fault of the image: the last answer was 5xx, or there was none."}
	all, failed := 0, 0
	for _, s := range samples {
		if s.kind == completedSample || s.kind == failedSample {
			all++
		}
		if s.isFault {
			failed++
		}
	}
	if all > 0 {
		share := float64(failed) / float64(all)
		l.Verdict, l.Value = judge(share <= maxErrors), fmt.Sprintf("%.3g %%", 100*share)
	}
	return l
}

func pipelineTime(samples []sample) level {
	l := level{Name: "pipeline", Verdict: unknown, Value: "none", Limit: "p95 ≤ " + shortTime(maxPipeline.Seconds()),
		From: "The time from the upload to the last output of the executions that completed, by the times in the events."}
	var values []float32
	for _, s := range samples {
		if s.kind == completedSample {
			values = append(values, s.took)
		}
	}
	if t := timesOf(values); t.Count > 0 {
		l.Verdict, l.Value = judge(t.P95 <= maxPipeline.Seconds()), shortTime(t.P95)
	}
	return l
}

func judge(isMet bool) verdict {
	if isMet {
		return good
	}
	return bad
}
