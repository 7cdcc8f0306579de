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
		return m.resampleRows(ctx, d, read)
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

func (m *Image) resampleRows(ctx context.Context, d decoding, read rowReader) (*Pixels, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	columns, rows := d.columns.pinned(&pin), d.rows.pinned(&pin)
	p := NewPixels(len(d.columns.first), len(d.rows.first), m.channels())
	p.carried = m.carried()
	reader := cgo.NewHandle(&goRows{read, m.Width * p.Channels})
	defer reader.Delete()
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_resample_rows(C.uintptr_t(reader), C.int(m.Width), C.int(m.Height), C.int(p.Channels),
			C.Box{C.int(d.across), C.int(d.down)}, columns, rows, stop, p.memory())
	})
	return p, err
}
