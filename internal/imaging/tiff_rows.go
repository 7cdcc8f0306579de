package imaging

// #cgo pkg-config: libtiff-4
// #include "tiffrows.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"slices"
)

// tiffLayout is the layout of a TIFF that libvips does not support: TiffLayout of tiffrows.h.
type tiffLayout struct {
	bits, samples, planes, wide, high, strip  int
	isFloat, whiteIsZero, isYCC, isAssociated bool
}

const (
	compressionLZW      = 5
	compressionOldJPEG  = 6
	compressionDeflate  = 8
	compressionDeflate2 = 32946 // of Adobe before it was assigned a number
	compressionPackBits = 32773
)

// maxTileBytes is the maximum size of a tile that libtiff decodes for this package.
const maxTileBytes = 16 << 20

// ownLayout returns the layout if libvips does not support it, or nil: integers with an odd number
// of bits, floats of 16 or 64 bits or of which 0 is white, planes in tiles or of grey, and
// subsampled YCbCr without JPEG.
func (f tiffFields) ownLayout(h *Header, bits int) *tiffLayout {
	photometric, isTiled := f.number(tagPhotometric, 1), f.number(tagTileWidth, 0) > 0
	isFloat := f.maximum(tagSampleFormat, formatUnsigned) == formatFloat
	l := &tiffLayout{bits: bits, samples: h.colours + h.extra, planes: 1, isFloat: isFloat, whiteIsZero: photometric == 0}
	if f.number(tagPlanar, 1) != 1 {
		l.planes = l.samples
	}
	if h.alphaAt > 0 {
		kinds := f[tagExtraSamples]
		l.isAssociated = kinds[len(kinds)-h.extra+h.alphaAt-1] == 1
	}
	if isTiled {
		l.wide, l.high = f.number(tagTileWidth, 0), f.number(tagTileHeight, 0)
	}
	l.strip = min(f.number(tagRowsPerStrip, h.Height), h.Height)
	odd := !isFloat && !slices.Contains([]int{1, 2, 4, 8, 16, 32}, bits) ||
		isFloat && (bits != 32 || l.whiteIsZero) || l.planes > 1 && (isTiled || h.colours == 1)
	l.isYCC = photometric == photometricYCbCr && f.isSubsampled() && f.number(tagCompression, compressionNone) != compressionJPEG
	odd = odd || f[tagPhotometric] == nil && h.extra <= 1 // an old fault; grey by default
	if l.isYCC || odd && photometric <= photometricRGB {
		return l
	}
	return nil
}

// isSubsampled reports whether the colours of YCbCr have fewer samples. This is the default.
func (f tiffFields) isSubsampled() bool { return !slices.Equal(f[tagSubsampling], []uint32{1, 1}) }

// check rejects what imaging_decode_tiff does not support.
func (l *tiffLayout) check(f tiffFields, h *Header) error {
	format, compression := f.maximum(tagSampleFormat, formatUnsigned), f.number(tagCompression, compressionNone)
	switch {
	case format != formatUnsigned && format != formatFloat && format != formatUnknown:
		return invalid("tiff with signed or complex samples of %d bits: supported are unsigned integers and floats", l.bits)
	case l.isFloat && l.bits != 16 && l.bits != 32 && l.bits != 64:
		return invalid("tiff with floats of %d bits: supported are 16, 32 and 64", l.bits)
	case !l.isFloat && l.bits != 32 && (l.bits < 1 || l.bits > 16):
		return invalid("tiff with integers of %d bits per sample: supported are 1 to 16 and 32", l.bits)
	case compression == compressionOldJPEG:
		return invalid("tiff with old-style JPEG compression")
	case !slices.Contains([]int{compressionNone, compressionLZW, compressionDeflate, compressionDeflate2, compressionPackBits},
		compression):
		return invalid("tiff with compression %d of samples with an odd layout: supported are LZW, deflate and PackBits", compression)
	case l.wide > 0 && int64(l.wide)*int64(l.high)*int64(l.samples*l.bits) > 8*maxTileBytes:
		return invalid("tiff with tiles of more than %d bytes", maxTileBytes)
	case l.wide < 0 || l.wide > 0 && l.high < 1 || l.strip < 1:
		return invalid("corrupt tiff: its strips have no rows")
	}
	return l.checkYCC(f, h)
}

func (l *tiffLayout) checkYCC(f tiffFields, h *Header) error {
	if !l.isYCC {
		return nil
	}
	s := f[tagSubsampling]
	isPower := func(v uint32) bool { return v == 1 || v == 2 || v == 4 }
	switch {
	case l.bits != 8 || l.samples != 3 || l.isFloat:
		return invalid("tiff with subsampled YCbCr of %d samples with %d bits: supported are 3 with 8", l.samples, l.bits)
	case s != nil && (len(s) != 2 || !isPower(s[0]) || !isPower(s[1])):
		return invalid("corrupt tiff: its subsampling is invalid")
	case l.planes > 1 || l.wide > 0:
		return invalid("tiff with subsampled YCbCr in planes or tiles: supported in strips only")
	}
	_, err := f.yccMatrix()
	return err
}

// heldBytes returns the memory in bytes per pixel that the decoder holds: a strip, or a row of
// tiles, of each plane, and libtiff's buffers of the same size.
func (l *tiffLayout) heldBytes(width, height int) int {
	wide, high, pixel := int64(width), int64(l.strip), int64(l.samples*max(1, (l.bits+7)/8))
	if l.wide > 0 {
		wide, high = int64((width+l.wide-1)/l.wide*l.wide), int64(l.high)
	}
	if l.isYCC {
		pixel += 4
	}
	pixels := max(int64(width)*int64(height), 1)
	return int((2*wide*high*pixel + pixels - 1) / pixels)
}

// decodeTIFF decodes a TIFF that has a layout of its own, like decode.
func (m *Image) decodeTIFF(ctx context.Context, d decoding) (*Pixels, error) {
	if err := Start(); err != nil { // it sets the handlers of libtiff's messages
		return nil, err
	}
	l, in := m.layout, m.encodedImage(1)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(in)
	in.parts, in.count = pinnedParts(m.parts, &pin)
	layout := &C.TiffLayout{
		bits: C.int(l.bits), samples: C.int(l.samples), colours: C.int(m.colours), alpha: C.int(m.alphaAt),
		planes: C.int(l.planes), wide: C.int(l.wide), high: C.int(l.high), strip: C.int(l.strip),
		is_float: flag(l.isFloat), white_is_zero: flag(l.whiteIsZero), is_ycc: flag(l.isYCC), is_associated: flag(l.isAssociated),
	}
	p, columns, rows := m.output(d, m.Width, m.Height, &pin)
	err := stoppable(ctx, func(stop C.Stop) C.int {
		in.stop = stop
		return C.imaging_decode_tiff(in, layout, C.Box{C.int(d.across), C.int(d.down)}, columns, rows, p.memory())
	})
	if errors.Is(err, errFailed) {
		return nil, invalid("corrupt %s: it cannot be decoded", m.Format)
	}
	return m.toSRGB(ctx, p, m.verify(err))
}

func flag(is bool) C.int {
	if is {
		return 1
	}
	return 0
}
