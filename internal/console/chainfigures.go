package console

import (
	"fmt"
	"slices"
	"strings"

	"imageflow.dev/internal/events"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// fill sets the figures of a drawing: those of the events whose uploads the chain selects.
func (d *chainDrawing) fill(samples []sample) {
	bySeries := map[*series][]sample{}
	for _, s := range samples {
		if d.selects(s) {
			bySeries[s.series] = append(bySeries[s.series], s)
		}
	}
	d.Nodes[0].Figure = counted(len(collect(bySeries, func(x *series) bool { return x.kind == uploadSample })), "upload")
	for _, n := range d.Nodes[1:] {
		n.fill(bySeries)
	}
	for _, a := range d.Arrows {
		a.fill(bySeries)
	}
}

// selects reports whether the chain begins with the upload of an event, as far as its sources can say: the conditions for
// people are not evaluated.
func (d *chainDrawing) selects(s sample) bool {
	return slices.ContainsFunc(d.sources, func(x *imageflowv1.ChainSource) bool {
		isExcluded := func(prefix string) bool { return strings.HasPrefix(s.key, prefix) }
		return (x.GetBucket() == "" || x.GetBucket() == s.bucket) && (x.GetKey() == "" || sampleKey(x.GetKey()) == s.key) &&
			strings.HasPrefix(s.key, x.GetPrefix()) && strings.HasSuffix(s.key, x.GetSuffix()) &&
			!slices.ContainsFunc(x.GetExcludedPrefixes(), isExcluded)
	})
}

// collect returns the samples of the series that match.
func collect(bySeries map[*series][]sample, matches func(*series) bool) (all []sample) {
	for x, samples := range bySeries {
		if matches(x) {
			all = append(all, samples...)
		}
	}
	return all
}

// made reports whether the node made an output. The upload made the zero output.
func (n *chainNode) made(o output) bool {
	if n.node == nil {
		return o == output{}
	}
	if n.Kind != "step" || o.step != n.node.GetProcessor() {
		return false
	}
	variants, ok := n.variants()
	return !ok || slices.Contains(variants, o.variant)
}

func (n *chainNode) fill(bySeries map[*series][]sample) {
	switch n.Kind {
	case "step":
		done := collect(bySeries, func(x *series) bool { return x.kind == stepSample && n.made(x.output) })
		n.Figure, n.Times = counted(len(done), "event"), timesText(tookOf(done))
	case "completion":
		completed := collect(bySeries, func(x *series) bool { return x.kind == completedSample })
		failed := collect(bySeries, func(x *series) bool { return x.kind == failedSample })
		n.Figure, n.Times = fmt.Sprintf("%d ended well, %d failed", len(completed), len(failed)), timesText(tookOf(completed))
	}
}

func (a *chainArrow) fill(bySeries map[*series][]sample) {
	var passed []sample
	var hop times
	switch {
	case a.From.Kind == "completion":
		passed = collect(bySeries, func(x *series) bool {
			return slices.ContainsFunc(a.Types, func(eventType string) bool {
				return x.kind == completedSample && strings.HasPrefix(events.ExecutionCompleted, eventType) ||
					x.kind == failedSample && strings.HasPrefix(events.ExecutionFailed, eventType)
			})
		})
	case a.To.Kind == "step" && a.To.node.GetPipeline() == "":
		passed = collect(bySeries, func(x *series) bool {
			return x.kind == stepSample && a.To.made(x.output) && a.From.made(x.from)
		})
		hop = timesOf(waits(passed))
	case a.To.Kind == "step": // a call between the steps of a pipeline, or the hop to it, of which only the last step has an event
		return
	default:
		passed = collect(bySeries, func(x *series) bool {
			return (x.kind == stepSample || x.kind == uploadSample) && a.From.made(x.output)
		})
	}
	a.Label, a.Text = "", counted(len(passed), "event")
	if len(passed) > 0 {
		a.Label = fmt.Sprint(len(passed))
	}
	if hop.Count > 0 {
		a.Label += fmt.Sprintf(" · %.0f/%.0f ms", 1000*hop.P50, 1000*hop.P95)
		a.Text += ", on the way " + timesText(hop)
	}
}

func tookOf(samples []sample) times {
	values := make([]float32, len(samples))
	for i, s := range samples {
		values[i] = s.took
	}
	return timesOf(values)
}

func waits(samples []sample) []float32 {
	values := make([]float32, len(samples))
	for i, s := range samples {
		values[i] = s.waited
	}
	return values
}

// timesText returns percentiles in words; empty if there are none.
func timesText(t times) string {
	if t.Count == 0 {
		return ""
	}
	return "p50 " + shortTime(t.P50) + ", p95 " + shortTime(t.P95)
}

// shortTime returns a time in milliseconds, or in seconds from one.
func shortTime(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.0f ms", 1000*s)
	}
	return fmt.Sprintf("%.1f s", s)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
