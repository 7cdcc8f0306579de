package scenario

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// watched is an execution in an event of a watch.
type watched struct {
	ID     string `json:"execution_id"`
	Status string
	Steps  []struct{ Name string }
}

// progress returns the finished steps, and the status once it is COMPLETED.
func (e watched) progress() (all []string) {
	for _, step := range e.Steps {
		all = append(all, step.Name)
	}
	if e.Status == "PROCESSING_STATUS_COMPLETED" {
		all = append(all, e.Status)
	}
	return all
}

// TestFlood puts many images at once. All are completed, and a watch sees each of them get its steps and
// its status in order. `make flood` measures the same with 10,000.
func TestFlood(t *testing.T) {
	const n = 60
	s := local(t, setup{})
	answer, err := http.Get(s.url("gateway", "/v1/executions:watch?prefix=flood/"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	image := plainJPEG(t, 120, 90, colourOf(1))
	var puts sync.WaitGroup
	for i := range n {
		puts.Go(func() { s.put(t, fmt.Sprintf("flood/%d.jpg", i), "image/jpeg", image) })
	}
	puts.Wait()
	seen := map[string][]string{} // by execution: the steps, and at last the status
	lines, completed := bufio.NewScanner(answer.Body), 0
	for completed < n && lines.Scan() {
		data, isData := strings.CutPrefix(lines.Text(), "data: ")
		var e watched
		if !isData || json.Unmarshal([]byte(data), &e) != nil {
			continue
		}
		now := e.progress()
		if e.Status == "PROCESSING_STATUS_COMPLETED" {
			completed++
		}
		if before := seen[e.ID]; len(before) > len(now) || !slices.Equal(before, now[:len(before)]) {
			t.Errorf("%s: %v comes after %v", e.ID, now, before)
		}
		seen[e.ID] = now
	}
	for id, all := range seen {
		if !slices.Equal(all, []string{"resize", "detect", "filter", "PROCESSING_STATUS_COMPLETED"}) {
			t.Errorf("%s ends with %v", id, all)
		}
	}
	if len(seen) != n {
		t.Errorf("the watch has seen %d executions of %d: %v", len(seen), n, lines.Err())
	}
}
