package imaging

// #cgo pkg-config: libwebp libwebpdemux
// #include "webp.h"
// #include <stdlib.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// hasWebPPlanes reports whether the image is a lossy WebP without alpha, animation and a
// profile to apply, whose planes can be used as they are.
func (m *Image) hasWebPPlanes() bool {
	return m.Format == WebP && m.ycc && !m.Alpha && !m.Animated &&
		m.Encoding.Profile != DisplayP3 && m.appliedProfile() != m.colours
}

// resampleWebP is resamplePlanes for a WebP, whose scale is always 8. It returns errFailed for
// any fault of the file.
func (m *Image) resampleWebP(ctx context.Context, _ int, by []planeWeights, into []plane) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	file := unsafe.SliceData(m.data)
	pin.Pin(file)
	targets := pinnedTargets(by, into, &pin)
	return m.verify(stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_resample_webp(
			(*C.uint8_t)(file), C.size_t(len(m.data)), C.int(m.Width), C.int(m.Height), targets, stop)
	}))
}

// encodeWebP encodes planes sampled 4:2:0, of BT.601 in the limited range, as a lossy WebP with
// complete options. Its errors are those of the context, or errFailed.
func (p *planes) encodeWebP(ctx context.Context, e Encoding) (Encoded, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	var data *C.uint8_t
	var size C.size_t
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_write_webp(
			pinnedPlanes(p.all, &pin), C.int(p.width), C.int(p.height), C.int(e.Quality), stop, &data, &size)
	})
	if err != nil {
		return Encoded{}, err
	}
	defer C.free(unsafe.Pointer(data))
	file := p.metadata.addTo(WebP, C.GoBytes(unsafe.Pointer(data), C.int(size)))
	return Encoded{Data: file, Format: WebP, Width: p.width, Height: p.height, Path: Planar}, nil
}

// losslessWebP encodes the pixels as a WebP that keeps every value.
func (p *Pixels) losslessWebP(ctx context.Context, e Encoding) ([]byte, error) {
	var data *C.uint8_t
	var size C.size_t
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_write_lossless_webp(
			p.memory(), C.int(p.Width), C.int(p.Height), C.int(p.Channels), C.int(e.Quality), stop, &data, &size)
	})
	if errors.Is(err, errFailed) {
		return nil, fmt.Errorf("libwebp cannot encode %d×%d pixels", p.Width, p.Height)
	}
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(data))
	return p.stamped(WebP, unsafe.Slice((*byte)(data), size)), nil
}
