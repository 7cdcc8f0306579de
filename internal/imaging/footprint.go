package imaging

// A job holds the most memory in one of three phases: while it decodes, changes or
// encodes. What a phase took is free in the next one, but for pixels that Go has yet
// to collect. All figures are measured by make memory.

// blurring is how many bytes per channel Blur takes beside the pixels, for a coarser
// image of floats.
const blurring = 2

// Footprint returns how many bytes of memory the image takes at most when it is
// decoded in full, changed, and encoded in the format.
func (h Header) Footprint(f Format) int64 {
	return h.footprint(h.pixels(), f, blurring)
}

// ConvertFootprint returns the same for Convert.
func (h Header) ConvertFootprint(f Format) int64 {
	if f == h.Format {
		return 0
	}
	return h.footprint(h.pixels(), f, 0)
}

// ResizeFootprint returns the same for a resize to width × height pixels. Its decoder
// gives rows, so that the whole input is only there where the decoder holds it.
func (h Header) ResizeFootprint(width, height int, f Format) int64 {
	return h.footprint(int64(width)*int64(height), f, 1) // a copy while profiles are converted
}

// ReadFootprint returns what decoding holds of the image when it is read row by row.
func (h Header) ReadFootprint() int64 { return h.pixels() * int64(h.held) }

// footprint is for an output of so many pixels. Changing it takes so many bytes per
// channel beside the pixels.
func (h Header) footprint(pixels int64, f Format, changing int64) int64 {
	channels := h.channels()
	waste := int64(0) // what Go collects later
	if h.Orientation != 1 {
		waste += channels
	}
	encoding := int64(codecs[f].opaque)
	if h.Alpha && f.alpha() {
		encoding = int64(codecs[f].clear)
	} else if h.Alpha {
		waste += channels
	}
	decoded := h.ReadFootprint() + pixels*channels
	changed := pixels * (waste + channels + max(changing*channels, encoding))
	return max(decoded, changed)
}

func (h Header) pixels() int64 { return int64(h.Width) * int64(h.Height) }

func (h Header) channels() int64 {
	if h.Alpha {
		return 4
	}
	return 3
}
