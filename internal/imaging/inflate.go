package imaging

// #cgo pkg-config: libdeflate
// #include "inflate.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// maxAtOnce is the maximum number of pixels of a PNG whose image data is inflated or deflated
// at once by libdeflate, twice as fast as libpng does it row by row. It limits the memory and
// the time for which a call cannot be stopped.
const maxAtOnce = 16_000_000

// pngData describes a PNG that libdeflate can read, before orientation.
type pngData struct {
	depth, samples, bands int
	// palette has bands bytes for each value of a sample; nil if there is none.
	palette []byte
	// idat are the contents of the image data chunks.
	idat [][]byte
}

// inflate decodes a PNG that has data, like decode. It returns errFailed if the image data has
// any fault; libpng then decides whether it is damage.
func (m *Image) inflate(ctx context.Context, d decoding) (*Pixels, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	png := &C.PngData{
		width: C.int(m.Width), height: C.int(m.Height),
		depth: C.int(m.png.depth), samples: C.int(m.png.samples), bands: C.int(m.png.bands),
	}
	png.parts, png.count = pinnedParts(m.png.idat, &pin)
	if m.png.palette != nil {
		palette := unsafe.SliceData(m.png.palette)
		pin.Pin(palette)
		png.palette = (*C.uint8_t)(palette)
	}
	width, height := m.Width, m.Height
	var columns, rows *C.Weights
	if d.columns != nil {
		columns, rows = d.columns.pinned(&pin), d.rows.pinned(&pin)
		width, height = len(d.columns.first), len(d.rows.first)
	}
	p := NewPixels(width, height, m.png.bands)
	p.carried = m.carried()
	pin.Pin(png)
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_inflate(png, C.Box{C.int(d.across), C.int(d.down)}, columns, rows, stop, p.memory())
	})
	if err != nil {
		return nil, err
	}
	m.verified.Store(true)
	if p.Channels >= 3 || p.Channels == 1 && d.keepGrey {
		return p, nil
	}
	return p.withColours(), nil
}

// withColours returns a grey image, with or without alpha, as RGB.
func (p *Pixels) withColours() *Pixels {
	n := p.Channels + 2
	out := NewPixels(p.Width, p.Height, n)
	out.carried = p.carried
	for i := range p.Width * p.Height {
		to, from := out.Pix[i*n:(i+1)*n], p.Pix[i*p.Channels:]
		to[0], to[1], to[2] = from[0], from[0], from[0]
		if n == 4 {
			to[3] = from[1]
		}
	}
	return out
}
