package bridge_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
)

// another returns a bridge with the same store and broker: another replica, or the next process.
func (w *world) another() *bridge.Bridge {
	w.t.Helper()
	b, err := bridge.New(bridge.Config{
		Broker: w.broker.URL, Store: w.store, DeadLetters: dead, AcceptWithin: time.Minute, Sweep: sweeping,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = b.Drain(w.t.Context()) })
	return b
}

func (w *world) drain(b *bridge.Bridge) {
	w.t.Helper()
	if err := b.Drain(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// TestSweepByIndex: the events that a broker lost are found in the index of other bridges, without a
// listing of the bucket, unless their chains have ended.
func TestSweepByIndex(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		done, gaveUp := w.upload("in/done.jpg", "done"), w.upload("in/failed.jpg", "failed")
		w.upload("in/lost.jpg", "lost")
		w.upload("elsewhere/lost.jpg", "outside the prefix")
		w.post("/completed", last(done))
		w.post("/dead-letters", failed(gaveUp, 400, notAnImage))
		w.drain(w.bridge)
		before := len(w.broker.all())

		sweeper := w.another().NewSweeper()
		if err := sweeper.SweepIndex(t.Context()); err != nil || len(w.broker.all()) != before || sweeper.Known() != 1 {
			t.Fatalf("within the grace period: %v, %s, %d known", err, w.subjects(before), sweeper.Known())
		}
		sweeper.Ahead = grace + time.Second
		if err := sweeper.SweepIndex(t.Context()); err != nil || w.subjects(before) != "in/lost.jpg" {
			t.Errorf("after the grace period: %v, %q", err, w.subjects(before))
		}
		third := w.another()
		w.bridge = third
		w.post("/completed", last(w.broker.all()[before]))
		w.drain(third)
		if err := sweeper.SweepIndex(t.Context()); err != nil || sweeper.Known() != 0 {
			t.Errorf("after the end: %v, %d known", err, sweeper.Known())
		}
	})
}

// TestIndexOfOutputs: the index has the outputs that the store reports, but neither side-cars nor crops nor
// images for signed URLs.
func TestIndexOfOutputs(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		report := func(key, contentType string, more map[string]string) {
			t.Helper()
			metadata := execution.ObjectMetadata("in/cat", images, key)
			metadata[execution.StepMetadata] = "resize"
			maps.Copy(metadata, more)
			record := objects.Record{EventName: "s3:ObjectCreated:Put"}
			record.S3.Bucket.Name, record.S3.Object.EscapedKey, record.S3.Object.ETag = images, url.QueryEscape(key), "1"
			record.S3.Object.ContentType, record.S3.Object.UserMetadata = contentType, metadata
			body, err := json.Marshal(map[string]any{"Records": []any{record}})
			if code := notify(w.bridge, "", string(body)); err != nil || code != http.StatusOK {
				t.Fatalf("%s: %v, answered %d", key, err, code)
			}
		}
		report("in/cat_resize-small.jpg", "image/jpeg", map[string]string{execution.VariantMetadata: "small"})
		report("in/cat_resize-small.json", "application/json", nil)
		report("in/cat_resize-1.jpg", "image/jpeg", map[string]string{execution.CropMetadata: "1"})
		view := "get-0123456789abcdef01234567" // of an image for a signed URL
		report("in/cat_resize-"+view+".jpg", "image/jpeg", map[string]string{execution.VariantMetadata: view})
		w.drain(w.bridge)
		var found []index.Entry
		tail := index.NewTail(w.store, dead, time.Now().Add(-time.Hour))
		err := tail.Read(t.Context(), func(_ string, entries []index.Entry) { found = append(found, entries...) })
		if err != nil || len(found) != 1 || found[0].ID != "in/cat" || len(found[0].Steps) != 1 ||
			found[0].Steps[0].Name != "resize" || found[0].Steps[0].Variant != "small" {
			t.Errorf("the index has %+v, %v", found, err)
		}
		if len(w.broker.all()) != 0 {
			t.Errorf("sent %s", w.subjects(0))
		}
	})
}

// TestIndexOfDeletedUpload: the execution of an upload that is gone before its first step has failed in the index, too, and
// the execution of an upload that is deleted just before its end has completed.
func TestIndexOfDeletedUpload(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		e := w.upload("in/gone.jpg", "gone")
		if err := w.store.Remove(t.Context(), images, "in/gone.jpg"); err != nil {
			t.Fatal(err)
		}
		w.post("/dead-letters", failed(e, 422, `{"code":5,"message":"input_image: there is no such object"}`))
		late := w.upload("in/late.jpg", "late")
		end := w.leaf(late, w.stat("in/late.jpg"), "filter", "", "jpg")
		if err := w.store.Remove(t.Context(), images, "in/late.jpg"); err != nil {
			t.Fatal(err)
		}
		w.post("/completed", end)
		w.drain(w.bridge)
		var outcomes []string
		tail := index.NewTail(w.store, dead, time.Now().Add(-time.Hour))
		err := tail.Read(t.Context(), func(_ string, entries []index.Entry) {
			for _, entry := range entries {
				outcomes = append(outcomes, entry.ID+" "+entry.Outcome.Status)
			}
		})
		if err != nil || !slices.Contains(outcomes, "in/gone "+execution.StatusFailed) ||
			!slices.Contains(outcomes, "in/late "+execution.StatusCompleted) {
			t.Errorf("the index has %q, %v", outcomes, err)
		}
	})
}

// TestBridgeDiesBeforeSegment: a bridge that dies after it has accepted a notification writes no entry.
// The next sweep of another one finds the upload in the bucket, and adds it to the index.
func TestBridgeDiesBeforeSegment(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		info := w.put("in/cat.jpg", "x", nil)
		w.output(info)
		next := w.another()
		sweeper := next.NewSweeper()
		sweeper.Ahead = grace + time.Second
		if err := sweeper.SweepIndex(t.Context()); err != nil || sweeper.Known() != 0 {
			t.Fatalf("the index has %d entries: %v", sweeper.Known(), err)
		}
		if err := sweeper.Sweep(t.Context()); err != nil || w.subjects(0) != "in/cat.jpg" {
			t.Errorf("the sweep: %v, %q", err, w.subjects(0))
		}
		w.drain(next)
		third := w.another().NewSweeper()
		if err := third.SweepIndex(t.Context()); err != nil || third.Known() != 1 {
			t.Errorf("the index of the next bridge has %d entries: %v", third.Known(), err)
		}
	})
}

// TestSweepContinuesListing: a sweep that has no time for all objects continues in the next ones, also of
// another process, and remembers a bounded number of uploads.
func TestSweepContinuesListing(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		for i := range 10 {
			w.put(fmt.Sprintf("in/%d.jpg", i), "x", nil)
		}
		sweeper := w.another().NewSweeper()
		sweeper.Page(4)
		sweeper.Limit(7)
		sweeper.Ahead = grace + time.Second
		for _, want := range []int{4, 8, 10} {
			if err := sweeper.Sweep(t.Context()); err != nil || len(w.broker.all()) != want || sweeper.Known() > 7 {
				t.Fatalf("%v, %d events instead of %d, %d known", err, len(w.broker.all()), want, sweeper.Known())
			}
			if want == 4 { // the process ends here
				sweeper = w.another().NewSweeper()
				sweeper.Page(4)
				sweeper.Limit(7)
				sweeper.Ahead = grace + time.Second
			}
		}
		for object, err := range w.store.Walk(t.Context(), dead, "_sweep/") {
			t.Errorf("after the end, the store has %s, %v", object.Key, err)
		}
	})
}
