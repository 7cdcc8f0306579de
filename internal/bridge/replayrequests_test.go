package bridge_test

import (
	"testing"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
)

// TestReplayRequested: a bridge replays what others request, and removes the request; an unreadable request
// does not stop it.
func TestReplayRequested(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		for _, key := range []string{"cat.jpg", "dog.jpg", "hen.jpg"} {
			w.post("/dead-letters", failed(w.upload(key, key), 400, notAnImage))
		}
		before := len(w.broker.all())
		_, err := w.store.Put(t.Context(), dead, "_replay/0.request", "application/json", []byte("{"), nil)
		if err == nil {
			_, err = w.deadLetters.RequestReplay(t.Context(), execution.Selection{Bucket: images, Execution: "cat"})
		}
		hen := execution.Selection{Bucket: images, Prefix: "h"}
		if _, err2 := w.deadLetters.RequestReplay(t.Context(), hen); err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if err := w.bridge.ReplayRequested(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.subjects(before); got != "cat.jpg hen.jpg" {
			t.Errorf("sent %q", got)
		}
		if left := w.onlyDeadLetter(); left.Execution != "dog" || w.status("cat.jpg") != "" {
			t.Errorf("left is %+v", left)
		}
		for key, err := range w.deadLetters.ReplayRequests(t.Context()) {
			t.Errorf("the request %s is left, %v", key, err)
		}
	})
}
