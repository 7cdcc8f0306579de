package scenario

import (
	"fmt"
	"image"
	"strings"
	"testing"
)

// TestForeignObjectsAreKept: an upload whose outputs would replace another user's object fails, and
// its dead letter names that object.
func TestForeignObjectsAreKept(t *testing.T) {
	s := local(t, setup{})
	names := []string{"a_resize.jpg", "a_resize.json", "a_ai-detection.jpg", "a_ai-detection.json", "a_filter.jpg"}
	mine := plainJPEG(t, 300, 200, colourOf(7))
	for i, name := range names {
		s.put(t, fmt.Sprintf("own%d/%s", i, name), "image/jpeg", mine)
		s.put(t, fmt.Sprintf("own%d/a.jpg", i), "image/jpeg", plainJPEG(t, 300, 200, colourOf(3)))
	}
	for i, name := range names {
		source := fmt.Sprintf("own%d/a.jpg", i)
		eventually(t, "the failure for "+name, func() bool { return s.tag(t, source) == "failed" })
		if string(s.get(t, fmt.Sprintf("own%d/%s", i, name))) != string(mine) {
			t.Errorf("%s was replaced", name)
		}
		found := false
		for _, o := range s.keysOf(t, "imageflow-dead-letters", fmt.Sprintf("imageflow-files/own%d/a/", i)) {
			found = found || strings.Contains(string(s.getFrom(t, "imageflow-dead-letters", o)), "taken by an object")
		}
		if !found {
			t.Errorf("no dead letter says why %s failed", name)
		}
	}
}

// TestUploadsOfOneNameStayApart: images whose keys differ only in the extension have separate
// outputs, side-cars and outcomes.
func TestUploadsOfOneNameStayApart(t *testing.T) {
	s := local(t, setup{})
	uploads := []struct {
		key, contentType, execution, extension string
		data                                   []byte
		want                                   image.Point
	}{
		{"in/cat.jpeg", "image/jpeg", "in/cat.jpeg", "jpg", plainJPEG(t, 100, 80, colourOf(1)), image.Pt(100, 80)},
		{"in/cat.png", "image/png", "in/cat.png", "png", pngOf(t, 120, 80), image.Pt(120, 80)},
		{"in/cat.jpg", "image/jpeg", "in/cat", "jpg", plainJPEG(t, 140, 80, colourOf(2)), image.Pt(140, 80)},
		{"in/cat.JPG", "image/jpeg", "in/cat.JPG", "jpg", plainJPEG(t, 160, 80, colourOf(3)), image.Pt(160, 80)},
		{"in/cat", "image/jpeg", "in/cat.", "jpg", plainJPEG(t, 180, 80, colourOf(4)), image.Pt(180, 80)},
	}
	for _, u := range uploads {
		s.put(t, u.key, u.contentType, u.data)
	}
	for _, u := range uploads {
		eventually(t, "the end of "+u.key, func() bool { return s.tag(t, u.key) == "completed" })
		for _, step := range []string{"_resize.", "_ai-detection.", "_filter."} {
			if got := s.size(t, u.execution+step+u.extension); got != u.want {
				t.Errorf("the %s output of %s is %v, want %v", step, u.key, got, u.want)
			}
		}
	}
	if got := len(s.keys(t, "in/")); got != 6*len(uploads) {
		t.Errorf("%d objects, want six for each upload: %q", got, s.keys(t, "in/"))
	}
}
