package imaging

// #cgo CFLAGS: -O3
// #cgo LDFLAGS: -lm
// #cgo pkg-config: vips lcms2 libjpeg
// #include "damage.h"
// #include "vips.h"
// #include <glib.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// decoding is one call to libvips on a picture from outside.
type decoding struct {
	shrink int // by the decoder itself: 1, 2, 4 or 8
	// across and down are the sides of the boxes of pixels whose means are
	// resampled.
	across, down int
	// columns and rows are nil where the size stays.
	columns, rows *weights
}

// decode returns the stored picture.
func (m *Image) decode(ctx context.Context, d decoding) (*Pixels, error) {
	if err := Start(); err != nil {
		return nil, err
	}
	if m.inspect != nil {
		if err := m.inspect(ctx); err != nil {
			return nil, err
		}
	}
	width, height := m.Width/d.shrink, m.Height/d.shrink
	picture := &C.Picture{
		tail: C.size_t(m.tail), codec: codecs[m.Format].vips,
		width: C.int(width), height: C.int(height), shrink: C.int(d.shrink),
	}
	if m.profile > 0 {
		picture.managed = 1
	}
	picture.frame = C.Frame{C.int(m.frame.Min.X), C.int(m.frame.Min.Y), C.int(m.frame.Dx()), C.int(m.frame.Dy())}
	picture.extra, picture.alpha = C.int(m.extra), C.int(m.alphaAt)
	if m.fromYCbCr != nil {
		picture.is_ycc = 1
		for i, v := range m.fromYCbCr {
			picture.ycc[i] = C.double(v)
		}
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(picture)
	picture.parts, picture.count = pinnedParts(m.parts, &pin)
	var columns, rows *C.Weights
	if d.columns != nil {
		columns, rows = d.columns.pinned(&pin), d.rows.pinned(&pin)
		width, height = len(d.columns.first), len(d.rows.first)
	}
	channels := 3
	if m.Alpha {
		channels = 4
	}
	p := NewPixels(width, height, channels)
	p.density = m.density
	err := stoppable(ctx, func(stop C.Stop) C.int {
		picture.stop = stop
		return C.imaging_decode(picture, C.Box{C.int(d.across), C.int(d.down)}, columns, rows, C.int(channels), p.memory())
	})
	if errors.Is(err, errFailed) {
		return nil, invalid("corrupt %s: it cannot be decoded", m.Format)
	}
	if err == nil && m.Format == JPEG && picture.warned != 0 {
		err = jpegDamage(ctx, JPEG, m.parts)
	}
	if err == nil {
		m.sound.Store(true)
	}
	return p, err
}

// jpegDamage returns an error where a JPEG, in a file of a format, is cut or damaged.
// The decoders only warn, if that.
func jpegDamage(ctx context.Context, f Format, parts [][]byte) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	first, count := pinnedParts(parts, &pin)
	damage := C.Damage(C.WHOLE)
	err := stoppable(ctx, func(stop C.Stop) C.int {
		damage = C.imaging_jpeg_damage(first, count, stop)
		return 0
	})
	switch {
	case err != nil:
		return err
	case damage == C.STOPPED:
		return ctx.Err()
	case damage == C.TRUNCATED:
		return invalid("truncated %s: its image data ends too early", f)
	case damage == C.CORRUPT:
		return invalid("corrupt %s: its image data is damaged", f)
	}
	return nil
}

// pinnedParts returns the parts of a file for C, which stay where they are.
func pinnedParts(parts [][]byte, pin *runtime.Pinner) (*C.Part, C.int) {
	list := make([]C.Part, len(parts))
	for i, part := range parts {
		data := unsafe.SliceData(part)
		pin.Pin(data)
		list[i] = C.Part{unsafe.Pointer(data), C.size_t(len(part))}
	}
	first := unsafe.SliceData(list)
	pin.Pin(first)
	return first, C.int(len(list))
}

// pinned returns the weights for C, which stay where they are.
func (w *weights) pinned(pin *runtime.Pinner) *C.Weights {
	first, of := unsafe.SliceData(w.first), unsafe.SliceData(w.of)
	c := &C.Weights{
		outputs: C.int(len(w.first)), count: C.int(w.count),
		first: (*C.int32_t)(first), weights: (*C.float)(of),
	}
	pin.Pin(first)
	pin.Pin(of)
	pin.Pin(c)
	return c
}

func (p *Pixels) memory() *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(p.Pix)) }

// encode writes the pixels as they are, and no metadata but their density.
func (p *Pixels) encode(ctx context.Context, f Format, quality int) ([]byte, error) {
	if err := Start(); err != nil {
		return nil, err
	}
	var data unsafe.Pointer
	var size C.size_t
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_encode(p.memory(), C.int(p.Width), C.int(p.Height), C.int(p.Channels),
			codecs[f].vips, C.int(quality), stop, &data, &size)
	})
	if errors.Is(err, errFailed) {
		return nil, fmt.Errorf("libvips cannot encode %d×%d pixels to %s", p.Width, p.Height, f)
	}
	if err != nil {
		return nil, err
	}
	defer C.g_free(C.gpointer(data))
	return p.density.stamped(f, unsafe.Slice((*byte)(data), size)), nil
}
