package imaging

// #cgo pkg-config: libwebpmux
// #include "stop.h"
// #include "webpanim.h"
// #include <stdlib.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"unsafe"
)

// webpCanvases draws the frames of a WebP.
type webpCanvases struct {
	file          []byte
	width, height int
	frames        unsafe.Pointer // nil before the first frame
	pin           runtime.Pinner
	drawn         int
}

func newWebPCanvases(m *Image) *webpCanvases {
	return &webpCanvases{file: m.data, width: m.Width, height: m.Height}
}

func (c *webpCanvases) next(ctx context.Context, _ frame) ([]byte, error) {
	var canvas *C.uint8_t
	err := stoppable(ctx, func(C.Stop) C.int {
		if c.frames == nil {
			file := unsafe.SliceData(c.file)
			c.pin.Pin(file)
			c.frames = C.imaging_webp_frames((*C.uint8_t)(file), C.size_t(len(c.file)), C.int(c.width), C.int(c.height))
		}
		if c.frames != nil {
			canvas = C.imaging_webp_next(c.frames)
		}
		if canvas == nil {
			return -1
		}
		return 0
	})
	if errors.Is(err, errFailed) {
		return nil, invalid("corrupt webp: frame %d cannot be decoded", c.drawn)
	}
	if c.drawn++; err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(canvas), 4*c.width*c.height), nil
}

func (c *webpCanvases) close() {
	if c.frames != nil {
		C.imaging_webp_close(c.frames)
	}
	c.pin.Unpin()
}

// webpWriter encodes an animated WebP.
type webpWriter struct {
	animation *C.WebPAnimation
	end       int // of the last frame, in milliseconds
}

// newWebPWriter returns the encoder of an animation with complete options.
func newWebPWriter(width, height, plays int, e Encoding) (*webpWriter, error) {
	lossless := C.int(0)
	if e.Lossless {
		lossless = 1
	}
	a := C.imaging_webp_animation(C.int(width), C.int(height), C.int(min(plays, maxPlays)), C.int(e.Quality), lossless)
	if a == nil {
		return nil, fmt.Errorf("libwebp cannot begin an animation of %d×%d pixels", width, height)
	}
	return &webpWriter{animation: a}, nil
}

// The maximum number of plays of a WebP, and the maximum delay of a frame in milliseconds.
const (
	maxPlays = 1<<16 - 1
	maxDelay = 1<<24 - 2
)

func (w *webpWriter) add(ctx context.Context, p *Pixels, delay int) error {
	err := stoppable(ctx, func(C.Stop) C.int {
		return C.imaging_webp_add(w.animation, p.memory(), C.int(p.Channels), C.int(w.end))
	})
	w.end = min(w.end+min(delay, maxDelay), math.MaxInt32)
	if errors.Is(err, errFailed) {
		return fmt.Errorf("libwebp cannot encode a frame of %d×%d pixels", p.Width, p.Height)
	}
	return err
}

func (w *webpWriter) finish() ([]byte, error) {
	var data *C.uint8_t
	var size C.size_t
	enter()
	defer leave()
	if C.imaging_webp_finish(w.animation, C.int(w.end), &data, &size) != 0 {
		return nil, errors.New("libwebp cannot write an animation")
	}
	w.close() // it holds the encoded frames
	defer C.free(unsafe.Pointer(data))
	return C.GoBytes(unsafe.Pointer(data), C.int(size)), nil
}

func (w *webpWriter) close() {
	if w.animation != nil {
		C.imaging_webp_free(w.animation)
		w.animation = nil
	}
}
