package console_test

import (
	"fmt"
	"image"
	"testing"
)

// TestComparison: the slider uncovers one image beside the other.
func TestComparison(t *testing.T) {
	b := anySite(t).open(t, "/")
	b.choose(sample)
	b.await(isDone)
	b.await(`[...document.querySelectorAll(".compare img")].every((image) => image.naturalWidth > 0)`)

	left := b.pictureWith("100", ".compare .stage")
	right := b.pictureWith("0", ".compare .stage")
	middle := b.pictureWith("50", ".compare .stage")
	w, h := middle.Bounds().Dx(), middle.Bounds().Dy()
	if share := differing(left, right, image.Rect(w/10, h/4, w*9/10, h*3/4)); share < 0.05 {
		t.Fatalf("the slider changes %.1f %% of the pixels", 100*share)
	}
	// Without the middle, where the slider's divider is, and the edges, where the titles are.
	for name, part := range map[string]struct {
		want image.Image
		of   image.Rectangle
	}{
		"left":  {left, image.Rect(w/10, h/4, w*4/10, h*3/4)},
		"right": {right, image.Rect(w*6/10, h/4, w*9/10, h*3/4)},
	} {
		if share := differing(middle, part.want, part.of); share > 0.01 {
			t.Errorf("%.1f %% of the pixels on the %s are not those of the image on the %s", 100*share, name, name)
		}
	}
}

// TestBoxes: boxes follow the threshold and the classes, without a call.
func TestBoxes(t *testing.T) {
	b := anySite(t).open(t, "/")
	b.choose(sample)
	b.await(isDone)
	b.await(`document.querySelector(".detections .count").innerText.includes("shown")`)
	with := b.picture(".detections .stage")
	before := b.boxes()
	b.slide(".detections [type=range]", "1")
	without := b.picture(".detections .stage")
	if after := b.boxes(); before == 0 || after >= before {
		t.Errorf("%d boxes before the threshold was raised, %d after it", before, after)
	}
	if share := differing(with, without, with.Bounds()); share < 0.001 {
		t.Errorf("the boxes are %.2f %% of the pixels", 100*share)
	}
	b.slide(".detections [type=range]", "0")
	get[bool](b, `document.querySelectorAll(".classes input").forEach((box) => box.click()) ?? true`)
	if n := b.boxes(); n != 0 {
		t.Errorf("%d boxes without a class", n)
	}
}

// boxes returns the number of detections that are shown.
func (b *tab) boxes() int {
	b.Helper()
	var n int
	text := get[string](b, `document.querySelector(".detections .count").innerText`)
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil {
		b.Fatalf("%q: %v", text, err)
	}
	return n
}

// pictureWith returns a screenshot of an element in which the slider is at a value.
func (b *tab) pictureWith(value, selector string) image.Image {
	b.Helper()
	b.slide(selector+" [type=range]", value)
	return b.picture(selector)
}

// slide moves a slider, as keys and a mouse do.
func (b *tab) slide(selector, value string) {
	b.Helper()
	get[bool](b, fmt.Sprintf(`(() => { const range = document.querySelector(%q); range.value = %q;
		range.dispatchEvent(new Event("input", {bubbles: true})); return true; })()`, selector, value))
}

// differing returns the share of the pixels of a rectangle in which two images clearly differ.
func differing(a, b image.Image, in image.Rectangle) float64 {
	var n int
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			r, g, bl, _ := a.At(x, y).RGBA()
			r2, g2, b2, _ := b.At(x, y).RGBA()
			if apart(r, r2)+apart(g, g2)+apart(bl, b2) > 24<<8 {
				n++
			}
		}
	}
	return float64(n) / float64(in.Dx()*in.Dy())
}

func apart(a, b uint32) uint32 { return max(a, b) - min(a, b) }
