package scenario

import (
	"image"
	"slices"
	"testing"
)

// TestSecondChainNeedsNoCode: a second file of Triggers makes thumbnails of the objects under a
// prefix, besides the chain for other objects.
func TestSecondChainNeedsNoCode(t *testing.T) {
	s := withExamples(t)
	s.put(t, "thumbnails/2026/cat.jpg", "image/jpeg", jpegOf(t, 1200, 900))
	s.put(t, "uploads/cat.jpg", "image/jpeg", jpegOf(t, 1200, 900))
	for _, key := range []string{"thumbnails/2026/cat.jpg", "uploads/cat.jpg"} {
		eventually(t, "the tag of a completed chain", func() bool { return s.tag(t, key) == "completed" })
	}
	if got := s.size(t, "thumbnails/2026/cat_resize.jpg"); got != image.Pt(160, 120) {
		t.Errorf("the thumbnail is %v, want 160×120", got)
	}
	want := []string{"thumbnails/2026/cat.jpg", "thumbnails/2026/cat_resize.jpg", "thumbnails/2026/cat_resize.json"}
	if got := s.keys(t, "thumbnails/"); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	if got := s.size(t, "uploads/cat_filter.jpg"); got != image.Pt(800, 600) {
		t.Errorf("the other chain's output is %v, want 800×600", got)
	}
}
