package index_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

// everything selects all executions.
var everything = index.Query{Bucket: "images", Match: func(*index.Entry) bool { return true }}

// TestSlowWatcher: a watcher that does not read is ended with a reason, and others are not.
func TestSlowWatcher(t *testing.T) {
	stores.Each(t, []string{bucket}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		hub := index.NewHub(index.NewReader(s, bucket), 3)
		defer hub.Close()
		watch := func(q index.Query) *index.Watcher {
			w, err := hub.Watch(t.Context(), q, "")
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		one := everything
		one.Prefix = "in/77"
		slow, other := watch(everything), watch(one)
		writer := index.NewWriter(s, bucket)
		for i := range 5001 {
			writer.Append(arrival(i))
		}
		if err := writer.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		changes, err := other.Next(t.Context(), time.Minute)
		if err != nil || len(changes) != 11 || changes[0].Entry.ID != "in/77" {
			t.Errorf("the other watcher has %d changes, %v", len(changes), err)
		}
		if _, err := slow.Next(t.Context(), time.Minute); !errors.Is(err, index.ErrSlow) {
			t.Errorf("the slow watcher ends with %v", err)
		}
		hub.Leave(slow)
		hub.Close()
		if _, err := other.Next(context.Background(), time.Minute); !errors.Is(err, index.ErrClosed) {
			t.Errorf("at the end: %v", err)
		}
	})
}
