package imaging

// #include "vips.h"
import "C"

// A job reaches its peak memory while it decodes, changes or encodes an image. The memory of
// one phase is free in the next, except for pixels that Go has not collected yet. make memory
// measures these constants.

const (
	// blurring is the extra memory of Blur in bytes per channel: a coarser image of floats.
	blurring = 2
	// converting is the memory in bytes per channel of the copy that libvips makes to
	// convert the colours of a resampled image.
	converting = 1
	// coefficients is the memory in bytes per pixel of the coefficients in 4:2:0 that the JPEG
	// encoder buffers to optimize Huffman codes, and for a progressive JPEG.
	coefficients = 3
	// maxEncodedPixel is the maximum size of an output with a quality, in bytes per pixel.
	maxEncodedPixel = 6
)

// Footprint returns the maximum memory in bytes for decoding the image at full size,
// changing its pixels and encoding it in format f.
func (h Header) Footprint(f Format) int64 {
	return h.footprint(h.pixels(), f, blurring)
}

// ConvertFootprint returns the maximum memory of Convert in bytes.
func (h Header) ConvertFootprint(f Format) int64 {
	if f == h.Format && h.Encoding == (Encoding{}) && h.isWhole() {
		return 0
	}
	return h.footprint(h.pixels(), f, 0)
}

// ResizeFootprint returns the maximum memory in bytes of a resize to width × height pixels.
// If the decoder works row by row, the decoded input is never in memory as a whole.
func (h Header) ResizeFootprint(width, height int, f Format) int64 {
	return h.footprint(int64(width)*int64(height), f, converting)
}

// ReadFootprint returns the maximum memory in bytes that the decoder holds, without the rows
// that it returns.
func (h Header) ReadFootprint() int64 {
	if h.draws() {
		return h.drawing()
	}
	return h.pixels() * int64(h.held)
}

// footprint returns the maximum memory in bytes for an output of this many pixels. changing
// is the extra memory of a change, in bytes per channel.
func (h Header) footprint(pixels int64, f Format, changing int64) int64 {
	if f == Auto {
		return h.autoFootprint(pixels, changing)
	}
	if h.Moves(f) {
		return h.animationFootprint(pixels, f, changing)
	}
	channels, withAlpha := int64(h.channels()), h.Alpha && h.Encoding.keepsAlpha(f)
	garbage := int64(0)
	if h.Orientation != 1 {
		garbage += channels
	}
	if h.Encoding.Profile == DisplayP3 {
		garbage += channels
	}
	if h.Alpha && !withAlpha {
		garbage += channels
	}
	if h.png != nil && h.png.bands < 3 { // grey, before it gets colours
		garbage += int64(h.png.bands)
	}
	decoded := h.ReadFootprint() + pixels*channels
	encoded := h.encodingTo(f).footprint(f, pixels, withAlpha)
	return max(decoded, pixels*(garbage+channels)+max(pixels*changing*channels, encoded))
}

// footprint returns the maximum memory in bytes for encoding this many pixels with complete
// options, without the pixels themselves.
func (e Encoding) footprint(f Format, pixels int64, withAlpha bool) int64 {
	codec := codecs[f]
	memory := codec.usual
	switch {
	case e.Lossless:
		memory = codec.lossless
	case e.Quality > codec.quality:
		memory = codec.fine
	}
	each := int64(memory.opaque)
	if withAlpha {
		each = int64(memory.withAlpha)
	}
	if e.Speed < fastEncoding {
		each += int64(codec.slow)
	}
	best := min(int64(e.MaxBytes), maxEncodedPixel*pixels) // while a better quality is tried
	if e.Palette {
		best += paletteMemory
	}
	if f != JPEG {
		return each*pixels + best
	}
	held, buffered := int64(coefficients), min(pixels, C.MAX_OPTIMIZED_PIXELS)
	if e.Chroma == Chroma444 {
		held *= 2
	}
	if e.Progressive {
		buffered = pixels
	}
	return each*pixels + held*buffered + best
}

func (h Header) pixels() int64 { return int64(h.Width) * int64(h.Height) }
