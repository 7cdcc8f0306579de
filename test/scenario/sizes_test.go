package scenario

import (
	"encoding/json"
	"fmt"
	"image"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// sizes are the outputs of eventing/examples/sizes.yaml for an upload of 1600×1200 pixels.
var sizes = map[string]image.Point{"": image.Pt(1280, 960), "-small": image.Pt(320, 240), "-square": image.Pt(160, 160)}

// checkSizes checks the outputs of an upload.
func (s *system) checkSizes(t *testing.T, key string) {
	t.Helper()
	for variant, want := range sizes {
		name := strings.TrimSuffix(key, ".jpg") + "_resize" + variant
		if got := s.sizeOf(t, name+".webp"); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
		if !json.Valid(s.get(t, name+".json")) {
			t.Errorf("the side-car %s.json is no JSON", name)
		}
	}
}

// TestSizes: one step makes three sizes of an upload, which is completed when all are stored. If the name of one of
// them is taken, none is stored, and the upload has failed.
func TestSizes(t *testing.T) {
	s := withExamples(t)
	const key, poisoned, taken = "sizes/cat.jpg", "sizes/dog.jpg", "sizes/dog_resize-square.webp"
	s.place(t, taken, []byte("another user's"))
	s.put(t, key, "image/jpeg", jpegOf(t, 1600, 1200))
	s.put(t, poisoned, "image/jpeg", jpegOf(t, 1600, 1200))
	s.awaitTag(t, key, time.Now().Add(time.Minute))
	s.checkSizes(t, key)
	eventually(t, "the failure", func() bool { return s.tag(t, poisoned) == "failed" })
	if got := s.get(t, taken); string(got) != "another user's" {
		t.Error("the other user's object was replaced")
	}
	if got := s.keys(t, "sizes/dog"); !slices.Equal(got, []string{poisoned, taken}) {
		t.Errorf("the failed step left %q", got)
	}
	if got := len(s.keys(t, "sizes/cat")); got != 1+3+3 {
		t.Errorf("%d objects, want the upload, three sizes and three side-cars: %q", got, s.keys(t, "sizes/cat"))
	}
}

// TestSizesLoseNothingOverKills kills the parts while images become three sizes each.
func TestSizesLoseNothingOverKills(t *testing.T) {
	d := deployWithExamples(t)
	key := func(i int) string { return fmt.Sprintf("sizes/%04d.jpg", i) }
	var putting sync.WaitGroup
	putting.Go(func() {
		for i := range *crashImages {
			d.put(t, key(i), "image/jpeg", plainJPEG(t, 1600, 1200, colourOf(i)))
		}
	})
	d.killAtRandom(t, *crashKills)
	putting.Wait()
	deadline := time.Now().Add(10 * time.Minute)
	for i := range *crashImages {
		d.awaitTag(t, key(i), deadline)
		d.checkSizes(t, key(i))
	}
	if got, want := len(d.keys(t, "")), 7**crashImages; got != want {
		t.Errorf("%d objects, want %d: each image, its three sizes and side-cars", got, want)
	}
}
