package scenario

import (
	"encoding/json"
	"image"
	"image/color"
	"os"
	"testing"
)

// TestRedactChain_hidesWhatDetectionFinds: the Triggers of eventing/examples hide the objects of
// an upload by the side-car of its detection.
func TestRedactChain_hidesWhatDetectionFinds(t *testing.T) {
	s := withExamples(t)
	sample, err := os.ReadFile("../images/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, "redact/street.jpg", "image/jpeg", sample)
	eventually(t, "the tag of a completed chain", func() bool { return s.tag(t, "redact/street.jpg") == "completed" })
	var found struct {
		Detections []struct {
			Bbox struct{ X1, Y1, X2, Y2 float64 }
		}
	}
	err = json.Unmarshal(s.get(t, "redact/street_ai-detection.json"), &found)
	if err != nil || len(found.Detections) == 0 {
		t.Fatalf("found %d objects in the sample, %v", len(found.Detections), err)
	}
	before, after := s.decode(t, "redact/street.jpg"), s.decode(t, "redact/street_filter.jpg")
	for _, d := range found.Detections {
		box := image.Rect(int(d.Bbox.X1), int(d.Bbox.Y1), int(d.Bbox.X2), int(d.Bbox.Y2))
		if got, was := roughness(after, box), roughness(before, box); got > was/2 {
			t.Errorf("region %v: neighbours differ by %.2f, in the original by %.2f", box, got, was)
		}
	}
}

// roughness returns the mean difference of horizontal neighbours in a region, of 255.
func roughness(m image.Image, region image.Rectangle) float64 {
	grey := func(x, y int) int { return int(color.GrayModel.Convert(m.At(x, y)).(color.Gray).Y) }
	sum, n := 0, 0
	for y := region.Min.Y; y < region.Max.Y; y++ {
		for x := region.Min.X + 1; x < region.Max.X; x++ {
			d := grey(x, y) - grey(x-1, y)
			sum, n = sum+max(d, -d), n+1
		}
	}
	return float64(sum) / float64(max(1, n))
}
