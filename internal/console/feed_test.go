package console

import (
	"testing"
	"time"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestFeed_lateEvents: an event of a version that has been replaced, such as one that is replayed, does not hide the newer one.
func TestFeed_lateEvents(t *testing.T) {
	h := newHistory(t)
	old := h.upload("in/a.jpg")
	h.now = h.now.Add(time.Second)
	e, err := events.NewObjectFound(objects.Info{Bucket: "images", Key: "in/a.jpg", ETag: "v2", Modified: h.now})
	h.end(h.take(&e, err), nil)
	h.take(old, nil)
	if got := h.feed.get("images", "in/a"); got.ETag != "v2" ||
		got.Status != imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED {
		t.Errorf("the feed has version %s, %v", got.ETag, got.Status)
	}
}
