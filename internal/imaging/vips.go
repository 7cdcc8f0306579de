package imaging

// #cgo CFLAGS: -O3
// #cgo LDFLAGS: -lm
// #cgo pkg-config: vips lcms2 libjpeg
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

// decoding are the parameters of one call to the decoder.
type decoding struct {
	shrink int // factor by which the decoder shrinks: 1, 2, 4 or 8
	// across and down are the sides, in pixels, of the boxes that are averaged before
	// resampling.
	across, down int
	// columns and rows are nil if the size does not change.
	columns, rows *weights
	// keepGrey allows a result of one channel.
	keepGrey bool
}

// decode returns the image as stored, before orientation.
func (m *Image) decode(ctx context.Context, d decoding) (*Pixels, error) {
	if m.share.hasPixels(m, d.shrink) {
		return m.share.decode(ctx, m, d)
	}
	if m.canvas != nil {
		return m.decodeCanvas(ctx, d)
	}
	if m.drawsFirst() {
		return m.decodeSelected(ctx, d)
	}
	if m.bmp != nil {
		return m.decodeBMP(ctx, d)
	}
	if m.layout != nil {
		return m.decodeTIFF(ctx, d)
	}
	if m.png != nil {
		if p, err := m.inflate(ctx, d); !errors.Is(err, errFailed) {
			return p, err
		}
	}
	if m.av1 != nil {
		return m.decodeAV1(ctx, d)
	}
	if m.jxl != nil {
		return m.decodeJXL(ctx, d)
	}
	return m.decodeByVips(ctx, d)
}

// decodeByVips decodes the image with libvips.
func (m *Image) decodeByVips(ctx context.Context, d decoding) (*Pixels, error) {
	if m.inspect != nil {
		if err := m.inspect(ctx); err != nil {
			return nil, err
		}
	}
	p, err := m.load(ctx, d)
	if errors.Is(err, errFailed) {
		if !m.Format.readable() {
			return nil, invalid("this build cannot read %s: it lacks %s", m.Format, m.Format.missingDecoder())
		}
		return nil, invalid("corrupt %s: it cannot be decoded", m.Format)
	}
	return p, err
}

// load decodes the image with libvips. For any fault of the file it returns errFailed.
func (m *Image) load(ctx context.Context, d decoding) (*Pixels, error) {
	if err := Start(); err != nil {
		return nil, err
	}
	in := m.encodedImage(d.shrink)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(in)
	in.parts, in.count = pinnedParts(m.parts, &pin)
	p, columns, rows := m.output(d, int(in.width), int(in.height), &pin)
	err := stoppable(ctx, func(stop C.Stop) C.int {
		in.stop = stop
		return C.imaging_decode(in, C.Box{C.int(d.across), C.int(d.down)}, columns, rows, C.int(p.Channels), p.memory())
	})
	if err == nil && m.Format == JPEG && in.warned != 0 {
		err = jpegDamage(ctx, JPEG, m.parts)
	}
	if err = m.verify(err); err != nil {
		return nil, err
	}
	if m.fromCodes {
		return m.toSRGB(ctx, p, nil)
	}
	return p, nil
}

// output returns the pixels to fill for an image that the decoder returns with width × height
// pixels. It also returns the pinned weights for C, which are nil if the size does not change.
func (m *Image) output(d decoding, width, height int, pin *runtime.Pinner) (p *Pixels, columns, rows *C.Weights) {
	if d.columns != nil {
		columns, rows = d.columns.pinned(pin), d.rows.pinned(pin)
		width, height = len(d.columns.first), len(d.rows.first)
	}
	p = NewPixels(width, height, m.channels())
	p.carried = m.carried()
	return p, columns, rows
}

// encodedImage returns the header for C, without the parts of the file.
func (m *Image) encodedImage(shrink int) *C.EncodedImage {
	in := &C.EncodedImage{
		tail: C.size_t(m.tail), codec: codecs[m.Format].vips,
		width: C.int(m.Width / shrink), height: C.int(m.Height / shrink), shrink: C.int(shrink),
	}
	if m.appliedProfile() > 0 && !m.fromCodes {
		in.use_profile = 1
	}
	in.frame = C.Frame{C.int(m.frame.Min.X), C.int(m.frame.Min.Y), C.int(m.frame.Dx()), C.int(m.frame.Dy())}
	if m.multiplied {
		in.multiplied = 1
	}
	in.extra, in.alpha = C.int(m.extra), C.int(m.alphaAt)
	if m.fromYCbCr != nil {
		in.is_ycc = 1
		for i, v := range m.fromYCbCr {
			in.ycc[i] = C.double(v)
		}
	}
	return in
}

// pinnedParts returns the parts of a file for C and pins their memory.
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

// pinned returns the weights for C and pins their memory.
func (w *weights) pinned(pin *runtime.Pinner) *C.Weights {
	first, values := unsafe.SliceData(w.first), unsafe.SliceData(w.values)
	c := &C.Weights{
		outputs: C.int(len(w.first)), count: C.int(w.count),
		first: (*C.int32_t)(first), weights: (*C.float)(values),
	}
	if w.cut {
		c.cut = 1
	}
	pin.Pin(first)
	pin.Pin(values)
	pin.Pin(c)
	return c
}

func (p *Pixels) memory() *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(p.Pix)) }

// encode encodes the pixels with their density and no other metadata.
func (p *Pixels) encode(ctx context.Context, f Format, e Encoding) ([]byte, error) {
	switch {
	case f == PNG && e.Palette:
		return p.encodeIndexed(ctx, e.Compression)
	case f == PNG && p.Width*p.Height <= deflatedAtOnce(e.Compression):
		return p.deflate(ctx, e.Compression)
	case f == AVIF && e.Lossless:
		data, err := p.losslessAVIF(ctx, e.Speed)
		return p.metadata.addTo(f, data), err
	case f == WebP && e.Lossless:
		return p.losslessWebP(ctx, e)
	case f == GIF:
		return p.encodeGIF(ctx)
	case f == JXL:
		return p.encodeJXL(ctx, e)
	}
	if err := Start(); err != nil {
		return nil, err
	}
	var data unsafe.Pointer
	var size C.size_t
	output := e.forVips(f)
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_encode(p.memory(), C.int(p.Width), C.int(p.Height), C.int(p.Channels), output, stop, &data, &size)
	})
	if errors.Is(err, errFailed) {
		return nil, fmt.Errorf("libvips cannot encode %d×%d pixels to %s", p.Width, p.Height, f)
	}
	if err != nil {
		return nil, err
	}
	defer C.g_free(C.gpointer(data))
	return p.stamped(f, unsafe.Slice((*byte)(data), size)), nil
}

func (e Encoding) forVips(f Format) *C.EncoderOptions {
	o := &C.EncoderOptions{
		codec: codecs[f].vips, quality: C.int(e.Quality), effort: C.int(slowest - e.Speed), compression: C.int(e.Compression),
	}
	if e.Chroma == Chroma420 {
		o.subsample = 1
	}
	if e.Progressive {
		o.progressive = 1
	}
	return o
}

// slowest is the largest effort of libvips for an AVIF.
const slowest = 9
