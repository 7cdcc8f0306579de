package execution_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// TestFindSteps_requests: the steps that led to the last outputs are found without a listing, whose time grows with the
// folder. If an output does not say what it was made from, as those of earlier versions, a listing finds the same.
func TestFindSteps_requests(t *testing.T) {
	var listings atomic.Int64
	s := counted(t, func(r *http.Request) {
		if r.URL.Query().Has("list-type") {
			listings.Add(1)
		}
	})
	upload := put(t, s, "in/cat.jpg", "image/jpeg", "v1", nil)
	resized := writeCat(t, s, "resize.jpg", "resize", upload.ETag)
	filtered := writeCat(t, s, "filter.jpg", "filter", resized.ETag, execution.InputMetadata, "_resize.jpg")
	branch := writeCat(t, s, "filter-b.jpg", "filter", resized.ETag, execution.InputMetadata, "_resize.jpg")
	older := writeCat(t, s, "filter-c.jpg", "filter", resized.ETag)
	replaced := writeCat(t, s, "filter-d.jpg", "filter", "another version", execution.InputMetadata, "_resize.jpg")
	several := writeCat(t, s, "filter-e.jpg", "filter", upload.ETag, execution.OutputsMetadata, "2")
	putBeside(t, s, upload.ETag)
	fromCopy := writeCat(t, s, "filter-f.jpg", "filter", upload.ETag, execution.InputMetadata, "_filter-copy.jpg")
	const chain, all = "filter resize+json", "filter filter-b filter-c filter-copy filter-e filter-f resize+json"
	for _, c := range []struct {
		name     string
		last     []objects.Info
		listings int64
		want     string
	}{
		{"a chain", []objects.Info{filtered}, 0, chain},
		{"a copy of the upload in between", []objects.Info{fromCopy}, 0, "filter-copy filter-f"},
		{"two branches", []objects.Info{filtered, branch}, 0, "filter filter-b resize+json"},
		{"an output of an earlier version", []objects.Info{filtered, older}, 1, all},
		{"an output of another input", []objects.Info{replaced}, 1, all},
		{"one of several outputs of a job", []objects.Info{several}, 1, all},
		{"nothing known", nil, 1, all},
	} {
		t.Run(c.name, func(t *testing.T) {
			listings.Store(0)
			var e execution.Execution
			err := e.FindSteps(t.Context(), s, upload, c.last)
			if steps := stepsOf(e); err != nil || steps != c.want || listings.Load() != c.listings {
				t.Errorf("got %s by %d listings, %v; want %s by %d", steps, listings.Load(), err, c.want, c.listings)
			}
		})
	}
}

// stepsOf returns the names of the outputs of in/cat, with +json if they have a side-car.
func stepsOf(e execution.Execution) string {
	var names []string
	for _, step := range e.Steps {
		name := strings.TrimSuffix(strings.TrimPrefix(step.Output.Key, "in/cat_"), ".jpg")
		if step.SideCar != "" {
			name += "+json"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// writeCat writes an output of in/cat, whose metadata has more pairs.
func writeCat(t *testing.T, s *objects.Store, name, step, from string, more ...string) objects.Info {
	t.Helper()
	key := "in/cat_" + name
	metadata := execution.ObjectMetadata("in/cat", bucket, key)
	metadata[execution.StepMetadata], metadata[execution.SourceMetadata] = step, from
	for pair := range slices.Chunk(more, 2) {
		metadata[pair[0]] = pair[1]
	}
	return put(t, s, key, "image/jpeg", name, metadata)
}

// putBeside writes the side-car of in/cat_resize.jpg, and a copy of the upload that a filter made.
func putBeside(t *testing.T, s *objects.Store, upload string) {
	t.Helper()
	put(t, s, "in/cat_resize.json", "application/json", "{}", execution.ObjectMetadata("in/cat", bucket, "in/cat_resize.json"))
	metadata := execution.ObjectMetadata("in/cat", bucket, "in/cat_filter-copy.jpg")
	metadata[execution.StepMetadata], metadata[execution.SourceMetadata] = "filter", upload
	put(t, s, "in/cat_filter-copy.jpg", "image/jpeg", "v1", metadata)
}
