package imaging

import "slices"

// Tags and values that say what a TIFF's pixels consist of.
const (
	tagCompression  = 259
	tagPlanar       = 284
	tagInkSet       = 332
	tagExtraSamples = 338
	tagSampleFormat = 339
	tagLuma         = 529
	tagSubsampling  = 530
	tagReference    = 532

	photometricRGB     = 2
	photometricPalette = 3
	photometricInks    = 5
	photometricYCbCr   = 6
	photometricLab     = 8

	compressionJPEG = 7
	inkSetCMYK      = 1
)

// tiffColours is the number of colours of each photometric interpretation that
// libvips reads.
var tiffColours = map[int]int{
	0: 1, 1: 1, photometricRGB: 3, photometricPalette: 1, 4: 1,
	photometricInks: 4, photometricYCbCr: 3, photometricLab: 3,
	32844: 1, 32845: 3, // LogL and LogLuv
}

// maxSamples bounds the samples of a pixel; separations for print have a dozen.
const maxSamples = 32

const maxTile = 4096

// samples reads what a pixel consists of, and refuses what libvips does not read,
// or what makes pixels far larger than the limits reckon with.
func (f tiffFields) samples(h *Header) error {
	colours, known := tiffColours[f.number(tagPhotometric, 1)]
	samples, bits := f.number(tagSamplesPerPixel, 1), f.maximum(tagBits, 1)
	format := f.maximum(tagSampleFormat, 1)
	switch {
	case !known:
		return invalid("tiff of photometric interpretation %d: grey, RGB, palettes, CMYK, YCbCr and Lab are read",
			f.number(tagPhotometric, 1))
	case samples < colours:
		return invalid("corrupt tiff: %d samples a pixel of %d colours", samples, colours)
	case samples > maxSamples:
		return invalid("tiff of %d samples a pixel: at most %d are read", samples, maxSamples)
	case format == 3 || format > 4:
		return invalid("tiff of floating-point or complex samples: integers are read")
	case !slices.Contains([]int{1, 2, 4, 8, 16}, bits):
		return invalid("tiff of %d bits a sample: 1, 2, 4, 8 and 16 are read", bits)
	}
	h.colours, h.extra = colours, samples-colours
	h.alphaAt = f.alphaAt(samples, colours)
	h.Alpha = h.alphaAt > 0
	h.held = samples * max(8, bits) / 8 // all may be one strip
	// A tile is decoded in full, however little of it the picture shows.
	width, height := f.number(tagTileWidth, 0), f.number(tagTileHeight, 0)
	if width > maxTile || height > maxTile {
		return invalid("tiff with tiles of %d×%d pixels: no side may be longer than %d", width, height, maxTile)
	}
	if err := f.misread(h, bits); err != nil {
		return err
	}
	return f.chroma(bits, h)
}

// misread refuses what libvips would read and get wrong: its readers that repack
// rows take planes for rows, and its division by alpha takes the last of four
// channels, and of inks and Lab only 8 bits.
func (f tiffFields) misread(h *Header, bits int) error {
	photometric := f.number(tagPhotometric, 1)
	copied := photometric == photometricRGB || photometric == photometricInks
	associated := slices.Contains(f[tagExtraSamples], 1)
	switch {
	case photometric == photometricInks && f.number(tagInkSet, inkSetCMYK) != inkSetCMYK:
		return invalid("tiff of inks other than CMYK")
	case f.number(tagPlanar, 1) != 1 && h.extra+h.colours > 1 && !copied:
		return invalid("tiff with planes of samples: this is read for RGB and CMYK")
	case f.number(tagPlanar, 1) != 1 && h.extra+h.colours > 1 && f.number(tagTileWidth, 0) > 0:
		return invalid("tiff with planes of samples in tiles: in strips they are read")
	case associated && (photometric == photometricLab || photometric == photometricInks && bits > 8):
		return invalid("tiff of inks or Lab multiplied by alpha: alpha must be unassociated")
	case associated && h.extra+h.colours == 4 && h.alphaAt != h.extra:
		return invalid("tiff of grey multiplied by alpha: alpha must be the last of 4 samples")
	}
	return nil
}

// alphaAt returns which of the samples after the colours is alpha, counted from 1:
// the first that TIFF calls associated or unassociated alpha. 0 means none.
func (f tiffFields) alphaAt(samples, colours int) int {
	kinds := f[tagExtraSamples]
	for i, kind := range kinds {
		if at := samples - len(kinds) + i - colours + 1; at > 0 && (kind == 1 || kind == 2) {
			return at
		}
	}
	return 0
}

// chroma sees to YCbCr that is not compressed as JPEG, which libvips leaves as it is.
func (f tiffFields) chroma(bits int, h *Header) error {
	if f.number(tagPhotometric, 1) != photometricYCbCr || f.number(tagCompression, 1) == compressionJPEG {
		return nil
	}
	if bits != 8 {
		return invalid("tiff of YCbCr with %d bits a sample: 8 are read", bits)
	}
	if s := f[tagSubsampling]; len(s) != 2 || s[0] != 1 || s[1] != 1 {
		return invalid("tiff of YCbCr with subsampled colours: this is read only if compressed as JPEG")
	}
	luma := f.fractions(tagLuma, 0.299, 0.587, 0.114)
	reference := f.fractions(tagReference, 0, 255, 128, 255, 128, 255)
	if luma[1] == 0 || reference[0] == reference[1] || reference[2] == reference[3] || reference[4] == reference[5] {
		return invalid("corrupt tiff: no colours are encoded like this")
	}
	h.fromYCbCr = toRGB(luma, reference)
	return nil
}

// toRGB returns the 3 × 4 matrix from YCbCr, and 1, to RGB, from the shares of red,
// green and blue in Y and the codes of black and white, or none and full, of each
// of Y, Cb and Cr (TIFF 6.0, section 21).
func toRGB(luma, reference []float64) *[12]float64 {
	rgb := func(y, cb, cr float64) [3]float64 {
		y = (y - reference[0]) * 255 / (reference[1] - reference[0])
		cb = (cb - reference[2]) * 127 / (reference[3] - reference[2])
		cr = (cr - reference[4]) * 127 / (reference[5] - reference[4])
		r, b := y+cr*(2-2*luma[0]), y+cb*(2-2*luma[2])
		return [3]float64{r, (y - luma[2]*b - luma[0]*r) / luma[1], b}
	}
	var m [12]float64
	zero := rgb(0, 0, 0)
	for i, column := range [][3]float64{rgb(1, 0, 0), rgb(0, 1, 0), rgb(0, 0, 1)} {
		for c := range 3 {
			m[4*c+i], m[4*c+3] = column[c]-zero[c], zero[c]
		}
	}
	return &m
}

// fractions returns the values of a tag of ratios, or the defaults where there are
// not as many.
func (f tiffFields) fractions(tag uint16, defaults ...float64) []float64 {
	v := f[tag]
	if len(v) != 2*len(defaults) {
		return defaults
	}
	values := make([]float64, len(defaults))
	for i := range values {
		if v[2*i+1] == 0 {
			return defaults
		}
		values[i] = float64(v[2*i]) / float64(v[2*i+1])
	}
	return values
}

// maximum returns the greatest value of a tag.
func (f tiffFields) maximum(tag uint16, otherwise int) int {
	if v := f[tag]; len(v) > 0 {
		return int(slices.Max(v))
	}
	return otherwise
}
