package bridge_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// TestCopyIsAnUpload: a server-side copy keeps the metadata of an output or the tags of a
// finished source, and still starts a chain of its own.
func TestCopyIsAnUpload(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		metadata := execution.ObjectMetadata("in/cat", images, "in/cat_resize.jpg")
		output := w.put("in/cat_resize.jpg", "output", metadata)
		copied := w.put("in/copy.jpg", "output", metadata)
		w.notify(output, copied)
		if got := w.subjects(0); got != copied.Key {
			t.Errorf("notified of an output and its copy, events are sent for %q", got)
		}

		done := w.upload("in/done.jpg", "done")
		w.post("/completed", last(done))
		tags, err := w.store.Tags(t.Context(), images, "in/done.jpg")
		if err != nil {
			t.Fatal(err)
		}
		w.put("in/twin.jpg", "done", nil)
		if err := w.store.SetTags(t.Context(), images, "in/twin.jpg", "", tags); err != nil {
			t.Fatal(err)
		}
		before := len(w.broker.all())
		sweeper := w.bridge.NewSweeper()
		sweeper.Ahead = grace + time.Second
		if err := sweeper.Sweep(t.Context()); err != nil || w.subjects(before) != "in/copy.jpg in/twin.jpg" {
			t.Errorf("the sweeper finds %q, %v", w.subjects(before), err)
		}
	})
}

// notify posts a notification for new objects, as MinIO does.
func (w *world) notify(all ...objects.Info) {
	w.t.Helper()
	var records []objects.Record
	for _, info := range all {
		record := objects.Record{EventName: "s3:ObjectCreated:Copy"}
		record.S3.Bucket.Name, record.S3.Object.EscapedKey, record.S3.Object.ETag = info.Bucket, info.Key, info.ETag
		record.S3.Object.ContentType, record.S3.Object.UserMetadata = info.ContentType, map[string]string{}
		for name, value := range info.Metadata {
			record.S3.Object.UserMetadata["X-Amz-Meta-"+http.CanonicalHeaderKey(name)] = value
		}
		records = append(records, record)
	}
	body, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		w.t.Fatal(err)
	}
	if code := notify(w.bridge, "", string(body)); code != http.StatusOK {
		w.t.Fatalf("the notification is answered %d", code)
	}
}
