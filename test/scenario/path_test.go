package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestOnClusterEventPath puts 50 images for a chain of Triggers and 50 for one Trigger that runs the same steps as a
// pipeline, in turns, two per second. It reports for each step the time from the end of the step before, or of the
// put, to its own end, and the part of it outside the job.
func TestOnClusterEventPath(t *testing.T) {
	needsCluster(t)
	onlyTheChain(t)
	apply(t, "../../eventing/examples/presets/pipelines.yaml")
	s := connect(t)
	awaitOnePod(t)
	run := time.Now().UTC().Format("150405")
	img := sample(t)
	forms := map[string]string{"a Trigger for each step": "path/" + run, "one Trigger": "photos/" + run}
	stored := map[string]time.Time{}
	for i := range 50 {
		for _, prefix := range forms {
			id := fmt.Sprintf("%s/%d", prefix, i)
			s.put(t, id+".jpg", "image/jpeg", img)
			stored[id] = time.Now()
			time.Sleep(500 * time.Millisecond)
		}
	}
	for id := range stored {
		eventually(t, "the end", func() bool { return s.tag(t, id+".jpg") == "completed" })
	}
	for form, prefix := range forms {
		t.Run(form, func(t *testing.T) { reportPath(t, jobs(t, "app.kubernetes.io/component=processor", prefix), stored) })
	}
}

// onlyTheChain deletes the Triggers that tests before have added to the chain's, one after the other (config/README.md says
// why): the broker sends each event to its filter once for every Trigger.
func onlyTheChain(t *testing.T) {
	t.Helper()
	for _, trigger := range strings.Fields(kubectl(t, "get", "trigger", "-n", namespace, "-o", "name")) {
		if _, name, _ := strings.Cut(trigger, "/"); !strings.HasPrefix(name, "chain-") {
			kubectl(t, "delete", "-n", namespace, "--cascade=foreground", trigger)
		}
	}
}

// awaitOnePod waits until each processor is scaled in after the tests before, and pods of earlier revisions, which the
// component direct calls, too, have ended: their logs end with them.
func awaitOnePod(t testing.TB) {
	t.Helper()
	for _, c := range services {
		within(t, 3*time.Minute, "one pod of "+c.part, func() bool {
			pods := kubectl(t, "get", "pods", "-n", namespace, "-l", "serving.knative.dev/service="+serviceOf[c.part], "-o", "name")
			return len(strings.Fields(pods)) == 1
		})
	}
}

// reportPath reports the times of the jobs of executions, whose images were stored at these times.
func reportPath(t *testing.T, all []loggedJob, stored map[string]time.Time) {
	slices.SortFunc(all, func(a, b loggedJob) int { return a.Time.Compare(b.Time) })
	before, own, took, beyond := maps.Clone(stored), map[string]float64{}, series{}, series{}
	steps := series{}
	for _, j := range all {
		hop := milliseconds(j.Time.Sub(before[j.Execution]))
		took.add(j.Step, hop)
		steps.add(j.Step, j.MS)
		beyond.add(j.Step, hop-j.MS)
		before[j.Execution], own[j.Execution] = j.Time, own[j.Execution]+j.MS
		if j.Step == "filter" {
			whole := milliseconds(j.Time.Sub(stored[j.Execution]))
			took.add("whole", whole)
			steps.add("whole", own[j.Execution])
			beyond.add("whole", whole-own[j.Execution])
		}
	}
	for _, step := range []string{"resize", "detect", "filter", "whole"} {
		if len(took[step]) != len(stored)/2 {
			t.Errorf("%d jobs of %s, want %d", len(took[step]), step, len(stored)/2)
			continue
		}
		t.Logf("%-6s p50 %4.0f ms, p95 %4.0f ms; the job itself: p50 %3.0f ms; beyond it: p50 %3.0f ms, p95 %3.0f ms",
			step, took.at(step, 50), took.at(step, 95), steps.at(step, 50), beyond.at(step, 50), beyond.at(step, 95))
	}
	t.Logf("beyond the jobs / the jobs themselves: %.2f", beyond.at("whole", 50)/steps.at("whole", 50))
}
