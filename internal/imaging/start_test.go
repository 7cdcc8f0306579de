package imaging_test

import (
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestReadVipsMemory_keepsNoImage: libvips keeps no image after the work, although bimg starts it
// with a cache. The threads of libvips may keep a few rows for a moment.
func TestReadVipsMemory_keepsNoImage(t *testing.T) {
	if err := imaging.Start(); err != nil {
		t.Fatal(err)
	}
	tiff := tiffOf([6][4]byte{{200, 10, 10}, {10, 200, 10}}, 2, 3, 16, nil)
	inputs := [][]byte{tiff, asPNG(t, detailed(640, 480)), asJPEG(t, detailed(640, 480))}
	before := imaging.ReadVipsMemory()
	for i := range 4 * len(inputs) { // a cache would find equal operations
		if _, err := open(t, inputs[i%len(inputs)]).Resize(t.Context(), 300, 300, imaging.Best, imaging.WebP); err != nil {
			t.Fatal(err)
		}
	}
	after := imaging.ReadVipsMemory()
	if after.HighWater == 0 || after.HighWater < before.HighWater {
		t.Errorf("the highest memory was %d bytes, and is %d after work", before.HighWater, after.HighWater)
	}
	if kept := after.Bytes - before.Bytes; kept >= 300*300*3 || after.OpenFiles != before.OpenFiles {
		t.Errorf("libvips holds %+v after work, and held %+v before", after, before)
	}
}
