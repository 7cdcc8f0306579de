package role_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"testing"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/imaging"
)

// jpegOf returns the header of a small JPEG with its size changed to width × height pixels.
func jpegOf(t *testing.T, width, height int) imaging.Header {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420), nil); err != nil {
		t.Fatal(err)
	}
	frame := bytes.Index(b.Bytes(), []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(b.Bytes()[frame+5:], uint16(height))
	binary.BigEndian.PutUint16(b.Bytes()[frame+7:], uint16(width))
	h, err := imaging.ParseHeader(b.Bytes(), defaultLimits(t))
	if err != nil {
		t.Fatalf("%d×%d pixels: %v", width, height, err)
	}
	return h
}

func defaultWork(t *testing.T) role.Work {
	t.Helper()
	needed(t)
	c := configOf(t, "resize").(*role.ProcessorConfig)
	if err := role.Load(c); err != nil {
		t.Fatal(err)
	}
	return c.Work
}

func defaultLimits(t *testing.T) imaging.Limits {
	work := defaultWork(t)
	return imaging.Limits{MaxSide: work.Side, MaxPixels: work.Pixels}
}

// TestDefaultsTakePhonesAndPanoramas: by default, photographs of 50 MP and panoramas are filtered
// and resized. An operation that needs more memory than the budget is refused.
func TestDefaultsTakePhonesAndPanoramas(t *testing.T) {
	phone, panorama := jpegOf(t, 8160, 6144), jpegOf(t, 11968, 5984)
	turned := phone
	turned.Orientation = 6
	for name, test := range map[string]struct {
		footprint int64
		taken     bool
	}{
		"phone to jpeg":             {phone.Footprint(imaging.JPEG), true},
		"phone to png":              {phone.Footprint(imaging.PNG), true},
		"phone held upright to png": {turned.Footprint(imaging.PNG), true},
		"panorama to jpeg":          {panorama.Footprint(imaging.JPEG), true},
		"panorama to png":           {panorama.Footprint(imaging.PNG), true},
		"panorama resized":          {panorama.ResizeFootprint(4000, 2000, imaging.JPEG), true},
		"panorama to a small avif":  {panorama.ResizeFootprint(4000, 2000, imaging.AVIF), true},
		"phone to avif":             {phone.Footprint(imaging.AVIF), false},
	} {
		if budget := defaultWork(t).DecodedBytes; (test.footprint <= budget) != test.taken {
			t.Errorf("%s takes %d MiB of %d", name, test.footprint>>20, budget>>20)
		}
	}
}
