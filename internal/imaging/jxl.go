package imaging

// #cgo pkg-config: libjxl
// #include <stdlib.h>
// #include "jxl.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"unsafe"
)

const (
	// jxlPieceArea is about how many pixels libjxl decodes before the call can be stopped.
	jxlPieceArea = 1 << 20
	// minJXLPiece and maxJXLPiece are the limits of a piece of the codestream, in bytes.
	minJXLPiece, maxJXLPiece = 64, 256 << 10
)

// decodeJXL decodes an image that has jxl, like decode.
func (m *Image) decodeJXL(ctx context.Context, d decoding) (*Pixels, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	in := m.jxl.pinned(&m.Header, &pin)
	if m.keptProfile() != nil {
		in.keep = 1
	}
	p, columns, rows := m.output(d, m.Width, m.Height, &pin)
	defer func() { C.free(in.profile) }()
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_decode_jxl(in, C.Box{C.int(d.across), C.int(d.down)}, columns, rows, stop, p.memory())
	})
	if m.Width*m.Height >= jxlPieceArea {
		// The next decoder or encoder may run in a thread that has another arena of glibc, which cannot use what
		// this decoder freed.
		returnFree()
	}
	if errors.Is(err, errFailed) {
		return nil, invalid("corrupt jxl: it cannot be decoded")
	}
	if err = m.verify(err); err != nil || in.profile == nil || in.keep != 0 {
		return p, err
	}
	return p, p.applyProfile(ctx, unsafe.Slice((*byte)(in.profile), in.profile_size))
}

// keptProfile returns the ICC profile of RGB whose values libjxl can return; nil if there is none, or if it
// is sRGB.
func (x *jxlData) keptProfile(h *Header) []byte {
	x.reading.Do(func() {
		var pin runtime.Pinner
		defer pin.Unpin()
		in := x.pinned(h, &pin)
		in.keep = 1
		defer func() { C.free(in.profile) }()
		err := stoppable(context.Background(), func(stop C.Stop) C.int { return C.imaging_read_jxl_profile(in, stop) })
		if err != nil || in.profile == nil {
			return
		}
		icc := C.GoBytes(in.profile, C.int(in.profile_size))
		if profileColours(icc) == 3 {
			x.icc = storedProfile{parts: [][]byte{icc}}.icc()
		}
	})
	return x.icc
}

// pinned returns the description for C and pins its memory.
func (x *jxlData) pinned(h *Header, pin *runtime.Pinner) *C.JxlStream {
	data := unsafe.SliceData(x.codestream)
	pin.Pin(data)
	pieces := max(1, h.Width*h.Height/jxlPieceArea)
	c := &C.JxlStream{
		data: (*C.uint8_t)(data), size: C.size_t(len(x.codestream)), width: C.int(h.Width), height: C.int(h.Height),
		piece: C.size_t(min(max(ceilDiv(len(x.codestream), pieces), minJXLPiece), maxJXLPiece)),
	}
	if h.Alpha {
		c.alpha = 1
	}
	if x.grey {
		c.grey = 1
	}
	pin.Pin(c)
	return c
}
