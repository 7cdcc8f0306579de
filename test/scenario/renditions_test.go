package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// leaf is the output of a branch of eventing/examples/renditions.yaml.
type leaf struct {
	step, variant, suffix, extension string
	size                             image.Point // of an upload of 1600×1200 pixels
	sideCar                          bool
}

var leaves = []leaf{
	{"resize", "small", "resize-small", ".webp", image.Pt(160, 120), true},
	{"resize", "medium", "resize-medium", ".webp", image.Pt(640, 480), true},
	{"resize", "large", "resize-large", ".webp", image.Pt(1280, 960), true},
	{"detect", "", "ai-detection", ".jpg", image.Pt(1600, 1200), true},
	{"filter", "", "filter", ".jpg", image.Pt(1600, 1200), false},
}

// there returns the leaves of an execution that exist.
func (s *system) there(execution string) (found []leaf) {
	for _, l := range leaves {
		if s.exists(execution + "_" + l.suffix + l.extension) {
			found = append(found, l)
		}
	}
	return found
}

// checkLeaves checks all outputs of an execution, and what the gateway reports about it.
func (s *system) checkLeaves(t *testing.T, execution string) {
	t.Helper()
	for _, l := range leaves {
		name := execution + "_" + l.suffix
		if got := s.sizeOf(t, name+l.extension); got != l.size {
			t.Errorf("%s%s is %v, want %v", name, l.extension, got, l.size)
		}
		if l.sideCar && !json.Valid(s.get(t, name+".json")) {
			t.Errorf("the side-car %s.json is no JSON", name)
		}
	}
	resp, err := http.Get(s.url("gateway", "/v1/executions/"+execution))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var report struct {
		Status string
		Steps  []struct{ Name, Variant string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves {
		if !slices.Contains(report.Steps, struct{ Name, Variant string }{l.step, l.variant}) {
			t.Errorf("the gateway does not report %s of variant %q: %+v", l.step, l.variant, report)
		}
	}
	if len(report.Steps) != len(leaves) || report.Status != "PROCESSING_STATUS_COMPLETED" {
		t.Errorf("the gateway reports %+v", report)
	}
}

// sizeOf returns the size of an output as its metadata has it. Go decodes no WebP.
func (s *system) sizeOf(t *testing.T, key string) (size image.Point) {
	t.Helper()
	info, err := s.s3.StatObject(context.Background(), bucket, key, minio.StatObjectOptions{})
	if err != nil {
		t.Errorf("%s: %v", key, err)
		return size
	}
	_, _ = fmt.Sscan(info.UserMetadata["Imageflow-Width"]+" "+info.UserMetadata["Imageflow-Height"], &size.X, &size.Y)
	return size
}

// completedAfterAll waits until an upload is completed. All leaves must be there then.
func (s *system) completedAfterAll(t *testing.T, key string) {
	t.Helper()
	eventually(t, "the tag of "+key, func() bool { return s.tag(t, key) == "completed" })
	execution := strings.TrimSuffix(key, ".jpg")
	if found := s.there(execution); len(found) != len(leaves) {
		t.Errorf("%s is completed with the leaves %+v", key, found)
	}
	s.checkLeaves(t, execution)
}

// TestRenditions: one upload becomes three thumbnails, a detection and a filtered image, and is completed after
// the last. If one of them cannot be made, the others are, and the upload has failed.
func TestRenditions(t *testing.T) {
	s := withExamples(t)
	const key, poisoned = "renditions/2026/cat.jpg", "renditions/2026/dog.jpg"
	s.place(t, "renditions/2026/dog_resize-medium.webp", []byte("another user's"))
	s.put(t, poisoned, "image/jpeg", jpegOf(t, 1600, 1200))
	s.put(t, key, "image/jpeg", jpegOf(t, 1600, 1200))
	s.completedAfterAll(t, key)
	eventually(t, "the failure", func() bool {
		return s.tag(t, poisoned) == "failed" && len(s.there("renditions/2026/dog")) == len(leaves)
	})
	if got := s.get(t, "renditions/2026/dog_resize-medium.webp"); string(got) != "another user's" {
		t.Error("the other user's object was replaced")
	}
	if got := len(s.keys(t, "renditions/2026/cat")); got != 1+5+4 {
		t.Errorf("%d objects, want the upload, five leaves and four side-cars: %q", got, s.keys(t, "renditions/2026/cat"))
	}
	s.put(t, key, "image/jpeg", plainJPEG(t, 1600, 1200, colourOf(7)))
	s.completedAfterAll(t, key)
	filtered := s.decode(t, "renditions/2026/cat_filter.jpg")
	if got := color.RGBAModel.Convert(filtered.At(5, 5)).(color.RGBA); distance(got, colourOf(7)) > 8 {
		t.Errorf("the filter of the replaced upload is %v", got)
	}
}

// deployWithExamples is deploy with the Triggers of eventing/examples.
func deployWithExamples(t *testing.T, env ...string) *deployment {
	return deploy(t, setup{env: env, flags: []string{"--eventing", "eventing,eventing/examples"}})
}

// TestRenditions_separateProcesses is TestRenditions with real processes, whose poisoned leaf is replayed after
// its cause is gone.
func TestRenditions_separateProcesses(t *testing.T) {
	d := deployWithExamples(t)
	const good, poisoned, taken = "renditions/cat.jpg", "renditions/dog.jpg", "renditions/dog_filter.jpg"
	d.place(t, taken, []byte("another user's"))
	d.put(t, poisoned, "image/jpeg", jpegOf(t, 1600, 1200))
	d.put(t, good, "image/jpeg", jpegOf(t, 1600, 1200))
	d.completedAfterAll(t, good)
	eventually(t, "the failure", func() bool {
		return d.tag(t, poisoned) == "failed" && len(d.there("renditions/dog")) == len(leaves)
	})
	letters := d.deadLetters(t)
	if len(letters) != 1 || !strings.Contains(letters[poisoned].Reason, "taken by an object") {
		t.Errorf("dead letters: %+v", letters)
	}
	if err := d.s3.RemoveObject(context.Background(), bucket, taken, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	d.command(t, "bridge", "imageflow", "replay", "--all")
	d.completedAfterAll(t, poisoned)
	eventually(t, "the dead letters to be gone, which the bridge removes after the tag", func() bool {
		return len(d.deadLetterKeys(t)) == 0
	})
}

// TestBranchesLoseNothingOverKills puts images that become five outputs each while every part except the store
// is killed at random, repeatedly.
func TestBranchesLoseNothingOverKills(t *testing.T) {
	d := deployWithExamples(t)
	key := func(i int) string { return fmt.Sprintf("renditions/%04d.jpg", i) }
	began := time.Now()
	var putting sync.WaitGroup
	putting.Go(func() {
		for i := range *crashImages {
			d.put(t, key(i), "image/jpeg", plainJPEG(t, 1600, 1200, colourOf(i)))
		}
	})
	kills := d.killAtRandom(t, *crashKills)
	putting.Wait()
	deadline := time.Now().Add(20 * time.Minute)
	for i := range *crashImages {
		for ; d.tag(t, key(i)) != "completed"; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s has the tag %q and the leaves %v", key(i), d.tag(t, key(i)), d.there(strings.TrimSuffix(key(i), ".jpg")))
			}
		}
	}
	t.Logf("%d executions of five leaves completed in %v over %d kills", *crashImages, time.Since(began).Round(time.Second), kills)
	for i := range *crashImages {
		execution := strings.TrimSuffix(key(i), ".jpg")
		d.checkLeaves(t, execution)
		for _, suffix := range []string{"_ai-detection.jpg", "_filter.jpg"} {
			got := color.RGBAModel.Convert(d.decode(t, execution+suffix).At(5, 5)).(color.RGBA)
			if distance(got, colourOf(i)) > 8 {
				t.Errorf("%s%s is %v, want %v", execution, suffix, got, colourOf(i))
			}
		}
		if small := d.get(t, execution+"_resize-small.webp"); !bytes.Contains(small[:min(16, len(small))], []byte("WEBP")) {
			t.Errorf("%s_resize-small.webp begins with %q", execution, small[:min(16, len(small))])
		}
	}
	if got, want := len(d.keys(t, "")), 10**crashImages; got != want {
		t.Errorf("%d objects, want %d: each image, its five leaves and four side-cars", got, want)
	}
	d.stopAll(t)
}
