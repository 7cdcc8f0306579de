package imaging_test

import (
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestReadVipsMemory_returnsToItsStart: libvips keeps no image after the work, although bimg
// starts it with a cache.
func TestReadVipsMemory_returnsToItsStart(t *testing.T) {
	if err := imaging.Start(); err != nil {
		t.Fatal(err)
	}
	tiff := tiffOf([6][4]byte{{200, 10, 10}, {10, 200, 10}}, 2, 3, 16, nil)
	inputs := [][]byte{tiff, asPNG(t, detailed(640, 480)), asJPEG(t, detailed(640, 480))}
	before := imaging.ReadVipsMemory()
	for i := range 4 * len(inputs) { // equal operations are found in a cache
		if _, err := open(t, inputs[i%len(inputs)]).Resize(t.Context(), 20, 20, imaging.Best, imaging.WebP); err != nil {
			t.Fatal(err)
		}
	}
	after := imaging.ReadVipsMemory()
	if after.HighWater == 0 || after.HighWater < before.HighWater {
		t.Errorf("the highest memory was %d bytes, and is %d after work", before.HighWater, after.HighWater)
	}
	if after.HighWater = before.HighWater; after != before {
		t.Errorf("libvips holds %+v after work, and held %+v before", after, before)
	}
}
