package imaging

// ColourSpread returns how far a pixel of the file can colour others when it is decoded to Pixels, in pixels on
// each side: formats with losses store colours at a lower resolution, and decoders interpolate between the samples.
// 0 means that pixels are independent.
func (h *Header) ColourSpread() int {
	switch {
	case h.Format == JPEG:
		return h.sampleSize()
	case h.Format == PNG, h.Format == GIF, h.Format == BMP, h.Format == TIFF && !h.storesYCbCr,
		h.Format == WebP && !h.ycc && h.animation == nil && h.canvas == nil:
		return 0
	case h.Format == TIFF:
		return maxTIFFSubsampling
	}
	return 2
}

// maxTIFFSubsampling is the maximum of YCbCrSubSampling (TIFF 6.0, page 91).
const maxTIFFSubsampling = 4

// sampleSize returns how many pixels the largest sample of a JPEG covers on one side; 0 if that is one.
func (h *Header) sampleSize() int {
	full, size := h.maxSampling(), 0
	for _, s := range h.sampled {
		if s.across > 0 && (s.across < full.across || s.down < full.down) {
			size = max(size, ceilDiv(full.across, s.across), ceilDiv(full.down, s.down))
		}
	}
	return size
}
