package bridge_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

const joins = "/completed?of=resize-small,detect,filter"

// leaf stores the output of a branch, made from a version of an upload, and returns its event. The output has
// the extension of its content.
func (w *world) leaf(cause cloudevents.Event, of objects.Info, step, variant, extension string) cloudevents.Event {
	w.t.Helper()
	suffix := map[string]string{"resize": "resize", "detect": "ai-detection", "filter": "filter"}[step]
	id := execution.ID(of.Key)
	key := id + "_" + suffix
	metadata := map[string]string{
		execution.StepMetadata: step, execution.SourceMetadata: "of the step before", execution.OriginMetadata: of.ETag,
	}
	e := last(cause)
	e.SetID(step + variant + of.ETag)
	e.SetType("dev.imageflow." + step + ".completed.v1")
	if variant != "" {
		key += "-" + variant
		metadata[execution.VariantMetadata] = variant
		e.SetExtension("variant", variant)
	}
	for name, value := range execution.ObjectMetadata(id, images, key+"."+extension) {
		metadata[name] = value
	}
	w.put(key+"."+extension, extension, metadata)
	data := `{"result":{"output_image":{"bucket":"` + images + `","object_key":"` + key + "." + extension + `"}}}`
	if err := e.SetData(cloudevents.ApplicationJSON, []byte(data)); err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) stat(key string) objects.Info {
	w.t.Helper()
	info, err := w.store.Stat(w.t.Context(), images, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return info
}

// TestLeaves_completedAfterTheLast: in any order, with any repetitions, and for leaves of several formats.
func TestLeaves_completedAfterTheLast(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		steps := [][3]string{{"resize", "small", "webp"}, {"detect", "", "jpg"}, {"filter", "", "jpg"}}
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
			first := w.upload("in/cat.jpg", string(rune('a'+order[0])))
			source := w.stat("in/cat.jpg")
			var sent []cloudevents.Event
			for n, i := range order {
				e := w.leaf(first, source, steps[i][0], steps[i][1], steps[i][2])
				sent = append(sent, e)
				for _, repeated := range append(sent, e) {
					w.post(joins, repeated)
				}
				want := map[bool]string{true: execution.StatusCompleted}[n == len(order)-1]
				if got := w.status("in/cat.jpg"); got != want {
					t.Errorf("order %v: after %s the status is %q, want %q", order, steps[i], got, want)
				}
			}
		}
	})
}

// TestLeaves_onlyOfThisVersion: leaves of an older version of the upload do not count, and neither do other
// objects with their names, nor events of other steps.
func TestLeaves_onlyOfThisVersion(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		first := w.upload("in/cat.jpg", "v1")
		old := w.stat("in/cat.jpg")
		for _, step := range []string{"detect", "filter"} {
			w.leaf(first, old, step, "", "jpg")
		}
		second := w.upload("in/cat.jpg", "v2")
		current := w.stat("in/cat.jpg")
		small := w.leaf(second, current, "resize", "small", "jpg")
		w.post(joins, small)
		w.leaf(second, current, "detect", "", "jpg")
		w.put("in/cat_filter.jpg", "somebody's", nil)
		w.post(joins, small)
		if got := w.status("in/cat.jpg"); got != "" {
			t.Errorf("without the filter of this version, the status is %q", got)
		}
		filtered := w.leaf(second, current, "filter", "", "jpg")
		other := w.leaf(second, current, "resize", "large", "jpg")
		w.post(joins, other)
		w.post(joins, w.leaf(first, old, "resize", "tiny", "jpg"))
		if got := w.status("in/cat.jpg"); got != "" {
			t.Errorf("after events of no leaf of this version, the status is %q", got)
		}
		w.post(joins, filtered)
		if got := w.status("in/cat.jpg"); got != execution.StatusCompleted {
			t.Errorf("at the end, the status is %q", got)
		}
	})
}

// TestLeaves_ofEarlierImageFlow: outputs without OriginMetadata count if the objects in between show that
// they were made from this version.
func TestLeaves_ofEarlierImageFlow(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		first := w.upload("in/cat.jpg", "v1")
		source := w.stat("in/cat.jpg")
		older := func(key, step, from string) objects.Info {
			metadata := execution.ObjectMetadata("in/cat", images, key)
			metadata[execution.StepMetadata], metadata[execution.SourceMetadata] = step, from
			return w.put(key, key, metadata)
		}
		resized := older("in/cat_resize.jpg", "resize", source.ETag)
		older("in/cat_filter.jpg", "filter", "another version")
		e := last(first)
		w.post("/completed?of=filter", e)
		if got := w.status("in/cat.jpg"); got != "" {
			t.Errorf("after an old filter the status is %q", got)
		}
		older("in/cat_filter.jpg", "filter", resized.ETag)
		w.post("/completed?of=filter", e)
		if got := w.status("in/cat.jpg"); got != execution.StatusCompleted {
			t.Errorf("the status is %q", got)
		}
	})
}

// TestLeaves_poisonedLeaf: the execution has failed as long as a leaf has a dead letter, also while another
// is replayed, and has completed when all were replayed.
func TestLeaves_poisonedLeaf(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		first := w.upload("in/cat.jpg", "v1")
		source := w.stat("in/cat.jpg")
		small := w.leaf(first, source, "resize", "small", "jpg")
		w.post("/dead-letters", failed(small, 400, "no model")) // detect got it
		w.post("/dead-letters", failed(first, 400, "no such filter"))
		w.post(joins, small)
		if got := w.status("in/cat.jpg"); got != execution.StatusFailed {
			t.Errorf("with one leaf and two dead letters, the status is %q", got)
		}
		all := w.allDeadLetters()
		one := func(d execution.DeadLetter) bridge.Replay {
			return bridge.Replay{Selection: execution.Selection{Since: d.Last, Until: d.Last}}
		}
		w.replay(one(all[0]))
		w.post(joins, w.leaf(first, source, "detect", "", "jpg"))
		if got := w.status("in/cat.jpg"); got != execution.StatusFailed || len(w.allDeadLetters()) != 1 {
			t.Errorf("after one replay the status is %q, with %d dead letters", got, len(w.allDeadLetters()))
		}
		w.replay(one(all[1]))
		if got := w.status("in/cat.jpg"); got != "" {
			t.Errorf("during the second replay the status is %q", got)
		}
		w.post(joins, w.leaf(first, source, "filter", "", "jpg"))
		if got := w.status("in/cat.jpg"); got != execution.StatusCompleted || len(w.allDeadLetters()) != 0 {
			t.Errorf("at the end the status is %q, with %d dead letters", got, len(w.allDeadLetters()))
		}
	})
}

// TestLeaves_parallelEvents: the events of all leaves at once, at two bridges.
func TestLeaves_parallelEvents(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		second, err := bridge.New(bridge.Config{Broker: w.broker.URL, Store: w.store, DeadLetters: dead})
		if err != nil {
			t.Fatal(err)
		}
		other := *w
		other.bridge = second
		first := w.upload("in/cat.jpg", "v1")
		source := w.stat("in/cat.jpg")
		var all sync.WaitGroup
		for _, step := range [][2]string{{"resize", "small"}, {"detect", ""}, {"filter", ""}} {
			e := w.leaf(first, source, step[0], step[1], "jpg")
			for _, at := range []*world{w, &other} {
				all.Go(func() { at.post(joins, e) })
			}
		}
		all.Wait()
		if got := w.status("in/cat.jpg"); got != execution.StatusCompleted {
			t.Errorf("the status is %q", got)
		}
	})
}

// TestLeaves_invalidList is answered with 400, which makes the event a dead letter.
func TestLeaves_invalidList(t *testing.T) {
	b := newBridge(t, newBroker(t))
	for _, of := range []string{"", "tiny", "resize,", "resize,resize", "resize-Small", "resize-2", "resize.", "resize.a_b",
		strings.Repeat("resize,", 2000), "filter,filter.png"} {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/completed?of="+of, nil)
		answer := httptest.NewRecorder()
		if b.ServeHTTP(answer, r); answer.Code != http.StatusBadRequest || !strings.HasPrefix(answer.Body.String(), "of: ") {
			t.Errorf("of=%.50s is answered %d %s", of, answer.Code, answer.Body)
		}
	}
	for query, says := range map[string]string{
		"x=1": `"x": no such parameter`, "of=resize&of=filter": "of: given more than once", "of=resize&": "", "%": "URL-encoded",
	} {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/completed?"+query, nil)
		answer := httptest.NewRecorder()
		if b.ServeHTTP(answer, r); answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), says) {
			t.Errorf("%s is answered %d %s", query, answer.Code, answer.Body)
		}
	}
}
