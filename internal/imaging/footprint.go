package imaging

// #include "vips.h"
import "C"

// A job holds the most memory while it decodes, changes or encodes. What one phase
// held is free in the next one, except for pixels that Go has not collected yet. The
// figures are measured by make memory.

const (
	// blurring is the bytes per channel that Blur holds beside the pixels, for a
	// coarser image of floats.
	blurring = 2
	// converting is the bytes per channel of the copy that libvips makes of an image
	// whose colours it converts after it was resampled.
	converting = 1
	// coefficients is the bytes per pixel that a JPEG holds until its Huffman codes
	// are made, where they are made for it.
	coefficients = 3
)

// Footprint returns the most bytes of memory that decoding an image in full, changing
// its pixels and encoding it in a format takes.
func (h Header) Footprint(f Format) int64 {
	return h.footprint(h.pixels(), f, blurring)
}

// ConvertFootprint returns the most bytes of memory that Convert takes.
func (h Header) ConvertFootprint(f Format) int64 {
	if f == h.Format {
		return 0
	}
	return h.footprint(h.pixels(), f, 0)
}

// ResizeFootprint returns the most bytes of memory that a resize to width × height
// pixels takes. Where the decoder gives rows, the input is never in memory in full.
func (h Header) ResizeFootprint(width, height int, f Format) int64 {
	return h.footprint(int64(width)*int64(height), f, converting)
}

// ReadFootprint returns the most bytes of memory that the decoder holds beside the
// rows that it gives.
func (h Header) ReadFootprint() int64 { return h.pixels() * int64(h.held) }

// footprint is for an output of so many pixels, which are changed with so many bytes
// per channel beside them.
func (h Header) footprint(pixels int64, f Format, changing int64) int64 {
	channels, clear := int64(3), h.Alpha && f.alpha()
	if h.Alpha {
		channels = 4
	}
	garbage := int64(0)
	if h.Orientation != 1 {
		garbage += channels
	}
	if h.Alpha && !clear {
		garbage += channels
	}
	decoded := h.ReadFootprint() + pixels*channels
	encoded := f.encoding(pixels, clear)
	return max(decoded, pixels*(garbage+channels)+max(pixels*changing*channels, encoded))
}

// encoding returns the most bytes of memory that encoding so many pixels takes beside
// them.
func (f Format) encoding(pixels int64, clear bool) int64 {
	if clear {
		return pixels * int64(codecs[f].clear)
	}
	held := pixels * int64(codecs[f].opaque)
	if f == JPEG {
		held += coefficients * min(pixels, C.MAX_OPTIMIZED_PIXELS)
	}
	return held
}

func (h Header) pixels() int64 { return int64(h.Width) * int64(h.Height) }
