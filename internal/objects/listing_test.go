package objects_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

const bucket = "images"

// each runs a test against every kind of store.
func each(t *testing.T, test func(*testing.T, stores.Kind, *objects.Store)) {
	stores.Each(t, []string{bucket}, test)
}

func put(t *testing.T, s *objects.Store, key, content string, metadata map[string]string) objects.Info {
	t.Helper()
	info, err := s.Put(t.Context(), bucket, key, "image/jpeg", []byte(content), metadata)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestWalk_metadataAndTags(t *testing.T) {
	each(t, func(t *testing.T, kind stores.Kind, s *objects.Store) {
		metadata := map[string]string{"imageflow-execution": "in/a ü", "step": "resize"}
		written := put(t, s, "in/a ü.jpg", "hello", metadata)
		put(t, s, "in/b.jpg", "hello", nil)
		put(t, s, "other", "hello", nil)
		if err := s.SetTags(t.Context(), bucket, "in/a ü.jpg", written.ETag, map[string]string{"status": "done"}); err != nil {
			t.Fatal(err)
		}
		var got []objects.Entry
		for e, err := range s.Walk(t.Context(), bucket, "in/") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		if len(got) != 2 || got[0].Key != "in/a ü.jpg" || got[1].Key != "in/b.jpg" {
			t.Fatalf("listed %v", got)
		}
		a := got[0]
		if a.ETag != written.ETag || a.Size != 5 || time.Since(a.Modified) > time.Minute || a.HasMetadata != kind.ListsMetadata {
			t.Errorf("got %+v", a)
		}
		if kind.ListsMetadata && (a.ContentType != "image/jpeg" || !maps.Equal(a.Metadata, metadata) || a.Tags["status"] != "done") {
			t.Errorf("got %+v", a)
		}
		if !got[1].HasMetadata && kind.ListsMetadata {
			t.Error("HasMetadata is false for an object without metadata")
		}
	})
}

func TestWalk_endsWithAnError(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		for _, err := range s.Walk(t.Context(), "no-such-bucket", "") {
			if !errors.Is(err, objects.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var last error
		for _, err := range s.Walk(ctx, bucket, "") {
			last = err
		}
		if last == nil {
			t.Error("a cancelled listing ended without an error")
		}
	})
}

// The keys of this test are in another order in a file system, where "a" is a folder.
func TestWalkAfter_keyOrder(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		keys := []string{"in/a!.jpg", "in/a-b.jpg", "in/a.jpg", "in/a/b.jpg", "in/a/b/c.jpg", "in/a0.jpg", "in/A.jpg", "in/é.jpg"}
		slices.Sort(keys)
		for _, key := range keys {
			put(t, s, key, "hello", nil)
		}
		for i, after := range slices.Insert(slices.Clone(keys), 0, "") {
			var got []string
			for e, err := range s.WalkAfter(t.Context(), bucket, "in/", after) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, e.Key)
			}
			if !slices.Equal(got, keys[i:]) {
				t.Errorf("after %q: listed %q, want %q", after, got, keys[i:])
			}
		}
	})
}
