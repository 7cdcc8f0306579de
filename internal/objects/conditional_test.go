package objects_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

func TestPutOver(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, store *objects.Store) {
		put := func(etag, content string) (objects.Info, error) {
			return store.PutOver(t.Context(), etag, bucket, "over/a", "text/plain", []byte(content), nil)
		}
		first, err := put("", "first")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := put("", "second"); !errors.Is(err, objects.ErrChanged) {
			t.Errorf("with no etag over an existing object: %v", err)
		}
		second, err := put(first.ETag, "second")
		if err != nil {
			t.Errorf("over the version: %v", err)
		}
		if _, err := put(first.ETag, "third"); !errors.Is(err, objects.ErrChanged) {
			t.Errorf("over a replaced version: %v", err)
		}
		if err := store.Remove(t.Context(), bucket, "over/a"); err != nil {
			t.Fatal(err)
		}
		if _, err := put(second.ETag, "third"); !errors.Is(err, objects.ErrChanged) {
			t.Errorf("over a version of a deleted object: %v", err)
		}
	})
}

// The test writes one object concurrently, first when it does not exist and then over
// a version. Without conditional writes, the last of several wins.
func TestPutOver_concurrentHasOneWinner(t *testing.T) {
	each(t, func(t *testing.T, kind stores.Kind, store *objects.Store) {
		etag := ""
		for round := range 20 {
			var winners atomic.Int64
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					_, err := store.PutOver(t.Context(), etag, bucket, "over/raced", "text/plain", fmt.Appendf(nil, "%d %d", round, i), nil)
					switch {
					case err == nil:
						winners.Add(1)
					case !errors.Is(err, objects.ErrChanged):
						t.Error(err)
					}
				})
			}
			all.Wait()
			info, err := store.Stat(t.Context(), bucket, "over/raced")
			if n := winners.Load(); err != nil || n < 1 || n > 1 && !kind.Plain {
				t.Fatalf("round %d: %d of 8 writes succeeded, %v", round, winners.Load(), err)
			}
			etag = info.ETag
		}
	})
}

// TestUnsupported_namesTheSetting uses a store without conditional writes and tags by clients that are not configured
// for it.
func TestUnsupported_namesTheSetting(t *testing.T) {
	config, store := stores.Start(t, stores.Plain, bucket)
	info := put(t, store, "a", "one", nil)
	config.TagBucket, config.PlainWrites = "", false
	unaware := open(t, config)
	_, putErr := unaware.PutOver(t.Context(), "", bucket, "b", "text/plain", nil, nil)
	_, tagsErr := unaware.Tags(t.Context(), bucket, "a")
	for _, c := range []struct {
		name, setting string
		err           error
	}{
		{"PutOver", "STORE_CONDITIONAL_WRITES=false", putErr},
		{"RemoveVersion", "STORE_CONDITIONAL_WRITES=false", unaware.RemoveVersion(t.Context(), bucket, "a", info.ETag)},
		{"Tags", "STORE_TAGS=false", tagsErr},
		{"SetTags", "STORE_TAGS=false", unaware.SetTags(t.Context(), bucket, "a", "", map[string]string{"x": "y"})},
	} {
		isKnown := errors.Is(c.err, objects.ErrUnsupported) && errors.Is(c.err, objects.ErrUnavailable)
		if !isKnown || !strings.Contains(c.err.Error(), c.setting) {
			t.Errorf("%s: %v, want %s", c.name, c.err, c.setting)
		}
	}
}

func TestRemoveVersion(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, store *objects.Store) {
		key := "remove/a b+é.jpg"
		first := put(t, store, key, "first", nil)
		put(t, store, key, "second", nil)
		if err := store.RemoveVersion(t.Context(), bucket, key, first.ETag); !errors.Is(err, objects.ErrChanged) {
			t.Errorf("another version: %v", err)
		}
		second, err := store.Stat(t.Context(), bucket, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.RemoveVersion(t.Context(), bucket, key, second.ETag); err != nil {
			t.Error(err)
		}
		if _, err := store.Stat(t.Context(), bucket, key); !errors.Is(err, objects.ErrNotFound) {
			t.Errorf("it is still there: %v", err)
		}
		if err := store.RemoveVersion(t.Context(), bucket, key, second.ETag); !errors.Is(err, objects.ErrNotFound) {
			t.Errorf("a deleted object: %v", err)
		}
	})
}
