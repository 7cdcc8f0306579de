package imaging

// #include "gorows.h"
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// rowReader writes row y of an image as RGB, or as RGBA with straight alpha. Rows are read from
// the top down.
type rowReader func(y int, out []byte)

// goRows are the rows of an image for C.
type goRows struct {
	read   rowReader
	length int // of a row in bytes
}

//export imaging_read_go_row
func imaging_read_go_row(reader C.uintptr_t, y C.int, row *C.uint8_t) {
	rows := cgo.Handle(reader).Value().(*goRows)
	rows.read(int(y), unsafe.Slice((*byte)(row), rows.length))
}

// decodeRows decodes an image that a decoder in Go reads row by row, like decode.
func (m *Image) decodeRows(ctx context.Context, d decoding, read rowReader) (*Pixels, error) {
	if d.columns != nil {
		out := &Pixels{Channels: m.channels(), carried: m.carried()}
		return out, out.resampleRows(ctx, d, m.Width, m.Height, read)
	}
	p := NewPixels(m.Width, m.Height, m.channels())
	p.carried = m.carried()
	length := p.Width * p.Channels
	for y := range p.Height {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		read(y, p.Pix[y*length:(y+1)*length])
	}
	return p, nil
}

// resampleRows sets the pixels to those of an image of width × height pixels, resampled by d.
func (p *Pixels) resampleRows(ctx context.Context, d decoding, width, height int, read rowReader) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	columns, rows := d.columns.pinned(&pin), d.rows.pinned(&pin)
	p.Width, p.Height = len(d.columns.first), len(d.rows.first)
	p.Pix = make([]byte, p.Width*p.Height*p.Channels)
	reader := cgo.NewHandle(&goRows{read, width * p.Channels})
	defer reader.Delete()
	return stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_resample_rows(C.uintptr_t(reader), C.int(width), C.int(height), C.int(p.Channels),
			C.Box{C.int(d.across), C.int(d.down)}, columns, rows, stop, p.memory())
	})
}
