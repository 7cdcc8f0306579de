package scenario

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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

// TestOnClusterEventPath puts 50 images, two per second, and reports for each hop the time from the
// input to the output, and the part of it outside the step.
func TestOnClusterEventPath(t *testing.T) {
	if !*onCluster {
		t.Skip("needs a cluster: make e2e")
	}
	s := connect(t)
	run := time.Now().UTC().Format("path/150405")
	img, err := os.ReadFile(filepath.Join("..", "images", "sample.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	const images = 50
	for i := range images {
		s.put(t, fmt.Sprintf("%s/%d.jpg", run, i), "image/jpeg", img)
		time.Sleep(500 * time.Millisecond)
	}
	took, beyond := map[string][]float64{}, map[string][]float64{}
	for i := range images {
		eventually(t, "the end", func() bool { return s.tag(t, fmt.Sprintf("%s/%d.jpg", run, i)) == "completed" })
		e := s.execution(t, fmt.Sprintf("%s/%d", run, i))
		before, own := e.Source.CreatedAt, 0.0
		for _, step := range e.Steps {
			took[step.Name] = append(took[step.Name], milliseconds(step.FinishedAt.Sub(before)))
			beyond[step.Name] = append(beyond[step.Name], milliseconds(step.FinishedAt.Sub(before))-1000*step.Seconds)
			before, own = step.FinishedAt, own+1000*step.Seconds
		}
		took["whole"] = append(took["whole"], milliseconds(before.Sub(e.Source.CreatedAt)))
		beyond["whole"] = append(beyond["whole"], milliseconds(before.Sub(e.Source.CreatedAt))-own)
	}
	for _, hop := range []string{"resize", "detect", "filter", "whole"} {
		if len(took[hop]) != images {
			t.Errorf("%d executions have the step %s", len(took[hop]), hop)
			continue
		}
		slices.Sort(took[hop])
		slices.Sort(beyond[hop])
		t.Logf("%-6s p50 %4.0f ms, p95 %4.0f ms; beyond the step's own time before storing: p50 %3.0f ms, p95 %3.0f ms", hop,
			took[hop][images/2], took[hop][images*95/100], beyond[hop][images/2], beyond[hop][images*95/100])
	}
}
