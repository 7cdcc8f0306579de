package resize_test

import (
	"encoding/base64"
	"image"
	"image/color"
	"math"
	"math/bits"
	"os"
	"strconv"
	"testing"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// described resizes an image and returns the description of the output.
func described(t *testing.T, m *imaging.Image, width, height int) *imageflowv1.Appearance {
	t.Helper()
	r := within(int32(width), int32(height))
	r.Describe = true
	_, resp := apply(t, m, r)
	return resp.GetMetadata().GetAppearance()
}

// photograph opens a JPEG of 1920×1080 pixels.
func photograph(t *testing.T) *imaging.Image {
	t.Helper()
	data, err := os.ReadFile("../../test/images/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	return open(t, data)
}

// formula returns an image whose pixels other programs can compute, too.
func formula() image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, 80, 60))
	for y := range 60 {
		for x := range 80 {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x * 3), uint8(y * 4), uint8(x * y), 255})
		}
	}
	return m
}

// TestDescribe_likeOtherPrograms compares with values of thumbhash 0.1.1 (npm), OpenCV 5.0
// (sharpness) and NumPy (luminance).
func TestDescribe_likeOtherPrograms(t *testing.T) {
	a := described(t, encoded(t, formula(), imaging.PNG), 80, 60)
	if got := base64.StdEncoding.EncodeToString(a.GetThumbHash()); got != "3QcKLZhwdndwd3d3d2h3d5CQCfeI" {
		t.Errorf("ThumbHash %s", got)
	}
	if got := a.GetSharpness(); math.Abs(got-726.51964) > 1e-4 {
		t.Errorf("sharpness %f", got)
	}
	if got := a.GetMeanLuminance(); math.Abs(got-0.26563964) > 1e-6 {
		t.Errorf("luminance %f", got)
	}
}

// TestDescribe_perceptualHash: copies in other sizes and formats have similar hashes, and another
// image has not.
func TestDescribe_perceptualHash(t *testing.T) {
	hash := func(m *imaging.Image, side int) uint64 {
		v, err := strconv.ParseUint(described(t, m, side, side).GetPerceptualHash(), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	photo := photograph(t)
	first := hash(photo, 800)
	for _, side := range []int{90, 300} {
		if n := bits.OnesCount64(first ^ hash(photo, side)); n > 6 {
			t.Errorf("%d of 64 bits differ at %d pixels", n, side)
		}
	}
	if n := bits.OnesCount64(first ^ hash(encoded(t, formula(), imaging.PNG), 80)); n < 16 {
		t.Errorf("only %d bits differ from another image", n)
	}
}

// TestDescribe_sharpness compares an image with a copy that was enlarged.
func TestDescribe_sharpness(t *testing.T) {
	sharp := described(t, photograph(t), 400, 400)
	small, _ := apply(t, photograph(t), within(100, 100))
	r := enlarged(within(400, 400))
	r.Describe = true
	_, resp := apply(t, open(t, small.Data), r)
	if blurred := resp.GetMetadata().GetAppearance(); blurred.GetSharpness() > sharp.GetSharpness()/3 {
		t.Errorf("blurred %.1f, sharp %.1f", blurred.GetSharpness(), sharp.GetSharpness())
	}
}

// TestDescribe_oddImages covers one colour, transparency and single rows, columns and pixels.
func TestDescribe_oddImages(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {1, 90}, {90, 1}, {300, 2}} {
		m := image.NewNRGBA(image.Rectangle{Max: size})
		for i := range m.Pix {
			m.Pix[i] = []byte{255, 0, 0, 255}[i%4]
		}
		a := described(t, encoded(t, m, imaging.PNG), 300, 300)
		if a.GetSharpness() != 0 || math.Abs(a.GetMeanLuminance()-0.2126) > 1e-4 {
			t.Errorf("%v: sharpness %g, luminance %g", size, a.GetSharpness(), a.GetMeanLuminance())
		}
		colours := a.GetDominantColors()
		if len(colours) != 1 || colours[0].GetColor() != "#ff0000" || colours[0].GetShare() != 1 {
			t.Errorf("%v: colours %v", size, colours)
		}
	}
	if a := described(t, encoded(t, image.NewNRGBA(image.Rect(0, 0, 9, 9)), imaging.PNG), 9, 9); a.GetMeanLuminance() != 1 ||
		len(a.GetDominantColors()) != 0 || len(a.GetThumbHash()) == 0 {
		t.Errorf("transparent: %v", a)
	}
}
