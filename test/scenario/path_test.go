package scenario

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// execution is an execution as the gateway describes it.
type execution struct {
	Status string
	Source struct {
		CreatedAt time.Time `json:"created_at"`
	}
	Steps []struct {
		Name       string
		FinishedAt time.Time `json:"finished_at"`
		Seconds    float64   `json:"processing_time_seconds"`
	}
}

func (s *system) execution(t testing.TB, id string) (e execution) {
	t.Helper()
	resp, err := http.Get(s.url("gateway", "/v1/executions/"+id))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		t.Fatalf("%s: %s %v", id, text, err)
	}
	return e
}

// TestOnClusterEventPath puts 50 images for a chain of Triggers and 50 for one Trigger that runs the same steps as a
// pipeline, in turns, two per second. It reports for each hop the time from the input to the output, and the part of
// it outside the step.
func TestOnClusterEventPath(t *testing.T) {
	needsCluster(t)
	apply(t, "../../eventing/examples/presets")
	s := connect(t)
	run := time.Now().UTC().Format("150405")
	img := sample(t)
	forms := map[string]string{"a Trigger for each step": "path/" + run, "one Trigger": "photos/" + run}
	const images = 50
	for i := range images {
		for _, prefix := range forms {
			s.put(t, fmt.Sprintf("%s/%d.jpg", prefix, i), "image/jpeg", img)
			time.Sleep(500 * time.Millisecond)
		}
	}
	for form, prefix := range forms {
		t.Run(form, func(t *testing.T) { s.reportPath(t, prefix, images) })
	}
}

// reportPath reports the times of the executions of the images <prefix>/0.jpg, <prefix>/1.jpg and so on.
func (s *system) reportPath(t *testing.T, prefix string, images int) {
	own, took, beyond := series{}, series{}, series{}
	for i := range images {
		id := fmt.Sprintf("%s/%d", prefix, i)
		eventually(t, "the end", func() bool { return s.tag(t, id+".jpg") == "completed" })
		e := s.execution(t, id)
		before, all := e.Source.CreatedAt, 0.0
		for _, step := range e.Steps {
			hop, work := milliseconds(step.FinishedAt.Sub(before)), 1000*step.Seconds
			own.add(step.Name, work)
			took.add(step.Name, hop)
			beyond.add(step.Name, hop-work)
			before, all = step.FinishedAt, all+work
		}
		whole := milliseconds(before.Sub(e.Source.CreatedAt))
		own.add("whole", all)
		took.add("whole", whole)
		beyond.add("whole", whole-all)
	}
	for _, hop := range []string{"resize", "detect", "filter", "whole"} {
		if len(took[hop]) != images {
			t.Errorf("%d executions have the step %s, want %d", len(took[hop]), hop, images)
			continue
		}
		t.Logf("%-6s p50 %4.0f ms, p95 %4.0f ms; the step's own time before storing: p50 %3.0f ms; beyond it: p50 %3.0f ms, p95 %3.0f ms",
			hop, took.at(hop, 50), took.at(hop, 95), own.at(hop, 50), beyond.at(hop, 50), beyond.at(hop, 95))
	}
	t.Logf("beyond the steps / their own time: %.2f", beyond.at("whole", 50)/own.at("whole", 50))
}
