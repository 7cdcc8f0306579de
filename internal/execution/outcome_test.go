package execution_test

import (
	"maps"
	"testing"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// TestWrittenByUs_copies: ImageFlow did not write a copy with another key or in another
// bucket, although the copy has the metadata.
func TestWrittenByUs_copies(t *testing.T) {
	metadata := execution.ObjectMetadata("in/cat", "images", "in/cat_resize.jpg")
	old := map[string]string{execution.IDMetadata: "in/cat"}
	for _, c := range []struct {
		name, bucket, key string
		metadata          map[string]string
		want              bool
	}{
		{"where it was written", "images", "in/cat_resize.jpg", metadata, true},
		{"a copy under another key", "images", "backup/cat_resize.jpg", metadata, false},
		{"a copy under another derived key", "images", "in/cat_resize.webp", metadata, false},
		{"a copy in another bucket", "others", "in/cat_resize.jpg", metadata, false},
		{"an upload", "images", "in/cat_resize.jpg", nil, false},
		{"an upload with metadata of its own", "images", "in/cat_resize.jpg", map[string]string{"mine": "x"}, false},
		{"without KeyMetadata", "images", "thumb.jpg", old, true},
	} {
		info := objects.Info{Bucket: c.bucket, Key: c.key, Metadata: c.metadata}
		if got := execution.WrittenByUs(info); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// outcomeOf returns the outcome of an object that has the tags; nil means its own.
func outcomeOf(t *testing.T, s *objects.Store, key string, tags map[string]string) string {
	t.Helper()
	info, err := s.Stat(t.Context(), bucket, key)
	if err != nil {
		t.Fatal(err)
	}
	if tags == nil {
		if tags, err = s.Tags(t.Context(), bucket, key); err != nil {
			t.Fatal(err)
		}
	}
	return execution.Outcome(info, tags)
}

// TestOutcome_otherVersions: a status is not that of a copy of the object or of another
// version.
func TestOutcome_otherVersions(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, _ execution.DeadLetterStore) {
		outcome := func(key string, tags map[string]string) string { return outcomeOf(t, s, key, tags) }
		source := put(t, s, "c/a.jpg", "image/jpeg", "v1", nil)
		for _, etag := range []string{"", source.ETag} {
			if err := execution.SetOutcome(t.Context(), s, bucket, source.Key, etag, execution.StatusFailed); err != nil {
				t.Fatal(err)
			}
			if got := outcome(source.Key, nil); got != execution.StatusFailed {
				t.Errorf("tagged with etag %q, the outcome is %q", etag, got)
			}
		}
		if err := execution.SetOutcome(t.Context(), s, bucket, source.Key, source.ETag, execution.StatusCompleted); err != nil {
			t.Fatal(err)
		}
		tags, err := s.Tags(t.Context(), bucket, source.Key)
		if err != nil || tags["imageflow-status"] != "completed" || outcome(source.Key, tags) != execution.StatusCompleted {
			t.Fatalf("the source has the tags %v, %v", tags, err)
		}
		put(t, s, "c/b.jpg", "image/jpeg", "v1", nil)
		if got := outcome("c/b.jpg", tags); got != "" {
			t.Errorf("a copy with the tags of the source is %q", got)
		}
		put(t, s, source.Key, "image/jpeg", "v2", nil)
		if got := outcome(source.Key, tags); got != "" {
			t.Errorf("another version with the tags of the first is %q", got)
		}
		old := map[string]string{"imageflow-status": "completed", "mine": "x"}
		if got := outcome(source.Key, old); got != execution.StatusCompleted {
			t.Errorf("tagged before the version had a tag, the outcome is %q", got)
		}
	})
}

func TestSetOutcome_removesTags(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, _ execution.DeadLetterStore) {
		source := put(t, s, "c/c.jpg", "image/jpeg", "v1", nil)
		if err := execution.SetOutcome(t.Context(), s, bucket, source.Key, "", execution.StatusFailed); err != nil {
			t.Fatal(err)
		}
		if err := execution.SetOutcome(t.Context(), s, bucket, source.Key, "", ""); err != nil {
			t.Fatal(err)
		}
		if tags, err := s.Tags(t.Context(), bucket, source.Key); err != nil || !maps.Equal(tags, map[string]string{}) {
			t.Errorf("taken away, the tags are %v, %v", tags, err)
		}
	})
}
