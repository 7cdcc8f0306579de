package imaging

// #include "quantize.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"unsafe"
)

// maxPalette is the maximum number of colours of a palette.
const maxPalette = C.MAX_PALETTE

// paletteMemory is the maximum memory for making a palette, in bytes.
const paletteMemory = 8 << 20

// palette has the colours that stand for those of an image.
type palette struct {
	// colours are red, green, blue and alpha of each, by ascending alpha.
	colours []byte
	image   *C.PaletteImage
	chosen  *C.Palette
	pin     runtime.Pinner
}

// palette chooses at most limit colours. diffuse is for formats without translucent colours: pixels with
// an alpha below 128, and those equal to the pixels of before, which may be nil, get no colour, and the
// errors of the others are diffused. The caller closes the palette.
func (p *Pixels) palette(ctx context.Context, limit int, diffuse bool, before *Pixels) (*palette, error) {
	q := &palette{image: &C.PaletteImage{
		pixels: p.memory(), width: C.int(p.Width), height: C.int(p.Height), channels: C.int(p.Channels), diffuse: flag(diffuse),
	}}
	q.pin.Pin(q.image.pixels)
	if before != nil {
		q.image.before = before.memory()
		q.pin.Pin(q.image.before)
	}
	colours, count := make([]byte, 4*maxPalette), C.int(0)
	err := stoppable(ctx, func(stop C.Stop) C.int {
		q.chosen = C.imaging_palette_new(q.image, C.int(limit), stop, (*C.uint8_t)(unsafe.SliceData(colours)), &count)
		if q.chosen == nil {
			return -1
		}
		return 0
	})
	q.colours = colours[:4*count]
	if err != nil {
		q.close()
	}
	if errors.Is(err, errFailed) {
		err = errors.New("no memory for a palette")
	}
	return q, err
}

// row writes the indices of the next row, from y = 0 on. Pixels without a colour have the number of
// colours as index.
func (q *palette) row(y int, indices []byte) {
	C.imaging_palette_row(q.chosen, q.image, C.int(y), (*C.uint8_t)(unsafe.SliceData(indices)))
}

func (q *palette) close() {
	if q.chosen != nil {
		C.imaging_palette_free(q.chosen)
	}
	q.pin.Unpin()
}
