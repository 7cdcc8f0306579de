package console

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// history makes the events of executions as the bridge and the processors do, and gives them to a feed.
type history struct {
	t    *testing.T
	feed *feed
	now  time.Time
}

func newHistory(t *testing.T) *history {
	h := &history{t: t, now: time.UnixMilli(1.8e12)}
	h.feed = newFeed(func() time.Time { return h.now }, 10)
	return h
}

func (h *history) take(e *cloudevent.Event, err error) *cloudevent.Event {
	h.t.Helper()
	if err == nil {
		err = h.feed.take(e)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

// upload is the event of an upload at this time.
func (h *history) upload(key string) *cloudevent.Event {
	h.t.Helper()
	e, err := events.NewObjectFound(objects.Info{Bucket: "images", Key: key, ETag: "v1", Modified: h.now})
	return h.take(&e, err)
}

// step is the event of a step that ends at this time.
func (h *history) step(cause *cloudevent.Event, name, variant string, took time.Duration) *cloudevent.Event {
	h.t.Helper()
	origin, _ := events.OriginOf(cause)
	result := &imageflowv1.ProcessingResult{
		ProcessedAt: timestamppb.New(h.now), ProcessingTimeSeconds: took.Seconds(),
		OutputImage: &imageflowv1.ImageData{Bucket: "images", ObjectKey: origin.Key + "_" + name + "-" + variant},
	}
	events.ExecutionID.Set(result, execution.ID(origin.Key))
	if variant != "" {
		events.Variant.Set(result, variant)
	}
	return h.take(events.NewStepCompleted(h.t.Context(), cause, name, variant, &imageflowv1.ResizeResponse{Result: result}))
}

// end is the event of the outcome after an event.
func (h *history) end(cause *cloudevent.Event, failure *imageflowv1.ExecutionFailure) {
	h.t.Helper()
	origin, _ := events.OriginOf(cause)
	ended := &imageflowv1.GetExecutionResponse{
		ExecutionId: execution.ID(origin.Key), Status: imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED, Failure: failure,
	}
	if failure != nil {
		ended.Status, failure.FailedAt = imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED, timestamppb.New(h.now)
	}
	e, err := events.NewExecutionEnded(h.t.Context(), cause, origin, ended)
	h.take(&e, err)
}

func isNear(got float64, want time.Duration) bool { return math.Abs(got-want.Seconds()) < 1e-4 }

// TestWindow_times: the overhead of a hop is the time between two events without the step's own time, also if an event comes
// twice, and an outcome has the time since the upload.
func TestWindow_times(t *testing.T) {
	h := newHistory(t)
	upload := h.upload("a.jpg")
	h.now = h.now.Add(50 * time.Millisecond)
	resized := h.step(upload, "resize", "small", 30*time.Millisecond)
	h.take(resized, nil)
	h.now = h.now.Add(25 * time.Millisecond)
	filtered := h.step(resized, "filter", "small", 10*time.Millisecond)
	h.now = h.now.Add(time.Second)
	h.end(filtered, nil)
	samples := h.feed.recent(windowSpan)
	if len(samples) != 4 {
		t.Fatalf("%d events: %v", len(samples), samples)
	}
	first, second, ended := samples[1], samples[2], samples[3]
	if first.output != (output{"resize", "small"}) || first.from != (output{}) ||
		!isNear(float64(first.took), 30*time.Millisecond) || !isNear(float64(first.waited), 20*time.Millisecond) {
		t.Errorf("resize: %+v %+v", first, *first.series)
	}
	if second.from != (output{"resize", "small"}) || !isNear(float64(second.waited), 15*time.Millisecond) {
		t.Errorf("filter: %+v %+v", second, *second.series)
	}
	if ended.kind != completedSample || !isNear(float64(ended.took), 75*time.Millisecond) {
		t.Errorf("outcome: %+v %+v", ended, *ended.series)
	}
}

// TestWindow_forgets: what is older than five minutes is gone, with all that was kept about it.
func TestWindow_forgets(t *testing.T) {
	h := newHistory(t)
	for i := range 100 {
		h.step(h.upload(fmt.Sprintf("%d.jpg", i)), "resize", fmt.Sprintf("v%d", i), time.Millisecond)
	}
	h.now = h.now.Add(windowSpan - time.Second)
	h.upload("later.jpg")
	if n := len(h.feed.recent(windowSpan)); n != 201 {
		t.Errorf("%d events of the last five minutes", n)
	}
	if n := len(h.feed.recent(time.Minute)); n != 1 {
		t.Errorf("%d events of the last minute", n)
	}
	h.now = h.now.Add(2 * time.Second)
	h.upload("last.jpg")
	if n := len(h.feed.recent(windowSpan)); n != 2 || len(h.feed.window.series) != 1 {
		t.Errorf("%d events and %d series after five minutes", n, len(h.feed.window.series))
	}
}

// TestWindow_memory: with more than 100 events a second a window has the newest, and needs no more than 2.5 MB for them.
func TestWindow_memory(t *testing.T) {
	h := newHistory(t)
	one := h.step(h.upload("a.jpg"), "resize", "", time.Millisecond)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w, key := &window{}, ""
	for i := range 2 * maxSamples {
		e := one.Clone()
		e.SetID(fmt.Sprint(i))
		if i%4 == 0 {
			h.now = h.now.Add(time.Millisecond)
			key = fmt.Sprintf("uploads/2026/%030d.jpg", i)
		}
		w.add(&run{Bucket: "images", Key: key}, &e, h.now)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	samples := w.since(h.now.Add(-windowSpan))
	if len(samples) != maxSamples || samples[maxSamples-1].at != h.now.UnixMilli() {
		t.Errorf("%d events", len(samples))
	}
	used := after.HeapAlloc - before.HeapAlloc
	t.Logf("%d kB", used/1000)
	if used > 2_500_000 {
		t.Errorf("the window needs %d bytes", used)
	}
	runtime.KeepAlive(w)
}

// TestTimesOf: percentiles are values that were seen, and unknown ones do not count.
func TestTimesOf(t *testing.T) {
	values := []float32{-1}
	for i := range 100 {
		values = append(values, float32(100-i))
	}
	if got := timesOf(values); got != (times{100, 50, 95}) {
		t.Errorf("of 1 to 100: %v", got)
	}
	if got := timesOf([]float32{3}); got != (times{1, 3, 3}) {
		t.Errorf("of 3: %v", got)
	}
	if got := timesOf([]float32{-1}); got != (times{}) {
		t.Errorf("of nothing: %v", got)
	}
}

// TestChain_figures: each chain counts the events of its own uploads, on the branch that they took.
func TestChain_figures(t *testing.T) {
	h := newHistory(t)
	s := chainConsole(t, gatewayOf(t, eventing, eventing+"/examples"))
	s.feed = h.feed
	upload := h.upload("renditions/a.jpg")
	h.now = h.now.Add(100 * time.Millisecond)
	h.step(upload, "resize", "small", 40*time.Millisecond)
	h.end(h.step(upload, "filter", "", 10*time.Millisecond), nil)
	for i := range 2 {
		h.now = h.now.Add(time.Second)
		h.end(h.upload(fmt.Sprintf("uploads/%d.jpg", i)), &imageflowv1.ExecutionFailure{Code: 500})
	}
	page := drawnBy(t, s)
	figures := map[string]string{}
	for _, c := range page.Chains {
		for _, n := range c.Nodes {
			figures[c.Name+" "+n.Trigger] = n.Figure + " " + n.Times
		}
		for _, a := range c.Arrows {
			figures[c.Name+" "+a.From.Trigger+" → "+a.To.Trigger] = a.Label
		}
	}
	for place, want := range map[string]string{
		"renditions ": "1 upload ", "chain ": "2 uploads ", "thumbnails ": "0 uploads ",
		"renditions renditions-1-small":                           "1 event p50 40 ms, p95 40 ms",
		"renditions renditions-2-medium":                          "0 events ",
		"renditions  → renditions-1-small":                        "1 · 60/60 ms",
		"renditions renditions-1-small → renditions-6-completed":  "1",
		"renditions renditions-2-medium → renditions-6-completed": "",
		"renditions renditions-6-completed":                       "1 ended well, 0 failed p50 100 ms, p95 100 ms",
		"chain chain-4-completed":                                 "0 ended well, 2 failed ",
		"chain chain-3-filter":                                    "0 events ",
	} {
		if figures[place] != want {
			t.Errorf("%s: %q, want %q", place, figures[place], want)
		}
	}
}
